"""The completions offer the options of the program, and work in the real shells.

Each shell is interactive, on a terminal of its own. There, dumb-init is a script
that shows its arguments, and frobnicate is a command with a completion.
"""

import os
import re
import shutil
import subprocess

import pytest

from contents import ROOT
from terminals import Terminal
from watch import patience

COMPLETIONS = ROOT / "completions"
BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"
# The places where the shells look, below a directory.
PLACES = {"dumb-init.bash": "bash-completion/completions/dumb-init",
          "_dumb-init": "zsh/_dumb-init", "dumb-init.fish": "fish/dumb-init.fish"}
SHOW = "#!/bin/sh\nprintf '<%s>' \"$@\"\necho\n"
PROMPT = "prompt> "
DONE = "printf 'do%s\\n' ne"  # the terminal's echo of this does not contain "done"
# fish 4 prints a carriage return before the output of a command.
START = "[\r\n]"
CONTROL_B, CONTROL_D, CONTROL_U, ALT_QUESTION = "\x02", "\x04", "\x15", "\x1b?"
# No COMMAND follows these, so zsh offers none.
ALONE = {"-P", "--pause", "-h", "--help", "-V", "--version", "-l", "-L", "--license"}


class Shell:
    """An interactive shell that knows the completion of dumb-init."""

    needs = list_key = None
    words, setup = [], []
    knows_other_commands = True

    @classmethod
    def is_here(cls):
        return shutil.which(cls.needs) or os.path.exists(cls.needs)

    def __init__(self, home):
        self.home = home
        environment = {"PATH": f"{home}/bin:{os.environ['PATH']}", "HOME": str(home),
                       "XDG_DATA_DIRS": f"{home}/share", "PS1": PROMPT,
                       "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        # Wide, so that few lines are broken.
        self.terminal = Terminal(self.words, cwd=home, env=environment,
                                 timeout=patience(), encoding="utf-8",
                                 dimensions=(500, 400))
        for line in self.setup:
            self.run(line)

    def send(self, keys, output):
        """Types text, and waits for output and the next prompt. Returns the match
        and the output before it."""
        self.terminal.send(keys)
        self.terminal.expect(output)
        found = self.terminal.match, self.terminal.before
        self.terminal.expect(PROMPT)
        return found

    def run(self, line):
        """Lets the shell execute a line."""
        self.send(f"{line}; {DONE}\r", START + "done\r\n")

    def listed(self, line):
        """The words that the shell offers as the continuation of a line."""
        _, before = self.send(f"{line}{self.list_key}{CONTROL_U}{DONE}\r",
                              START + "done\r\n")
        lines = before.split("\n")[1:]
        return " ".join(each for each in lines if not each.startswith(PROMPT)).split()

    def offers(self, line):
        """The same, as a set, without the part of the word up to a : or =."""
        return {re.split("[:=]", word.rstrip(":="))[-1] for word in self.listed(line)}

    def types(self, keys):
        """The arguments of dumb-init after typing a line with Tabs."""
        match, _ = self.send(keys + "\r", START + r"<(.*?)>\r\n")
        return match[1].split("><")


class BashAlone(Shell):
    needs = "bash"
    words = ["bash", "--norc", "--noprofile", "-i"]
    setup = ["set -u",  # as a user may have set it
             "bind 'set completion-query-items 0'", "bind 'set page-completions off'",
             "bind 'set enable-bracketed-paste off'",
             "_frobnicate() { local offered='alpha beta'; "
             "[[ $2 == -* ]] && offered='-r --rewind'; "
             "COMPREPLY=($(compgen -W \"$offered\" -- \"$2\")); }",
             "complete -F _frobnicate frobnicate",
             ". share/bash-completion/completions/dumb-init"]
    list_key = ALT_QUESTION
    knows_other_commands = False

    def listed(self, line):
        found = super().listed(line)
        if not found:
            # After a failure readline 8.2 would insert a single match.
            super().listed("dumb-init -")
        return found


class BashWithPackage(BashAlone):
    needs = BASH_COMPLETION
    knows_other_commands = True
    # bash-completion finds the completion of dumb-init by itself.
    setup = [*BashAlone.setup[:-1], f". {BASH_COMPLETION}"]


class Zsh(Shell):
    needs = "zsh"
    words = ["zsh", "-f", "-i"]
    setup = ["unset zle_bracketed_paste; unsetopt prompt_sp prompt_cr; LISTMAX=9999",
             "fpath=(~/share/zsh $fpath)", "autoload -Uz compinit; compinit -u -D",
             "zstyle ':completion:*' verbose no",  # one entry for each option
             "_frobnicate() { _arguments -s '(-r --rewind)'{-r,--rewind} "
             "'*:thing:(alpha beta)'; }",
             "compdef _frobnicate frobnicate"]
    list_key = CONTROL_D


class Fish(Shell):
    needs = "fish"
    words = ["fish", "--no-config", "-i"]
    setup = ["function fish_prompt; echo 'prompt> '; end",
             "function __fish_describe_command; end",  # fish asks man, which is slow
             "set fish_complete_path ~/share/fish",
             "complete -c frobnicate -f -a 'alpha beta'",
             "complete -c frobnicate -s r -l rewind"]

    def listed(self, line):
        listing = self.home / "listing"
        self.run(f"complete -C '{line}' >{listing}")
        return [each.split("\t")[0] for each in listing.read_text().splitlines()]


SHELLS = {"bash-alone": BashAlone, "bash-completion": BashWithPackage, "zsh": Zsh,
          "fish": Fish}


def furnish(home):
    """Puts the files that the shells need into a home directory."""
    for name, place in PLACES.items():
        (home / "share" / place).parent.mkdir(parents=True)
        shutil.copy(COMPLETIONS / name, home / "share" / place)
    (home / "bin").mkdir()
    for name in ("dumb-init", "frobnicate", "a--wand"):
        (home / "bin" / name).write_text(SHOW)
        (home / "bin" / name).chmod(0o755)
    for name in ("5-is-no-duration", "143-is-no-status", "TERM-is-a-file", "a-log"):
        (home / name).touch()
    return home


def only(*names):
    """Limits a test to these shells."""
    return pytest.mark.parametrize("shell", names, indirect=True)


@pytest.fixture(scope="module")
def shells(tmp_path_factory):
    """shells(NAME): the shell of that name. Each is started once."""
    started = {}

    def shells(name):
        if not SHELLS[name].is_here():
            pytest.skip(f"NOT TESTED: no {SHELLS[name].needs}")
        if name not in started:
            started[name] = SHELLS[name](furnish(tmp_path_factory.mktemp(name)))
        return started[name]

    yield shells
    for shell in started.values():
        shell.terminal.close()


@pytest.fixture(params=SHELLS)
def shell(request, shells):
    return shells(request.param)


@pytest.fixture(scope="module")
def run_init(request):
    """run_init(WORD...): runs the program."""
    init = ROOT / request.config.getoption("--init")

    def run_init(*words):
        return subprocess.run([init, *words], check=False, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=patience())
    return run_init


@pytest.fixture(scope="module")
def rows(run_init):
    """The table of options: (words, whether an argument must follow, text)."""
    found = re.findall(r"^  (?:(-\w), |    )(--[\w-]+)( \S+|\[=\S+)? +(\S.*)$",
                       run_init("--help").stdout, re.M)
    assert len(found) > 10
    table = []
    for *words, argument, text in found:
        if "also -L" in text:
            words.append("-L")
        table.append((set(words) - {""}, argument.startswith(" "), text))
    return table


@pytest.fixture(scope="module")
def options(rows):
    return set.union(*(words for words, _, _ in rows))


@pytest.fixture(scope="module")
def signals():
    """Every name that the program knows, and those of all real-time signals, without
    EMT, which only MIPS has."""
    source = (ROOT / "src/signals.c").read_text(encoding="utf-8")
    names = re.findall(r'\[SIG\w+\] = "(\w+)"|\{ "(\w+)", SIG\w+ \}', source)
    assert len(names) > 30
    return {"".join(each) for each in names} - {"EMT"} | {
        "RTMIN", "RTMAX", *(f"RTMIN+{n}" for n in range(1, 16)),
        *(f"RTMAX-{n}" for n in range(1, 15))}


def test_offered_options_are_those_of_help(shell, options):
    assert shell.offers("dumb-init -") == options


def test_option_wants_an_argument_where_help_says_so(shell, rows):
    wants = {word: argument for words, argument, _ in rows for word in words - ALONE}
    takes = {word: shell.offers(f"dumb-init {word} frobni") == set() for word in wants}
    assert takes == wants
    for word in wants:
        if wants[word]:
            assert shell.offers(f"dumb-init {word} 1 frobni") == {"frobnicate"}, word


@pytest.mark.parametrize("name", ["_dumb-init", "dumb-init.fish"])
def test_descriptions_are_those_of_help(name, rows):
    text = (COMPLETIONS / name).read_text(encoding="utf-8")
    for _, _, help_text in rows:
        assert re.sub(r" \(\+\)|; also -L", "", help_text) in text


def test_signals_that_are_offered_are_accepted(run_init, signals):
    rewrites = [word for name in signals for word in ("-r", f"{name}:0")]
    assert run_init(*rewrites, "true").stderr == ""


@pytest.mark.parametrize("option", ["-p ", "-r ", "-d ", "--rewrite=", "--delay "])
def test_every_signal_is_offered(shell, signals, option):
    assert shell.offers(f"dumb-init {option}") == signals


def test_signals_and_0_are_offered_after_from(shell, signals):
    assert shell.offers("dumb-init -c -r TERM:") == {"0", *signals}


def test_sig_prefix_is_offered_where_it_was_typed(shell):
    assert shell.offers("dumb-init -p SIGQ") == {"SIGQUIT"}
    assert shell.offers("dumb-init -r sigterm:sigq") == {"SIGQUIT"}


@pytest.mark.parametrize("option", ["-d TERM:", "-t ", "--grace=", "-k WINCH:"])
def test_durations_are_offered_and_accepted(shell, run_init, option):
    durations = shell.offers(f"dumb-init {option}")
    assert "5s" in durations
    for duration in durations:
        assert run_init(*f"{option}{duration} true".split()).stderr == ""


def test_durations_and_signals_are_offered_for_kill_after(shell, signals):
    offered = {word.rstrip(":") for word in shell.offers("dumb-init -k ")}
    assert offered == {"5s", "10s", "30s", "2m", *signals}


@pytest.mark.parametrize("words, offered", [
    ("-t 5", {"5s"}), ("--kill-after=5", {"5s"}), ("-d TERM:5", {"5s"}),
    ("-t 7", set()), ("-e ", set()), ("-e 14", set()), ("--map-exit=14", set()),
    ("-p TERM", {"TERM"})])
def test_file_is_not_offered_where_it_is_no_argument(shell, words, offered):
    assert shell.offers(f"dumb-init {words}") == offered


def test_file_is_offered_for_the_termination_log(shell):
    assert shell.offers("dumb-init --termination-log=a-l") == {"a-log"}


@pytest.mark.parametrize("words", [
    "", "--", "-c", "-c --", "-t 5", "-t5", "--grace=5 --", "-r TERM:0", "-vr TERM:0",
    "-rTERM:0 -rHUP:0", "--rewrite=TERM:0", "--rewrite TERM:0", "--termination-log",
    "--termination-log=a-log"])
def test_command_and_its_own_completions_are_offered(shell, words):
    assert shell.offers(f"dumb-init {words} frobni") == {"frobnicate"}
    if not shell.knows_other_commands:
        assert "a-log" in shell.offers(f"dumb-init {words} frobnicate ")
        assert shell.offers(f"dumb-init {words} frobnicate -") == set()
        return
    assert shell.offers(f"dumb-init {words} frobnicate -") == {"-r", "--rewind"}
    assert shell.offers(f"dumb-init {words} frobnicate -r ") == {"alpha", "beta"}


def test_no_option_is_offered_after_two_dashes(shell, options):
    assert not shell.offers("dumb-init -- -") & options


def test_word_that_is_no_option_is_not_taken_for_command(shell):
    # For a COMMAND fish would offer a--wand. (For --wan, fish 4 offers --warn-on-reap.)
    assert shell.offers("dumb-init --wand") == set()


def test_option_that_may_be_repeated_is_offered_again(shell):
    assert {"-r", "-e"} <= shell.offers("dumb-init -r TERM:0 -e 143 -")


@only("zsh")
def test_zsh_does_not_offer_excluded_options(shell):
    offered = shell.offers("dumb-init -c -t 5 -")
    assert not {"-g", "--process-group", "-W", "--wait-all", "-t"} & offered
    assert "-k" in offered


@pytest.mark.parametrize("keys, words", {
    "--sing\t-t 5 -- fro\targument": "--single-child -t 5 -- frobnicate argument",
    "-r TER\tQUI\ttrue": "-r TERM:QUIT true",
    "--rewrite=TER\t0 true": "--rewrite=TERM:0 true",
    "--rewrite=TER\tQUI\ttrue": "--rewrite=TERM:QUIT true",
    "-r ter\tqui\ttrue": "-r TERM:QUIT true",
    "-pTE\ttrue": "-pTERM true",
    "-cpSIGTE\ttrue": "-cpSIGTERM true",
    "-crTER\tSIGQ\ttrue": "-crTERM:SIGQUIT true",
    "--termination-log=a-l\ttrue": "--termination-log=a-log true",
}.items())
def test_tab_completes(shell, keys, words):
    assert shell.types(f"dumb-init {keys}") == words.split()


@only("bash-completion", "zsh", "fish")
def test_dumb_init_as_command_completes_too(shell):
    assert shell.offers("dumb-init -r TERM:0 dumb-init -t 5 -r HUP:US") == \
        {"USR1", "USR2"}


@only("bash-completion", "zsh", "fish")
def test_tab_completes_the_arguments_of_command(shell):
    assert shell.types("dumb-init -t 5 frobn\t--rew\tal\t") == \
        ["-t", "5", "frobnicate", "--rewind", "alpha"]


@only("bash-alone", "bash-completion")
def test_bash_that_does_not_break_words_at_colons_completes(shell):
    shell.run("breaks=$COMP_WORDBREAKS COMP_WORDBREAKS=${COMP_WORDBREAKS//[:=]}")
    try:
        assert shell.types("dumb-init -r TER\tQUI\ttrue") == ["-r", "TERM:QUIT", "true"]
        assert shell.types("dumb-init --delay=TERM:5\ttrue") == \
            ["--delay=TERM:5s", "true"]
    finally:
        shell.run("COMP_WORDBREAKS=$breaks")


def test_text_after_the_cursor_does_not_count(shell):
    keys = "dumb-init -r TER QUIT true" + CONTROL_B * len(" QUIT true") + "\t"
    assert shell.types(keys)[:2] == ["-r", "TERM:"]
