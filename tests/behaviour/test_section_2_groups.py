"""Contract, section 2.3: group mode, and the job control that it is for."""

import os
import signal
import subprocess

import psutil
import pytest

from conftest import (BASH, JOB_STOP, children, patience, state, status_field,
                      wait_until, waits_for_good)
from test_section_2_terminals import (CTRL_BACKSLASH, CTRL_C, CTRL_Z, run_in,
                                      terminal_of)
from test_section_4_end import SURVIVOR

pytestmark = pytest.mark.slow

SLEEP = "$INIT -g sh -c 'echo running; exec sleep 60'"
CTRL_D = "\x04"
KEYS = [(CTRL_C, signal.SIGINT), (CTRL_BACKSLASH, signal.SIGQUIT)]


@pytest.fixture(params=["bash", "dash"])
def any_shell(shell, request):
    """An interactive shell on a new terminal; $INIT is the init."""
    if request.param == "dash":
        shell.sendline("exec dash -i")
        shell.expect_exact("prompt> ")
    return shell


def foreground(pid):
    """The foreground group of its terminal."""
    return terminal_of(pid)[1]


def wait_for_states(letter, *pids):
    wait_until(lambda: all(state(pid) == letter for pid in pids),
               {"T": "the processes to stop", "S": "the processes to continue"}[letter])


def stopped_in(shell, *pids):
    """Waits until a job has stopped and the shell has the terminal."""
    shell.expect("Stopped")
    shell.expect_exact("prompt> ")
    wait_for_states("T", *pids)
    wait_until(lambda: foreground(shell.pid) == shell.pid, "the shell's terminal")


def jobs_say_stopped(shell):
    """Whether the shell lists the job as stopped; it may notice a little later."""
    shell.sendline("jobs")
    said = shell.expect(["Running", "Stopped"])
    shell.expect_exact("prompt> ")
    return said == 1


def bring_back(shell, *pids):
    """Types fg; waits until the last process has the terminal and all run."""
    shell.sendline("fg")
    wait_until(lambda: foreground(shell.pid) == pids[-1],
               "the terminal to change hands")
    wait_for_states("S", *pids)


def bring_back_running(shell, ours, command):
    """Types fg for a running job. Returns whether the shell sends it SIGCONT, at which
    dumb-init gives COMMAND the terminal: dash and bash from 5.3 on do."""
    words = [*BASH, "-c", "echo $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))"]
    continued = int(subprocess.run(words, check=True, capture_output=True,
                                   timeout=patience()).stdout) >= 503
    bring_back(shell, *([ours, command] if continued else [command, ours]))
    return continued


def reads_the_terminal(terminal, line="hello"):
    """Waits for two echoes of a line: one of the terminal, one of cat."""
    terminal.send(line + "\n")
    terminal.expect(f"{line}\r\n{line}\r\n")


def ends_with(shell, key, status):
    shell.send(key)
    shell.expect_exact("prompt> ")
    shell.sendline("echo status $?")
    shell.expect_exact(f"status {status}\r\n")


@pytest.mark.parametrize("terminal", [False, True], ids=["", "terminal"])
def test_command_leads_a_group_in_the_session_of_the_init(
        start, helper, place, terminal):
    started = start("-g", helper("reporter"), place=place, terminal=terminal)
    started.expect("ready")
    ours, command = started.pid, started.command
    assert os.getpgid(command) == command != os.getpgid(ours)
    assert os.getsid(command) == os.getsid(ours)
    assert terminal_of(command) == terminal_of(ours)
    if terminal:
        assert os.getsid(ours) == ours
        assert terminal_of(ours)[0] != 0
        assert foreground(ours) == command


# Two reporters in COMMAND's group and two that left it; the signals of each.
MEMBERS = """
"$0" >member & setsid "$0" >new_session & python3 -c 'import os, sys
os.setpgid(0, 0); os.execv(sys.argv[1], sys.argv[1:])' "$0" >new_group &
exec "$0" >command"""
FORWARDED = [signal.SIGUSR1, signal.SIGRTMIN + 6, signal.SIGRTMAX]
HEARD = {"command": FORWARDED, "member": FORWARDED,
         "new_session": FORWARDED[-1:], "new_group": FORWARDED[-1:]}


def test_signal_reaches_only_the_group_of_command_and_once(
        start, helper, place, tmp_path):
    def said():
        return {name: (tmp_path / name).read_text().splitlines() for name in HEARD
                if (tmp_path / name).exists()}
    started = start("-g", "sh", "-c", MEMBERS, helper("reporter"), place=place,
                    cwd=tmp_path)
    wait_until(lambda: list(map(len, said().values())) == [1] * 4,
               "four ready reporters")
    started.send(*FORWARDED[:-1])
    wait_until(lambda: len(said()["member"]) >= 3, "the forwarded signals")
    for reporter in psutil.Process(started.pid).children(recursive=True):
        reporter.send_signal(FORWARDED[-1])
    wait_until(lambda: all(lines[-1].startswith("64 ") for lines in said().values()),
               "SIGRTMAX")
    assert {name: [int(line.split()[0]) for line in lines[1:]]
            for name, lines in said().items()} == HEARD


JOIN = """import os, sys
os.setpgid(0, os.getpgid(os.getppid()))
os.execv(sys.argv[1], sys.argv[1:])"""


def test_signal_reaches_a_command_that_left_its_group(start, helper):
    started = start("-g", "python3", "-c", JOIN, helper("reporter"),
                    start_new_session=True)
    started.expect("ready")
    assert os.getpgid(started.command) == os.getpgid(started.pid)
    started.send(*FORWARDED)
    started.expect_signals(*FORWARDED)


def test_job_stop_is_forwarded_unchanged_in_group_mode(start, helper):
    started = start("-g", helper("reporter"))
    started.expect("ready")
    for signum in JOB_STOP:
        started.send(signum)
        started.expect_signals(signum)
        wait_for_states("T", started.pid)
        started.send(signal.SIGCONT)
        started.expect_signals(signal.SIGCONT)


@pytest.mark.parametrize("signum", JOB_STOP, ids=lambda signum: signum.name)
def test_job_stop_stops_the_group_and_dumb_init(start, place, signum):
    started = start("-g", "sh", "-c", "sleep 60 & echo ready; wait", place=place)
    started.expect("ready")
    command = started.command
    group = [command, *wait_until(lambda: children(command), "sleep to start")]
    for _ in range(3):
        started.send(signum)
        wait_for_states("T", *group, *([started.pid] if place == "ordinary" else []))
        started.send(signal.SIGCONT)
        wait_for_states("S", *group, started.pid)


@pytest.mark.parametrize("terminal", [False, True], ids=["", "terminal"])
@pytest.mark.parametrize("signum", [signal.SIGSTOP, *JOB_STOP],
                         ids=lambda signum: signum.name)
def test_dumb_init_without_a_shell_does_not_stop_when_command_alone_stops(
        start, place, signum, terminal):
    started = start("-g", "sh", "-c", "echo ready; exec sleep 60", place=place,
                    terminal=terminal)
    started.expect("ready")
    command = started.command
    os.kill(command, signum)
    wait_for_states("T", command)
    # This is forwarded after that SIGCHLD, unless dumb-init has stopped.
    started.send(signal.SIGRTMAX)
    wait_until(lambda: int(status_field(command, "ShdPnd"), 16) >> 63, "SIGRTMAX")
    wait_for_states("S", started.pid)
    assert state(command) == "T"
    os.kill(command, signal.SIGCONT)
    assert started.status() == 128 + signal.SIGRTMAX


@pytest.mark.parametrize("redirected", ["</dev/null", "<&-", "</dev/null >/dev/null",
                                        "</dev/null >/dev/null 2>&1"])
def test_command_gets_a_terminal_that_is_not_on_stdin(start, place, redirected):
    # 9 keeps the terminal open: it would hang up without any open file.
    started = start("-g", "sh", "-c", "exec cat </dev/tty >/dev/tty",
                    terminal=True, place=place,
                    before=["sh", "-c", f'exec "$@" 9<&0 {redirected}', "sh"])
    reads_the_terminal(started.output)


def test_background_job_of_a_script_leaves_it_the_terminal(start, place):
    """The job is in the script's group, but POSIX makes its stdin /dev/null."""
    started = start("-g", "sh", "-c", "echo running; exec sleep 60", terminal=True,
                    place=place, before=["sh", "-c", '"$@" & exec cat', "sh"])
    # The whole line, or an echo may come before its end.
    started.expect("running\r\n")
    reads_the_terminal(started.output)
    reads_the_terminal(started.output, "again")


@pytest.mark.parametrize("command, status", [
    (["true"], 0), (["sh", "-c", "kill -9 $$"], 137), (["/nonexistent"], 127),
    (["/etc/passwd"], 126)], ids=["ends", "is killed", "is not found", "cannot run"])
def test_next_command_of_a_script_has_the_terminal_again(start, place, command, status):
    started = start("-g", *command, terminal=True, place=place,
                    before=["sh", "-c", '"$@"; echo status $?; exec cat', "sh"])
    started.expect(f"status {status}\r\n")
    reads_the_terminal(started.output)


@pytest.mark.parametrize("first", ["", "stty sane; "], ids=["SIGTTIN", "SIGTTOU"])
def test_background_job_stops_when_it_needs_the_terminal_until_fg(any_shell, first):
    ours, command = run_in(
        any_shell, f"$INIT -g sh -c 'echo running; {first}exec cat' &")
    wait_for_states("T", ours, command)
    wait_until(lambda: jobs_say_stopped(any_shell), "the shell to report the stop")
    any_shell.sendline("jobs")
    stopped_in(any_shell, ours, command)
    bring_back(any_shell, ours, command)
    reads_the_terminal(any_shell)
    ends_with(any_shell, CTRL_D, 0)


@pytest.mark.parametrize("background", ["", "&"], ids=["foreground", "background"])
def test_terminal_of_a_group_in_another_pid_namespace_is_not_taken(shell, background):
    """A shell of another PID namespace runs dumb-init, which stops for that shell
    (except as PID 1, which the kernel does not stop)."""
    shell.sendline("unshare --pid --fork --kill-child sh -c '"
                   f'"$INIT" -g sh -c "echo running; exec cat"; :\' {background}')
    shell.expect_exact("running\r\n")
    namespace, = children(shell.pid)
    pid_1, = children(namespace)
    ours, = children(pid_1)
    wait_for_states("T", ours, *children(ours))


def test_pid_1_sleeps_while_command_cannot_have_the_terminal(shell):
    shell.sendline("unshare --pid --fork --kill-child $INIT -g "
                   "sh -c 'echo running; exec cat'")
    shell.expect_exact("running\r\n")
    namespace, = children(shell.pid)
    ours, = children(namespace)
    wait_for_states("T", *children(ours))
    wait_until(lambda: waits_for_good(ours), "the init's wait")


def test_dumb_init_that_inherited_an_ignored_sigtstp_stops_with_command(shell):
    """COMMAND has set the default action again."""
    ours, command = run_in(shell, """(trap '' TSTP; exec $INIT -g python3 -c '
import signal, sys
signal.signal(signal.SIGTSTP, signal.SIG_DFL)
print("running", flush=True)
sys.stdin.read()')""")
    shell.send(CTRL_Z)
    stopped_in(shell, ours, command)
    bring_back(shell, ours, command)
    shell.send(CTRL_C)
    shell.expect_exact("prompt> ")


@pytest.mark.parametrize("redirected", ["", "</dev/null"], ids=["stdin", "/dev/tty"])
def test_dumb_init_keeps_only_standard_files_while_command_has_the_terminal(
        shell, redirected):
    def has_standard_files():
        return sorted(os.listdir(f"/proc/{ours}/fd")) == ["0", "1", "2"]

    # With another stdin COMMAND gets the terminal when it reads from it.
    ours, command = run_in(shell, "$INIT -g sh -c 'echo running; exec cat </dev/tty' "
                           f"{redirected}")
    wait_until(lambda: foreground(shell.pid) == command, "the terminal to change hands")
    wait_until(has_standard_files, "its files to be closed")
    wait_for_states("S", ours, command)
    for _ in range(2):
        shell.send(CTRL_Z)
        stopped_in(shell, ours, command)
        bring_back(shell, ours, command)
        wait_until(has_standard_files, "its standard files, and no others")


def test_sigstop_of_command_in_the_foreground_gives_the_prompt_back(shell):
    """`suspend` of a shell as COMMAND sends it."""
    ours, command = run_in(shell, "$INIT -g sh -c 'echo running; kill -STOP $$; cat'")
    stopped_in(shell, ours, command)
    bring_back(shell, ours, command)
    reads_the_terminal(shell)
    ends_with(shell, CTRL_D, 0)


def test_sigtstp_of_a_command_without_the_terminal_gives_the_prompt_back(shell):
    ours, command = run_in(shell, f"{SLEEP} </dev/null")
    os.kill(command, signal.SIGTSTP)
    stopped_in(shell, ours, command)
    shell.sendline("fg")
    wait_for_states("S", ours, command)
    ends_with(shell, CTRL_C, 130)


def test_dumb_init_does_not_stop_when_a_background_command_gets_sigstop(shell):
    ours, command = run_in(shell, SLEEP + " &")
    os.kill(command, signal.SIGSTOP)
    wait_for_states("T", command)
    os.kill(ours, signal.SIGRTMAX)
    wait_until(lambda: int(status_field(command, "ShdPnd"), 16) >> 63, "SIGRTMAX")
    wait_for_states("S", ours)
    os.kill(command, signal.SIGCONT)
    wait_until(lambda: state(ours) in "XZ", "the init's exit")


def test_running_job_after_fg_gets_the_terminal_when_it_reads(shell, tmp_path):
    go = tmp_path / "go"
    os.mkfifo(go)
    shell.sendline(f"cd {tmp_path}")
    ours, command = run_in(shell, "$INIT -g sh -c 'echo running; read x <go; cat' &")
    bring_back_running(shell, ours, command)
    go.write_text("\n")
    reads_the_terminal(shell)
    assert foreground(shell.pid) == command
    ends_with(shell, CTRL_D, 0)


def test_ctrl_z_stops_a_running_job_after_fg(shell):
    ours, command = run_in(shell, SLEEP + " &")
    for _ in range(3):
        bring_back_running(shell, ours, command)
        shell.send(CTRL_Z)
        stopped_in(shell, ours, command)
        shell.sendline("bg")
        wait_for_states("S", ours, command)
    bring_back_running(shell, ours, command)
    ends_with(shell, CTRL_C, 130)


@pytest.fixture
def sleeper(helper):
    """A COMMAND for which SIGRTMAX stays pending."""
    return [helper("inherit"), f"{1 << signal.SIGRTMAX - 1:x}", "0",
            "sh", "-c", "echo ready; exec sleep 1000"]


def stop_by_ctrl_z(started, ours, command):
    """Waits until dumb-init has noticed it: SIGRTMAX is forwarded after SIGCHLD."""
    wait_until(lambda: foreground(command) == command, "COMMAND's terminal")
    started.type(CTRL_Z)
    wait_for_states("T", command)
    os.kill(ours, signal.SIGRTMAX)
    wait_until(lambda: int(status_field(command, "ShdPnd"), 16) >> 63, "SIGRTMAX")


def test_stop_request_ends_a_command_that_ctrl_z_stopped_where_no_shell_is(
        start, place, sleeper):
    started = start("-g", *sleeper, place=place, terminal=True)
    started.expect("ready")
    stop_by_ctrl_z(started, started.pid, started.command)
    started.send(signal.SIGTERM)
    assert started.status() == 143


@pytest.mark.names("docker-init")
def test_stop_request_continues_the_group_too_if_command_alone_gets_the_signals(
        start, helper):
    """COMMAND waits for its child, so it needs that to react."""
    mask = f"{1 << signal.SIGRTMAX - 1:x}"
    started = start("--", helper("inherit"), mask, "0", *BASH, "-c",
                    "trap 'exit 5' TERM; echo ready; cat; exit 6", terminal=True)
    started.expect("ready")
    command = started.command
    child, = wait_until(lambda: children(command), "cat to start")
    stop_by_ctrl_z(started, started.pid, command)
    wait_for_states("T", child)
    started.send(signal.SIGTERM)
    wait_for_states("S", child)
    started.type(CTRL_D)
    assert started.status() == 5


def test_stop_request_ends_a_command_that_ctrl_z_stopped_below_a_script(
        start, sleeper):
    """The script leads the session, so nothing can continue its group, and the kernel
    does not let it stop: setpgid(2)."""
    started = start("-g", *sleeper, terminal=True,
                    before=["sh", "-c", '"$@"; exit', "sh"])
    started.expect("ready")
    ours, = children(started.pid)
    stop_by_ctrl_z(started, ours, *children(ours))
    os.kill(ours, signal.SIGTERM)
    assert started.status() == 143


def test_job_can_be_stopped_and_continued_repeatedly(any_shell):
    ours, command = run_in(any_shell, "$INIT -g sh -c 'echo running; exec cat'")
    assert foreground(any_shell.pid) == command
    for round in range(5):
        any_shell.send(CTRL_Z)
        stopped_in(any_shell, ours, command)
        bring_back(any_shell, ours, command)
        reads_the_terminal(any_shell, f"round {round}")
    ends_with(any_shell, CTRL_C, 130)


def test_children_of_command_continue_too_if_it_alone_gets_the_signals(
        shell, init, tmp_path):
    """As tini: only COMMAND gets the signals, but ^Z stops its whole group."""
    tini = tmp_path / "tini"
    tini.symlink_to(init)
    ours, command = run_in(shell, f"{tini} sh -c 'echo running; cat; echo done'")
    child, = wait_until(lambda: children(command), "cat to start")
    # If SIGTSTP stopped it before exec, dash would wait for it in vfork(2), and not stop.
    wait_until(lambda: status_field(child, "Name") == "cat", "cat")
    shell.send(CTRL_Z)
    stopped_in(shell, ours, command, child)
    bring_back(shell, ours, child, command)
    reads_the_terminal(shell)
    shell.send(CTRL_D)
    shell.expect_exact("done\r\n")
    shell.expect_exact("prompt> ")


def test_job_continues_in_the_background_and_returns_to_the_foreground(any_shell):
    ours, command = run_in(any_shell, SLEEP)
    any_shell.send(CTRL_Z)
    stopped_in(any_shell, ours, command)
    any_shell.sendline("bg")
    wait_for_states("S", ours, command)
    any_shell.sendline("jobs")
    any_shell.expect("Running")
    assert foreground(any_shell.pid) == any_shell.pid
    any_shell.sendline("fg")
    wait_until(lambda: foreground(any_shell.pid) != any_shell.pid, "fg to take effect")
    ends_with(any_shell, CTRL_C, 130)


def expect_signals(shell, *signums):
    for signum in signums:
        shell.expect(r"(\d+) -?\d+ \d+ -?\d+\r\n")
        assert int(shell.match[1]) == signum


def expect_one_signal_a_key(shell):
    for key, signum in KEYS:
        shell.send(key)
        expect_signals(shell, signum)


@pytest.mark.parametrize("background", ["", " &"], ids=["foreground", "background"])
def test_key_is_one_signal_before_and_after_fg(shell, helper, background):
    shell.sendline(f"$INIT -g -r TSTP:0 {helper('reporter')}{background}")
    shell.expect("ready")
    ours, = children(shell.pid)
    command, = children(ours)
    if background and bring_back_running(shell, ours, command):
        expect_signals(shell, signal.SIGCONT)
    expect_one_signal_a_key(shell)
    # The reporter does not stop, but dumb-init does, and with it the job.
    os.kill(ours, signal.SIGTSTP)
    stopped_in(shell, ours)
    bring_back(shell, ours, command)
    expect_signals(shell, signal.SIGCONT)
    expect_one_signal_a_key(shell)
    os.kill(ours, signal.SIGRTMAX)
    expect_signals(shell, signal.SIGRTMAX)


def test_exit_of_command_sends_sigterm_to_its_group(start):
    started = start("-g", "sh", "-c", SURVIVOR.replace("read line", "wait"))
    started.expect("ready")
    os.kill(started.command, signal.SIGKILL)
    assert started.status() == 128 + signal.SIGKILL
    started.expect("sigterm")
