"""Contract, section 4: the exit."""

import os
import signal
import subprocess

import pytest

from conftest import ALL_SIGNALS, children, state, wait_until

# Signals that do not kill by default, signal(7).
HARMLESS = {signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGTSTP,
            signal.SIGTTIN, signal.SIGTTOU}
DEADLY = [signum for signum in ALL_SIGNALS + [signal.SIGKILL]
          if signum not in HARMLESS]


@pytest.mark.parametrize("status", [0, 1, 2, 3, 126, 127, 128, 143, 254, 255])
def test_status_is_that_of_command(run, mode, status):
    assert run(*mode, "sh", "-c", f"exit {status}").returncode == status


def test_status_of_a_killed_command_is_128_plus_the_signal(run, helper, mode):
    # No shell kills itself by 32 or 33; Python ignores three others.
    python = ["python3", "-ISc",
              "import os, sys; os.kill(os.getpid(), int(sys.argv[1]))"]
    shell = ["sh", "-c", 'kill -"$0" $$']
    standard = ["prlimit", "--core=0", helper("inherit"), "0", "0"]
    for signum in DEADLY:
        by_shell = signum in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)
        result = run(*mode, *standard, *(shell if by_shell else python),
                     str(int(signum)))
        assert result.returncode == 128 + signum


def test_status_is_that_of_command_as_pid_1(start, mode):
    assert start(*mode, "sh", "-c", "exit 3", place="pid1").status() == 3
    assert start(*mode, "sh", "-c", "kill -9 $$", place="pid1").status() == 137


def test_forwarded_sigterm_that_kills_command_is_143(start, mode, place):
    started = start(*mode, "sh", "-c", "echo ready; exec sleep 60", place=place)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 128 + signal.SIGTERM


SURVIVOR = """
sh -c 'trap "echo sigterm; exit" TERM; echo ready; while :; do sleep 0.05; done' &
read line
"""


def test_exit_of_command_sends_sigterm_to_its_group_in_session_mode(start):
    reading, writing = os.pipe()
    started = start("sh", "-c", SURVIVOR, stdin=reading)
    started.expect("ready")
    os.close(writing)
    os.close(reading)
    assert started.status() == 1
    started.expect("sigterm")


def ends_without_sigterm(started, reporter):
    """Waits for a signal of the test, before which the reporter got no other."""
    try:
        os.kill(reporter, signal.SIGRTMAX)
        started.expect_signals(signal.SIGRTMAX)
    finally:
        os.kill(reporter, signal.SIGKILL)


def start_survivor(start, helper, *options, command='"$0"'):
    """A reporter that outlives COMMAND. Returns its PID, too."""
    started = start(*options, "sh", "-c", f"{command} & read line; exit 3",
                    helper("reporter"), stdin=subprocess.PIPE)
    return started, int(started.expect(rb"ready (\d+)\n")[1])


def test_exit_of_command_sends_no_sigterm_in_single_child_mode(start, helper):
    started, survivor = start_survivor(start, helper, "-c")
    started.popen.stdin.close()
    assert started.status() == 3
    ends_without_sigterm(started, survivor)


def test_exit_of_command_sends_no_sigterm_outside_its_group(start, helper):
    started, survivor = start_survivor(start, helper, command='setsid "$0"')
    started.popen.stdin.close()
    assert started.status() == 3
    ends_without_sigterm(started, survivor)


def test_exit_of_command_sends_no_sigterm_outside_its_group_with_all(start, helper):
    started = start("-a", "sh", "-c", 'setsid "$0" & ' + SURVIVOR, helper("reporter"),
                    stdin=subprocess.PIPE)
    said = [started.expect(rb"ready(?: (\d+))?\n")[1] for _ in range(2)]
    outside, = map(int, filter(None, said))
    started.popen.stdin.close()
    assert started.status() == 1
    started.expect("sigterm")
    ends_without_sigterm(started, outside)


def test_dumb_init_exits_at_once_without_waiting_for_other_processes(start, place):
    """A helper that ignores SIGTERM does not delay the exit."""
    script = "(trap '' TERM; echo $BASHPID started; exec sleep 1000) & read line; exit 3"
    started = start("bash", "-c", script, place=place, stdin=subprocess.PIPE)
    helper = int(started.expect(rb"(\d+) started")[1])
    started.popen.stdin.close()
    assert started.status() == 3
    if place == "ordinary":
        assert state(helper) not in "XZ"
        os.kill(helper, signal.SIGKILL)


def test_exit_of_pid_1_ends_the_namespace(start, mode):
    started = start(*mode, "sh", "-c", "setsid sleep 60 & echo ready; read line",
                    place="pid1", stdin=subprocess.PIPE)
    started.expect("ready")
    daemon, = children(started.command)
    started.popen.stdin.close()
    assert started.status() == 1
    wait_until(lambda: state(daemon) == "X", "the daemon's exit")
