"""Contract, section 3.2: SIGTSTP, SIGTTIN and SIGTTOU, and stop requests after them."""

import re
import signal
import subprocess

import pytest

from conftest import (JOB_STOP, scaled, state, status_field, wait_until,
                      waits_for_good)
from test_section_2_groups import wait_for_states

pytestmark = pytest.mark.slow

each_job_stop = pytest.mark.parametrize("signum", JOB_STOP, ids=lambda each: each.name)
SLEEP = ["sh", "-c", "echo ready; exec sleep 1000"]

# Prints each of the signals that it catches: python3 -ISc CATCH SIGNUM...
CATCH = """if True:
    import os, signal, sys, time
    def say(signum, frame):
        os.write(1, b"got %d\\n" % signum)
    for word in sys.argv[1:]:
        signal.signal(int(word), say)
    print("ready", flush=True)
    while True:
        time.sleep(0.02)
"""


def catcher(*signums):
    return ["/usr/bin/python3", "-ISc", CATCH, *(str(int(each)) for each in signums)]


def heard_up_to(started, last):
    """The signals that the catcher gets until it gets this one."""
    heard = []
    while last not in heard:
        heard.append(int(started.expect(rb"got (\d+)\r?\n")[1]))
    return heard


# SIGCONT soon after a stop


@pytest.mark.parametrize("tries, from_us, to_us", [(1000, 0, 40), (100, 49900, 50200),
                                                       (100, 99900, 100200)],
                         ids=["40 us", "50 ms", "100 ms"])
def test_sigcont_soon_after_sigtstp_leaves_nothing_stopped(run, helper, mode, tries,
                                                           from_us, to_us):
    said = run(*mode, "sh", "-c", "echo; exec sleep 1000", timeout=scaled(100), before=[
        helper("tstp_cont"), str(tries), str(from_us), str(to_us)]).stdout
    assert said == "stayed stopped: 0\n"


# As PID 1, a COMMAND that catches them


@each_job_stop
def test_job_stop_that_command_catches_is_forwarded_unchanged_by_pid_1(start, signum):
    started = start(*catcher(*JOB_STOP, signal.SIGUSR1), place="pid1")
    started.expect("ready")
    for _ in range(3):
        started.send(signum)
        assert heard_up_to(started, signum) == [signum]
    started.send(signal.SIGUSR1)
    assert heard_up_to(started, signal.SIGUSR1) == [signal.SIGUSR1]


def test_job_stop_that_a_shell_traps_is_forwarded_unchanged_by_pid_1(start):
    started = start("sh", "-c", "trap 'echo TTIN' TTIN; trap 'echo TSTP' TSTP; "
                    "echo ready; while :; do sleep 0.02; done", place="pid1")
    started.expect("ready")
    for name in ("TTIN", "TSTP", "TTIN"):
        started.send(getattr(signal, "SIG" + name))
        started.expect(rf"{name}\r?\n")


def test_job_stop_that_command_catches_reaches_everything_with_all(start):
    started = start("-a", *catcher(signal.SIGTTIN), place="pid1")
    started.expect("ready")
    started.send(signal.SIGTTIN)
    assert heard_up_to(started, signal.SIGTTIN) == [signal.SIGTTIN]


def test_delayed_job_stop_that_command_catches_is_forwarded_unchanged(start):
    started = start("-d", "TTIN:100ms", *catcher(signal.SIGTTIN), place="pid1")
    started.expect("ready")
    started.send(signal.SIGTTIN)
    assert heard_up_to(started, signal.SIGTTIN) == [signal.SIGTTIN]


@each_job_stop
def test_job_stop_that_command_does_not_catch_stops_it_under_pid_1(start, signum):
    """COMMAND catches the two other signals."""
    others = [each for each in JOB_STOP if each != signum]
    started = start(*catcher(*others, signal.SIGUSR1), place="pid1")
    started.expect("ready")
    started.send(signum)
    wait_for_states("T", started.command)


@each_job_stop
def test_job_stop_that_command_ignores_stops_it_under_pid_1(start, signum):
    name = signum.name.removeprefix("SIG")
    started = start("sh", "-c", f"trap '' {name}; echo ready; exec sleep 1000",
                    place="pid1")
    started.expect("ready")
    started.send(signum)
    wait_for_states("T", started.command)


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("without", [
    "mount -t tmpfs none /proc", "umount -l /proc"],
    ids=["not mounted", "of another namespace"])
@each_job_stop
def test_job_stop_stops_a_command_whose_handlers_cannot_be_read(start, signum, without):
    started = start(*catcher(*JOB_STOP), place="pid1", before=[
        "sh", "-c", f'{without} && exec "$@"', "sh"])
    started.expect("ready")
    started.send(signum)
    wait_for_states("T", started.command)


@each_job_stop
def test_job_stop_stops_a_command_that_catches_it_when_not_pid_1(start, signum):
    started = start(*catcher(*JOB_STOP, signal.SIGUSR1))
    started.expect("ready")
    started.send(signum)
    wait_for_states("T", started.pid, started.command)
    started.send(signal.SIGCONT)
    wait_for_states("S", started.pid, started.command)
    started.send(signal.SIGUSR1)
    assert heard_up_to(started, signal.SIGUSR1) == [signal.SIGUSR1]


@each_job_stop
def test_job_stop_rewritten_to_itself_is_forwarded_unchanged(start, helper, place,
                                                             signum):
    """The reporter blocks it and does not catch it."""
    started = start("-r", f"{signum.name}:{signum.name}", helper("reporter"),
                    place=place)
    started.expect("ready")
    started.send(signum)
    started.expect_signals(signum)
    assert state(started.command) != "T"


def test_job_stop_that_command_catches_is_rewritten(start):
    started = start("-r", "TTIN:USR1", *catcher(signal.SIGTTIN, signal.SIGUSR1),
                    place="pid1")
    started.expect("ready")
    started.send(signal.SIGTTIN)
    assert heard_up_to(started, signal.SIGUSR1) == [signal.SIGUSR1]


# As PID 1, a stop request after a stop

# Without a shell the group may be orphaned, which a SIGTSTP does not stop.
HOW_TO_STOP = pytest.mark.parametrize("options", [
    [], ["-a"], ["-g", "-r", "TSTP:STOP"], ["-c", "-r", "TSTP:STOP"]],
    ids=["session", "all", "group", "single-child"])
# Exits with 4 at a signal: python3 -ISc HANDLE NAME. Not a shell, which a stop of its
# group can find in the middle of a vfork(2): then only its child is stopped.
HANDLE = """if True:
    import os, signal, sys, time
    def exit(signum, frame):
        os.write(1, b"handled\\n")
        os._exit(4)
    signal.signal(getattr(signal, "SIG" + sys.argv[1]), exit)
    print("ready", flush=True)
    while True:
        time.sleep(0.02)
"""


def handler(name):
    return ["/usr/bin/python3", "-ISc", HANDLE, name]


@pytest.fixture
def start_stopped(start):
    """A COMMAND that a forwarded SIGTSTP has stopped."""
    def start_stopped(*words, **options):
        started = start(*words, place="pid1", **options)
        started.expect("ready")
        started.send(signal.SIGTSTP)
        wait_for_states("T", started.command)
        return started
    return start_stopped


@HOW_TO_STOP
@pytest.mark.parametrize("name", ["TERM", "INT", "QUIT"])
def test_stop_request_continues_a_command_that_pid_1_stopped(start_stopped, options,
                                                             name):
    started = start_stopped(*options, *handler(name))
    started.send(getattr(signal, "SIG" + name))
    started.expect("handled")
    assert started.status() == 4


@pytest.mark.parametrize("options, sent, arrives", [
    (["-r", "USR1:TERM"], "USR1", "TERM"), (["-r", "TERM:USR1"], "TERM", "USR1"),
    (["-k", "WINCH:60"], "WINCH", "WINCH"), (["-r", "TTOU:INT"], "TTOU", "INT")],
    ids=str)
def test_rewritten_stop_request_continues_a_command_that_pid_1_stopped(
        start_stopped, options, sent, arrives):
    started = start_stopped(*options, *handler(arrives))
    started.send(getattr(signal, "SIG" + sent))
    started.expect("handled")
    assert started.status() == 4


def test_stop_request_kills_a_stopped_command_without_a_handler(start_stopped):
    started = start_stopped(*SLEEP)
    started.send(signal.SIGTERM)
    assert started.status() == 143


def waits_for(pid, signum):
    """Whether the signal is pending for the process."""
    return int(status_field(pid, "ShdPnd"), 16) >> signum - 1 & 1


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH,
                                    signal.SIGRTMIN + 3])
def test_other_signals_leave_a_command_that_pid_1_stopped_as_it_is(
        start_stopped, helper, signum):
    started = start_stopped(helper("reporter"))
    command = started.command
    started.send(signum)
    wait_until(lambda: waits_for(command, signum), "the signal at COMMAND")
    wait_until(lambda: waits_for_good(started.pid), "dumb-init's wait")
    assert state(command) == "T"
    started.send(signal.SIGTERM, signal.SIGRTMAX)
    assert sorted(started.signals_up_to(signal.SIGRTMAX)) == sorted(
        [signum, signal.SIGTERM, signal.SIGCONT, signal.SIGRTMAX])


def test_dropped_sigterm_leaves_a_command_that_pid_1_stopped_as_it_is(start_stopped):
    started = start_stopped("-r", "TERM:0", *handler("INT"))
    started.send(signal.SIGTERM)
    wait_until(lambda: not waits_for(started.pid, signal.SIGTERM) and
               waits_for_good(started.pid), "dumb-init to take the signal")
    assert state(started.command) == "T"
    started.send(signal.SIGINT)
    started.expect("handled")
    assert started.status() == 4


def test_stop_request_to_a_continued_command_sends_no_sigcont(start_stopped, helper):
    started = start_stopped(helper("reporter"))
    started.send(signal.SIGCONT)
    started.expect_signals(signal.SIGCONT)
    started.send(signal.SIGTERM)
    started.expect_signals(signal.SIGTERM)
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


def test_second_stop_request_sends_no_second_sigcont(start_stopped, helper):
    started = start_stopped(helper("reporter"))
    started.send(signal.SIGTERM)
    assert {started.next_signal("SIGTERM and SIGCONT") for _ in range(2)} == \
        {signal.SIGTERM, signal.SIGCONT}
    started.send(signal.SIGINT)
    started.expect_signals(signal.SIGINT)
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


def test_stop_request_after_a_caught_job_stop_sends_no_sigcont(start):
    """COMMAND caught the job stop, so that it was not stopped."""
    started = start(*catcher(signal.SIGTTIN, signal.SIGTERM, signal.SIGCONT,
                             signal.SIGUSR1), place="pid1")
    started.expect("ready")
    started.send(signal.SIGTTIN)
    assert heard_up_to(started, signal.SIGTTIN) == [signal.SIGTTIN]
    started.send(signal.SIGTERM)
    assert heard_up_to(started, signal.SIGTERM) == [signal.SIGTERM]
    started.send(signal.SIGUSR1)
    assert heard_up_to(started, signal.SIGUSR1) == [signal.SIGUSR1]


def test_sigterm_waits_for_sigcont_when_not_pid_1(start):
    """dumb-init is stopped itself, so that a shell sees a stopped job."""
    started = start(*SLEEP)
    started.expect("ready")
    started.send(signal.SIGTSTP)
    wait_for_states("T", started.pid, started.command)
    started.send(signal.SIGTERM)
    assert (state(started.pid), state(started.command)) == ("T", "T")
    started.send(signal.SIGCONT)
    assert started.status() == 143


@pytest.mark.parametrize("place, says", [("pid1", False), ("ordinary", True)])
def test_verbose_prints_a_stop_of_dumb_init_except_as_pid_1(start, place, says):
    started = start("-v", *SLEEP, place=place, stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGTSTP)
    wait_for_states("T", started.command)
    if place == "ordinary":
        wait_for_states("T", started.pid)
    started.send(signal.SIGCONT, signal.SIGTERM)
    assert started.status() == 143
    assert bool(re.search(b"stopping|suspend", started.popen.stderr.read())) is says
