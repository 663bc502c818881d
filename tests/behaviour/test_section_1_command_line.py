"""Contract, section 1: the command line and the environment."""

import os
import pathlib
import re

import pytest

USAGE_ERRORS = {
    "no COMMAND": [],
    "no COMMAND behind --": ["--"],
    "no COMMAND behind an option": ["-v"],
    "unknown letter": ["-x"],
    "unknown letter in a cluster": ["-vx"],
    "unknown name": ["--nonsense"],
    "an empty name": ["--="],
    "an ambiguous name": ["--ver"],
    "a longer name": ["--quietly"],
    "an argument not wanted": ["--quiet=yes"],
    "no argument for a letter": ["-r"],
    "no argument for a name": ["--rewrite"],
    "a rewrite without a colon": ["-r", "15"],
    "a rewrite of nothing": ["-r", ":15"],
    "a rewrite to nothing": ["-r", "15:"],
    "a rewrite with two colons": ["-r", "15:2:3"],
    "a rewrite of 0": ["-r", "0:15"],
    "a rewrite of 65": ["-r", "65:15"],
    "a rewrite to 65": ["-r", "15:65"],
    "a rewrite to -1": ["-r", "15:-1"],
    "a rewrite beyond an int": ["-r", "15:4294967298"],
    "a rewrite with trailing text": ["-r", "15:2x"],
    "a rewrite with a blank": ["-r", "15: 2"],
    "a rewrite with an unknown name": ["-r", "SIGFOO:2"],
    "a rewrite with half a name": ["-r", "TER:2"],
    "a rewrite with SIG alone": ["-r", "SIG:2"],
    "a rewrite beyond RTMAX": ["-r", "RTMIN+31:2"],
    "a rewrite below RTMIN": ["-r", "RTMIN-1:2"],
    "a rewrite with an empty offset": ["-r", "RTMIN+:2"],
    "an empty rewrite": ["--rewrite="],
}


@pytest.mark.parametrize("words", USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_usage_error_names_the_word_and_starts_nothing(run, tmp_path, words):
    command = [] if not words or words in (["--"], ["-v"], ["-r"], ["--rewrite"]) \
        else ["touch", str(tmp_path / "started")]
    result = run(*words, *command)
    assert result.returncode == 1
    assert result.stdout == ""
    line, = result.stderr.splitlines()
    assert line.startswith("[dumb-init] ")
    assert "--help" in line
    if words in ([], ["--"], ["-v"]):
        assert "no COMMAND" in line
    else:
        culprit = "-x" if words == ["-vx"] else words[-1].removeprefix("--rewrite=")
        assert f"'{culprit}'" in line
    assert not (tmp_path / "started").exists()


def test_argument_that_is_missing_does_not_take_what_is_not_there(run):
    assert "'-r'" in run("-vr").stderr


@pytest.mark.parametrize("words", [
    ["sh", "-c", "exit 3"],
    ["--", "sh", "-c", "exit 3"],
    ["-v", "sh", "-c", "exit 3"],
    ["-c", "--", "sh", "-c", "exit 3"],
    ["-vcq", "sh", "-c", "exit 3"],
    ["-r", "1:2", "sh", "-c", "exit 3"],
    ["-r1:2", "sh", "-c", "exit 3"],
    ["-cr", "1:2", "sh", "-c", "exit 3"],
    ["--rewrite", "1:2", "sh", "-c", "exit 3"],
    ["--rewrite=1:2", "sh", "-c", "exit 3"],
    ["--rewrite=hup:SIGRTMAX-3", "--single-child", "sh", "-c", "exit 3"],
    ["--rew", "SIGRTMIN+3:0", "--single", "sh", "-c", "exit 3"],
], ids=" ".join)
def test_options_end_at_the_first_word_that_is_not_one(run, words):
    assert run(*words).returncode == 3


def test_words_behind_command_are_commands(run):
    result = run("echo", "-v", "--help", "--", "-r")
    assert result.stdout == "-v --help -- -r\n"


def test_second_double_dash_is_a_word_of_command(run):
    assert run("--", "echo", "--", "x").stdout == "-- x\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_option_on_stdout(run, option):
    result = run(option)
    assert (result.returncode, result.stderr) == (0, "")
    for each in ("-c, --single-child", "-r, --rewrite FROM:TO", "-q, --quiet",
                 "-v, --verbose", "-h, --help", "-V, --version",
                 "DUMB_INIT_SETSID", "DUMB_INIT_DEBUG"):
        assert each in result.stdout
    assert max(map(len, result.stdout.splitlines())) < 80


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version_is_the_makefiles(run, option):
    makefile = pathlib.Path(__file__).parents[2] / "Makefile"
    version = re.search(r"^VERSION = (.*)$", makefile.read_text(), re.M)[1]
    result = run(option)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"dumb-init v{version}\n"


@pytest.mark.parametrize("option", ["-h", "-V"])
def test_help_that_nobody_can_read_is_an_error(run, option):
    with open("/dev/full", "w", encoding="ascii") as full:
        assert run(option, stdout=full, capture_output=False).returncode == 1


def session_of_command(run, **environment):
    """Whether COMMAND led a session of its own."""
    script = "read -r pid _ _ _ _ session _ </proc/self/stat; echo $pid $session"
    result = run("bash", "-c", script, env=os.environ | environment)
    pid, session = result.stdout.split()
    return pid == session


@pytest.mark.parametrize("value, leads", [
    ("0", False), ("1", True), ("", True), ("no", True), ("00", True)])
def test_setsid_0_in_the_environment_is_single_child(run, value, leads):
    assert session_of_command(run, DUMB_INIT_SETSID=value) is leads


@pytest.mark.parametrize("value, verbose", [
    ("1", True), ("0", False), ("", False), ("yes", False), ("11", False)])
def test_debug_1_in_the_environment_is_verbose(run, value, verbose):
    result = run("true", env=os.environ | {"DUMB_INIT_DEBUG": value})
    assert (result.stderr != "") is verbose


def test_quiet_on_the_command_line_wins_over_the_environment(run):
    result = run("-q", "true", env=os.environ | {"DUMB_INIT_DEBUG": "1"})
    assert result.stderr == ""


def test_the_last_of_quiet_and_verbose_counts(run):
    assert run("-v", "-q", "true").stderr == ""
    assert run("-q", "-v", "true").stderr != ""


def test_command_inherits_our_environment_variables(run):
    result = run("sh", "-c", "echo $DUMB_INIT_SETSID $DUMB_INIT_DEBUG",
                 env=os.environ | {"DUMB_INIT_SETSID": "0", "DUMB_INIT_DEBUG": "1"})
    assert result.stdout == "0 1\n"
