"""Contract, section 1: other names. The documented behaviour of tini and catatonit,
option by option, as claims about dumb-init under their names. Debian's programs are
tested for the same claims; docs/drop-in.md explains each difference.

Debian's builds take options from among COMMAND's words, so "--" is before COMMAND
wherever that is not the claim.
"""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from conftest import children, names_of, scaled, status_field, wait_until
from test_section_1_options import (GROUP, Family, assert_reached,
                                    orphaned)  # pylint: disable=unused-import
from test_section_1_pause import start_pause
from test_section_2_groups import foreground
from test_section_3_signals import sigqueue

ROOT = pathlib.Path(__file__).parents[2]

pytestmark = pytest.mark.slow
both = pytest.mark.names("tini", "tini-static", "catatonit")
tini = pytest.mark.names("tini", "tini-static")
catatonit = pytest.mark.names("catatonit")
engines = pytest.mark.names("docker-init", "podman-init")
differs = pytest.mark.differs


PAGE = "docs/drop-in.md"


def reason(key):
    """The reason of a difference: a row of the page."""
    return f"{PAGE}: {key}"


# How COMMAND is started, and its end


@both
@pytest.mark.parametrize("ends, status", [
    ("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143),
    ("kill -KILL $$", 137)])
def test_exit_status_is_that_of_command(run, ends, status):
    assert run("--", "sh", "-c", ends).returncode == status


@both
@differs(catatonit=reason("not-run-1"))
@pytest.mark.parametrize("command, status", [
    ("/nonexistent", 127), ("nonexistent", 127), ("/etc/passwd", 126), ("/", 126)])
def test_command_that_does_not_run_is_127_or_126(run, command, status):
    # PATH without an unsearchable directory: with one tini exits with 126.
    result = run("--", command, env=os.environ | {"PATH": "/usr/bin:/bin"})
    assert result.returncode == status
    assert result.stderr


@both
@pytest.mark.parametrize("words", [[], ["--"], ["-g"]], ids=str)
def test_no_command_is_an_error(run, words):
    result = run(*words)
    assert (result.returncode, result.stdout) == (1, "")


@both
def test_unknown_option_is_an_error_and_starts_nothing(run, tmp_path):
    result = run("-x", "--", "touch", str(tmp_path / "started"))
    assert (result.returncode, result.stdout) == (1, "")
    assert not (tmp_path / "started").exists()


@both
@differs(tini=reason("takes-commands-words"), catatonit=reason("takes-commands-words"))
@pytest.mark.parametrize("words, says", [
    (["sh", "-c", "echo 3"], "3\n"), (["echo", "--", "hi"], "-- hi\n"),
    (["echo", "-g", "hi"], "-g hi\n")], ids=" ".join)
def test_options_end_at_command(run, words, says):
    assert run(*words).stdout == says


@both
def test_command_leads_a_group_in_the_session_of_the_init(start, helper, place):
    started = start("--", helper("reporter"), place=place)
    started.expect("ready")
    ours, command = started.pid, started.command
    assert os.getpgid(command) == command != os.getpgid(ours)
    assert os.getsid(command) == os.getsid(ours)


@both
def test_group_of_command_takes_over_the_foreground(start, helper, place):
    started = start("--", helper("reporter"), place=place, terminal=True)
    started.expect("ready")
    assert foreground(started.pid) == started.command


# Leads the session in the foreground, and starts the init in another group.
IN_BACKGROUND = ["python3", "-ISc", """if True:
    import os, sys
    if os.fork() == 0:
        os.setpgid(0, 0)
        os.execv(sys.argv[1], sys.argv[1:])
    os.wait()
"""]


@both
@differs(tini=reason("takes-the-terminal"), catatonit=reason("takes-the-terminal"))
def test_background_job_does_not_take_the_terminal(start, helper):
    started = start("--", helper("reporter"), before=IN_BACKGROUND, terminal=True)
    started.expect("ready")
    assert foreground(started.pid) == started.pid


def assert_signals(mask, wanted, verb):
    def names(mask):
        return names_of([number for number in range(1, 65) if mask >> number - 1 & 1])
    assert mask == wanted, f"COMMAND {verb} {names(mask)} instead of {names(wanted)}"


@both
@differs(catatonit=reason("mask"))
def test_command_inherits_the_signal_mask(run, helper):
    blocked = 1 << signal.SIGUSR1 - 1 | 1 << 50 - 1
    result = run("--", "grep", "SigBlk", "/proc/self/status",
                 before=[helper("inherit"), f"{blocked:x}", "0"])
    assert_signals(int(result.stdout.split()[1], 16), blocked, "blocks")


@both
def test_command_inherits_the_ignored_signals(run, helper):
    ignored = 1 << signal.SIGHUP - 1 | 1 << signal.SIGUSR2 - 1
    result = run("--", "grep", "SigIgn", "/proc/self/status",
                 before=[helper("inherit"), "0", f"{ignored:x}"])
    assert_signals(int(result.stdout.split()[1], 16), ignored, "ignores")


# Signals

# Signals that also report a fault of the init itself; here a test sends them.
FOR_MISTAKES = [signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS,
                signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS]
LIBCS_OWN = [32, 33]
FORWARDED_BY_ALL = [signum for signum in range(1, 65) if signum not in {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGTSTP, signal.SIGTTIN,
    signal.SIGTTOU, *FOR_MISTAKES, *LIBCS_OWN}]


def assert_forwarded(start, helper, signum):
    """The signal and nothing else is forwarded, as the later signal 50 shows."""
    started = start("--", helper("reporter"), place="pid1")
    started.expect("ready")
    started.send(signum, 50)
    heard = []
    while 50 not in heard:
        heard.append(int(started.expect(rb"(\d+) -?\d+ \d+ -?\d+\r?\n")[1]))
    assert heard == [signum, 50]


@both
def test_signals_are_forwarded(start, helper):
    started = start("--", helper("reporter"), place="pid1")
    started.expect("ready")
    for signum in FORWARDED_BY_ALL:
        started.send(signum)
        started.expect_signals(signum)


@both
@differs(tini=reason("not-forwarded"), catatonit=reason("not-forwarded"))
@pytest.mark.parametrize("signum", [*FOR_MISTAKES, *LIBCS_OWN], ids=int)
def test_signals_that_other_inits_keep_are_forwarded(start, helper, signum):
    assert_forwarded(start, helper, signum)


@both
@differs(catatonit=reason("not-forwarded"))
@pytest.mark.parametrize("signum", [
    signal.SIGTSTP, *(pytest.param(signum, marks=differs(tini=reason("not-forwarded")))
                      for signum in (signal.SIGTTIN, signal.SIGTTOU))])
def test_stop_signals_are_forwarded(start, helper, signum):
    assert_forwarded(start, helper, signum)


@both
@differs(tini=reason("value"), catatonit=reason("value"))
def test_value_of_a_queued_signal_is_kept(start, helper):
    started = start("--", helper("reporter"), place="pid1")
    started.expect("ready")
    sigqueue(started.pid, 40, 1234)
    assert started.expect(rb"40 -?\d+ \d+ (-?\d+)\r?\n")[1] == b"1234"


@both
def test_target_is_command_alone(start, helper, tmp_path):
    assert_reached(Family(start, helper, tmp_path, "--", place="pid1"), {"command"})


@both
def test_g_targets_the_group(start, helper, tmp_path):
    assert_reached(Family(start, helper, tmp_path, "-g", "--", place="pid1"), GROUP)


# The end

# A reporter in COMMAND's group, which outlives COMMAND.
REST = ["--", "sh", "-c", '"$0" >rest & read line; exit 3']


def heard_by_the_rest(start, helper, directory, *options):
    """The signals that the rest of the group gets when COMMAND ends."""
    rest = directory / "rest"
    started = start(*options, *REST, helper("reporter"), cwd=directory,
                    stdin=subprocess.PIPE)
    ready = wait_until(lambda: rest.exists() and re.match(r"ready (\d+)\n",
                                                          rest.read_text()), "ready")
    try:
        started.popen.stdin.close()
        assert started.status() == 3
        os.kill(int(ready[1]), 50)
        wait_until(lambda: "\n50 " in rest.read_text(), "the signals of the rest")
        return [int(line.split()[0]) for line in rest.read_text().splitlines()[1:]]
    finally:
        os.kill(int(ready[1]), signal.SIGKILL)


@both
def test_exit_of_command_as_the_only_target_signals_no_other_process(
        start, helper, tmp_path):
    assert heard_by_the_rest(start, helper, tmp_path) == [50]


@both
@differs(tini=reason("g-rest"), catatonit=reason("g-rest"))
def test_rest_of_the_group_gets_sigterm_with_g(start, helper, tmp_path):
    assert heard_by_the_rest(start, helper, tmp_path, "-g") == [signal.SIGTERM, 50]


# Orphans

ORPHAN = ["--", "sh", "-c", "exec 9<&0; (sh -c 'echo orphan $$; read line <&9' &); "
                            "exec sleep 60"]


def start_and_reap_orphan(start, *options, **others):
    started = start(*options, *ORPHAN, stdin=subprocess.PIPE, **others)
    named = int(started.expect(rb"orphan (\d+)\n")[1])
    if others["place"] == "pid1":
        wait_until(lambda: len(children(started.pid)) == 2, "an orphan")
    else:
        # Here `named` is valid outside, too: there is one PID namespace.
        wait_until(lambda: int(status_field(named, "PPid")) in (1, started.pid),
                   "an orphan")
        assert int(status_field(named, "PPid")) == started.pid
    started.popen.stdin.close()
    # COMMAND itself must reap its child, the former parent of the orphan.
    wait_until(lambda: [children(child) for child in children(started.pid)] == [[]],
               "the orphan's exit")
    return started


@both
def test_orphans_are_reaped_as_pid_1(start):
    start_and_reap_orphan(start, place="pid1")


@both
@differs(tini=reason("subreaper"))
def test_orphans_are_reaped_when_not_pid_1(start):
    start_and_reap_orphan(start, place="ordinary")


@tini
def test_orphans_are_reaped_with_s_or_the_subreaper_variable(start, monkeypatch):
    start_and_reap_orphan(start, "-s", place="ordinary")
    for value in ("", "0", "1"):
        monkeypatch.setenv("TINI_SUBREAPER", value)
        start_and_reap_orphan(start, place="ordinary")


@tini
@pytest.mark.parametrize("options, lines", [(["-w"], 1), ([], 0)], ids=["w", ""])
def test_w_prints_a_line_for_each_reaped_orphan(start, options, lines):
    started = start_and_reap_orphan(start, *options, place="pid1",
                                    stderr=subprocess.PIPE)
    started.send(signal.SIGTERM)
    assert started.status() == 143
    assert len(started.popen.stderr.read().splitlines()) == lines


# tini's options


@tini
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_p_sends_the_signal_when_the_parent_dies(orphaned, signum):
    started, ours, _ = orphaned("-p", signum.name, "--")
    started.expect_signals(signum)
    os.kill(ours, 50)
    started.expect_signals(50)


@tini
@differs(tini=reason("signal-names"))
@pytest.mark.parametrize("text", ["TERM", "sigterm", "15", "SIGRTMIN+3"])
def test_p_accepts_every_form_of_a_signal(run, text):
    assert run("-p", text, "--", "true").returncode == 0


@tini
@differs(tini=reason("v-on-stdout"))
@pytest.mark.parametrize("options", [["-v"], ["-vv"], ["-vvv"], ["-v", "-v", "-v"]],
                         ids=" ".join)
def test_v_prints_to_stderr(run, options):
    result = run(*options, "-s", "--", "true")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr


@both
@differs(tini=reason("warns-of-its-place"))
def test_nothing_is_printed_without_v(run):
    result = run("--", "true")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@tini
@pytest.mark.parametrize("options, ends, status", [
    (["-e", "3"], 3, 0), (["-e3"], 3, 0), (["-e", "3", "-e", "4"], 4, 0),
    (["-e", "3"], 4, 4), (["-e", "255"], 255, 0), (["-e", "0"], 0, 0)], ids=str)
def test_e_maps_a_status_to_0(run, options, ends, status):
    assert run(*options, "--", "sh", "-c", f"exit {ends}").returncode == status


@tini
def test_e_maps_a_killed_command_to_0(run):
    assert run("-e", "143", "--", "sh", "-c", "kill $$").returncode == 0


@tini
@pytest.mark.parametrize("text", [
    "256", "-1", "x", "3x", pytest.param("", marks=differs(tini=reason("e-empty")))])
def test_malformed_argument_of_e_is_an_error(run, text):
    assert run("-e", text, "--", "true").returncode == 1


@tini
@differs(tini=reason("e-to"))
def test_e_maps_a_status_to_another(run):
    assert run("-e", "3:4", "--", "sh", "-c", "exit 3").returncode == 4


@tini
def test_h_prints_help_to_stdout_as_tini(run):
    result = run("-h")
    assert (result.returncode, result.stderr) == (0, "")
    for option in "spvwgel":
        assert re.search(rf"^ +-{option}\b", result.stdout, re.M), option


@catatonit
@differs(catatonit=reason("help-on-stderr"))
def test_h_prints_help_to_stdout_as_catatonit(run):
    result = run("-h")
    assert (result.returncode, result.stderr) == (0, "")
    for option in "ghLPV":
        assert f"-{option}" in result.stdout


@tini
@pytest.mark.parametrize("value", ["", "0", "1", "no"])
def test_kill_process_group_variable_is_equivalent_to_g(
        start, helper, tmp_path, monkeypatch, value):
    monkeypatch.setenv("TINI_KILL_PROCESS_GROUP", value)
    assert_reached(Family(start, helper, tmp_path, "--", place="pid1"), GROUP)


@tini
@pytest.mark.parametrize("value, says", [
    ("0", False), ("", False), ("x", False), ("1", False),
    *(pytest.param(value, True, marks=differs(tini=reason("v-on-stdout")))
      for value in "23")])
def test_verbosity_variable_from_2_on_prints_messages(run, value, says):
    result = run("-s", "--", "true", env=os.environ | {"TINI_VERBOSITY": value})
    assert (result.returncode, result.stdout) == (0, "")
    assert bool(result.stderr) is says


@tini
@differs(tini=reason("verbosity-wins"))
def test_v_wins_over_the_verbosity_variable(run):
    result = run("-v", "-s", "--", "true", env=os.environ | {"TINI_VERBOSITY": "0"})
    assert result.stderr


@tini
def test_l_prints_the_licence_to_stdout(run):
    result = run("-l")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Permission is hereby granted" in result.stdout


# catatonit's options


@catatonit
def test_big_l_prints_a_licence_to_stdout(run):
    result = run("-L")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) > 5


@catatonit
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("options", [["-P"], ["-gP"], ["-P", "-g"]], ids=" ".join)
def test_big_p_exits_with_0_on_sigterm_and_sigint(start, place, options, signum):
    started = start_pause(start, *options, place=place)
    started.send(signum)
    assert started.status() == 0


@catatonit
@differs(catatonit=reason("pause-command"))
def test_big_p_with_a_command_is_an_error(run):
    assert run("-P", "--", "true", timeout=scaled(5)).returncode == 1


# Versions


@pytest.mark.names("tini", "tini-static", "catatonit", "docker-init", "podman-init")
def test_version_is_a_line_that_starts_with_tini_version(run):
    result = run("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"tini version \S[^\n]*\n", result.stdout)


@pytest.mark.names("tini", "tini-static", "catatonit", "docker-init", "podman-init")
@differs(tini=reason("version-commit"), catatonit=reason("version-commit"))
def test_version_names_the_version_and_the_commit_for_dockerd(run):
    makefile = (ROOT / "Makefile").read_text()
    version = re.search(r"^VERSION = (.*)$", makefile, re.M)[1]
    assert re.fullmatch(rf"tini version {re.escape(version)} - "
                        r"git\.([0-9a-f]{7}|unknown)\n", run("--version").stdout)


@both
@differs(tini=reason("long-options"))
def test_version_has_a_short_option(run):
    assert run("-V").stdout == run("--version").stdout


# docker-init and podman-init


@engines
def test_variables_of_dumb_init_apply_under_the_names_of_engines(run):
    variables = {"DUMB_INIT_OPTIONS": "-e 3:4", "DUMB_INIT_DEBUG": "1",
                 "DUMB_INIT_SETSID": "0"}
    result = run("sh", "-c", "exit 3", env=os.environ | variables)
    assert result.returncode == 4
    assert " (single-child mode)\n" in result.stderr


# The differences and their explanations


def test_differences_in_the_tests_are_those_explained_in_drop_in_md():
    source = pathlib.Path(__file__).read_text()
    used = set(re.findall(r'=reason\("([a-z0-9-]+)"\)', source))
    page = (ROOT / PAGE).read_text().partition("\n## Each difference from tini and catatonit\n")[2]
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.M)
    assert used and sorted(used) == sorted(explained)
