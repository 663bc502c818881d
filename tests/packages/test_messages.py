"""The man page lists the messages that the program can print, and no others.

In the man page a word of NAMES stands for a part that varies. A %s in the source
stands for such a word, or for string literals of the same file. So the man page may
list one message for a format, or each message that the format can become.
"""

import re
import subprocess

import pytest

from contents import ROOT

NAMES = ("PROGRAM SIGNAL SENDER TARGET REASON FILE WORD OPTION SYNTAX NAME MACHINE "
         "DIRECTORIES MODE TIME X").split()
NAME = rf"\b(?:{'|'.join(NAMES)}|SIG[A-Z]+)\b"
STRING = r'"(?:[^"\\]|\\.)*"'
# The functions that take the format of a message, and its place in their arguments.
FORMAT = {"log_error": 0, "log_warning": 0, "log_verbose": 0,
          "log_line": 1, "log_reason": 1, "usage_error": 1, "format_text": 2}
USAGE = "%s%s '%s' (see --help)"  # in usage_error


def source(path):
    """The text of a file without comments, #include lines and operands of sizeof."""
    return re.sub(rf"({STRING})|/\*.*?\*/|^#.*?$|\bsizeof\(\s*(?:{STRING}\s*)+\)",
                  lambda match: match[1] or "", path.read_text(encoding="utf-8"),
                  flags=re.M | re.S)


def unquoted(text):
    """The string that adjacent literals make."""
    return "".join(each[1:-1] for each in re.findall(STRING, text)).replace('\\"', '"')


def arguments(text):
    """The arguments of a call. text begins after the opening parenthesis."""
    found, depth = [""], 1
    for token in re.findall(rf"{STRING}|.", text, re.S):
        depth += (token in ("(", "{")) - (token in (")", "}"))
        if depth == 0:
            return found
        if token == "," and depth == 1:
            found.append("")
        else:
            found[-1] += token
    raise ValueError("a call without an end")


def calls(text):
    """The function and the format of each call in FORMAT that has one."""
    for match in re.finditer(rf"\b({'|'.join(FORMAT)})\(", text):
        words = arguments(text[match.end():])
        if match[1] == "format_text" and words[0].strip() != "hint":
            continue
        format_ = unquoted(words[FORMAT[match[1]]])
        if format_:
            yield match[1], format_


def formats(text):
    """The formats of the messages in a file."""
    for function, format_ in calls(text):
        if function == "usage_error":
            yield f"%s{format_} '%s' (see --help)"
        elif function == "format_text":
            yield f"hint: {format_}"
        elif format_ not in ("hint: %s", USAGE):
            yield format_
    for problem in re.findall(rf"\*error = ({STRING});", text):
        yield f"%s{unquoted(problem)} '%s' (see --help)"


def parts(text):
    """The literals in a file that can be a part of a message."""
    whole = {format_ for _, format_ in calls(text)}
    literals = {unquoted(each) for each in re.findall(rf"{STRING}(?:\s*{STRING})*", text)}
    return [each for each in sorted(literals - whole) if re.search("[a-z]{2}|[A-Z_]{4}", each)]


def pattern(format_, values):
    """A pattern for the messages of a format. values: a pattern for each %s."""
    for text, expression in {"%s": values, "%d": "N", "%u": "N"}.items():
        format_ = format_.replace(text, f"\0{expression}\0")
    return "".join(piece if index % 2 else re.escape(piece)
                   for index, piece in enumerate(format_.split("\0")))


def patterns_of(path):
    """The format and the pattern of each message in a file."""
    text = source(path)
    values = "|".join([NAME, *(pattern(each, NAME) for each in parts(text))])
    return [(each, pattern(each, f"(?:{values})*")) for each in formats(text)]


PATTERNS = {format_: expression for path in sorted((ROOT / "src").glob("*.c"))
            for format_, expression in patterns_of(path)}
SECTION, = re.findall(r"^\.Sh DIAGNOSTICS\n(.*?)^\.Sh ",
                      (ROOT / "man/dumb-init.1").read_text(encoding="utf-8")
                      .replace(r"\-", "-").replace(r"\&", ""), re.M | re.S)
LISTED = re.findall(r'^\.It "(.*)"$', SECTION, re.M)


def test_messages_of_the_source_are_found():
    assert len(PATTERNS) > 30


def test_no_message_is_listed_twice():
    assert sorted(set(LISTED)) == sorted(LISTED)


@pytest.mark.parametrize("format_", PATTERNS)
def test_message_of_the_source_is_in_the_man_page(format_):
    assert any(re.fullmatch(PATTERNS[format_], each) for each in LISTED), \
        f"man/dumb-init.1 (DIAGNOSTICS) does not list: {format_}"


@pytest.mark.parametrize("listed", LISTED)
def test_message_in_the_man_page_is_in_the_source(listed):
    assert any(re.fullmatch(each, listed) for each in PATTERNS.values()), \
        f"man/dumb-init.1 (DIAGNOSTICS) lists, but src/*.c cannot print: {listed}"


@pytest.mark.parametrize("part", [
    each for name in ("report", "diagnose")
    for each in parts(source(ROOT / f"src/{name}.c")) if " " in each.strip()])
def test_part_of_a_message_is_in_the_man_page(part):
    text = re.sub(r"\s+", " ", re.sub(r"^\.[A-Z]\w ?", "", SECTION, flags=re.M))
    assert re.search(pattern(part.strip(), NAME), text), \
        f"man/dumb-init.1 (DIAGNOSTICS) does not mention: {part}"


EXAMPLES = [re.escape(format_).replace("%s", ".*").replace("%d", r"\d+")
            for format_ in PATTERNS]
QUOTES = [(path.relative_to(ROOT).as_posix(), line) for path in [
    ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for line in re.findall(r"^ *(\[dumb-init\] .*)$", path.read_text(encoding="utf-8"),
                           re.M)]


def test_documents_quote_messages():
    assert len(QUOTES) > 5


@pytest.mark.parametrize("path, line", QUOTES)
def test_message_that_a_document_quotes_is_in_the_source(path, line):
    text = line.removeprefix("[dumb-init] ")
    assert any(re.fullmatch(each, text) for each in EXAMPLES), \
        f"expected a message of src/ in {path}, got: {line}"


def test_help_fits_on_a_terminal(pytestconfig):
    init = ROOT / pytestconfig.getoption("init")
    lines = subprocess.run([init, "--help"], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    assert len(lines) <= 40
    assert max(len(line) for line in lines) <= 80
