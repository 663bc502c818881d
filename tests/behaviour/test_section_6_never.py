"""Contract, section 6: failing system calls, leaks and growth. Other tests of this
section are in the files of the sections that they belong to."""

import os
import signal
import subprocess
import time

import pytest

from conftest import (children, end_tree, maps_other_users, state, status_field,
                      wait_until, waits_for_good)
from watch import memory

LOOK = """if True:
    import ctypes, os, signal
    subreaper = ctypes.c_int()
    death = ctypes.c_int()
    libc = ctypes.CDLL(None)
    libc.prctl(37, ctypes.byref(subreaper), 0, 0, 0)  # PR_GET_CHILD_SUBREAPER
    libc.prctl(2, ctypes.byref(death), 0, 0, 0)       # PR_GET_PDEATHSIG
    print(subreaper.value, death.value, os.nice(0), oct(os.umask(0)),
          os.sched_getscheduler(0), len(os.listdir("/proc/self/fd")))
    print(open("/proc/self/limits").read())
    print(*[line for line in open("/proc/self/status")
            if line.startswith(("Cap", "NoNewPrivs", "Seccomp", "SigI", "Umask"))])
    print("the blocked signals", *[getattr(each, "name", each) for each in
                                   sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))])
"""


def test_no_setting_of_dumb_init_reaches_command(run, mode):
    alone = subprocess.run(["python3", "-c", LOOK], check=True, text=True,
                           capture_output=True, stdin=subprocess.DEVNULL).stdout
    lines = run(*mode, "python3", "-c", LOOK).stdout.splitlines()
    other = [line for line in lines if line not in alone.splitlines()]
    assert not other, f"COMMAND has {', '.join(other)}"
    assert lines == alone.splitlines()


def privileges(pid):
    """The lines of /proc/PID/status about them."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return [line for line in status if line.startswith((
            "Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp", "Specul"))]


def test_visible_privileges_of_dumb_init_are_those_it_was_started_with(
        start, helper, mode, place):
    """Users read there what a container may do."""
    started = start(*mode, helper("reporter"), place=place)
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    assert privileges(started.pid) == privileges(os.getpid())


def test_dumb_init_stays_open_to_debuggers_of_its_user(start, helper, mode):
    """dumb-init stays dumpable, prctl(2): otherwise its files in /proc have group 0."""
    if not maps_other_users():
        pytest.skip("NOT TESTED: needs a second GID, and this user namespace has "
                    "one; run the tests as root")
    started = start(*mode, helper("reporter"),
                    before=["setpriv", "--regid", "12345", "--clear-groups"])
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    assert os.stat(f"/proc/{started.pid}/environ").st_gid == 12345


def pending(pid):
    """Whether signals are pending; False if there is no process."""
    try:
        return int(status_field(pid, "ShdPnd"), 16) != 0
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("call, how", [
    ("prctl", "error=EINVAL"), ("chdir", "error=EIO"), ("close_range", "error=EPERM"),
    ("kill", "error=EPERM"), ("waitid", "error=EINVAL"), ("wait4", "error=EPERM"),
    ("rt_sigpending", "error=EFAULT"), ("rt_sigtimedwait", "error=EINTR:when=1..9")],
    ids=lambda text: text.partition("=")[0])
def test_failing_system_call_does_not_make_dumb_init_exit(
        start, helper, mode, call, how):
    """strace makes calls of dumb-init fail, not those of COMMAND."""
    started = start(*mode, helper("reporter"), stderr=subprocess.PIPE, before=[
        "strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
        "-e", f"inject={call}:{how}"])
    started.expect("ready")
    ours, = children(started.pid)
    command, = children(ours)
    for signum in (signal.SIGUSR1, signal.SIGCHLD, signal.SIGUSR2):
        if state(ours) not in "XZ":
            os.kill(ours, signum)
            wait_until(lambda: not pending(ours), "the init to take the signal")
    still = children(ours) == [command]
    os.kill(command, signal.SIGKILL)
    assert still, "the init has exited"
    assert started.status() == 128 + signal.SIGKILL


def failing(call, *options, when="1+", error="EPERM", trace="/dev/null"):
    """strace makes a call fail: each time, unless `when` says otherwise."""
    return ["strace", "-qq", *options, "-o", str(trace), "-e", f"trace={call}",
            "-e", f"inject={call}:error={error}:when={when}"]


@pytest.mark.usefixtures("unsanitized")
def test_children_are_reaped_where_wait4_fails(run, mode):
    """strace makes wait4(2) fail. dumb-init does not find the same zombie forever."""
    result = run(*mode, "-W", "sh", "-c", "(true &); exit 3", before=failing("wait4"))
    assert result.returncode == 3


@pytest.mark.usefixtures("unsanitized")
def test_all_reaches_command_where_pidfd_send_signal_fails(start, helper, mode):
    """strace makes pidfd_send_signal(2) fail, but not pidfd_open(2)."""
    started = start(*mode, "-a", helper("reporter"),
                    before=failing("pidfd_send_signal"))
    started.expect("ready")
    ours, = children(started.pid)
    os.kill(ours, signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)


@pytest.mark.usefixtures("unsanitized")
def test_messages_do_not_overwrite_a_file_where_lseek_fails(run, tmp_path):
    path = tmp_path / "errors"
    path.write_text("before\n" * 100)
    run("--nonsense", before=["sh", "-c", f'exec "$@" 2>>{path}', "sh",
                             *failing("lseek")])
    text = path.read_text()
    assert text.startswith("before\n" * 100 + "[dumb-init] ")


@pytest.mark.usefixtures("unsanitized")
def test_signals_are_forwarded_where_the_queue_limit_is_unknown(start, helper, mode):
    """prlimit(2) fails, so that dumb-init cannot read the limit."""
    started = start(*mode, helper("reporter"), before=failing("prlimit64"))
    started.expect("ready")
    ours, = children(started.pid)
    wait_until(lambda: waits_for_good(ours), "the init's first wait")
    os.kill(ours, signal.SIGRTMAX)
    started.expect_signals(signal.SIGRTMAX)


def test_exit_of_command_is_seen_where_waiting_for_signals_fails(start, helper, mode):
    started = start(*mode, helper("reporter"), before=failing("rt_sigtimedwait"))
    started.expect("ready")
    ours, = children(started.pid)
    command, = children(ours)
    os.kill(command, signal.SIGKILL)
    assert started.status() == 128 + signal.SIGKILL


def test_dumb_init_does_not_spin_where_waiting_for_signals_fails(
        start, helper, mode, tmp_path):
    trace = tmp_path / "trace"
    started = start(*mode, helper("reporter"),
                    before=failing("rt_sigtimedwait", trace=trace))
    started.expect("ready")

    def waits():
        return trace.read_text().count("INJECTED")
    begun, before = time.monotonic(), waits()
    wait_until(lambda: waits() >= before + 20, "the init's waits")
    assert time.monotonic() - begun > 0.2, "the init spins"


def test_grace_period_does_not_spin_where_waiting_for_signals_fails(start, tmp_path):
    """Until the grace period expires."""
    trace = tmp_path / "trace"
    begun = time.monotonic()
    started = start("-t", "0.5", "sh", "-c", "trap '' TERM; sleep 60 & exit 3",
                    before=failing("rt_sigtimedwait", trace=trace))
    assert started.status() == 3
    # One wait fails every 20 ms.
    waits = (time.monotonic() - begun) / 0.02
    assert trace.read_text().count("INJECTED") < 10 + waits


def test_wait_that_timed_out_is_not_followed_by_a_sleep(start, tmp_path):
    trace = tmp_path / "trace"
    started = start("-t", "0.1", "sh", "-c", "trap '' TERM; sleep 60 & exit 3", before=[
        "strace", "-qq", "-o", str(trace), "-e", "trace=rt_sigtimedwait,?poll,?ppoll"])
    assert started.status() == 3
    assert "EAGAIN" in trace.read_text()
    assert "poll(NULL" not in trace.read_text()


def test_failed_reaping_of_a_child_is_retried(start, mode, tmp_path):
    started = start(*mode, "sh", "-c", "(true &); echo ready; exec sleep 60",
                    before=failing("wait4", when="1..5"))
    started.expect("ready")
    ours, = children(started.pid)
    wait_until(lambda: len(children(ours)) == 1, "the orphan's exit")


def test_wait_all_does_not_end_when_a_waitid_call_fails(start, mode, tmp_path):
    trace = tmp_path / "trace"
    started = start(*mode, "-W", "sh", "-c", "sleep 60 & echo ready; exec sleep 60",
                    before=failing("waitid", trace=trace))
    started.expect("ready")
    ours, = children(started.pid)
    command, = children(ours)
    os.kill(command, signal.SIGKILL)
    wait_until(lambda: state(ours) in "XZ" or command not in children(ours),
               "COMMAND's exit")
    before = trace.read_text().count("INJECTED")
    wait_until(lambda: state(ours) in "XZ" or
               trace.read_text().count("INJECTED") > before + 1, "another waitid call")
    assert state(ours) not in "XZ", "the init has exited"
    for pid in children(ours):
        os.kill(pid, signal.SIGKILL)
    assert started.status() == 128 + signal.SIGKILL


@pytest.mark.parametrize("options, call", [([], "setsid"), (["-g"], "setpgid")])
def test_command_without_a_group_of_its_own_gets_the_signals(
        start, helper, options, call):
    started = start(*options, helper("reporter"), before=failing(call, "-f"),
                    stderr=subprocess.PIPE)
    started.expect("ready")
    ours, = children(started.pid)
    os.kill(ours, signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    wait_until(lambda: not pending(ours), "the init to take the signal")
    end_tree(children(ours)[0])
    started.status()
    assert b"cannot send" not in started.popen.stderr.read()


def test_hangup_of_the_hand_off_is_discarded_though_a_call_fails(start, helper):
    started = start(helper("reporter"), terminal=True, before=failing(
        "rt_sigtimedwait", "-D", when="1"))
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)


@pytest.mark.parametrize("call", ["rt_sigprocmask", "rt_sigaction"])
def test_command_does_not_start_if_a_setting_cannot_be_restored(
        run, helper, mode, call):
    """The first such call of the child fails, none of dumb-init, which gate has already
    made one before. SIGCHLD is ignored, so that there is a setting to restore."""
    result = run(*mode, "echo", "started", before=[
        *failing(call, "-f", when="1"), "bash", "-c",
        'trap "" CHLD; exec "$@" 3</dev/null', "bash", helper("gate"), "3"])
    assert result.returncode == 126
    assert result.stderr == "[dumb-init] cannot execute 'echo': Operation not permitted\n"
    assert result.stdout == ""


def test_failing_prctl_calls_are_warnings(run):
    result = run("-p", "TERM", "true", before=failing("prctl"))
    assert result.stderr.splitlines() == [
        "[dumb-init] cannot become a child subreaper; orphans will not be reaped: "
        "Operation not permitted",
        "[dumb-init] cannot set the parent death signal (-p): Operation not permitted"]
    assert result.returncode == 0


def test_kill_after_does_not_expire_without_a_clock(start, helper, mode):
    started = start(*mode, "-k", "60", helper("reporter"),
                    before=failing("clock_gettime"))
    started.expect("ready")
    ours, = children(started.pid)
    for signum in (signal.SIGTERM, signal.SIGUSR1, signal.SIGTERM):
        os.kill(ours, signum)
        started.expect_signals(signum)


def test_flood_of_signals_does_not_hide_the_exit_of_command(start, mode):
    """strace raises another signal at each forwarded one. Its number is below that of
    SIGCHLD, so that the kernel delivers it first."""
    started = start(*mode, "sh", "-c", "trap '' USR1; echo ready; read line; exit 3",
                    stdin=subprocess.PIPE, before=[
                        "strace", "-qq", "-o", "/dev/null", "-e", "trace=kill",
                        "-e", "inject=kill:signal=SIGUSR1"])
    started.expect("ready")
    ours, = children(started.pid)
    os.kill(ours, signal.SIGUSR1)
    started.popen.stdin.close()
    assert started.status() == 3


def test_command_does_not_wait_for_ever_for_an_init_that_was_killed(start, mode):
    """strace delays dumb-init while it closes COMMAND's files; then it is killed."""
    started = start(*mode, "sh", "-c", "echo ready; exec sleep 60", before=[
        "strace", "-qq", "-o", "/dev/null", "-e", "trace=chdir",
        "-e", "inject=chdir:delay_enter=60000000"])
    command, = wait_until(lambda: [child for each in children(started.pid)
                                   for child in children(each)], "COMMAND's process")
    os.kill(int(status_field(command, "PPid")), signal.SIGKILL)
    started.expect("ready")
    os.kill(command, signal.SIGKILL)


ORPHANS = """
while read -r count; do
    i=0
    while [ $i -lt $count ]; do (true &); i=$((i + 1)); done
    echo made
done
"""


@pytest.mark.slow
def test_nothing_grows_with_signals_and_orphans(start, mode, place):
    started = start(*mode, "sh", "-c", f"echo ready; {ORPHANS}",
                    place=place, stdin=subprocess.PIPE)
    started.expect("ready")

    def orphans_and_signals(count):
        started.popen.stdin.write(b"%d\n" % count)
        started.popen.stdin.flush()
        for _ in range(count):
            started.send(signal.SIGURG)  # COMMAND ignores it by default.
        started.expect("made")
        wait_until(lambda: len(children(started.pid)) == 1, "the exits")
        wait_until(lambda: state(started.pid) == "S", "the init's wait")
        return memory(started.pid), sorted(os.listdir(f"/proc/{started.pid}/fd"))

    now = orphans_and_signals(50)
    # A leak of four bytes for each would fill a page. Memory that is touched late, or
    # was swapped out and is back, grows once; a leak grows each time.
    for _ in range(3):
        before, now = now, orphans_and_signals(1024)
        if now == before:
            break
    assert now == before, f"expected kB of memory, and files: {before}, got {now}"
    assert status_field(started.pid, "Threads") == "1"
