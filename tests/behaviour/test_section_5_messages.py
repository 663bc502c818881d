"""Contract, section 5, first point: the messages."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from conftest import MODES, patience, state, status_field, wait_until


def lines_of(started):
    started.popen.wait(patience())
    return started.popen.stderr.read().decode().splitlines()


def us():
    """The name of the tests as a sender, in their PID namespace."""
    name = pathlib.Path("/proc/self/comm").read_text().strip()
    return f"{name} (PID {os.getpid()}, UID {os.getuid()})"


USAGE = re.compile(r"\[dumb-init\] \S+ used \d+\.\d{3} s user, "
                   r"\d+\.\d{3} s system, \d+ KiB peak memory")
KILLED = re.compile(r"\[dumb-init\] \S+ \(PID \d+\) was killed by SIGKILL, "
                    r"not sent by dumb-init: .*")


def test_nothing_is_printed_without_verbose_while_all_goes_well(start, mode, place):
    script = "(sleep 0.01 &); echo ready; exec sleep 60"
    started = start(*mode, "sh", "-c", script, place=place, stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGHUP)
    assert started.status() == 128 + signal.SIGHUP
    assert not lines_of(started)


def test_verbose_prints_start_signals_and_exits(start, helper, mode):
    started = start("-v", *mode, "-r", "USR2:0", "-r", "HUP:INT", helper("reporter"),
                    stderr=subprocess.PIPE)
    started.expect("ready")
    command, ours = started.command, started.pid
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    started.send(signal.SIGHUP)
    started.expect_signals(signal.SIGINT)
    started.send(signal.SIGUSR2, 32, 35)
    started.expect_signals(32, 35)
    os.kill(command, signal.SIGKILL)
    assert started.status() == 137
    alone = mode == MODES["single-child"]
    target = f"{helper('reporter')} (PID {command})"
    if not alone:
        target = f"the process group of {target}"
    how = {"session": "new session", "group": "new process group",
           "single-child": "single-child mode"}
    how, = (how[name] for name, words in MODES.items() if words == mode)
    *lines, usage = lines_of(started)
    assert USAGE.fullmatch(usage)
    assert KILLED.fullmatch(lines.pop(6))
    assert lines == [f"[dumb-init] {line}" for line in (
        f"started {helper('reporter')} as PID {command} ({how})",
        f"SIGUSR1 from {us()}: forwarded to {target}",
        f"SIGHUP from {us()}: forwarded to {target} as SIGINT",
        f"SIGUSR2 from {us()}: dropped",
        f"SIG32 from {us()}: forwarded to {target}",
        f"SIGRTMIN+1 from {us()}: forwarded to {target}",
        *([f"sending SIGTERM to {target}"] if not alone else []),
    )]
    assert ours != command


@pytest.mark.parametrize("delay", ["50ms", "1h"])
def test_verbose_prints_a_delayed_signal(start, helper, mode, delay):
    started = start("-v", *mode, "-d", f"TERM:{delay}", "-r", "TERM:INT",
                    helper("reporter"), stderr=subprocess.PIPE)
    started.expect("ready")
    command = started.command
    started.send(signal.SIGTERM)
    if delay == "1h":  # a second one ends the delay
        wait_until(lambda: int(status_field(started.pid, "ShdPnd"), 16) == 0,
                   "the init to take the signal")
        started.send(signal.SIGTERM)
    started.expect_signals(signal.SIGINT)
    os.kill(command, signal.SIGKILL)
    alone = mode == MODES["single-child"]
    target = f"{helper('reporter')} (PID {command})"
    if not alone:
        target = f"the process group of {target}"
    sender = f"[dumb-init] SIGTERM from {us()}"
    assert [line for line in lines_of(started) if "SIGTERM from" in line] == [
        f"{sender}: delayed (--delay)", f"{sender}: forwarded to {target} as SIGINT"]


def test_verbose_names_all_processes_as_the_target(start, helper, mode, place):
    started = start("-v", *mode, "-a", "-t", "10", helper("reporter"), place=place,
                    stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    os.kill(started.command, signal.SIGKILL)
    assert started.status() == 128 + signal.SIGKILL
    sender = us() if place == "ordinary" else \
        f"a process outside this PID namespace (UID {os.getuid()})"
    _, forwarded, killed, ended, usage = lines_of(started)
    assert forwarded == \
        f"[dumb-init] SIGUSR1 from {sender}: forwarded to all processes"
    assert KILLED.fullmatch(killed)
    assert ended == "[dumb-init] sending SIGTERM to all processes"
    assert USAGE.fullmatch(usage)


# A reporter ignores SIGTERM; COMMAND ends when stdin does.
STUBBORN = '"$0" & read line; exit 3'
DAEMON = "setsid sh -c 'echo ready; exec sleep 60' &"
GRACE_EXPIRED = "[dumb-init] --grace expired: sending SIGKILL to all processes"
KILL_AFTER_EXPIRED = \
    "[dumb-init] --kill-after expired: sending SIGKILL to all processes"


@pytest.mark.parametrize("options, lines", [
    (["-t", "50ms"], [GRACE_EXPIRED]), (["-t", "0"], [GRACE_EXPIRED]),
    (["-t", "50ms", "-k", "1h"], [GRACE_EXPIRED]), (["-qt", "50ms"], [])], ids=str)
def test_one_line_says_that_grace_expired(start, helper, mode, place, options, lines):
    started = start(*mode, *options, "sh", "-c", STUBBORN, helper("reporter"),
                    place=place, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    started.expect("ready")
    started.popen.stdin.close()
    assert started.status() == 3
    assert lines_of(started) == lines


@pytest.mark.parametrize("options, lines", [
    (["-k", "50ms"], [KILL_AFTER_EXPIRED]), (["-k", "0"], [KILL_AFTER_EXPIRED]),
    (["-k", "50ms", "-t", "50ms"], [KILL_AFTER_EXPIRED]),
    (["-k", "50ms", "-W"], [KILL_AFTER_EXPIRED]), (["-qk", "50ms"], [])], ids=str)
def test_one_line_says_that_kill_after_expired(
        start, helper, mode, place, options, lines):
    started = start(*mode, *options, helper("reporter"), place=place,
                    stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 128 + signal.SIGKILL
    assert lines_of(started) == lines


@pytest.mark.parametrize("options, before", [
    (["-k", "1h"], "echo ready;"), (["-t", "1h"], DAEMON), (["-k1h", "-t1h"], DAEMON)],
    ids=str)
def test_no_line_is_printed_for_a_time_that_did_not_expire(
        start, mode, place, options, before):
    started = start(*mode, *options, "sh", "-c", f"{before} exec sleep 60",
                    place=place, stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 128 + signal.SIGTERM
    assert not lines_of(started)


def test_verbose_prints_orphans_and_suspension(start):
    script = "(sh -c 'exit 5' &); echo ready; exec sleep 60"
    started = start("-v", "sh", "-c", script, stderr=subprocess.PIPE)
    started.expect("ready")
    said = b""
    while b"orphan" not in said:
        said += os.read(started.popen.stderr.fileno(), 4096)
    assert re.search(rb"\[dumb-init\] reaped orphan \(PID \d+\), which exited with status 5\n",
                     said)
    started.send(signal.SIGTSTP)
    wait_until(lambda: state(started.pid) == "T", "the init to stop")
    started.send(signal.SIGCONT, signal.SIGTERM)
    started.status()
    assert "[dumb-init] stopping until SIGCONT" in lines_of(started)


def test_verbose_names_a_signal_that_the_terminal_already_sent(start, helper, tmp_path):
    said = tmp_path / "said"
    started = start("-c", helper("reporter"), terminal=True, before=[
        "sh", "-c", f'exec "$0" -v "$@" 2>{said}'])
    started.expect("ready")
    started.type("\x03")
    started.expect_signals(signal.SIGINT)
    wait_until(lambda: "SIGINT" in said.read_text(), "a line about SIGINT")
    assert "SIGINT from the terminal: already sent by the terminal to " in \
        said.read_text()


def test_quiet_prints_only_fatal_errors(run):
    assert run("-q", "/nonsense").stderr == \
        "[dumb-init] cannot execute '/nonsense': No such file or directory\n"


def test_a_line_is_one_write(run, tmp_path, mode):
    trace = tmp_path / "trace"
    result = run("-v", *mode, "true", before=[
        "strace", "-qq", "-s", "999", "-e", "trace=write", "-o", str(trace)])
    written = re.findall(r"^write\(\d+, \"(.*)\", \d+\)", trace.read_text(), re.M)
    assert len(written) == len(result.stderr.splitlines()) > 0
    for line in written:
        assert line.startswith("[dumb-init] ") and line.endswith("\\n")


def test_control_characters_in_a_name_do_not_break_the_line(run):
    result = run("/no\nsuch\tthing\x1b[31m")
    line, _ = result.stderr.splitlines()
    assert line == "[dumb-init] cannot execute '/no?such?thing?[31m': " \
        "No such file or directory"


def test_a_long_name_does_not_make_a_long_line(run):
    result = run("x" * 100_000)
    line, _ = result.stderr.splitlines()
    assert result.returncode == 127
    assert len(line) < 1024
    assert line.endswith("x...")


def test_full_stderr_does_not_stop_dumb_init(start, helper, mode, place):
    """A full pipe: a blocking write(2) would stop PID 1."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    started = start("-v", *mode, helper("reporter"), place=place, stderr=writing)
    os.close(writing)
    started.expect("ready")
    for _ in range(20):
        started.send(signal.SIGUSR1)
        started.expect_signals(signal.SIGUSR1)
    os.close(reading)


def gets_only_signals_of_the_test(started, signum):
    """COMMAND gets only the signals of the test, while dumb-init fails to print a line
    for each. signum is the signal that such a write raises."""
    started.expect("ready")
    for each in (signal.SIGUSR1, signal.SIGUSR1, signum, signal.SIGUSR1):
        started.send(each)
        started.expect_signals(each)


def test_stderr_without_a_reader_sends_command_no_sigpipe(start, helper, mode):
    reading, writing = os.pipe()
    started = start("-v", *mode, helper("reporter"), stderr=writing)
    os.close(writing)
    os.close(reading)
    gets_only_signals_of_the_test(started, signal.SIGPIPE)


def test_stderr_at_its_size_limit_sends_command_no_sigxfsz(
        start, helper, mode, tmp_path):
    with open(tmp_path / "said", "w", encoding="ascii") as said:
        started = start("-v", *mode, helper("reporter"), stderr=said,
                        before=["prlimit", "--fsize=0"])
    gets_only_signals_of_the_test(started, signal.SIGXFSZ)


def test_dumb_init_prints_nothing_to_stdout(run, mode):
    result = run("-v", *mode, "sh", "-c", "(true &); echo mine; kill -HUP $PPID; "
                 "exec sleep 60")
    assert result.stdout == "mine\n"
    assert result.stderr
