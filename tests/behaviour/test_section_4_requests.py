"""Contract, section 4.3 and 4.4: which signals --kill-after counts from, how it ends,
which processes get the SIGTERM of --grace, and which count as remaining."""

import fcntl
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest

from conftest import (AWAIT_INIT, WITHOUT_CAP_KILL, children, end_tree, scaled, state,
                      status_field, wait_until, waits_for_good)

pytestmark = pytest.mark.slow

RTMIN_3 = signal.SIGRTMIN + 3

# --kill-after


@pytest.mark.parametrize("options, signum", [
    (["-k", "0.2"], signal.SIGTERM), (["-k", "0.2"], signal.SIGINT),
    (["-k", "0.2"], signal.SIGQUIT),
    (["-k", "0.2", "-r", "TERM:USR1"], signal.SIGTERM),
    (["-k", "0.2", "-r", "USR1:TERM"], signal.SIGUSR1),
    (["-k", "0.2", "-r", "WINCH:INT"], signal.SIGWINCH),
    (["-k", "WINCH:0.2"], signal.SIGWINCH), (["-k", "usr1:200ms"], signal.SIGUSR1),
    (["-k", "RTMIN+3:0.2"], RTMIN_3), (["-k", "15:0.2"], signal.SIGTERM),
    (["--kill-after=SIGWINCH:0.2", "-r", "WINCH:TERM"], signal.SIGWINCH)], ids=str)
def test_kill_after_begins_with_a_stop_request(start, helper, place, options, signum):
    started = start(*options, helper("reporter"), place=place)
    started.expect("ready")
    begun = time.monotonic()
    started.send(signum)
    assert started.status() == 137
    assert 0.2 <= time.monotonic() - begun < scaled(10)


@pytest.mark.parametrize("options, others, request_", [
    (["-k", "50ms"], [signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH], signal.SIGINT),
    (["-k", "50ms", "-r", "TERM:0"], [signal.SIGTERM], signal.SIGQUIT),
    (["-k", "WINCH:50ms"], [signal.SIGTERM, signal.SIGINT], signal.SIGWINCH),
    (["-k", "WINCH:50ms", "-r", "USR1:WINCH"], [signal.SIGUSR1], signal.SIGWINCH),
    (["-k", "RTMIN+3:50ms"], [signal.SIGTERM, RTMIN_3 + 1], RTMIN_3)], ids=str)
def test_kill_after_does_not_begin_with_other_signals(start, helper, place, options,
                                                      others, request_):
    """Without a deadline dumb-init waits without a timeout."""
    started = start(*options, helper("reporter"), place=place)
    started.expect("ready")
    for signum in others:
        started.send(signum)
        wait_until(lambda: int(status_field(started.pid, "ShdPnd"), 16) == 0 and
                   waits_for_good(started.pid), "dumb-init's wait")
    started.send(request_)
    assert started.status() == 137


@pytest.mark.parametrize("options", [[], ["-t", "60"], ["-W"]],
                         ids=["", "grace", "wait-all"])
def test_kill_after_exits_with_137_though_command_cannot_be_killed(
        start, helper, place, another, options):
    started = start("-k", "0.2", *options, *another, helper("reporter"), place=place,
                    before=WITHOUT_CAP_KILL, stderr=subprocess.PIPE)
    started.expect("ready")
    command = started.command
    begun = time.monotonic()
    started.send(signal.SIGTERM)
    try:
        assert started.status() == 137
        assert 1.2 <= time.monotonic() - begun < scaled(10)
    finally:
        end_tree(command)
    last = started.popen.stderr.read().decode().splitlines()[-1]
    assert re.fullmatch(r"\[dumb-init\] .* \(PID \d+\) still exists a second after "
                        r"SIGKILL; exiting anyway", last)


@pytest.mark.parametrize("word", ["", "WINCH:", ":3", "NONSENSE:3", "WINCH:3x", "65:1",
                                  "0:1", "WINCH:USR1:3", "WINCH", "WINCH:-1",
                                  "WINCH: 3"])
def test_malformed_kill_after_is_a_usage_error_that_names_it(run, word):
    result = run(f"--kill-after={word}", "echo", "started")
    assert (result.returncode, result.stdout) == (1, "")
    assert word in result.stderr
    assert "kill-after" in result.stderr


# The SIGTERM of --grace

# COMMAND in a group with "member", and "elsewhere" in another session. At the signal $1
# it runs $2, starts one more of each, "late" and "away", and exits.
FAMILY = """
reporter=$0
trap 'eval "$2"; "$reporter" >late & setsid "$reporter" >away &
      until [ -s late ] && [ -s away ]; do :; done; exit 3' $1
"$reporter" >member & setsid "$reporter" >elsewhere &
until [ -s member ] && [ -s elsewhere ]; do :; done
echo ready
while :; do :; done
"""
NAMES = ["member", "elsewhere", "late", "away"]
TERM, CONT, INT = map(int, (signal.SIGTERM, signal.SIGCONT, signal.SIGINT))
ONCE = [TERM, CONT]
LAST = int(signal.SIGRTMAX)
# Of a rewrite the signal that is sent counts.
CASES = {
    "group": ([], "TERM", TERM, [ONCE] * 4),
    "all": (["-a"], "TERM", TERM, [ONCE] * 4),
    "rewritten": (["-r", "INT:TERM"], "TERM", INT, [ONCE] * 4),
    "group mode": (["-g"], "TERM", TERM, [ONCE] * 4),
    "single-child": (["-c"], "TERM", TERM, [ONCE] * 4),
    "another signal": ([], "INT", INT, [[INT, TERM, CONT], ONCE, ONCE, ONCE]),
    "another for all": (["-a"], "INT", INT, [[INT, TERM, CONT]] * 2 + [ONCE] * 2),
}


def heard_under_grace(start, helper, tmp_path, words, name, signum, first="",
                      **options):
    """The signals of each of NAMES, after COMMAND's end. first: $2 of FAMILY."""
    def numbers(name):
        lines = (tmp_path / name).read_text().splitlines()[1:]
        return [int(line.split()[0]) for line in lines]

    started = start("-t", "60", *words, "bash", "-c", FAMILY, helper("reporter"), name,
                    first, cwd=tmp_path, **options)
    started.expect("ready")
    init, command = started.pid, started.command
    os.kill(init, signum)
    wait_until(lambda: state(command) == "X", "COMMAND's exit")
    # It comes after all that dumb-init sends.
    wait_until(lambda: all((tmp_path / name).exists() and CONT in numbers(name)
                           for name in NAMES), "SIGCONT")
    below = wait_until(lambda: len(children(init)) == len(NAMES) and children(init),
                       "the orphans")
    for pid in below:
        os.kill(pid, LAST)
    wait_until(lambda: all(LAST in numbers(name) for name in NAMES), "the last signal")
    for pid in below:
        os.kill(pid, signal.SIGKILL)
    assert started.status() == 3
    return [numbers(name)[:-1] for name in NAMES]


@pytest.mark.parametrize("case", CASES)
def test_grace_sends_sigterm_only_to_processes_without_one(
        start, helper, tmp_path, place, case):
    words, name, signum, wanted = CASES[case]
    # Otherwise it may find the late ones while it still forwards the signal.
    first = AWAIT_INIT if "-a" in words and place == "ordinary" else ""
    heard = heard_under_grace(start, helper, tmp_path, words, name, signum, first,
                              place=place)
    assert heard == wanted, f"expected {wanted}, got {heard}"


def delay_exit(calls):
    """The option of strace that delays their return."""
    return f"inject={calls}:delay_exit={int(scaled(300_000))}"


@pytest.mark.parametrize("words", [[], ["-g"]], ids=["session", "group"])
def test_grace_sends_sigterm_to_a_process_started_while_it_is_forwarded(
        start, helper, tmp_path, words):
    """strace delays the return of kill(2): COMMAND reacts before it."""
    assert heard_under_grace(start, helper, tmp_path, words, "TERM", TERM, before=[
        "strace", "-D", "-qq", "-o", "/dev/null", "-e", "trace=kill", "-e",
        delay_exit("kill")]) == [ONCE] * 4


WITHOUT_NEWEST = ["unshare", "--mount", "sh", "-c",
                  'mount -t tmpfs none /proc/sys && exec "$@"', "sh"]


def test_grace_sends_no_second_sigterm_where_the_newest_pid_is_hidden(
        start, helper, tmp_path, place):
    """Then the start times decide, in ticks, so that a late start may count."""
    assert heard_under_grace(start, helper, tmp_path, [], "TERM", TERM, place=place,
                             before=WITHOUT_NEWEST)[:2] == [ONCE] * 2


# COMMAND lives until its input ends. At SIGTERM a member of its group runs $2, which waits
# until dumb-init has looked for its children, and then $1. The sleeps are two ticks of
# /proc/PID/stat.
CLEANS_UP = r"""
trap : TERM
export INIT=$PPID
sh -c 'trap "eval \"\$2\"; sleep 0.02; $1" TERM
       sleep 0.02; echo made; while :; do :; done' "$0" "$1" "$2" &
while read line; [ $? -gt 128 ]; do :; done
exit 3
"""
CLEAN_UPS = {"child": '"$0"', "grandchild": '(:; "$0"; :)',
             "in a session of its own": 'setsid --wait "$0"'}


@pytest.mark.parametrize("before", [[], WITHOUT_NEWEST], ids=["PIDs", "times"])
@pytest.mark.parametrize("clean_up", CLEAN_UPS)
@pytest.mark.parametrize("words", [[], ["-g"], ["-a"]], ids=["session", "group", "all"])
def test_grace_does_not_interrupt_the_clean_up_of_a_process_that_got_sigterm(
        start, helper, place, words, clean_up, before):
    started = start("-t", "60", *words, "bash", "-c", CLEANS_UP, helper("reporter"),
                    CLEAN_UPS[clean_up], AWAIT_INIT.replace("$PPID", "$INIT"),
                    place=place, before=before,
                    stdin=subprocess.PIPE)
    started.expect("made")
    started.send(signal.SIGTERM)
    started.expect("ready")
    started.popen.stdin.close()
    started.expect_signals(signal.SIGCONT)


ELSEWHERE = r"""
trap 'exit 3' TERM
setsid sh -c 'trap "$0" TERM; echo made; while :; do :; done' "$0" &
while :; do :; done
"""


def test_grace_does_not_interrupt_a_clean_up_that_begins_meanwhile(
        start, helper, place):
    """strace delays dumb-init while a process that gets its SIGTERM now begins one."""
    started = start("-t", "60", "bash", "-c", ELSEWHERE, helper("reporter"),
                    place=place, before=[
                        "strace", "-D", "-qq", "-o", "/dev/null",
                        "-e", "trace=kill,pidfd_send_signal",
                        "-e", delay_exit("kill,pidfd_send_signal")])
    started.expect("made")
    started.send(signal.SIGTERM)
    started.expect("ready")
    started.expect_signals(signal.SIGCONT)


def test_grace_ends_its_search_of_the_namespace_when_it_finds_no_new_process(
        start, helper, tmp_path):
    trace = tmp_path / "trace"
    started = start("-t", "60", "bash", "-c",
                    """trap 'exit 3' TERM; setsid "$0" & while :; do :; done""",
                    helper("reporter"), place="pid1", before=[
                        "strace", "-D", "-qq", "-o", str(trace),
                        "-e", "trace=open,openat", "-e", "signal=none"])
    started.expect("ready")
    started.send(signal.SIGTERM)
    started.expect_signals(signal.SIGTERM, signal.SIGCONT)
    assert trace.read_text().count('"/proc"') == 2


@pytest.mark.usefixtures("unsanitized")
def test_grace_sends_sigterm_to_everything_where_proc_is_missing(start, helper,
                                                                 tmp_path):
    first, *others = heard_under_grace(
        start, helper, tmp_path, [], "TERM", TERM, place="pid1",
        before=["sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"])
    # The second SIGTERM is merged with the first if that still waits.
    assert first in ([TERM, TERM, CONT], ONCE) and others == [ONCE] * 3


MANY = 10_000
SPARE = 5_000  # PIDs for all other processes of the machine
# So many processes that ignore SIGTERM and sleep on, and one reporter.
CROWD = """if True:
    import os, signal, sys
    gate, reporter, count = sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        for _ in range(int(count)):
            os.posix_spawn(gate, [gate, "0", gate], {})
    except BlockingIOError:
        print("refused", flush=True)
        signal.pause()
    signal.signal(signal.SIGTERM, lambda signum, frame: os._exit(3))
    print("made", flush=True)
    os.posix_spawn(reporter, [reporter], {})
    signal.pause()
"""


def cpu_ms(pid):
    """proc(5): the time that it has spent on a processor."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as schedstat:
        return int(schedstat.read().split()[0]) / 1e6


def has_room():
    """Whether so many processes leave the machine enough PIDs; proc(5), loadavg."""
    total = pathlib.Path("/proc/loadavg").read_text(encoding="ascii").split()[3]
    most = pathlib.Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii")
    return int(total.partition("/")[2]) + MANY + SPARE < int(most)


@pytest.fixture
def room():
    """One such test at a time: without PIDs all other tests would fail."""
    with open(__file__, encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wait_until(has_room, f"room for {MANY} processes")
        yield


@pytest.mark.cost
@pytest.mark.usefixtures("room")
def test_grace_checks_10000_processes_in_100_ms_of_cpu_time(start, helper):
    started = start("-t", "60", "/usr/bin/python3", "-ISc", CROWD, helper("gate"),
                    helper("reporter"), str(MANY), place="pid1", stdin=subprocess.PIPE)
    if started.expect("made|refused")[0] == b"refused":
        os.kill(started.pid, signal.SIGKILL)  # or no other process could start one
        pytest.skip(f"NOT TESTED: needs {MANY} processes; fork(2) says EAGAIN")
    started.expect("ready")
    before = cpu_ms(started.pid)
    started.send(signal.SIGTERM)
    started.expect_signals(signal.SIGTERM, signal.SIGCONT)
    wait_until(lambda: state(started.pid) == "S", "dumb-init's wait")
    spent = cpu_ms(started.pid) - before
    os.kill(started.pid, signal.SIGKILL)  # and with PID 1 all of them
    started.status()
    assert spent < 100


# Which processes count as remaining

KERNEL_THREAD = 0x00200000
# /proc of PID 1, in which the kernel's thread 2 and the process 3 are.
FAKE_PROC = f"""
fake=$1; shift
mkdir -p $fake/1 $fake/2 $fake/3
ln -s 1 $fake/self
rest='0 0 0 0 0 0 0 0 0 20 0 1 0 7 0 0'
echo "1 (dumb-init) S 0 1 1 0 -1 0 $rest" >$fake/1/stat
echo "2 (kthreadd) S 0 0 0 0 -1 {KERNEL_THREAD} $rest" >$fake/2/stat
echo "3 (reporter) S 0 3 3 0 -1 0 $rest" >$fake/3/stat
mount --bind $fake /proc
exec "$@"
"""


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("options", [["-t", "60"], ["-W"]], ids=["grace", "wait-all"])
def test_pid_1_does_not_wait_for_kernel_threads(start, helper, tmp_path, options):
    """A process from outside stands in for kernel threads: kill(2) reaches both."""
    fake = tmp_path / "proc"
    started = start(*options, "sh", "-c", "echo ready; read line; exit 3",
                    place="pid1", stdin=subprocess.PIPE,
                    before=["sh", "-c", FAKE_PROC, "sh", str(fake)])
    started.expect("ready")
    init = started.pid
    with subprocess.Popen(["nsenter", "--pid", "--target", str(init),
                           helper("reporter")], stdout=subprocess.PIPE) as visitor:
        assert visitor.stdout.readline().startswith(b"ready")
        started.popen.stdin.close()
        wait_until(lambda: not children(init), "COMMAND's exit")
        assert state(init) != "X"
        (fake / "3" / "stat").unlink()
        (fake / "3").rmdir()
        assert started.status() == 3
        end_tree(visitor.pid)


# Descendants that cannot be looked at

CANNOT = re.compile(r"\[dumb-init\] cannot send (SIG\w+) to all processes: .*\n")
# Another user's processes are hidden without CAP_SYS_PTRACE, proc(5).
HIDING = ["unshare", "--mount", "sh", "-c",
          'mount -t proc -o hidepid=2,gid=54321 proc /proc && exec "$@"', "sh",
          "setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]


def test_hidden_descendants_are_a_warning_with_all(start, helper, another):
    started = start("-a", *another, "sh", "-c", '"$0" & exec "$0"', helper("reporter"),
                    before=HIDING, stderr=subprocess.PIPE, text=True)
    for _ in range(2):
        started.expect("ready")
    started.send(signal.SIGUSR1)
    assert CANNOT.fullmatch(started.popen.stderr.readline())[1] == "SIGUSR1"
    started.expect_signals(signal.SIGUSR1)  # COMMAND


def test_hidden_descendants_are_a_warning_under_grace(start, helper, another):
    started = start("-t", "0.1", "sh", "-c", 'setsid "$@" & read line; exit 3', "sh",
                    *another, "sh", "-c", '"$0" & exec "$0"', helper("reporter"),
                    before=HIDING, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    below = [int(started.expect(rb"ready (\d+)\r?\n")[1]) for _ in range(2)]
    started.popen.stdin.close()
    try:
        line = started.popen.stderr.readline().decode()
        assert CANNOT.fullmatch(line)[1] == "SIGTERM"
        assert started.status() == 3
    finally:
        for pid in below:
            end_tree(pid)


@pytest.mark.usefixtures("unsanitized")
def test_no_file_descriptors_left_is_a_warning_with_all(start, helper):
    started = start("-a", "sh", "-c", '"$0" & exec "$0"', helper("reporter"),
                    stderr=subprocess.PIPE)
    for _ in range(2):
        started.expect("ready")
    wait_until(lambda: waits_for_good(started.pid), "dumb-init's first wait")
    resource.prlimit(started.pid, resource.RLIMIT_NOFILE, (3, 3))
    started.send(signal.SIGUSR1)
    line = started.popen.stderr.readline().decode()
    assert CANNOT.fullmatch(line)[1] == "SIGUSR1"
    started.expect_signals(signal.SIGUSR1)
