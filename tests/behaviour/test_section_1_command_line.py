"""Contract, section 1: the command line and the environment."""

import contextlib
import os
import pathlib
import re
import signal

import pytest

from conftest import state, status_field, wait_until, waits_for_good

ROOT = pathlib.Path(__file__).parents[2]

# The message, and the words without a COMMAND that lead to it.
INCOMPLETE = {
    "no COMMAND": [[], ["--"], ["-v"], ["-t", "5"], ["--grace=5"]],
    **{f"missing argument of '{word}'": [[word], ["-v", word]] for word in (
        "-r", "-d", "-k", "-e", "-p", "--rewrite", "--delay", "--grace",
        "--kill-after", "--map-exit", "--parent-death-signal", "--gr")},
    "missing argument of '-t'": [["-t"], ["-vt"], ["-t5", "-gavt"]],
}
# The wrong word, and the words before a COMMAND that contain it.
WRONG = {
    "-x": [["-x"], ["-vx"], ["-vgx"]],
    **{word: [[word], ["-v", word]] for word in (
        "--nonsense", "--=", "--quietly", "--wait-al1", "--quiet=yes", "--all=",
        "--process-group=yes", "--subreaper=0", "--warn-on-reap=no",
        # ambiguous
        "--ver", "--p", "--pa", "--s", "--wa", "--wa=5")},
}
DURATIONS = ["", "x", ".", ".5", "5.", "5.s", "-1", "+1", " 1", "1 ", "1\t", "1e3",
             "0x10", "1,5", "1h30m", "1S", "1sec", "1d", "ms", "s", "1.2.3", "1..2",
             "1:2", "inf", "nan", "2147483648", "2147483647.1", "2147483647001ms",
             "35791395m", "596524h", "4294967297", "18446744073709551617", "9" * 100]
STATUSES = ["", "x", "-1", "+1", " 1", "1 ", "1x", "0x1", "1.0", "256", "1000",
            "4294967297", "9" * 100, "SIGTERM"]
SIGNALS = ["", "0", "65", "-1", "+1", " 15", "15 ", "15x", "0xf", "15.0",
           "4294967311", "SIGFOO", "TER", "TERMX", "SIG", "SIG15", "RTMIN+31",
           "RTMIN-1", "RTMIN+", "RTMAX+1", "9" * 100]
MALFORMED = {
    ("-r", "--rewrite"): ["", "15", ":", "15:2:3", "15:-1", "15:4294967298",
                          *(f"{each}:2" for each in SIGNALS),
                          *(f"15:{each}" for each in SIGNALS if each != "0")],
    ("-d", "--delay"): ["", "15", ":", "5s:TERM", "TERM=5", "TERM:5:5",
                        *(f"{each}:5" for each in SIGNALS),
                        *(f"TERM:{each}" for each in DURATIONS)],
    ("-t", "--grace"): DURATIONS,
    ("-k", "--kill-after"): [":", "5:TERM", "TERM:5:5",
                             *(each for each in DURATIONS if each != "1:2"),
                             *(f"{each}:5" for each in SIGNALS),
                             *(f"TERM:{each}" for each in DURATIONS)],
    ("-e", "--map-exit"): [":", "1:2:3", *STATUSES,
                           *(f"{each}:0" for each in STATUSES),
                           *(f"1:{each}" for each in STATUSES)],
    ("-p", "--parent-death-signal"): [*SIGNALS, "TERM:5", "15:2"],
}
EXCLUSIONS = {
    ("-c (--single-child)", "-g (--process-group)"): [
        ["-c", "-g"], ["-g", "-c"], ["-cg"], ["-gvc"],
        ["--single-child", "--process-group"], ["--pr", "--si"]],
    ("-t (--grace)", "-W (--wait-all)"): [
        ["-t", "5", "-W"], ["-W", "-t", "5"], ["-Wt5"], ["-t5", "-v", "-W"],
        ["--grace=5", "--wait-all"], ["--wait-all", "--grace", "5"]],
}


@pytest.fixture
def assert_usage_error(run, tmp_path):
    """assert_usage_error(WORDS, SAYS...): one line with each of SAYS, status 1, and
    the COMMAND after WORDS is not started."""
    started = tmp_path / "started"

    def assert_usage_error(words, *says, command=("touch", str(started))):
        result = run(*words, *command)
        assert (result.returncode, result.stdout) == (1, ""), words
        line, = result.stderr.splitlines()
        assert line.startswith("[dumb-init] ")
        for each in (*says, "--help"):
            assert each in line, words
        assert not started.exists(), words

    return assert_usage_error


@pytest.mark.parametrize("says", INCOMPLETE)
def test_missing_command_or_argument_is_a_usage_error(assert_usage_error, says):
    for words in INCOMPLETE[says]:
        assert_usage_error(words, says, command=())


@pytest.mark.parametrize("word", WRONG)
def test_usage_error_names_the_word_and_starts_nothing(assert_usage_error, word):
    for words in WRONG[word]:
        assert_usage_error(words, f"'{word}'")


@pytest.mark.parametrize("option", MALFORMED, ids=lambda option: option[1])
def test_malformed_argument_is_a_usage_error_that_names_it(assert_usage_error, option):
    letter, name = option
    for word in MALFORMED[option]:
        # A control character is printed as a question mark.
        says = f"got '{word}'".replace("\t", "?")
        assert_usage_error([letter, word], name, says)
        assert_usage_error([f"{name}={word}"], name, says)
        assert_usage_error([name, word], name, says)
        if word:
            assert_usage_error([letter + word], name, says)


@pytest.mark.parametrize("both", EXCLUSIONS, ids=" ".join)
def test_options_that_exclude_each_other_are_a_usage_error(assert_usage_error, both):
    for words in EXCLUSIONS[both]:
        assert_usage_error(words, *both, "cannot be combined")


def test_missing_argument_in_the_last_word_names_the_option(run):
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
    ["-g", "sh", "-c", "exit 3"],
    ["-gaws", "sh", "-c", "exit 3"],
    ["-gt", "5", "sh", "-c", "exit 3"],
    ["-gt0", "-k0", "sh", "-c", "exit 3"],
    ["-aWd", "TERM:5s", "--", "sh", "-c", "exit 3"],
    ["-e4:5", "-e", "6", "sh", "-c", "exit 3"],
    ["-p", "KILL", "-pTERM", "sh", "-c", "exit 3"],
    ["--process-group", "--all", "--wait-all", "sh", "-c", "exit 3"],
    ["--grace=500ms", "--kill-after", "1.5h", "sh", "-c", "exit 3"],
    ["--gr", "2m", "--delay=hup:0", "sh", "-c", "exit 3"],
    ["--map-exit=4:5", "--map", "6", "sh", "-c", "exit 3"],
    ["--parent-death-signal", "SIGRTMIN+3", "--subreaper", "sh", "-c", "exit 3"],
    ["--warn-on-reap", "--grace=2147483647", "sh", "-c", "exit 3"],
], ids=" ".join)
def test_options_end_at_the_first_word_that_is_not_one(run, words):
    assert run(*words).returncode == 3


def test_words_after_command_are_its_arguments(run):
    result = run("echo", "-v", "--help", "--", "-r")
    assert result.stdout == "-v --help -- -r\n"


def test_second_double_dash_is_an_argument_of_command(run):
    assert run("--", "echo", "--", "x").stdout == "-- x\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_option_on_stdout(run, option):
    result = run(option)
    assert (result.returncode, result.stderr) == (0, "")
    for each in ("-c, --single-child", "-g, --process-group", "-a, --all",
                 "-r, --rewrite FROM:TO", "-d, --delay SIG:DURATION",
                 "-t, --grace DURATION", "-k, --kill-after [SIG:]DURATION",
                 "-W, --wait-all", "-e, --map-exit FROM[:TO]",
                 "-p, --parent-death-signal SIG", "-s, --subreaper",
                 "-w, --warn-on-reap", "-q, --quiet", "-v, --verbose",
                 "-P, --pause", "-h, --help", "-V, --version", "-l, --license"):
        assert re.search(rf"^  {re.escape(each)}  +\S", result.stdout, re.M), each
    for each in ("-L", "DUMB_INIT_SETSID", "DUMB_INIT_DEBUG", "DUMB_INIT_OPTIONS"):
        assert each in result.stdout
    assert max(map(len, result.stdout.splitlines())) < 80
    # The descriptions begin in one column, two blanks after the longest option.
    rows = re.findall(r"^(  (?:-.,|   ) --\S+(?: \S+)?)( +)\S", result.stdout, re.M)
    assert {len(option + blanks) for option, blanks in rows} == \
        {max(len(option) for option, _ in rows) + 2}


def test_help_without_room_on_stdout_ends_with_sigterm(start):
    _, output = pipe = os.pipe()
    os.set_blocking(output, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(output, b"x" * 4096)
    os.set_blocking(output, True)
    started = start("--help", stdout=output)
    wait_until(lambda: state(started.pid) == "S", "dumb-init to wait for room")
    started.send(signal.SIGTERM)
    assert started.status() == 128 + signal.SIGTERM
    for each in pipe:
        os.close(each)


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version_is_the_makefiles_and_names_the_commit(run, option):
    version = re.search(r"^VERSION = (.*)$", (ROOT / "Makefile").read_text(), re.M)[1]
    result = run(option)
    assert (result.returncode, result.stderr) == (0, "")
    # A script reads the first line, as 1.2.5 printed it. dockerd finds the commit in
    # the second, if this is its --init-path.
    assert re.fullmatch(rf"dumb-init v{re.escape(version)}\n"
                        r"source - git\.([0-9a-f]{7}|unknown)\n", result.stdout)


@pytest.mark.parametrize("option", ["-l", "-L", "--license", "--li"])
def test_license_is_the_file(run, option):
    result = run(option)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("option", ["-h", "-V", "-l"])
def test_help_that_cannot_be_written_is_an_error(run, option):
    with open("/dev/full", "w", encoding="ascii") as full:
        assert run(option, stdout=full, capture_output=False).returncode == 1


def test_help_that_is_cut_off_is_an_error(run, tmp_path):
    with open(tmp_path / "help", "w", encoding="ascii") as file:
        result = run("-h", stdout=file, capture_output=False,
                     before=["prlimit", "--fsize=1000"])
    assert (result.returncode, (tmp_path / "help").stat().st_size) == (1, 1000)


def test_help_that_raises_a_signal_is_an_error(run, tmp_path):
    with open(tmp_path / "help", "w", encoding="ascii") as file:
        assert run("-h", stdout=file, capture_output=False,
                   before=["prlimit", "--fsize=0"]).returncode == 1  # SIGXFSZ
    reader, writer = os.pipe()
    os.close(reader)
    assert run("-h", stdout=writer, capture_output=False).returncode == 1  # SIGPIPE
    os.close(writer)


@pytest.mark.parametrize("option", ["-h", "-V", "-l"])
def test_words_after_help_are_not_read(run, option):
    alone = run(option).stdout
    for words in ([option + "x"], [option, "--nonsense"]):
        result = run(*words)
        assert (result.returncode, result.stdout, result.stderr) == (0, alone, "")


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


def test_last_of_quiet_and_verbose_wins(run):
    assert run("-v", "-q", "true").stderr == ""
    assert run("-q", "-v", "true").stderr != ""


def test_command_inherits_the_variables_of_dumb_init(run):
    variables = {"DUMB_INIT_SETSID": "0", "DUMB_INIT_DEBUG": "1",
                 "DUMB_INIT_OPTIONS": " -e 3\t-k\n5  "}
    result = run("env", "-0", env=os.environ | variables)
    assert variables.items() <= dict(
        each.split("=", 1) for each in result.stdout.split("\0") if each).items()


@pytest.mark.parametrize("variable, words, status", [
    ("-e 3", [], 0), ("", [], 3), (" \t\n\v\f\r", [], 3),
    ("--map-exit=3:4", [], 4), ("\t-e\n3:5 \r\n", [], 5),
    ("-c -e3:4 -e3:6", [], 6), ("-g -e 3 --", [], 0),
    # Many short words; and the text's NUL on a page of its own.
    ("-t 5 " * 10, [], 3), (" " * 816, [], 3),
    # The command line comes after, and wins.
    ("-e 3:4", ["-e", "3:5"], 5), ("-e 3:4", ["-e", "5:6"], 4), ("-c", ["-g"], 3),
    ("-g -t 5", ["-c", "-W"], 3)])
def test_options_in_the_environment_are_parsed_before_the_command_line(
        run, variable, words, status):
    result = run(*words, "sh", "-c", "exit 3",
                 env=os.environ | {"DUMB_INIT_OPTIONS": variable})
    assert (result.returncode, result.stderr) == (status, "")


def test_memory_for_the_options_in_the_environment_is_given_back(start, helper):
    sizes = []
    for name in "DUMB_INIT_OPTIONS", "ANOTHER_VARIABLE_":
        started = start(helper("reporter"), env=os.environ | {name: " " * 100_000})
        started.expect("ready")
        # By then, the memory of the start has been given back as well.
        wait_until(lambda: waits_for_good(started.pid), "a wait without a limit")
        sizes.append(status_field(started.pid, "VmData"))
    assert sizes[0] == sizes[1]


@pytest.mark.usefixtures("unsanitized")
def test_options_in_the_environment_without_memory_for_them_are_an_error(
        run, tmp_path, monkeypatch):
    """strace makes the last of the first calls of mmap(2) fail; the others load the
    program."""
    trace = tmp_path / "trace"
    strace = ["strace", "-qq", "-o", str(trace), "-e", "trace=?mmap,?mmap2"]
    monkeypatch.setenv("DUMB_INIT_OPTIONS", "-v")
    run("-V", before=strace)
    last = len(trace.read_text().splitlines())
    result = run("true", before=[
        *strace, "-e", f"inject=?mmap,?mmap2:error=ENOMEM:when={last}"])
    assert (result.returncode, result.stderr) == \
        (1, "[dumb-init] DUMB_INIT_OPTIONS: Cannot allocate memory\n")


@pytest.mark.parametrize("variable, word", [
    ("-x", "-x"), ("-v --nonsense", "--nonsense"), ("-t", "-t"), ("-t 5x", "5x"),
    ("-r\nTERM", "TERM"), ("server", "server"), ("-v -", "-"),
    ("-v -- server", "server"), ("--quiet=yes", "--quiet=yes"), ("-e '3'", "'3'")])
def test_error_in_the_environment_names_the_variable_and_the_word(
        assert_usage_error, monkeypatch, variable, word):
    monkeypatch.setenv("DUMB_INIT_OPTIONS", variable)
    assert_usage_error([], "[dumb-init] DUMB_INIT_OPTIONS: ", f"'{word}'")


def test_exclusion_in_the_environment_names_the_variable(assert_usage_error,
                                                         monkeypatch):
    monkeypatch.setenv("DUMB_INIT_OPTIONS", "-gc")
    assert_usage_error([], "DUMB_INIT_OPTIONS: ", "cannot be combined")


def test_error_on_the_command_line_does_not_name_the_variable(run):
    result = run("-x", "true", env=os.environ | {"DUMB_INIT_OPTIONS": "-v"})
    assert (result.returncode, "DUMB_INIT_OPTIONS" in result.stderr) == (1, False)


def test_pause_in_the_environment_makes_a_command_an_error(run):
    result = run("true", env=os.environ | {"DUMB_INIT_OPTIONS": "-P"})
    assert result.returncode == 1 and "'true'" in result.stderr


@pytest.mark.parametrize("option", ["-h", "-V", "-l"])
def test_help_in_the_environment_prints_help(run, option):
    result = run("true", env=os.environ | {"DUMB_INIT_OPTIONS": option})
    assert (result.returncode, result.stdout) == (0, run(option).stdout)
