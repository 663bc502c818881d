"""Mutants of a C file: a token is changed, a condition inverted or a call removed.

Strings, comments, attributes and preprocessor lines are not changed.
"""

import collections
import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<skip>\s+|/\*.*?\*/|//[^\n]*)
  | (?P<directive>(?m:^)[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>\.?[0-9](?:[eEpP][+-]|[\w.])*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.VERBOSE | re.DOTALL)
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)")
KEYWORDS = {"return", "case", "else", "do", "sizeof", "goto"}
HEADS = {"if", "while", "for", "switch"}
CLOSING = {"(": ")", "[": "]", "{": "}"}

TURNED = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
          "&&": "||", "||": "&&", "true": "false", "false": "true", "++": "--",
          "--": "++", "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "&=": "|=",
          "|=": "&=", "<<": ">>", ">>": "<<", "/": "*", "%": "/"}
# Only between two operands: otherwise these are unary.
BETWEEN = {"+": "-", "-": "+", "&": "|", "|": "&", "*": "/"}


@dataclasses.dataclass
class Mutant:
    file: str      # "log.c"
    function: str  # "" outside of functions
    line: int      # the first is 1
    start: int     # the replaced bytes of the file, from start to end
    end: int
    new: str
    key: str       # a readable line; unique


@dataclasses.dataclass
class Token:
    kind: str
    text: str
    start: int
    end: int
    match: int = -1         # for an opening bracket: the index of the closing one
    head: str = ""          # for a closing one: the keyword of the condition


def tokens_of(source):
    tokens = [Token(each.lastgroup, each[0], each.start(), each.end())
              for each in TOKEN.finditer(source)
              if each.lastgroup not in ("skip", "directive")]
    open_ones = []
    for at, token in enumerate(tokens):
        if token.text in CLOSING:
            open_ones.append(at)
        elif token.text in CLOSING.values() and token.kind == "operator":
            start = open_ones.pop()
            tokens[start].match = at
            if start > 0 and tokens[start - 1].text in HEADS:
                token.head = tokens[start - 1].text
    return tokens


def code_of(source):
    """The source without comments, and with single blanks."""
    return " ".join(each[0].strip() for each in TOKEN.finditer(source)
                    if each.lastgroup != "skip")


def functions_of(tokens):
    """Yields (name, first token of the body, last token) for each function."""
    at = 0
    while at < len(tokens):
        if tokens[at].text == "{":
            before = [token.match for token in tokens].index(at - 1) \
                if tokens[at - 1].text == ")" else 0
            if before:
                yield tokens[before - 1].text, at, tokens[at].match
        at = tokens[at].match + 1 if tokens[at].text == "{" else at + 1


def is_operand_end(token):
    return (token.kind in ("number", "name", "text") and token.text not in KEYWORDS) \
        or token.text in (")", "]")


def operand_end(tokens, at):
    """The index after "name", "*name" or "name(...)->name[...]"; None for others."""
    while tokens[at].text == "*":
        at += 1
    if tokens[at].kind != "name" or tokens[at].text in KEYWORDS | {"true", "false"}:
        return None
    at += 1
    while tokens[at].text in ("(", "[", ".", "->"):
        at = tokens[at].match + 1 if tokens[at].match >= 0 else at + 2
    return at


def is_condition(tokens, at):
    """Whether the operand that begins here is a truth value that can be inverted."""
    before = tokens[at - 1]
    condition = before.text in ("&&", "||") or (
        before.text == "(" and tokens[at - 2].text in ("if", "while"))
    choice = before.text in ("=", "(", ",", "return")
    if not condition and not choice:
        return False
    end = operand_end(tokens, at)
    if end is None:
        return False
    after = tokens[end].text
    return after == "?" or (condition and after in (")", "&&", "||", ";"))


def is_statement(tokens, at):
    before = tokens[at - 1]
    return before.text in (";", "{", "}", "else", "do") or before.head in HEADS


def changes_at(tokens, at, source):
    """Yields (first byte, byte after the last, new text, description)."""
    token = tokens[at]
    text, span = token.text, (token.start, token.end)
    number = NUMBER.fullmatch(text)
    if number:
        octal = number[1].startswith("0") and number[1].isdigit()
        value = int(number[1], 8 if octal else 0) + 1
        new = (f"0{value:o}" if octal and value > 1 else
               f"{value:#x}" if "x" in text.lower() else str(value)) + number[2]
        yield *span, new, f"{text} -> {new}"
    if text in TURNED and token.kind in ("operator", "name"):
        yield *span, TURNED[text], f"{text} -> {TURNED[text]}"
    if text in BETWEEN and is_operand_end(tokens[at - 1]) and \
            source[token.end].isspace():
        yield *span, BETWEEN[text], f"{text} -> {BETWEEN[text]}"
    if text in ("!", "~"):
        yield *span, "", f"no {text}"
    if is_condition(tokens, at):
        yield token.start, token.start, "!", f"not {text}"
    if text in ("break", "continue") or (text == "return" and
                                         tokens[at + 1].text == ";"):
        yield *span, "", f"no {text}"
    if is_statement(tokens, at):
        call = at + 3 if [each.text for each in tokens[at:at + 3]] == \
            ["(", "void", ")"] else at
        if tokens[call].kind == "name" and tokens[call + 1].text == "(" and \
                tokens[call].text not in HEADS | KEYWORDS:
            end = tokens[call + 1].match
            if tokens[end + 1].text == ";":
                yield token.start, tokens[end].end, "", f"no {tokens[call].text}()"


def mutants_of(name, source):
    """Every mutant of the file, in the order of the text."""
    tokens = tokens_of(source)
    functions = list(functions_of(tokens))
    lines = source.split("\n")
    seen = collections.Counter()
    at = 0
    while at < len(tokens) - 1:
        if tokens[at].text == "__attribute__":
            at = tokens[at + 1].match
        function = next((each for each, first, last in functions
                         if first <= at <= last), "")
        for start, end, new, change in changes_at(tokens, at, source):
            line = source.count("\n", 0, tokens[at].start) + 1
            key = f"{name} {function}: {lines[line - 1].strip()} [{change}]"
            seen[key] += 1
            if seen[key] > 1:
                key += f" #{seen[key]}"
            yield Mutant(name, function, line, start, end, new, key)
        at += 1


def function_lines(source):
    """The first and the last line of each function's body, by name."""
    tokens = tokens_of(source)
    return {name: tuple(source.count("\n", 0, tokens[each].start) + 1
                        for each in (first, last))
            for name, first, last in functions_of(tokens)}
