"""Contract, section 3: signals while COMMAND runs."""

import ctypes
import os
import random
import resource
import signal
import subprocess

import pytest

from conftest import (ALL_SIGNALS, JOB_STOP, MODES, WITHOUT_CAP_KILL, children,
                      maps_other_users, names_of, patience, scaled, state, status_field,
                      wait_until, waits_for_good)

PLAIN = [signum for signum in ALL_SIGNALS if signum not in JOB_STOP]


def test_every_signal_is_forwarded(start, helper, mode, place):
    """No other signal arrives, as the last signal shows."""
    started = start(*mode, helper("reporter"), place=place)
    started.expect("ready")
    *others, last = PLAIN
    lost = []
    for signum in others:
        started.send(signum, last)
        if (heard := started.signals_up_to(last)) == [last]:
            lost.append(signum)
        else:
            assert heard == [signum, last]
    assert not lost, f"lost: {names_of(lost)}"


def test_every_signal_is_forwarded_when_all_are_sent_at_once(start, helper, mode):
    started = start(*mode, helper("reporter"))
    started.expect("ready")
    started.send(*PLAIN)
    heard = started.signals_up_to(PLAIN[-1])
    lost = set(PLAIN) - set(heard)
    assert not lost, f"lost: {names_of(lost)}"
    assert sorted(heard) == PLAIN


@pytest.mark.parametrize("signum", JOB_STOP, ids=lambda signum: signum.name)
def test_job_stop_is_forwarded_unchanged_in_single_child_mode(
        start, helper, place, signum):
    started = start("-c", helper("reporter"), place=place)
    started.expect("ready")
    started.send(signum)
    started.expect_signals(signum)
    if place == "ordinary":
        wait_until(lambda: state(started.pid) == "T", "the init to stop")
        started.send(signal.SIGCONT)
        started.expect_signals(signal.SIGCONT)
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)


@pytest.mark.parametrize("signum", JOB_STOP, ids=lambda signum: signum.name)
def test_job_stop_stops_the_group_in_session_mode(start, place, signum):
    started = start("sh", "-c", "sleep 60 & echo ready; wait", place=place)
    started.expect("ready")
    command = started.command
    group = [command, *wait_until(lambda: children(command), "sleep to start")]
    for _ in range(2):
        started.send(signum)
        wait_until(lambda: [state(pid) for pid in group] == ["T", "T"],
                   "the processes to stop")
        if place == "ordinary":
            wait_until(lambda: state(started.pid) == "T", "the init to stop")
        started.send(signal.SIGCONT)
        wait_until(lambda: [state(pid) for pid in group] == ["S", "S"], "SIGCONT")
        wait_until(lambda: state(started.pid) == "S", "the init to continue")


@pytest.mark.parametrize("to", ["TSTP", "USR1", "0"])
@pytest.mark.parametrize("signum", JOB_STOP, ids=lambda signum: signum.name)
def test_job_stop_that_the_user_rewrote_still_suspends_dumb_init(
        start, helper, mode, signum, to):
    started = start(*mode, "-r", f"{signum.name}:{to}", helper("reporter"))
    started.expect("ready")
    started.send(signum)
    if to != "0":
        started.expect_signals(getattr(signal, "SIG" + to))
    wait_until(lambda: state(started.pid) == "T", "the init to stop")
    assert state(started.command) != "T"
    started.send(signal.SIGCONT)
    started.expect_signals(signal.SIGCONT)


def test_signal_rewritten_to_a_job_stop_does_not_suspend_dumb_init(start, helper, mode):
    started = start(*mode, "-r", "USR1:TSTP", helper("reporter"))
    started.expect("ready")
    # A suspended init would not forward the second signal.
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGTSTP)
    started.send(signal.SIGUSR2)
    started.expect_signals(signal.SIGUSR2)


def test_sigcont_while_a_stop_is_forwarded_is_not_lost(start, helper, place, tmp_path):
    """A SIGSTOP of dumb-init for itself would discard a pending SIGCONT, even as PID 1,
    which ignores SIGSTOP. strace delays kill(2), so that SIGCONT comes before the stop,
    and timer_settime(2), so that the timer's stop comes before the wait."""
    trace = tmp_path / "trace"
    started = start(helper("reporter"), place=place, around=[
        "strace", "-qq", "-f", "-o", str(trace), "-e", "trace=kill,timer_settime",
        "-e", f"inject=kill:delay_exit={int(scaled(200_000))}",
        "-e", "inject=timer_settime:delay_exit=100000"])
    started.expect("ready")
    ours, = children(started.popen.pid)
    if place == "pid1":
        ours, = children(ours)
    command, = children(ours)
    # "t" is how a stop looks when strace follows, in each system call, too.
    wait_until(lambda: waits_for_good(command), "COMMAND's readiness")
    os.kill(ours, signal.SIGTSTP)
    wait_until(lambda: state(command) in "Tt", "COMMAND to stop")
    os.kill(ours, signal.SIGCONT)
    wait_until(lambda: state(command) == "S", "SIGCONT")
    # A moment remains between the check for SIGCONT and SIGSTOP, except as PID 1,
    # which sends no SIGSTOP.
    if place == "pid1":
        os.kill(ours, signal.SIGTSTP)
        # Of two pending signals the lower number is delivered first.
        os.kill(ours, signal.SIGWINCH)
        wait_until(lambda: "SIGWINCH" in trace.read_text(), "SIGWINCH")
        assert "kill(1, SIGSTOP" not in trace.read_text()


def test_no_sigcont_is_lost_among_many_stops(start, mode):
    started = start(*mode, "sh", "-c", "echo ready; exec sleep 60", place="pid1")
    started.expect("ready")
    command = started.command
    for _ in range(200):
        started.send(signal.SIGTSTP, signal.SIGCONT)
    nothing_waits_for(started.pid)
    wait_until(lambda: waits_for_good(started.pid), "the last signal to be forwarded")
    wait_until(lambda: state(command) == "S", "SIGCONT")
    started.send(signal.SIGTERM)
    assert started.status() == 128 + signal.SIGTERM


@pytest.mark.parametrize("options, sent, arrives", [
    (["-r", "TERM:QUIT"], 15, 3),
    (["-r", "15:3"], 15, 3),
    (["-r", "sigterm:SIGRTMIN+3"], 15, 37),
    (["-r", "RTMAX-1:2"], 63, 2),
    (["-r", "33:34"], 33, 34),
    (["-r", "TERM:HUP", "-r", "TERM:INT"], 15, 2),
    (["-r", "TERM:0", "-r", "TERM:INT"], 15, 2),
    (["-r", "TERM:INT"], 1, 1),
    (["-r", "TERM:INT", "-r", "INT:HUP"], 15, 2),
])
def test_signal_arrives_as_its_replacement(start, helper, mode, options, sent, arrives):
    started = start(*mode, *options, helper("reporter"))
    started.expect("ready")
    started.send(sent)
    started.expect_signals(arrives)


def test_signal_rewritten_to_0_is_dropped(start, helper, mode):
    started = start(*mode, "-r", "TERM:0", "-r", "40:0", helper("reporter"))
    started.expect("ready")
    started.send(signal.SIGTERM, 40, signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


def test_signal_can_be_rewritten_to_sigkill(start, mode):
    started = start(*mode, "-r", "TERM:KILL", "sh", "-c", "trap '' TERM; echo ready; "
                    "read line <&9", stdin=subprocess.PIPE, before=[
                        "sh", "-c", 'exec "$@" 9<&0', "sh"])
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 128 + signal.SIGKILL


def test_sigchld_is_not_forwarded(start, helper, mode, place):
    started = start(*mode, helper("reporter"), place=place)
    started.expect("ready")
    for _ in range(10):
        started.send(signal.SIGCHLD)
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


GROUP = """
trap 'echo command' USR1
sh -c 'trap "echo helper" USR1; echo ready; while :; do sleep 0.05; done' &
while :; do sleep 0.05; done
"""


def test_signal_reaches_the_whole_group_in_session_mode(start, place):
    started = start("bash", "-c", GROUP, place=place)
    started.expect("ready")
    started.send(signal.SIGUSR1)
    assert {started.expect("(command|helper)\r?\n")[1] for _ in range(2)} == \
        {b"command", b"helper"}


def test_signal_reaches_command_alone_in_single_child_mode(start, helper):
    started = start("-c", "sh", "-c", '"$0" & exec "$0"',
                    helper("reporter"))
    first, second = (int(started.expect(rb"ready (\d+)")[1]) for _ in range(2))
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    os.kill(first, signal.SIGRTMAX)
    os.kill(second, signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX, signal.SIGRTMAX)


def sigqueue(pid, signum, value):
    class Value(ctypes.Union):
        _fields_ = [("int", ctypes.c_int), ("pointer", ctypes.c_void_p)]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, Value]
    assert libc.sigqueue(pid, signum, Value(int=value)) == 0, os.strerror(
        ctypes.get_errno())


@pytest.fixture
def says_nothing(tmp_path):
    """A file for stderr, which must stay empty."""
    with open(tmp_path / "err", "wb") as err:
        yield err
    assert (tmp_path / "err").read_text() == ""


def test_queued_signals_keep_order_and_values(start, helper, place, says_nothing):
    started = start("-c", helper("reporter"), place=place, stderr=says_nothing)
    started.expect("ready")
    for value in range(500):
        sigqueue(started.pid, 40, value)
    for value in range(500):
        sender = 0 if place == "pid1" else os.getpid()
        got = started.expect(rb"(\d+) (-?\d+) (\d+) (-?\d+)\n").groups()
        # -1 is SI_QUEUE; the sender is the test, not dumb-init.
        wanted = [40, -1, sender, value]
        assert [int(each) for each in got] == wanted, "it came without its sender " \
            "and value" if int(got[1]) == 0 else f"expected {wanted}, got {got}"


def test_value_of_a_rewritten_signal_is_kept(start, helper):
    started = start("-c", "-r", "40:USR1", helper("reporter"))
    started.expect("ready")
    sigqueue(started.pid, 40, 1234)
    assert started.expect(rb"10 -1 \d+ 1234\n")


@pytest.mark.parametrize("error", ["EAGAIN", "ENOSYS"])
def test_signal_is_forwarded_without_its_value_if_the_queue_is_full(
        start, helper, says_nothing, error):
    """strace injects the error of a full queue (RLIMIT_SIGPENDING)."""
    started = start("-c", helper("reporter"), stderr=says_nothing, before=[
        "strace", "-qq", "-o", "/dev/null", "-e", "trace=rt_sigqueueinfo",
        "-e", f"inject=rt_sigqueueinfo:error={error}"])
    started.expect("ready")
    ours, = children(started.pid)
    sigqueue(ours, 40, 1234)
    started.expect(rb"40 0 \d+ \d+\n")


def test_dumb_init_leaves_a_sixteenth_of_the_signal_queue_to_command(
        start, helper, mode):
    started = start(*mode, helper("reporter"),
                    before=["prlimit", "--sigpending=1600:1700"])
    started.expect("ready")
    wait_until(lambda: waits_for_good(started.pid), "the init's first wait")
    command, = children(started.pid)
    assert resource.prlimit(command, resource.RLIMIT_SIGPENDING) == (1600, 1700)
    assert resource.prlimit(started.pid, resource.RLIMIT_SIGPENDING) == (1500, 1700)


def test_room_in_the_queue_is_left_during_a_flood_of_signals(start, helper, tmp_path):
    """They are pending before the start, so no wait of dumb-init times out."""
    trace = tmp_path / "trace"
    signums = range(40, 60)
    mask = sum(1 << signum - 1 for signum in signums)
    started = start(helper("reporter"), before=[
        "strace", "-qq", "-o", str(trace), "-e", "trace=prlimit64,kill",
        "-e", "signal=none", helper("inherit"), f"{mask:x}", "0", "python3", "-ISc",
        "import os, sys\nfor signum in range(40, 60): os.kill(os.getpid(), signum)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"])
    started.expect("ready")
    started.expect_signals(*signums)
    text = trace.read_text()
    lowered = text.find("prlimit64(0, RLIMIT_SIGPENDING, {")
    assert 0 < lowered < text.rfind("kill(-")


def test_every_queued_signal_arrives_though_the_queue_is_full(start, helper, mode):
    """The queue belongs to a UID (RLIMIT_SIGPENDING). While COMMAND is stopped and
    dumb-init slow, another process takes each place that dumb-init frees."""
    if not maps_other_users():
        pytest.skip("NOT TESTED: needs an unused UID, which only root can take")
    started = start(*mode, helper("reporter"), before=[
        "setpriv", "--reuid", str(random.randrange(20_000, 60_000)), "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",  # for the path
        "prlimit", "--sigpending=100:100",
        "strace", "-qq", "-o", "/dev/null", "-e", "trace=rt_sigqueueinfo,kill",
        "-e", "inject=rt_sigqueueinfo,kill:delay_enter=2000"])
    started.expect("ready")
    ours, = children(started.pid)
    command, = children(ours)
    wait_until(lambda: waits_for_good(ours), "the init's readiness")
    os.kill(command, signal.SIGSTOP)
    sent = subprocess.run([helper("flood"), "try", str(ours), "200000", "0", "1"],
                          check=True, capture_output=True, timeout=patience()).stdout
    accepted = int(sent.split()[0])
    nothing_waits_for(ours)
    wait_until(lambda: waits_for_good(ours), "the last signal to be forwarded")
    os.kill(command, signal.SIGCONT)
    # If both were pending, the reporter would get SIGUSR1 first.
    nothing_waits_for(command)
    os.kill(ours, signal.SIGUSR1)
    heard = started.signals_up_to(signal.SIGUSR1)
    assert sum(signum >= 32 for signum in heard) == accepted > 0


def nothing_waits_for(pid):
    wait_until(lambda: int(status_field(pid, "ShdPnd"), 16) == 0, "no pending signal")


def test_signal_to_a_command_that_has_exited_is_no_warning(start, mode):
    """dumb-init is stopped while COMMAND is killed, so that the signal comes first."""
    started = start(*mode, "sh", "-c", "echo ready; exec sleep 60",
                    stderr=subprocess.PIPE)
    started.expect("ready")
    command = started.command
    started.send(signal.SIGSTOP)
    os.kill(command, signal.SIGKILL)
    wait_until(lambda: state(command) == "Z", "COMMAND's exit")
    started.send(signal.SIGTERM, signal.SIGUSR1, signal.SIGCONT)
    assert started.status() == 128 + signal.SIGKILL
    assert is_only_the_kill(started.popen.stderr.read().decode().splitlines())


def is_only_the_kill(lines):
    return len(lines) == 1 and \
        " was killed by SIGKILL, not sent by dumb-init" in lines[0]


@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["", "quiet"])
def test_no_permission_to_signal_command_is_a_warning(start, helper, mode, another,
                                                       quiet):
    started = start(*mode, *quiet, *another, helper("reporter"),
                    stderr=subprocess.PIPE, before=WITHOUT_CAP_KILL)
    started.expect("ready")
    command = started.command
    for _ in range(3):
        started.send(signal.SIGUSR1)
        wait_until(lambda: int(status_field(started.pid, "ShdPnd"), 16) == 0,
                   "the init to take the signal")
    os.kill(command, signal.SIGKILL)
    assert started.status() == 128 + signal.SIGKILL
    lines = started.popen.stderr.read().decode().splitlines()
    group = "" if mode == MODES["single-child"] else "the process group of "
    warning = (f"[dumb-init] cannot send SIGUSR1 to {group}{another[0]} (PID {command})"
               ": Operation not permitted")
    # At COMMAND's exit its group is empty, which is no warning.
    if quiet:
        assert not lines
    else:
        assert lines[:3] == [warning] * 3, f"says {lines[0] if lines else 'nothing'}"
        assert is_only_the_kill(lines[3:])


def test_no_permission_to_signal_one_of_all_is_a_warning(start, helper, another):
    """The other targets get it. As PID 1 kill(-1) does not report a refusal."""
    started = start("-a", "bash", "-c", f'{" ".join(another)} "$0" & exec "$0"',
                    helper("reporter"), stderr=subprocess.PIPE,
                    before=WITHOUT_CAP_KILL)
    for _ in range(2):
        started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    assert started.popen.stderr.readline() == \
        b"[dumb-init] cannot send SIGUSR1 to all processes: Operation not permitted\n"


def test_no_permission_to_queue_a_value_is_a_warning(start, helper, another):
    started = start("-c", *another, helper("reporter"), stderr=subprocess.PIPE,
                    before=WITHOUT_CAP_KILL)
    started.expect("ready")
    sigqueue(started.pid, signal.SIGUSR1, 1234)
    assert started.popen.stderr.readline().decode() == \
        f"[dumb-init] cannot send SIGUSR1 to {another[0]} (PID {started.command}): " \
        "Operation not permitted\n"


def test_alarm_set_before_the_start_is_forwarded(start, helper, mode):
    """A signal that the kernel sends, and not for a terminal."""
    started = start(*mode, "-v", helper("reporter"), stderr=subprocess.PIPE, before=[
        helper("inherit"), f"{1 << signal.SIGALRM - 1:x}", "0", "python3", "-ISc",
        "import os, signal, sys; signal.setitimer(signal.ITIMER_REAL, 0.01);"
        "os.execv(sys.argv[1], sys.argv[1:])"])
    started.expect("ready")
    started.expect_signals(signal.SIGALRM)
    assert any(line.startswith(b"[dumb-init] SIGALRM from the kernel: forwarded to ")
               for line in started.popen.stderr)


@pytest.mark.slow
def test_200_orphans_of_pid_1_leave_no_zombie(start, mode):
    script = "for i in $(seq 200); do (sleep 0.0$((i % 10)) &); done; " \
             "echo made; exec sleep 60"
    started = start(*mode, "bash", "-c", script, place="pid1")
    started.expect("made")
    # The last child is COMMAND, which still runs, and none is a zombie.
    wait_until(lambda: len(children(started.pid)) == 1, "the exits of all orphans")
    assert state(started.command) not in "XZ"


def test_orphans_are_reaped_by_a_subreaper(start, mode):
    script = "(setsid sleep 60 &); echo made $$; exec sleep 60"
    started = start(*mode, "sh", "-c", script)
    command = int(started.expect(rb"made (\d+)")[1])
    orphan, = wait_until(lambda: set(children(started.pid)) - {command},
                         "the orphan")
    os.kill(orphan, signal.SIGKILL)
    wait_until(lambda: children(started.pid) == [command], "the orphan's exit")


def test_one_sigchld_for_many_exits_reaps_all_children(start, mode):
    """While dumb-init is stopped, all SIGCHLDs merge into one."""
    script = "for i in $(seq 50); do (sleep 60 &); done; echo made $$; exec sleep 60"
    started = start(*mode, "bash", "-c", script)
    command = int(started.expect(rb"made (\d+)")[1])
    orphans = wait_until(lambda: len(children(started.pid)) == 51 and
                         set(children(started.pid)) - {command}, "the orphans")
    started.send(signal.SIGSTOP)
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: {state(pid) for pid in orphans} == {"Z"}, "the exits")
    started.send(signal.SIGCONT)
    wait_until(lambda: len(children(started.pid)) == 1, "all orphans to be reaped")
    started.send(signal.SIGTERM)
    assert started.status() == 128 + signal.SIGTERM


def test_one_sigchld_for_command_and_orphans_makes_dumb_init_exit(start, mode):
    script = "(sleep 60 &); (sleep 60 &); echo made; exec sleep 60"
    started = start(*mode, "sh", "-c", script)
    started.expect("made")
    three = wait_until(lambda: len(children(started.pid)) == 3 and
                       children(started.pid), "the orphans")
    started.send(signal.SIGSTOP)
    for pid in three:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: {state(pid) for pid in three} == {"Z"}, "the exits")
    started.send(signal.SIGCONT)
    assert started.status() == 128 + signal.SIGKILL


def test_child_without_an_exit_signal_is_reaped(start, helper, mode):
    """A child of clone(2) without SIGCHLD needs __WALL, wait(2). The program that
    became dumb-init by exec may have one."""
    started = start(*mode, helper("reporter"), before=[helper("odd_child")],
                    stdin=subprocess.PIPE)
    started.expect("ready")
    assert len(children(started.pid)) == 2
    started.popen.stdin.close()
    wait_until(lambda: len(children(started.pid)) == 1, "the odd child's exit")


def test_signals_are_forwarded_after_a_stop_from_outside(start, helper, mode):
    started = start(*mode, helper("reporter"))
    started.expect("ready")
    for _ in range(5):
        started.send(signal.SIGSTOP)
        wait_until(lambda: state(started.pid) == "T", "the init to stop")
        started.send(signal.SIGUSR1, signal.SIGCONT)
        started.expect_signals(signal.SIGUSR1, signal.SIGCONT)


def test_signals_from_inside_and_outside_the_namespace_are_forwarded(
        start, helper, mode):
    started = start(*mode, helper("reporter"), place="pid1")
    started.expect("ready")
    started.send(signal.SIGTERM)
    started.expect_signals(signal.SIGTERM)
    subprocess.run(["nsenter", "--target", str(started.pid), "--pid", "--mount",
                    "kill", "-s", "TERM", "1"], check=True, timeout=patience())
    started.expect_signals(signal.SIGTERM)
