"""Contract, section 2 and 3: the terminal and its signals."""

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import time

import psutil
import pytest

from conftest import BASH, NAMESPACE, children, end_tree, state, wait_until
from watch import status_field

CTRL_C, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x1a", "\x1c"


def terminal_of(pid):
    """Controlling terminal and its foreground group, proc(5)."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[4]), int(fields[5])


def test_command_owns_the_terminal_in_session_mode(start, helper, place):
    started = start(helper("reporter"), terminal=True, place=place)
    started.expect("ready")
    assert terminal_of(started.pid)[0] == 0
    terminal, foreground = terminal_of(started.command)
    assert terminal != 0
    assert foreground == started.command


def test_command_acquires_a_terminal_that_no_session_has(start, helper, place):
    """The terminal is on stdin, but no session has it as controlling terminal."""
    master, slave = os.openpty()
    started = start(helper("reporter"), stdin=slave, place=place)
    started.expect("ready")
    terminal, foreground = terminal_of(started.command)
    assert terminal != 0
    assert foreground == started.command
    os.close(slave)
    os.close(master)


def test_terminal_stays_as_it_was_in_single_child_mode(start, helper, place):
    started = start("-c", helper("reporter"), terminal=True, place=place)
    started.expect("ready")
    assert terminal_of(started.pid) == terminal_of(started.command)
    assert terminal_of(started.pid)[0] != 0


def wait_for_echo(started):
    """Waits until the program runs: bash turns the echo off while it reads a line."""
    wait_until(lambda: termios.tcgetattr(started.output.fileno())[3] & termios.ECHO,
               "the terminal's echo")


def test_job_control_of_a_shell_inside_works(start, mode, place):
    started = start(*mode, *BASH, "-i", terminal=True, place=place,
                    env=os.environ | {"PS1": "prompt> ", "TERM": "dumb"})
    assert b"no job control" not in started.expect("(?s).*?prompt> ")[0]
    started.type("cat\n")
    started.expect("cat\r\n")
    wait_for_echo(started)
    started.type("hello\n")
    started.expect("hello\r\nhello\r\n")
    started.type(CTRL_Z)
    started.expect("Stopped +cat")
    started.expect("prompt> ")
    started.type("fg\n")
    started.expect("fg\r\ncat\r\n")
    wait_for_echo(started)
    started.type("again\n")
    started.expect("again\r\nagain\r\n")
    started.type(CTRL_C)
    started.expect("prompt> ")
    started.type("echo status $?; exit 7\n")
    started.expect("status 130\r\n")
    assert started.status() == 7


STARTS = 60


def test_hand_off_sends_command_no_sighup_and_no_sigcont(start, helper, place):
    for _ in range(STARTS):
        started = start(helper("reporter"), terminal=True, place=place)
        started.expect("ready")
        started.send(signal.SIGRTMAX)
        started.expect_signals(signal.SIGRTMAX)
        end_tree(started.popen.pid)


def test_sighup_and_sigcont_after_the_hand_off_arrive(start, helper, place):
    started = start(helper("reporter"), terminal=True, place=place)
    started.expect("ready")
    for signum in (signal.SIGHUP, signal.SIGCONT, signal.SIGHUP, signal.SIGHUP):
        started.send(signum)
        started.expect_signals(signum)


def pending_before_exec(*signums):
    """For preexec_fn: signals that are pending when the init starts. All signals are
    blocked, so that COMMAND survives them however early they come."""
    def send():
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        for signum in signums:
            os.kill(os.getpid(), signum)
    return send


@pytest.mark.parametrize("signums", [
    [signal.SIGHUP], [signal.SIGCONT], [signal.SIGHUP, signal.SIGCONT],
    [signal.SIGUSR1]], ids=str)
def test_signal_before_the_hand_off_is_not_lost_in_it(start, helper, signums):
    started = start(helper("reporter"), terminal=True,
                    preexec_fn=pending_before_exec(*signums))
    started.expect("ready")
    started.expect_signals(*signums)
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


@pytest.mark.parametrize("signum", [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU],
                         ids=lambda signum: signum.name)
def test_stop_signal_before_the_hand_off_is_not_lost_in_it(start, helper, signum):
    """Giving up the terminal raises SIGCONT, which discards a pending stop."""
    started = start("-r", f"{int(signum)}:USR1", helper("reporter"), terminal=True,
                    preexec_fn=pending_before_exec(signum))
    wait_until(lambda: state(started.pid) == "T", "the init to stop")
    started.send(signal.SIGCONT)
    started.expect("ready")
    started.expect_signals(signal.SIGUSR1, signal.SIGCONT)


# A second signal may merge with the first while that is pending; not often.
KEYS = 20


@pytest.mark.parametrize("key, signum", [
    (CTRL_C, signal.SIGINT), (CTRL_BACKSLASH, signal.SIGQUIT)],
    ids=["SIGINT", "SIGQUIT"])
def test_key_sends_one_signal(start, helper, mode, place, key, signum):
    started = start(*mode, helper("reporter"), terminal=True, place=place)
    started.expect("ready")
    for _ in range(KEYS):
        started.type(key)
        started.expect_signals(signum)
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


def test_key_while_command_is_started_sends_one_signal(start, helper):
    """To COMMAND's process, too, which still waits: strace delays the check for signals
    that came before. SIGINT is blocked for COMMAND from the beginning."""
    started = start("-c", helper("reporter"), terminal=True, before=[
        "strace", "-DDD", "-o", "/dev/null", "-e", "trace=rt_sigpending",
        "-e", "inject=rt_sigpending:delay_enter=300000:when=1"],
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]))
    wait_until(lambda: status_field(started.pid, "Name") != "strace" and
               children(started.pid), "COMMAND's process")
    started.type(CTRL_C)
    started.expect("ready")
    started.expect_signals(signal.SIGINT)
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


def test_key_sends_one_signal_to_pid_1_in_a_session_from_outside(start, helper):
    """The terminal's foreground group, too, is outside the PID namespace: its number
    is 0 there."""
    started = start("-c", helper("reporter"), terminal=True, before=NAMESPACE)
    started.expect("ready")
    for _ in range(KEYS):
        started.type(CTRL_C)
        started.expect_signals(signal.SIGINT)
    pid_1, = children(started.pid)
    os.kill(pid_1, signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


def test_new_window_size_sends_one_signal(start, helper, mode, place):
    started = start(*mode, helper("reporter"), terminal=True, place=place)
    started.expect("ready")
    fcntl.ioctl(started.output.child_fd, termios.TIOCSWINSZ,
                struct.pack("HHHH", 11, 22, 0, 0))
    started.expect_signals(signal.SIGWINCH)
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


def test_key_is_forwarded_to_a_command_that_left_the_group(start, helper):
    """COMMAND made a session of its own in single-child mode: the terminal does not
    signal it."""
    started = start("-c", "setsid", helper("reporter"), terminal=True)
    started.expect("ready")
    started.type(CTRL_C)
    started.expect_signals(signal.SIGINT)


def test_key_before_the_start_of_command_reaches_it(start, helper, mode, place):
    """The terminal signals its foreground group, and COMMAND is not in it yet."""
    wait_for_key = """if True:
        import os, signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.write(1, b"type now")
        while signal.SIGINT not in signal.sigpending():
            pass
        os.execvp(sys.argv[1], sys.argv[1:])
    """
    started = start(*mode, helper("reporter"), terminal=True, place=place,
                    before=["python3", "-c", wait_for_key])
    started.expect("type now")
    started.type(CTRL_C)
    started.expect("ready")
    started.expect_signals(signal.SIGINT)
    started.type(CTRL_C)
    started.expect_signals(signal.SIGINT)
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("options", [[], ["-g"]], ids=["session", "group"])
def test_key_while_command_is_started_reaches_it(start, options):
    """COMMAND's process has the terminal, but dumb-init has not released it. strace
    delays that."""
    started = start(*options, "sleep", "60", terminal=True, before=[
        "strace", "-D", "-qq", "-o", "/dev/null", "-e", "trace=chdir",
        "-e", "inject=chdir:delay_enter=1000000"])
    terminal = started.output.child_fd
    wait_until(lambda: os.tcgetpgrp(terminal) not in (0, started.pid),
               "a terminal that belongs to COMMAND")
    started.type(CTRL_C)
    assert started.status() == 128 + signal.SIGINT


def test_hangup_reaches_command(start, helper, mode, place, tmp_path):
    """The kernel sends SIGHUP to the session leader alone, which is dumb-init in
    single-child mode."""
    said = tmp_path / "said"
    started = start(*mode, "sh", "-c", f'echo here; exec "$0" >{said}',
                    helper("reporter"), terminal=True, place=place)
    started.expect("here")
    wait_until(lambda: said.exists() and "ready" in said.read_text(),
               "the reporter to be ready")
    pid = started.pid
    started.output.close()
    wait_until(lambda: "\n18 " in said.read_text(), "SIGCONT after SIGHUP")
    os.kill(pid, signal.SIGRTMAX)
    wait_until(lambda: "\n64 " in said.read_text(), "SIGRTMAX")
    numbers = [line.split()[0] for line in said.read_text().splitlines()]
    assert numbers == ["ready", "1", "18", "64"]


def test_terminal_of_another_session_is_not_taken(run, mode):
    master, slave = os.openpty()
    with subprocess.Popen(["setsid", "--ctty", "sh", "-c", "echo up; sleep 60"],
                          stdin=slave, stdout=slave) as owner:
        os.read(master, 100)
        before = terminal_of(owner.pid)
        assert run(*mode, "sh", "-c", "exit 3", stdin=slave).returncode == 3
        assert terminal_of(owner.pid) == before
        end_tree(owner.pid)
    os.close(slave)
    os.close(master)


def test_no_failure_of_a_terminal_call_is_fatal(start, mode):
    """strace makes each ioctl fail, of dumb-init and of COMMAND."""
    started = start(*mode, "sh", "-c", "exit 3", terminal=True, before=[
        "strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=ioctl",
        "-e", "inject=ioctl:error=EIO"])
    assert started.status() == 3


# The leader of a session exits, and then its child becomes the given command.
WITHOUT_LEADER = """if True:
    import os, signal, sys
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if os.fork():
        os._exit(0)
    while signal.SIGHUP not in signal.sigpending():
        pass
    os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_hangup_before_the_start_of_command_reaches_it(start, helper, mode):
    """The kernel signals the foreground group, and COMMAND is not in it yet."""
    master, slave = os.openpty()
    started = start(*mode, helper("reporter"), stdin=slave, around=[
        "setsid", "--ctty", "/usr/bin/python3", "-ISc", WITHOUT_LEADER])
    command = int(started.expect(rb"ready (\d+)\r?\n")[1])
    started.expect_signals(signal.SIGHUP)
    end_tree(psutil.Process(command).ppid())
    os.close(slave)
    os.close(master)


def test_hangup_is_not_lost_if_the_terminal_cannot_be_given_up(start, tmp_path):
    """strace makes the third ioctl, TIOCNOTTY, fail; a SIGHUP comes at that moment."""
    trace = tmp_path / "trace"
    started = start("sleep", "60", terminal=True, before=[
        "strace", "-D", "-qq", "-o", str(trace), "-e", "trace=ioctl,rt_sigpending", "-e",
        "inject=ioctl:error=EIO:delay_enter=500000:when=3", "-e", "signal=none"])
    wait_until(lambda: trace.exists() and "rt_sigpending(" in trace.read_text(),
               "the rt_sigpending call")
    started.send(signal.SIGHUP)
    assert started.status() == 128 + signal.SIGHUP
    assert re.search(r"TIOCNOTTY\) += -1 EIO", trace.read_text())


def run_in(shell, words):
    """Types a command line that runs $INIT and says "running" from inside.
    Returns the PIDs of the init and of COMMAND."""
    shell.sendline(words)
    shell.expect_exact("running\r\n")
    ours, = children(shell.pid)
    command, = children(ours)
    return ours, command


def test_hangup_after_the_exit_of_a_shell_reaches_command_once(shell, helper, tmp_path):
    """The kernel signals the foreground job: COMMAND and, in the same group,
    dumb-init."""
    said = tmp_path / "said"
    ours, _ = run_in(shell, "$INIT -c sh -c 'echo running; "
                            f"exec {helper('reporter')} >{said}'")
    try:
        wait_until(lambda: said.exists() and "ready" in said.read_text(),
                   "the reporter to be ready")
        os.kill(shell.pid, signal.SIGKILL)
        wait_until(lambda: "\n1 " in said.read_text(), "SIGHUP")
        os.kill(ours, signal.SIGRTMAX)
        wait_until(lambda: "\n64 " in said.read_text(), "SIGRTMAX")
        numbers = [line.split()[0] for line in said.read_text().splitlines()]
        assert numbers == ["ready", "1", "64"]
    finally:
        end_tree(ours)


def test_ctrl_z_under_a_shell_gives_the_prompt_back(shell, mode):
    ours, command = run_in(shell, " ".join(
        ["$INIT", *mode, "sh -c 'echo running; exec sleep 60'"]))
    shell.send(CTRL_Z)
    shell.expect("Stopped")
    shell.expect_exact("prompt> ")
    wait_until(lambda: (state(ours), state(command)) == ("T", "T"), "both to stop")
    shell.sendline("fg")
    wait_until(lambda: (state(ours), state(command)) == ("S", "S"), "both to continue")
    shell.send(CTRL_C)
    shell.expect_exact("prompt> ")
    shell.sendline("echo status $?")
    shell.expect_exact("status 130\r\n")


def test_background_job_of_a_shell_leaves_it_the_terminal(shell, mode):
    terminal = terminal_of(shell.pid)
    ours, command = run_in(shell, " ".join(
        ["$INIT", *mode, "sh -c 'echo running; exec sleep 60' &"]))
    shell.sendline("echo here; jobs")
    shell.expect_exact("here\r\n")
    shell.expect("Running")
    assert terminal_of(shell.pid) == terminal
    # The shell leads the session: dumb-init has no terminal to give up.
    assert terminal_of(ours)[0] == terminal[0], \
        "expected the init to keep its terminal, got none"
    shell.sendline("kill %1; wait $!; echo status $?")
    shell.expect_exact("status 143\r\n")
    assert (state(ours), state(command)) == ("X", "X")


def test_background_job_of_a_shell_stops_when_it_reads_the_terminal(shell):
    """SIGTTIN goes to the whole group, of COMMAND and dumb-init."""
    ours, command = run_in(shell, "$INIT -c sh -c 'echo running; exec cat' &")
    wait_until(lambda: (state(ours), state(command)) == ("T", "T"), "both to stop")
    shell.sendline("fg")
    wait_until(lambda: (state(ours), state(command)) == ("S", "S"), "both to continue")
    shell.sendline("hello")
    shell.expect_exact("hello\r\nhello\r\n")
    shell.send("\x04")
    shell.expect_exact("prompt> ")


def test_ctrl_c_under_a_shell_sends_one_sigint(shell, helper, mode):
    shell.sendline(" ".join(["$INIT", *mode, helper("reporter")]))
    shell.expect("ready")
    for _ in range(KEYS):
        shell.send(CTRL_C)
        shell.expect(r"(\d+) \d+ \d+ \d+\r\n")
        assert int(shell.match[1]) == signal.SIGINT
    ours, = children(shell.pid)
    os.kill(ours, signal.SIGRTMAX)
    shell.expect(r"(\d+) \d+ \d+ \d+\r\n")
    assert int(shell.match[1]) == signal.SIGRTMAX


@pytest.mark.usefixtures("unsanitized")
def test_sighup_while_the_terminal_is_released_reaches_command(start, helper):
    """The kernel's own SIGHUP for that is dropped. strace delays dumb-init between its
    look at the pending signals and the release."""
    # COMMAND inherits a mask with SIGHUP, which would kill it before it is ready.
    sighup, sigterm = (1 << signum - 1 for signum in (signal.SIGHUP, signal.SIGTERM))
    started = start(helper("reporter"), terminal=True, before=[
        "strace", "-D", "-qq", "-o", "/dev/null", "-e", "trace=rt_sigpending",
        "-e", "inject=rt_sigpending:delay_exit=1000000:when=1",
        helper("inherit"), f"{sighup:x}", "0"])
    wait_until(lambda: status_field(started.pid, "Name") == "dumb-init" and
               int(status_field(started.pid, "SigBlk"), 16) & sigterm,
               "dumb-init to block signals")
    # strace stops it at each call, but only at that one for so long.
    wait_until(lambda: state(started.pid) == "t" and not time.sleep(0.05) and
               state(started.pid) == "t", "the delay")
    started.send(signal.SIGHUP)
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGHUP, signal.SIGUSR1)


def test_ctrl_z_that_the_kernel_ignores_does_not_stop_dumb_init(start):
    """dumb-init leads the session, so nothing can continue its group, in which COMMAND
    is: the kernel stops neither (setpgid(2))."""
    started = start("-v", "-c", "sh", "-c", "echo ready; exec sleep 1000",
                    terminal=True)
    started.expect("ready")
    started.type(CTRL_Z)
    started.expect("stopping until SIGCONT")
    started.send(signal.SIGTERM)
    assert started.status() == 143
