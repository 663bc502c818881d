"""Contract, section 4.3 to 4.6: the remaining processes after COMMAND's exit. Also
--delay, and the targets of --all and --grace."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import time

import pexpect
import psutil
import pytest

from conftest import (NAMESPACE, WITHOUT_CAP_KILL, children, duration, end_tree,
                      patience, scaled, sleeps_on, state, status_field, wait_until,
                      waits_for_good)

pytestmark = pytest.mark.slow

# How COMMAND, a bash, starts the helper "$@".
KINDS = {"child": '"$@" &', "job": 'set -m; "$@" &', "daemon": 'setsid "$@" &',
         "orphan": '(setsid "$@" &);'}
GRACE_AND_WAIT_ALL = pytest.mark.parametrize(
    "options", [["-t", "60"], ["-W"]], ids=["grace", "wait-all"])
# dumb-init may find its last sleep among the processes that are left, and signal it.
CLEANER = ["sh", "-c", """trap 'trap "" TERM; sleep 1 && echo cleaned; exit' TERM
                       echo ready; while :; do sleep 0.05; done"""]


EXPIRED = b"[dumb-init] --grace expired: sending SIGKILL to all processes\n"
# With few PIDs each is reused soon.
few_pids = pytest.mark.skipif(
    tuple(map(int, os.uname().release.split(".")[:2])) < (6, 14),
    reason="NOT TESTED: needs a pid_max for each PID namespace, Linux 6.14")


@pytest.fixture(params=KINDS)
def kind(request):
    """Where the helper runs: in COMMAND's group, not in it, or not in its session."""
    return KINDS[request.param]


@pytest.fixture
def start_with_helper(start):
    """Starts a COMMAND that starts a helper, which prints "ready", and reads a line."""
    def start_with_helper(kind, helper, *options, place="ordinary", last="exit 3",
                          **others):
        others = {"stdin": subprocess.PIPE} | others
        started = start(*options, "bash", "-c", f"{kind} read line; {last}", "bash",
                        *helper, place=place, **others)
        started.expect("ready")
        return started
    return start_with_helper


def end_command(started):
    """Lets COMMAND exit. Returns the time before that, in seconds."""
    now = time.monotonic()
    started.popen.stdin.close()
    return now


def ended_at(started):
    """Waits for the exit of the init. Returns the time."""
    started.status()
    return time.monotonic()


def assert_ended_after(seconds, started, begun):
    """The init exits then: not earlier, and little later."""
    took = ended_at(started) - begun
    assert seconds <= took < seconds + scaled(10)


def name_of(pid):
    """The name of a running process; None for a zombie."""
    try:
        return status_field(pid, "Name") if state(pid) not in "ZX" else None
    except OSError:
        return None


def only_child(pid, name):
    """The only process below pid, if that is its name."""
    below = children(pid)
    return below[0] if list(map(name_of, below)) == [name] else None


def test_clean_up_of_a_second_finishes_under_grace(start_with_helper, kind, place):
    started = start_with_helper(kind, CLEANER, "-t", "60", place=place)
    end_command(started)
    started.expect("cleaned")
    assert started.status() == 3


# Prints the time of its exit, which is a moment after its SIGTERM.
LAST = ["python3", "-ISc", """if True:
    import signal, time
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])
    time.sleep(0.15)
    print("end", time.monotonic(), flush=True)"""]


def exit_time():
    """Seconds from the line of LAST to the exit of its process, without dumb-init."""
    with subprocess.Popen(LAST, stdout=subprocess.PIPE, text=True) as last:
        assert last.stdout.readline() == "ready\n"
        last.terminate()
        end = float(last.stdout.readline().split()[1])
        last.wait()
        return time.monotonic() - end


def still_late(seconds):
    """Whether to try again: a busy machine may be late, but not each time."""
    return len(seconds) < scaled(8) and min(seconds, default=1) >= 0.05


@pytest.mark.cost
@GRACE_AND_WAIT_ALL
def test_dumb_init_exits_within_50_ms_of_the_last_process(
        start_with_helper, kind, place, options):
    alone = min(exit_time() for _ in range(3))
    late = []
    while still_late(late):
        started = start_with_helper(kind, LAST, *options, place=place)
        init = started.pid
        end_command(started)
        if options == ["-W"]:
            wait_until(lambda: only_child(init, "python3"), "COMMAND's exit")
            os.kill(init, signal.SIGTERM)
        over = ended_at(started)
        end = float(started.expect(rb"end ([\d.]+)\r?\n")[1])
        late.append(over - end - alone)
    assert min(late) < 0.05


@pytest.mark.cost
@GRACE_AND_WAIT_ALL
def test_dumb_init_exits_at_once_when_no_process_remains(start, mode, place, options):
    late = []
    while still_late(late):
        started = start(*mode, *options, "sh", "-c", "echo ready; read line; exit 3",
                        place=place, stdin=subprocess.PIPE)
        started.expect("ready")
        late.append(-end_command(started) + ended_at(started))
        assert started.status() == 3
    assert min(late) < 0.05


def test_process_that_ignores_sigterm_is_killed_after_the_grace_period(
        start_with_helper, helper, kind, place):
    started = start_with_helper(kind, [helper("reporter")], "-t", duration(1000),
                                place=place, stderr=subprocess.PIPE)
    begun = end_command(started)
    started.expect_signals(signal.SIGTERM)
    assert_ended_after(1, started, begun)
    assert started.status() == 3
    assert started.popen.stderr.read() == EXPIRED


PTRACE_SEIZE = 0x4206


@pytest.mark.parametrize("options", [["-t"], ["-W", "-k"]], ids=["grace", "kill-after"])
def test_process_that_survives_sigkill_delays_the_exit_by_a_second_at_most(
        start_with_helper, helper, options):
    """The test traces the process, so that no other process can reap it before the
    test does."""
    libc = ctypes.CDLL(None, use_errno=True)
    started = start_with_helper(KINDS["daemon"], [helper("reporter")], *options,
                                duration(200))
    left = int(started.expect(rb" (\d+)\r?\n")[1])
    if libc.ptrace(PTRACE_SEIZE, left, None, None) < 0:
        pytest.skip(f"NOT TESTED: no ptrace, {os.strerror(ctypes.get_errno())}")
    begun = end_command(started)
    if "-W" in options:
        wait_until(lambda: only_child(started.pid, "reporter"), "COMMAND's exit")
        started.send(signal.SIGTERM)
    wait_until(lambda: state(left) == "Z", "the process to be a zombie")
    try:
        assert_ended_after(1.2, started, begun)
        assert started.status() == 3
    finally:
        os.waitpid(left, 0)


def test_grace_of_0_sends_sigkill_at_once(start_with_helper, helper, place):
    started = start_with_helper(KINDS["daemon"], [helper("reporter")], "-t", "0",
                                place=place)
    end_command(started)
    assert started.status() == 3


def test_stopped_process_handles_sigterm(start_with_helper, kind, place):
    stop = "trap 'echo handled; exit' TERM; echo ready; kill -STOP $$; " \
           "while :; do sleep 0.05; done"
    started = start_with_helper(kind, ["sh", "-c", stop], "-t", "60", place=place)
    # Wait for the stop: a shell that is about to stop itself does not handle SIGTERM.
    wait_until(lambda: "T" in [state(each.pid) for each in psutil.Process(
        started.pid).children(recursive=True)], "the process to stop")
    end_command(started)
    started.expect("handled")
    assert started.status() == 3


@GRACE_AND_WAIT_ALL
def test_signals_are_forwarded_to_remaining_processes(
        start_with_helper, helper, mode, kind, place, options):
    started = start_with_helper(kind, [helper("reporter")], *mode, *options,
                                place=place)
    init = started.pid
    end_command(started)
    if options == ["-t", "60"]:
        started.expect_signals(signal.SIGTERM)
        started.expect_signals(signal.SIGCONT)
    else:
        wait_until(lambda: only_child(init, "reporter"), "COMMAND's exit")
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGRTMIN + 3):
        os.kill(init, signum)
        started.expect_signals(signum)
    left, = children(init)
    os.kill(left, signal.SIGKILL)
    assert started.status() == 3


@GRACE_AND_WAIT_ALL
def test_exits_and_signals_are_handled_while_dumb_init_waits(
        start, helper, mode, place, options):
    started = start(*mode, *options, "sh", "-c",
                    'setsid "$0" & setsid "$0" & read line; exit 3',
                    helper("reporter"), place=place, stdin=subprocess.PIPE)
    for _ in range(2):
        started.expect("ready")
    init = started.pid
    end_command(started)
    first, second = wait_until(
        lambda: list(map(name_of, children(init))) == ["reporter"] * 2 and
        children(init), "COMMAND's exit")
    for signum in (signal.SIGHUP, signal.SIGUSR1):
        started.send(signum)
        started.signals_up_to(signum)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: children(init) == [second], "the first reporter's exit")
    started.send(signal.SIGUSR2)
    started.signals_up_to(signal.SIGUSR2)
    os.kill(second, signal.SIGKILL)
    assert started.status() == 3


def test_ctrl_c_in_the_grace_period_reaches_remaining_processes(
        start, helper, mode, place):
    """dumb-init has a terminal; COMMAND's session may have acquired it."""
    started = start(*mode, "-t", "60", "sh", "-c",
                    'setsid "$0" & read line; exit 3', helper("reporter"),
                    terminal=True, place=place)
    started.expect("ready")
    started.type("\n")
    started.expect_signals(signal.SIGTERM)
    started.expect_signals(signal.SIGCONT)
    started.type("\x03")
    started.expect_signals(signal.SIGINT)
    left, = children(started.pid)
    os.kill(left, signal.SIGKILL)
    assert started.status() == 3


BOMB = 300


@pytest.mark.parametrize("options, status", [
    (["-t", "0.3"], 3), (["-k", "0.3"], 137)], ids=["grace", "kill-after"])
def test_fork_bomb_is_killed_completely(start, helper, place, options, status):
    """The fixture nothing_left_behind checks the rest."""
    end = "exit 3" if status == 3 else "sleep 60"
    trap = "" if status == 3 else "trap '' TERM; "
    started = start(*options, "bash", "-c", f'{trap}"$0" {BOMB} & read line; {end}',
                    helper("bomb"), place=place, stdin=subprocess.PIPE)
    started.expect("ready")
    init = started.pid
    if status == 3:
        end_command(started)
    else:
        os.kill(init, signal.SIGTERM)
    assert started.status() == status

    def bombs():
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if name_of(pid) == "bomb"]
    if status == 137:  # dumb-init exits with COMMAND; others may still be exiting
        wait_until(lambda: not bombs(), "all bombs to exit")
    assert not bombs()


@pytest.mark.parametrize("how, options, signum", [
    *[(how, [], signal.SIGTERM) for how in KINDS.values()],
    (KINDS["daemon"], [], signal.SIGINT), (KINDS["daemon"], [], signal.SIGQUIT),
    (KINDS["daemon"], ["-r", "HUP:QUIT"], signal.SIGHUP)],
    ids=[*KINDS, "SIGINT", "SIGQUIT", "rewritten"])
def test_kill_after_kills_all_processes_after_a_stop_request(
        start_with_helper, helper, place, how, options, signum):
    """COMMAND and its helper ignore the signals."""
    started = start_with_helper(
        "trap '' TERM INT QUIT; " + how, [helper("reporter")], "-k", "0.4", *options,
        place=place, last="while :; do read line; done", stderr=subprocess.PIPE)
    begun = time.monotonic()
    started.send(signum)
    assert_ended_after(0.4, started, begun)
    assert started.status() == 137
    assert started.popen.stderr.read() == EXPIRED.replace(b"grace", b"kill-after")


def test_kill_after_does_not_begin_with_other_signals(start, helper, place):
    started = start("-k", duration(200), "-r", "TERM:0", helper("reporter"), place=place)
    started.expect("ready")
    started.send(signal.SIGTERM)
    started.send(signal.SIGHUP)
    started.expect_signals(signal.SIGHUP)
    wait_until(lambda: waits_for_good(started.pid), "a wait without a deadline")
    started.send(signal.SIGINT)
    assert started.status() == 137


def test_more_signals_do_not_postpone_kill_after(start, helper, place):
    started = start("-k", "0.4", helper("reporter"), place=place)
    started.expect("ready")
    limit = time.monotonic() + patience()
    started.send(signal.SIGTERM)
    # One more SIGINT for each that arrives, until COMMAND is killed.
    while started.output.expect([rb"\d+ [^\n]*\n", pexpect.EOF]) == 0:
        assert time.monotonic() < limit, \
            "expected the exit of the init, got none"
        with contextlib.suppress(ProcessLookupError):
            started.send(signal.SIGINT)
    assert started.status() == 137


def test_kill_after_begins_when_a_delayed_signal_arrives(start, helper, place):
    started = start("-d", "TERM:1h", "-k", "400ms", helper("reporter"), place=place)
    started.expect("ready")
    begun = time.monotonic()
    started.send(signal.SIGTERM)
    assert_ended_after(0.4, started, begun)
    assert started.status() == 137


def test_kill_after_does_not_delay_the_exit(start, place):
    started = start("-k", "60", "sh", "-c", "trap 'exit 4' TERM; echo ready; "
                    "while :; do sleep 0.05; done", place=place)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 4


def test_kill_after_ends_a_longer_grace_period(start_with_helper, helper, place):
    started = start_with_helper(KINDS["daemon"], [helper("reporter")], "-t", "60",
                                "-k", "0.4", place=place)
    begun = time.monotonic()
    started.send(signal.SIGTERM)  # kills COMMAND
    assert_ended_after(0.4, started, begun)
    assert started.status() == 143


def test_wait_all_waits_for_a_command_that_goes_to_the_background(start, helper, mode,
                                                                  place):
    """Double fork, as daemon(7) describes it."""
    started = start(*mode, "-W", "sh", "-c", '(setsid "$0" &) ; exit 4',
                    helper("reporter"), place=place)
    started.expect("ready")
    daemon = wait_until(lambda: only_child(started.pid, "reporter"), "COMMAND's exit")
    # No signal came earlier, neither on its own nor at COMMAND's exit.
    started.send(signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)
    os.kill(daemon, signal.SIGKILL)
    assert started.status() == 4


def test_job_stop_reaches_a_daemon_of_pid_1_unchanged(start_with_helper, helper):
    """A daemon may handle it; and nothing would continue the daemon after SIGSTOP."""
    started = start_with_helper(KINDS["daemon"], [helper("reporter")], "-W",
                                place="pid1")
    init = started.pid
    end_command(started)
    wait_until(lambda: only_child(init, "reporter"), "COMMAND's exit")
    for signum in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP):
        started.send(signum)
        started.expect_signals(signum)


def test_stop_request_continues_a_daemon_that_pid_1_has_stopped(start_with_helper,
                                                                helper):
    started = start_with_helper(KINDS["daemon"], [helper("reporter")], "-W", "-r",
                                "USR1:STOP", place="pid1")
    init = started.pid
    end_command(started)
    daemon = wait_until(lambda: only_child(init, "reporter"), "COMMAND's exit")
    started.send(signal.SIGUSR1)
    wait_until(lambda: state(daemon) == "T", "the stop of the daemon")
    started.send(signal.SIGTERM)
    started.signals_up_to(signal.SIGTERM)


@pytest.mark.usefixtures("unsanitized")
def test_all_reaches_the_child_of_a_process_that_dies_below_another_subreaper(
        start, helper):
    """It becomes a child of that subreaper, which has already been signaled. strace
    gives it the time."""
    started = start("-a", helper("subreaper"), "bash", "-c", """
        trap : USR1
        bash -c '"$0" & wait' "$0" &
        while :; do wait; done""", helper("reporter"), before=[
            "strace", "-qq", "-o", "/dev/null", "-e", "trace=pidfd_send_signal",
            "-e", "inject=pidfd_send_signal:delay_exit=300000"])
    started.expect("ready")
    ours, = children(started.pid)
    os.kill(ours, signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)


def test_wait_all_sleeps_while_nothing_happens(start_with_helper, helper, place):
    started = start_with_helper(KINDS["daemon"], [helper("reporter")], "-W",
                                place=place)
    init = started.pid
    end_command(started)
    wait_until(lambda: only_child(init, "reporter"), "COMMAND's exit")
    wait_until(lambda: sleeps_on(init), "a second without a wake-up")
    os.kill(children(init)[0], signal.SIGKILL)
    assert started.status() == 3


@GRACE_AND_WAIT_ALL
def test_pid_1_waits_for_a_process_that_entered_its_namespace(start, options):
    """As with docker exec. Its exit raises no SIGCHLD for PID 1."""
    started = start(*options, "sh", "-c", "echo ready; read line; exit 3",
                    place="pid1", stdin=subprocess.PIPE)
    started.expect("ready")
    init = started.pid
    with subprocess.Popen(
            ["nsenter", "--pid", "--mount", "--target", str(init), *LAST],
            stdout=subprocess.PIPE, text=True) as visitor:
        assert visitor.stdout.readline() == "ready\n"
        end_command(started)
        if options == ["-W"]:
            wait_until(lambda: not children(init), "COMMAND's exit")
            os.kill(init, signal.SIGTERM)
        word, end = visitor.stdout.readline().split()
        assert word == "end"
        assert visitor.wait(patience()) == 0
    # dumb-init polls every 20 ms.
    assert ended_at(started) - float(end) < scaled(10)
    assert started.status() == 3


def test_pid_1_does_not_exit_while_it_cannot_check_for_remaining_processes(
        start, tmp_path):
    """strace makes kill(2) fail, as seccomp(2) may."""
    started = start("-W", "sh", "-c", "echo ready; read line; exit 3", place="pid1",
                    stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    started.expect("ready")
    init, trace = started.pid, tmp_path / "trace"
    with subprocess.Popen(
            ["nsenter", "--pid", "--mount", "--target", str(init),
             "sh", "-c", "echo ready; read line"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as visitor, \
        subprocess.Popen(
            ["strace", "-o", str(trace), "-e", "trace=kill",
             "-e", "inject=kill:error=EPERM", "--attach", str(init)],
            stderr=subprocess.PIPE, text=True) as tracer:
        assert visitor.stdout.readline() == b"ready\n"
        assert "attached" in tracer.stderr.readline()
        end_command(started)
        wait_until(lambda: trace.read_text().count("kill(-1, 0)") > 2 or
                   state(init) in "XZ", "three kill(-1, 0) calls")
        assert state(init) not in "XZ"
        os.kill(init, signal.SIGUSR1)
        wait_until(lambda: "SIGUSR1" in trace.read_text(),
                   "the init to take the signal")
        tracer.terminate()
        tracer.communicate()
        visitor.stdin.close()
    assert started.status() == 3
    assert b"cannot send SIGUSR1" in started.popen.stderr.read()


def test_pid_1_exits_though_a_process_from_outside_cannot_be_killed(start, another):
    """A process of another user, which dumb-init may not signal; kill(-1) does not
    report that. The kernel kills it when PID 1 exits."""
    started = start("-t", "0.1", "sh", "-c", "echo ready; read line; exit 3",
                    place="pid1", stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                    before=WITHOUT_CAP_KILL)
    started.expect("ready")
    with subprocess.Popen(
            ["nsenter", "--pid", "--mount", "--target", str(started.pid),
             *another, *LAST],
            stdout=subprocess.PIPE, text=True) as visitor:
        assert visitor.stdout.readline() == "ready\n"
        begun = end_command(started)
        assert_ended_after(1, started, begun)
        assert visitor.wait(patience()) == -signal.SIGKILL
    assert started.status() == 3
    assert started.popen.stderr.read() == EXPIRED + \
        b"[dumb-init] some processes survived SIGKILL; exiting anyway\n"


def test_dumb_init_exits_though_a_remaining_process_cannot_be_killed(
        start_with_helper, helper, another):
    started = start_with_helper(KINDS["daemon"], [*another, helper("reporter")],
                                "-t", "0.1", stderr=subprocess.PIPE,
                                before=WITHOUT_CAP_KILL)
    left = int(started.expect(rb" (\d+)\r?\n")[1])
    try:
        assert_ended_after(1, started, end_command(started))
        assert started.status() == 3
    finally:
        os.kill(left, signal.SIGKILL)
    assert started.popen.stderr.read() == \
        b"[dumb-init] cannot send SIGTERM to all processes: " \
        b"Operation not permitted\n" + EXPIRED + \
        b"[dumb-init] cannot send SIGKILL to all processes: Operation not permitted\n" \
        b"[dumb-init] some processes could not be killed; exiting anyway\n"


@few_pids
def test_orphan_that_reuses_the_pid_of_command_is_an_orphan(start):
    """PIDs start again at 300, so those below are used up first. An orphan takes two
    PIDs, and every third time one more is skipped, so that COMMAND's PID comes up. The
    PID of a session leader would not be reused while the session exists."""
    orphans = "read line; for i in $(seq 100); do (sh -c 'exit 9' &); " \
              "[ $((i % 3)) != 0 ] || (:); done"
    started = start("-c", "-W", "sh", "-c",
                    'echo ready; sh -c "$0" <&3 & exit 4', orphans, around=[
        *NAMESPACE, "sh", "-c",
        'echo 330 >/proc/sys/kernel/pid_max || exit; '
        'for i in $(seq 310); do (:); done; "$@" 3<&0', "sh"], stdin=subprocess.PIPE)
    started.expect("ready")
    started.popen.stdin.write(b"\n")
    started.popen.stdin.close()
    assert started.status() == 4


def test_delayed_signal_is_forwarded_after_the_delay(start, helper, mode, place):
    started = start(*mode, "-d", f"TERM:{duration(1000)}", helper("reporter"),
                    place=place)
    started.expect("ready")
    begun = time.monotonic()
    started.send(signal.SIGTERM, signal.SIGINT)
    # Other signals are not delayed.
    started.expect_signals(signal.SIGINT, signal.SIGTERM)
    assert time.monotonic() - begun >= 1


def test_second_signal_ends_the_delay(start, helper, mode, place):
    started = start(*mode, "-d", "TERM:1h", "-r", "TERM:USR1", helper("reporter"),
                    place=place)
    started.expect("ready")
    for _ in range(2):
        started.send(signal.SIGTERM)
        wait_until(lambda: int(status_field(started.pid, "ShdPnd"), 16) == 0 and
                   state(started.pid) == "S", "the init to take the signal")
        started.send(signal.SIGHUP)
        started.expect_signals(signal.SIGHUP)
        started.send(signal.SIGTERM)
        started.expect_signals(signal.SIGUSR1)


def test_exit_of_command_ends_a_delay_at_once(start, place):
    started = start("-d", "TERM:1h", "sh", "-c", "echo ready; read line; exit 5",
                    place=place, stdin=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGTERM)
    end_command(started)
    assert started.status() == 5


def test_delayed_signal_is_forwarded_to_remaining_processes_under_wait_all(
        start_with_helper, helper, place):
    started = start_with_helper(KINDS["daemon"], [helper("reporter")], "-W", "-d",
                                f"HUP:{duration(2000)}", place=place)
    init = started.pid
    os.kill(init, signal.SIGHUP)
    end_command(started)
    wait_until(lambda: only_child(init, "reporter"), "COMMAND's exit")
    started.expect_signals(signal.SIGHUP)
    os.kill(children(init)[0], signal.SIGKILL)
    assert started.status() == 3


def test_delayed_signal_keeps_its_value_in_single_child_mode(start, helper):
    started = start("-c", "-d", "USR1:200ms", helper("reporter"))
    started.expect("ready")
    subprocess.run(["python3", "-ISc", "if True:\n"
                    "    import ctypes, sys\n"
                    "    ctypes.CDLL(None).sigqueue(int(sys.argv[1]), 10, "
                    "ctypes.c_void_p(4711))", str(started.pid)], check=True)
    assert started.expect(rb"10 -?\d+ \d+ (\d+)\r?\n")[1] == b"4711"


def failing(call, error):
    """strace makes a system call fail, as on a kernel without it."""
    return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:error={error}"]


# With stdin closed, the files that dumb-init reads have the number 0.
CLOSED = ["sh", "-c", 'exec "$@" <&-', "sh"]


@pytest.mark.parametrize("stdin", [[], CLOSED], ids=["open", "closed"])
@pytest.mark.parametrize("kernel", [
    [], failing("?access,?faccessat,?faccessat2", "ENOENT"),
    failing("pidfd_open", "ENOSYS")],
    ids=["this kernel", "without children files", "without pidfds"])
def test_all_sends_a_signal_to_every_descendant_once(
        start, helper, tmp_path, kernel, stdin):
    """COMMAND, its child, a daemon and its child. As PID 1 one kill(-1) does it."""
    def heard(number):
        """The number and the si_code of each signal that a reporter got."""
        text = (tmp_path / number).read_text() if (tmp_path / number).exists() else ""
        return [line.split()[:2] for line in text.splitlines()]

    def wait_for_all(word):
        wait_until(lambda: all(word in dict(heard(each)) for each in "1234"), word)

    with open(tmp_path / "err", "wb") as err:
        started = start("-a", "bash", "-c", '"$0" >1 & (setsid bash -c \'"$0" >2 & '
                        'exec "$0" >3\' "$0" &); exec "$0" >4', helper("reporter"),
                        before=[*kernel, *stdin], stderr=err, cwd=tmp_path)
    wait_for_all("ready")
    init = started.pid if not kernel else children(started.pid)[0]
    for signum in ("10", "15", "63"):
        os.kill(init, int(signum))
        wait_for_all(signum)
    for number in "1234":
        ready, = [int(pid) for word, pid in heard(number) if word == "ready"]
        os.kill(ready, signal.SIGRTMAX)
    wait_for_all("64")
    for number in "1234":
        # Sent to the process, SI_USER, and not to a thread of it.
        assert heard(number)[1:] == [["10", "0"], ["15", "0"], ["63", "0"], ["64", "0"]]
    files = {"1", "2"} if stdin else {"0", "1", "2"}
    wait_until(lambda: set(os.listdir(f"/proc/{init}/fd")) == files,
               "its files to be closed")
    assert (tmp_path / "err").read_text() == ""


@pytest.fixture
def calls_for_a_signal(start, helper, tmp_path):
    """calls_for_a_signal(NAMES, BEFORE...): the calls among NAMES that dumb-init makes
    to forward a signal to COMMAND as the only descendant, a line each."""
    def calls_for_a_signal(names, *before):
        trace = tmp_path / "trace"
        started = start("-a", helper("reporter"), before=[
            "strace", "-qq", "-o", str(trace), "-e", f"trace={names}", "-e",
            "signal=none", *before])
        started.expect("ready")
        init, = children(started.pid)
        os.kill(init, signal.SIGUSR1)
        started.expect_signals(signal.SIGUSR1)
        end_tree(children(init)[0])
        started.status()
        return trace.read_text().splitlines()
    return calls_for_a_signal


@pytest.mark.parametrize("stdin", [[], CLOSED], ids=["open", "closed"])
def test_all_sends_signals_through_pidfds(calls_for_a_signal, stdin):
    """The PID may belong to another process by then, kill(2)."""
    calls = calls_for_a_signal("kill,pidfd_send_signal", *stdin)
    assert [line.partition("(")[0] for line in calls if "SIGUSR1" in line] == \
        ["pidfd_send_signal"]


def test_search_for_descendants_ends_when_it_finds_no_new_process(calls_for_a_signal):
    """The threads of dumb-init, of COMMAND before and after the signal, and of dumb-init
    again; each list is read to its end."""
    assert len(calls_for_a_signal("getdents64")) == 8


def test_memory_does_not_grow_with_signals_to_all(start, helper):
    """The list of targets is freed."""
    started = start("-a", helper("reporter"))
    started.expect("ready")

    def size_after_signals(count):
        for _ in range(count):
            started.send(signal.SIGUSR1)
            started.expect_signals(signal.SIGUSR1)
        wait_until(lambda: waits_for_good(started.pid), "the init to take the signal")
        return status_field(started.pid, "VmSize")

    before = size_after_signals(1)
    assert size_after_signals(20) == before


def test_exit_of_one_target_does_not_keep_the_signal_from_the_others(start, helper):
    """strace makes the first pidfd_send_signal fail with ESRCH."""
    started = start("-a", "sh", "-c", '"$0" & exec "$0"', helper("reporter"),
                    before=[*failing("pidfd_send_signal", "ESRCH:when=1"), *CLOSED])
    for _ in range(2):
        started.expect("ready")
    init, = children(started.pid)
    os.kill(init, signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)


def test_remaining_process_gets_signals_where_proc_lists_no_children(start, helper):
    """COMMAND is not listed either."""
    started = start("-W", "sh", "-c", '(setsid "$0" &); read line', helper("reporter"),
                    stdin=subprocess.PIPE,
                    before=failing("?access,?faccessat,?faccessat2", "ENOENT"))
    started.expect("ready")
    init, = children(started.pid)
    end_command(started)
    wait_until(lambda: only_child(init, "reporter"), "COMMAND's exit")
    os.kill(init, signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)


# A /proc of another PID namespace, in which the bystander is a child of dumb-init.
FAKE_PROC = """
    fake=$1 bystander=$2
    shift 2
    mkdir -p $fake/$$/task/$$ $fake/$bystander
    ln -s 4194305 $fake/self
    echo "$bystander " >$fake/$$/task/$$/children
    echo "$bystander (reporter) S $$ 0 0" >$fake/$bystander/stat
    mount --bind $fake /proc
    exec "$@"
"""


@pytest.fixture
def bystander(helper):
    """A reporter that is not a descendant of dumb-init."""
    with subprocess.Popen([helper("reporter")], stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout.readline().startswith("ready")
        yield process
        process.kill()


@pytest.mark.usefixtures("unsanitized")
def test_proc_of_another_pid_namespace_is_not_searched(
        start, helper, tmp_path, bystander):
    started = start("-a", helper("reporter"), stderr=subprocess.PIPE, before=[
        "unshare", "--mount", "sh", "-c", FAKE_PROC, "sh", str(tmp_path / "proc"),
        str(bystander.pid)])
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    assert b"No such file" in started.popen.stderr.readline()  # the search has ended
    bystander.send_signal(signal.SIGUSR2)
    assert bystander.stdout.readline().startswith(f"{signal.SIGUSR2:d} ")


def test_all_reaches_each_of_200_processes(start):
    """More PIDs in a row than a word of dumb-init's set of PIDs has bits."""
    started = start("-a", "bash", "-c", "trap : TERM; for i in {1..200}; do sleep 1000 & "
                    "done; echo ready; wait; wait; echo over; read")
    started.expect("ready")
    started.send(signal.SIGTERM)
    started.expect("over")


def test_pid_1_above_dumb_init_gets_no_signal(start, helper):
    """PID 1 is another program, and COMMAND has exited."""
    pid_1 = "trap 'echo hit' USR1; exec 3<&0; \"$@\" <&3 & wait; wait; wait; wait"
    started = start("-W", "sh", "-c", '(setsid "$0" &); read line; exit 3',
                    helper("reporter"), stdin=subprocess.PIPE,
                    around=[*NAMESPACE, "bash", "-c", pid_1, "bash"])
    started.expect("ready")
    init, command = [process.pid for process in psutil.Process(
        started.popen.pid).children(recursive=True)][1:3]
    end_command(started)
    wait_until(lambda: state(command) == "X", "COMMAND's exit")
    for _ in range(3):
        os.kill(init, signal.SIGUSR1)
        started.expect_signals(signal.SIGUSR1)
        assert b"hit" not in started.output.before
    end_tree(children(init)[0])
    started.status()
    assert b"hit" not in started.output.read()


def slow(call, trace="/dev/null"):
    """strace delays each such system call, as a busy machine does."""
    return ["strace", "-qq", "-o", str(trace), "-e", f"trace={call}",
            "-e", f"inject={call}:delay_enter=8000"]


def test_chain_of_processes_is_reached_to_its_end(start_with_helper, helper, place):
    started = start_with_helper(KINDS["daemon"], [helper("family"), "chain"],
                                "-t", "60", place=place)
    end_command(started)
    assert started.status() == 3


def test_child_born_during_the_search_gets_the_signal(start, helper):
    """dumb-init lists the children right after it has signalled their parent."""
    started = start("-a", helper("family"), "brood", before=slow("pidfd_send_signal"))
    started.expect("ready")
    init, = children(started.pid)
    os.kill(init, signal.SIGUSR1)
    count = int(started.expect(rb"(\d+) children\r?\n")[1])
    # Except one child that the kernel was just creating.
    for _ in range(count - 1 - started.output.before.count(b"got")):
        started.expect("got")


def test_processes_that_restart_each_other_are_killed(start_with_helper, helper, place):
    started = start_with_helper(KINDS["daemon"], [helper("family"), "phoenix"],
                                "-t", "0.1", place=place)
    end_command(started)
    assert started.status() == 3


def test_processes_that_restart_each_other_are_stopped_before_they_are_killed(
        start_with_helper, helper, tmp_path):
    trace = tmp_path / "trace"
    started = start_with_helper(KINDS["daemon"], [helper("family"), "phoenix"],
                                "-t", "0.1", before=slow("pidfd_send_signal", trace))
    end_command(started)
    assert started.status() == 3
    # A process may have started another while it was being stopped. Before the next
    # SIGSTOP, as SIGKILL is sent again until the processes are gone.
    first = trace.read_text().partition("SIGKILL")[2].partition("SIGSTOP")[0]
    assert first.count("SIGKILL") < 20


def test_command_gets_the_signal_without_proc(start, helper):
    started = start("-a", helper("reporter"), stderr=subprocess.PIPE, before=[
        "unshare", "--mount", "sh", "-c",
        'mount -t tmpfs none /proc && exec "$0" "$@"'])
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    # AddressSanitizer prints lines without /proc, too.
    assert next(line for line in started.popen.stderr if b"dumb-init" in line) == \
        b"[dumb-init] cannot send SIGUSR1 to all processes: " \
        b"No such file or directory\n"


def leave_no_memory(started):
    """From now on no allocation succeeds. While COMMAND runs, dumb-init makes none."""
    resource.prlimit(started.pid, resource.RLIMIT_AS, (1, 1))


@pytest.mark.usefixtures("unsanitized")
def test_command_gets_the_signal_without_memory(start, helper):
    started = start("-a", helper("reporter"), stderr=subprocess.PIPE)
    started.expect("ready")
    leave_no_memory(started)
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    assert started.popen.stderr.readline() == \
        b"[dumb-init] cannot send SIGUSR1 to all processes: Cannot allocate memory\n"


@pytest.mark.usefixtures("unsanitized")
def test_group_of_dumb_init_gets_no_signal_without_memory(start, helper, tmp_path):
    """After COMMAND's exit. dumb-init is in that group and would get it itself."""
    with open(tmp_path / "err", "wb") as err:
        started = start("-W", "sh", "-c", '(setsid "$0" &); read line; exit 3',
                        helper("reporter"), stdin=subprocess.PIPE, stderr=err,
                        start_new_session=True)
    started.expect("ready")
    end_command(started)
    wait_until(lambda: only_child(started.pid, "reporter"), "COMMAND's exit")
    leave_no_memory(started)
    started.send(signal.SIGUSR1)
    wait_until(lambda: "SIGUSR1" in (tmp_path / "err").read_text(), "a warning")
    end_tree(started.command)
    assert started.status() == 3
    assert (tmp_path / "err").read_text().count("SIGUSR1") == 1


@pytest.mark.usefixtures("unsanitized")
def test_wait_all_waits_without_memory(start_with_helper, helper):
    started = start_with_helper(KINDS["daemon"], [helper("reporter")], "-W",
                                stderr=subprocess.PIPE)
    end_command(started)
    init = started.pid
    wait_until(lambda: only_child(init, "reporter"), "COMMAND's exit")
    leave_no_memory(started)
    started.send(signal.SIGUSR1)
    assert started.popen.stderr.readline() == \
        b"[dumb-init] cannot send SIGUSR1 to all processes: Cannot allocate memory\n"
    os.kill(children(init)[0], signal.SIGKILL)
    assert started.status() == 3


@few_pids
def test_process_that_reuses_a_pid_gets_no_signal(start, helper, tmp_path):
    """With few PIDs each is reused at once. strace delays dumb-init between the listing
    of a process and its next access."""
    strangers = tmp_path / "strangers"
    started = start("-a", helper("churn"), "2", around=[
        *NAMESPACE, "sh", "-c",
        f'echo 345 >/proc/sys/kernel/pid_max || exit; "$0" 20 >{strangers} & "$@"',
        helper("churn")], before=slow("pidfd_open"))
    started.expect("churning")
    init, = [process.pid for process in
             psutil.Process(started.popen.pid).children(recursive=True)
             if name_of(process.pid) == "dumb-init"]
    for _ in range(40):
        os.kill(init, signal.SIGUSR1)
        wait_until(lambda: int(status_field(init, "ShdPnd"), 16) == 0,
                   "the init to take the signal")
    assert strangers.read_text() == "churning\n"
