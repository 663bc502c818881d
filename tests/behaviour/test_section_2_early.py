"""Contract, section 2.6 and 2.7: signals to the whole group in the first millisecond,
and that dumb-init holds nothing of COMMAND's when COMMAND's program begins. With
TRIES=3000 in the environment the random moments are more."""

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time

import psutil
import pytest

from conftest import children, scaled, state, status_field, wait_until
from test_section_2_groups import wait_for_states

# The helper has a time limit.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]

TRIES = int(os.environ.get("TRIES", "60"))
MICROSECONDS = 600  # by then COMMAND runs, on an idle machine
SLEEP = ["sleep", "1000"]
OWN_GROUP = pytest.mark.parametrize("mode", [[], ["-g"]], ids=["session", "group"])


@pytest.fixture
def outcomes(run, helper):
    """outcomes(KIND, WORD...): how many tries of early.c came out how."""
    def outcomes(kind, *words):
        said = run(*words, timeout=scaled(120 + TRIES * 0.1), before=[
            helper("early"), kind, str(TRIES), str(MICROSECONDS)]).stdout
        counts = dict(re.findall(r"([a-z ]+): (\d+)", said.splitlines()[-1]))
        counts = {name.strip(): int(count) for name, count in counts.items()}
        assert (counts["stuck"], counts["lost"]) == (0, 0), said
        assert counts["as expected"] + counts["too early"] == TRIES
        return counts
    return outcomes


@pytest.mark.parametrize("kind", ["stop-tstp", "stop-stop"])
def test_stop_of_the_group_during_the_start_stops_and_sigcont_continues(
        outcomes, mode, kind):
    outcomes(kind, *mode, *SLEEP)


def test_sigcont_to_dumb_init_alone_continues_a_start_that_sigstop_stopped(
        outcomes, mode):
    outcomes("stop-alone", *mode, *SLEEP)


def test_sigterm_to_the_group_during_the_start_terminates_dumb_init(outcomes, mode):
    outcomes("term", *mode, *SLEEP)


@OWN_GROUP
def test_dropped_sigterm_to_the_group_during_the_start_does_not_reach_command(
        outcomes, mode):
    outcomes("term-dropped", *mode, "-r", "TERM:0", "true")


# A program whose execve(2) does not return

FAN_CLASS_CONTENT, FAN_CLOEXEC, FAN_MARK_ADD = 4, 1, 1
FAN_OPEN_EXEC_PERM = 0x00040000
AT_FDCWD = -100


@pytest.fixture
def hanging(tmp_path):
    """A program that cannot be executed until hanging.release(): fanotify(7) asks the
    test for permission, and gets no answer. As on a file system that hangs."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64,
                                   ctypes.c_int, ctypes.c_char_p]
    listener = libc.fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, os.O_RDONLY)
    program = shutil.copy("/bin/sleep", tmp_path / "hanging")
    if listener < 0 or libc.fanotify_mark(
            listener, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD, bytes(program)) < 0:
        pytest.skip(f"NOT TESTED: no fanotify, {os.strerror(ctypes.get_errno())}")
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, listener)
        yield Hanging(str(program), stack.close)


class Hanging:
    """Words of a COMMAND, and what lets it begin."""

    def __init__(self, program, release):
        self.words = [program, "1000"]
        self.release = release


def hangs_below(pid):
    """PID of the only child of pid, once it hangs in execve(2)."""
    def hangs():
        below = children(pid)
        return below if len(below) == 1 and state(below[0]) == "D" else None
    return wait_until(hangs, "an execve that hangs")[0]


def test_sigterm_terminates_dumb_init_while_the_exec_of_command_hangs(
        start, hanging, mode):
    started = start(*mode, *hanging.words)
    hangs_below(started.pid)
    started.send(signal.SIGTERM)
    assert started.status() == 143


def test_sigterm_terminates_pid_1_while_the_exec_of_command_hangs(start, hanging, mode):
    started = start(*mode, *hanging.words, place="pid1")
    wait_until(lambda: children(started.popen.pid), "PID 1")
    hangs_below(started.pid)
    started.send(signal.SIGTERM)
    assert started.status() == 143


@pytest.mark.parametrize("signum", [signal.SIGTSTP, signal.SIGSTOP],
                         ids=lambda signum: signum.name)
def test_group_can_be_stopped_while_the_exec_of_command_hangs(
        start, hanging, mode, signum):
    started = start(*mode, *hanging.words, process_group=0)
    command = hangs_below(started.pid)
    os.killpg(started.pid, signum)
    wait_for_states("T", started.pid)
    os.killpg(started.pid, signal.SIGCONT)
    wait_until(lambda: state(started.pid) == "S", "dumb-init to continue")
    hanging.release()
    wait_until(lambda: status_field(command, "Name") == "hanging", "COMMAND's program")
    wait_for_states("S", started.pid, command)
    started.send(signal.SIGTERM)
    assert started.status() == 143


def slow(calls, seconds):
    """dumb-init and COMMAND's process enter these system calls late."""
    return ["strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
            f"inject={calls}:delay_enter={int(seconds * 1_000_000)}", "-e",
            "signal=none"]


def starts_command(strace):
    """dumb-init below strace, which has short-lived children of its own."""
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        return [process.pid for process in psutil.Process(strace).children()
                if process.name() == "dumb-init" and process.children()]
    return []


def test_sigterm_to_a_slow_process_whose_exec_hangs_is_not_lost(start, hanging):
    started = start(*hanging.words, before=["strace", "-D", *slow("setsid", 1000)[1:]])
    wait_until(lambda: status_field(started.pid, "Name") == "dumb-init" and
               children(started.pid), "COMMAND's process")
    tracer = int(status_field(started.pid, "TracerPid"))
    started.send(signal.SIGTERM)
    time.sleep(3)  # more than a hanging exec gets before a signal is forwarded
    os.kill(tracer, signal.SIGKILL)  # its tracees go on
    assert started.status() == 143


def test_signals_during_a_slow_exec_are_forwarded_once_command_runs(
        start, helper, mode):
    # COMMAND inherits a mask with them, or one would kill it before it is ready.
    signums = [signal.SIGHUP, signal.SIGTERM, signal.SIGRTMAX]
    mask = sum(1 << (signum - 1) for signum in signums)
    started = start(*mode, helper("reporter"), before=[
        *slow("execve", 0.4), helper("inherit"), f"{mask:x}", "0"])
    init = wait_until(lambda: starts_command(started.pid), "COMMAND's process")[0]
    for signum in signums:
        os.kill(init, signum)
    started.expect("ready")
    started.expect_signals(signal.SIGHUP, signal.SIGTERM, signal.SIGRTMAX)


# The state of dumb-init that COMMAND sees

LOOK = ["sh", "-c", "readlink /proc/$PPID/cwd; echo /proc/$PPID/fd/*"]


@pytest.mark.parametrize("late", ["chdir", "close_range"])
def test_command_never_sees_dumb_init_in_its_directory_or_with_its_files(
        run, mode, tmp_path, late):
    with open(os.devnull, "rb") as file:
        # Not a number that dumb-init uses itself, to read its cgroup for a moment.
        inherited = fcntl.fcntl(file, fcntl.F_DUPFD, 90)
    said = run(*mode, *LOOK, before=slow(late, 0.2), cwd=tmp_path,
               pass_fds=[inherited]).stdout
    os.close(inherited)
    directory, files = said.splitlines()
    assert directory == "/"
    numbers = {name.rpartition("/")[2] for name in files.split()}
    assert {"0", "1", "2"} <= numbers and str(inherited) not in numbers


def test_command_never_sees_dumb_init_in_its_directory_on_a_loaded_machine(
        run, mode, tmp_path):
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"])
            for _ in range(2 * os.cpu_count())]
    try:
        seen = {run(*mode, *LOOK[:2], "readlink /proc/$PPID/cwd",
                    cwd=tmp_path).stdout for _ in range(30)}
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert seen == {"/\n"}
