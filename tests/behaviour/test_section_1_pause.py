"""Contract, section 1: --pause. Without a COMMAND dumb-init reaps orphans until
SIGTERM or SIGINT."""

import os
import signal
import subprocess
import time

import pytest

from conftest import (ALL_SIGNALS, JOB_STOP, PEERS, children, duration, state,
                      status_field, wait_until, waits_for_good)

pytestmark = pytest.mark.slow

ENDING = [signal.SIGTERM, signal.SIGINT]
# Joins the namespace and exits; leaves an orphan there, which exits at end of stdin.
VISITOR = ["sh", "-c", "exec 9<&0; (sh -c 'echo orphan; read line <&9' &)"]
# Becomes the init by exec, with a child that the shell started.
CHILD = ["sh", "-c", "(trap 'echo sigterm; {then}' TERM; echo ready; "
                     "while :; do sleep 0.05; done) & exec \"$@\"", "sh"]


def pauses(pid):
    """Whether the start is over. dumb-init has changed to / by then."""
    return (status_field(pid, "Name") in ("dumb-init", "catatonit") and
            state(pid) == "S" and
            (os.readlink(f"/proc/{pid}/exe") in PEERS.values() or
             os.readlink(f"/proc/{pid}/cwd") == "/"))


def start_pause(start, *options, place="ordinary", **others):
    """Starts an init and waits until it pauses."""
    others = {"stdout": None} | others
    started = start(*options, place=place, **others)
    if place == "pid1":
        wait_until(lambda: children(started.popen.pid), "the init")
    wait_until(lambda: pauses(started.pid), "a pause")
    return started


@pytest.mark.parametrize("option", ["-P", "--pause"])
@pytest.mark.parametrize("signum", ENDING)
def test_pause_exits_with_0_on_sigterm_and_sigint(start, mode, place, option, signum):
    started = start_pause(start, *mode, option, "-e", "0:7", place=place,
                          stderr=subprocess.PIPE)
    started.send(signum)
    assert started.status() == 0
    assert started.popen.stderr.read() == b""


def test_signals_except_sigterm_and_sigint_are_dropped_in_a_pause(start, place):
    started = start_pause(start, "-P", "-v", place=place, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    started.expect("\\(--pause\\)\n")
    for signum in ALL_SIGNALS:
        if signum in [*ENDING, *JOB_STOP]:
            continue
        started.send(signum)
        started.expect(r"\[dumb-init\] SIG\S+ from [^\n]*: dropped\n")
        assert state(started.pid) in "SR"
    started.send(signal.SIGTERM)
    assert started.status() == 0


def test_rewrite_and_delay_apply_in_a_pause(start, place):
    started = start_pause(start, "-P", "-r", "HUP:TERM", "-r", "TERM:0", "-d",
                          "HUP:0.3", place=place)
    started.send(signal.SIGTERM)
    begun = time.monotonic()
    started.send(signal.SIGHUP)
    assert started.status() == 0
    assert time.monotonic() - begun >= 0.3


def test_job_stop_rewritten_to_sigterm_ends_a_pause(start, place):
    started = start_pause(start, "-P", "-r", "TSTP:TERM", place=place)
    started.send(signal.SIGTSTP)
    assert started.status() == 0


def test_kill_after_with_another_signal_does_not_end_the_pause(start, place):
    """With a COMMAND dumb-init would exit a second after SIGKILL."""
    started = start_pause(start, "-P", "-k", "USR1:0", place=place)
    started.send(signal.SIGUSR1)
    wait_until(lambda: int(status_field(started.pid, "ShdPnd"), 16) == 0 and
               waits_for_good(started.pid), "a wait without a deadline")
    started.send(signal.SIGTERM)
    assert started.status() == 0


@pytest.mark.parametrize("words", [["-P"], ["--pause", "--"], ["-gP"]], ids=" ".join)
def test_command_with_pause_is_an_error(run, tmp_path, words):
    result = run(*words, "touch", str(tmp_path / "started"))
    assert (result.returncode, result.stdout) == (1, "")
    assert "--pause" in result.stderr and "'touch'" in result.stderr
    assert not (tmp_path / "started").exists()


def test_orphans_are_reaped_in_a_pause_as_pid_1(start):
    started = start_pause(start, "-P", place="pid1")
    for _ in range(3):
        with subprocess.Popen(["nsenter", "--pid", "--target", str(started.pid),
                               *VISITOR], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as visitor:
            assert visitor.stdout.readline() == b"orphan\n"
            wait_until(lambda: len(children(started.pid)) == 1, "an orphan")
            visitor.stdin.close()
            wait_until(lambda: not children(started.pid), "the orphan's exit")
    started.send(signal.SIGTERM)
    assert started.status() == 0


# Has a child that, after a line, leaves an orphan, which ends when stdin does.
LATE_ORPHAN = ["sh", "-c", """exec 9<&0
(read go <&9; sh -c 'echo orphan $$; read line <&9' &) &
exec "$@"
""", "sh"]


def test_orphans_are_reaped_in_a_pause_when_not_pid_1(start):
    started = start_pause(start, "-P", before=LATE_ORPHAN, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE)
    child, = children(started.pid)
    started.popen.stdin.write(b"go\n")
    started.popen.stdin.flush()
    orphan = int(started.expect(rb"orphan (\d+)\n")[1])
    wait_until(lambda: int(status_field(orphan, "PPid")) != child, "an orphan")
    wait_until(lambda: children(started.pid) == [orphan], "the exit of its parent")
    started.popen.stdin.close()
    wait_until(lambda: not children(started.pid), "the orphan's exit")
    started.send(signal.SIGTERM)
    assert started.status() == 0


def pause_with_child(start, *options, place, then="exit"):
    """A pause with a child, which the shell started before it became the init."""
    child = [*CHILD[:2], CHILD[2].replace("{then}", then), *CHILD[3:]]
    started = start(*options, place=place, before=child)
    started.expect("ready")
    wait_until(lambda: pauses(started.pid), "a pause")
    return started


def test_grace_waits_for_remaining_processes_after_a_pause(start, place):
    started = pause_with_child(start, "-P", "-t", "60", place=place,
                               then="sleep 0.5; echo cleaned; exit")
    started.send(signal.SIGTERM)
    started.expect("sigterm")
    started.expect("cleaned")
    assert started.status() == 0


def test_grace_after_a_pause_expires(start, place):
    started = pause_with_child(start, "-P", "-t", duration(400), place=place, then=":")
    begun = time.monotonic()
    started.send(signal.SIGINT)
    started.expect("sigterm")
    assert started.status() == 0
    assert time.monotonic() - begun >= 0.4


def test_wait_all_forwards_signals_after_a_pause(start, place):
    started = pause_with_child(start, "-PW", place=place)
    started.send(signal.SIGINT)  # ends the pause, and is used up by that
    wait_until(lambda: not pending(started.pid), "the end of the pause")
    started.send(signal.SIGTERM)
    started.expect("sigterm")
    assert started.status() == 0


def pending(pid):
    """Signals that wait to be taken."""
    return int(status_field(pid, "ShdPnd"), 16)


def test_end_of_a_pause_sends_no_signal_to_other_processes(start):
    """Its own process group gets none, for example."""
    started = start("-P", before=["sh", "-c", "trap 'echo sigterm' TERM; \"$@\"; "
                                              "echo status $?", "sh"])
    init, = wait_until(lambda: children(started.popen.pid), "the init")
    wait_until(lambda: pauses(init), "a pause")
    os.kill(init, signal.SIGTERM)
    started.output.expect_exact("status 0\n")
    assert started.output.before == b""


def test_ctrl_c_ends_a_pause_at_the_terminal(start, mode, place):
    started = start_pause(start, *mode, "-P", place=place, terminal=True)
    started.type("\x03")
    assert started.status() == 0


def test_ctrl_z_stops_a_pause_and_fg_continues_it(shell):
    shell.sendline("$INIT -P")
    init, = wait_until(lambda: children(shell.pid), "the init")
    wait_until(lambda: pauses(init), "a pause")
    shell.send("\x1a")
    shell.expect("Stopped")
    shell.sendline("fg")
    wait_until(lambda: state(init) == "S", "the init to continue")
    shell.send("\x03")
    shell.expect_exact("prompt> ")
    shell.sendline("echo status $?")
    shell.expect_exact("status 0\r\n")


def test_pause_keeps_no_file_and_no_directory(start, tmp_path):
    read, write = os.pipe()
    started = start_pause(start, "-P", cwd=tmp_path, pass_fds=[read, write])
    wait_until(lambda: os.readlink(f"/proc/{started.pid}/cwd") == "/",
               "the directory /")
    wait_until(lambda: sorted(os.listdir(f"/proc/{started.pid}/fd")) ==
               ["0", "1", "2"], "its files to be closed")
    os.close(read)
    os.close(write)
