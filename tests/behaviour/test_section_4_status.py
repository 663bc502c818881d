"""Contract, section 4: the status is the one that wait returns, a stop of a traced
process is not an exit, and an explanation of a kill is true."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import (AWAIT_INIT, NAMESPACE, children, state, status_field,
                      wait_until, waits_for_good)
# cgroup and inside are fixtures.
from test_section_5_why import (EATER, EVENTS, cgroup, dumps_core,  # noqa: F401
                                inside, without_core)

pytestmark = pytest.mark.slow

DEATH = "was killed by"
NO_PROC = ["unshare", "--mount", "sh", "-c",
           'mount -t tmpfs none /proc && exec "$@"', "sh"]


@pytest.fixture
def before(place):
    """Runs an init that exits by itself, in each place."""
    return NAMESPACE if place == "pid1" else []


@pytest.fixture
def log(tmp_path):
    return tmp_path / "termination-log"


def stderr_of(started):
    """The output once the init has exited; other processes may hold stderr open."""
    os.set_blocking(started.popen.stderr.fileno(), False)
    return (started.popen.stderr.read() or b"").decode()


# The status is the one that wait returns. That of SIGCHLD is the first thread's.

TRIES = 25


@pytest.mark.parametrize("spin", [0, 100])
def test_status_is_that_of_wait_when_two_threads_end_command_at_once(run, helper, spin):
    command = [helper("thread_end"), "race", str(spin)]
    statuses = [run(*command).returncode for _ in range(TRIES)]
    assert statuses == [3] * TRIES


def test_status_is_that_of_wait_when_two_threads_end_the_command_of_pid_1(run, helper):
    loop = 'for i in 1 2 3 4 5 6 7 8; do unshare --pid --fork "$@"; echo $?; done'
    result = run(helper("thread_end"), "race", "0", before=["sh", "-c", loop, "sh"])
    assert result.stdout.split() == ["3"] * 8


def test_status_of_an_orphan_is_that_of_wait_when_two_threads_end_it(run, helper):
    orphans = 'i=0; while [ $i -lt 40 ]; do ("$@" &); i=$((i + 1)); done'
    result = run("-w", "-W", "sh", "-c", orphans, "sh", helper("thread_end"), "race",
                 "0")
    lines = result.stderr.splitlines()
    assert len(lines) >= 40
    # A subshell may become an orphan, too, and exits with 0.
    assert len([line for line in lines if line.endswith("status 3")]) == 40


@pytest.mark.parametrize("how, status", [("exit3", 3), ("pthread", 3), ("segv", 139),
                                         ("abort", 134)])
def test_status_is_that_of_wait_when_the_first_thread_has_exited(
        run, helper, mode, before, how, status):
    result = run(*mode, helper("thread_end"), how, before=before,
                 preexec_fn=without_core)
    assert result.returncode == status
    assert (DEATH in result.stderr) == (status > 128)


@pytest.mark.parametrize("sent, status", [(signal.SIGTERM, 143), (signal.SIGKILL, 137)])
def test_signal_that_kills_command_without_its_first_thread_is_the_status(
        start, helper, mode, place, sent, status):
    started = start(*mode, helper("thread_end"), "pause", place=place,
                    stderr=subprocess.DEVNULL)
    started.expect("ready")
    os.kill(started.command, sent)
    assert started.status() == status


def test_exit_of_the_first_thread_is_not_an_exit_of_command(start, helper, mode, place):
    started = start(*mode, "-v", helper("thread_end"), "pause", place=place,
                    stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGCHLD, signal.SIGURG)
    # SIGTERM has a lower number than both, and would be taken first.
    wait_until(lambda: int(status_field(started.pid, "ShdPnd"), 16) == 0 and
               waits_for_good(started.pid), "the init to take the signals")
    started.send(signal.SIGTERM)
    assert started.status() == 143
    said = stderr_of(started)
    assert len(re.findall(r"\(PID \d+\) was killed by SIGTERM", said)) == 1
    assert "exited with" not in said


def test_core_dump_of_another_thread_is_printed(run, helper, tmp_path):
    """Only where the kernel reports a core of the same program without an init."""
    command = ["sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh",
               helper("thread_end"), "segv"]
    core = dumps_core(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    result = run(*command, cwd=tmp_path)
    assert result.returncode == 128 + signal.SIGSEGV
    assert ("core dumped" in result.stderr) == core


# A child that calls PTRACE_TRACEME makes dumb-init its tracer


def test_traced_command_whose_child_exits_is_waited_for(run, helper, mode, before):
    result = run(*mode, helper("traced"), "child", before=before)
    assert (result.returncode, result.stderr) == (5, "")


def start_traced(start, helper, *words, place="ordinary", how="signals"):
    started = start(*words, helper("traced"), how, place=place,
                    stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    started.expect("ready")
    return started


def test_traced_command_gets_its_signals_and_continues(start, helper, mode, place):
    started = start_traced(start, helper, *mode, place=place)
    command = started.command
    for _ in range(3):
        started.send(signal.SIGUSR1)
        started.send(signal.SIGUSR2)
        started.expect("got\n")
    assert started.command == command
    started.popen.stdin.close()
    assert started.status() == 5
    assert DEATH not in stderr_of(started)


def test_trace_stop_during_the_check_for_a_job_stop_does_not_hang(start, helper):
    """In group mode the second waitid(2) checks for a job stop. strace delays the
    first."""
    started = start("-g", helper("traced"), "signals", stdin=subprocess.PIPE, before=[
        "strace", "-qq", "-o", "/dev/null", "-e", "trace=waitid",
        "-e", "inject=waitid:delay_exit=1000000"])
    command = int(started.expect(rb"ready (\d+)\r?\n")[1])
    ours, = children(started.pid)
    wait_until(lambda: waits_for_good(ours), "the init to be idle")
    os.kill(ours, signal.SIGCHLD)
    wait_until(lambda: all(state(ours) == "t" for _ in range(100)), "the first waitid")
    os.kill(command, signal.SIGUSR2)
    started.expect("got")
    started.popen.stdin.close()
    assert started.status() == 5


def test_verbose_says_that_command_is_traced(run, helper, mode):
    result = run("-v", *mode, helper("traced"), "raise", str(int(signal.SIGWINCH)))
    assert re.search(r"PID \d+ called PTRACE_TRACEME; it continues with SIGWINCH\n",
                     result.stderr)
    assert result.returncode == 5


def test_traced_command_continues_if_its_first_signal_is_ignored(
        start, helper, mode, place):
    started = start_traced(start, helper, *mode, place=place)
    started.send(signal.SIGUSR1)
    started.popen.stdin.close()
    assert started.status() == 5
    assert stderr_of(started) == ""


@pytest.mark.parametrize("sent, status", [
    (signal.SIGTERM, 143), (signal.SIGKILL, 137), (signal.SIGSEGV, 139),
    (signal.SIGTRAP, 133)])
def test_signal_that_kills_a_traced_command_is_the_status(start, helper, place, sent,
                                                          status):
    started = start_traced(start, helper, place=place)
    os.kill(started.command, sent)
    assert started.status() == status


def test_forwarded_sigterm_kills_a_traced_command(start, helper, mode, place):
    started = start_traced(start, helper, *mode, place=place)
    started.send(signal.SIGTERM)
    assert started.status() == 143
    assert stderr_of(started) == ""


@pytest.mark.parametrize("how", ["signals", "thread-stays"])
def test_traced_command_that_is_killed_while_it_is_detached_is_reaped(
        start, helper, tmp_path, how):
    """After a stop has been seen, and before PTRACE_DETACH, which then fails."""
    trace = tmp_path / "trace"
    started = start(helper("traced"), how, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                    before=["strace", "-qq", "-D", "-o", str(trace), "-e",
                            "trace=ptrace", "-e",
                            "inject=ptrace:delay_enter=150000:when=1"])
    command = int(started.expect(rb"ready (\d+)\n")[1])
    thread = max(map(int, os.listdir(f"/proc/{command}/task")))
    os.kill(thread, signal.SIGUSR2)
    in_ptrace = {"x86_64": "101 ", "aarch64": "117 "}.get(os.uname().machine)
    if in_ptrace:
        ours = pathlib.Path(f"/proc/{started.pid}/syscall")
        wait_until(lambda: ours.read_text().startswith(in_ptrace) or
                   "ptrace(" in trace.read_text(), "the ptrace call")
    else:
        wait_until(lambda: state(thread) == "t", "the stop")
    os.kill(command, signal.SIGKILL)
    assert started.status() == 137


@pytest.mark.parametrize("signum, status", [
    (signal.SIGTRAP, 133), (signal.SIGSEGV, 139), (signal.SIGUSR1, 138),
    (signal.SIGCONT, 5), (signal.SIGWINCH, 5)])
def test_signal_that_a_traced_command_sends_to_itself_acts_on_it(
        run, helper, before, signum, status):
    result = run(helper("traced"), "raise", str(int(signum)), before=before,
                 preexec_fn=without_core)
    assert result.returncode == status
    assert result.stdout == ("on\n" if status == 5 else "")


@pytest.mark.parametrize("options", [[], ["-c"]], ids=str)
def test_stop_that_a_traced_command_sends_to_itself_lasts_until_sigcont(
        start, helper, place, options):
    started = start(*options, helper("traced"), "raise", str(int(signal.SIGSTOP)),
                    place=place)
    ours = wait_until(lambda: started.popen.pid if place == "ordinary" else
                      next(iter(children(started.popen.pid)), None), "the init")
    command = wait_until(lambda: next(iter(children(ours)), None), "COMMAND")
    wait_until(lambda: state(command) == "T" and
               status_field(command, "TracerPid") == "0", "the process to stop")
    os.kill(ours, signal.SIGCONT)
    started.expect("on\n")
    assert started.status() == 5


def test_execve_of_a_traced_command_does_not_kill_it(run, helper, mode, before):
    result = run(*mode, helper("traced"), "exec", "sh", "-c", "echo run; exit 6",
                 before=before)
    assert (result.returncode, result.stdout, result.stderr) == (6, "run\n", "")


def test_exit_of_a_traced_first_thread_is_not_an_exit_of_command(
        start, helper, mode, place):
    started = start_traced(start, helper, *mode, place=place, how="first")
    command = started.command
    wait_until(lambda: state(command) == "Z", "the first thread's exit")
    started.send(signal.SIGCHLD, signal.SIGURG)
    wait_until(lambda: int(status_field(started.pid, "ShdPnd"), 16) == 0,
               "the init to take the signal")
    assert started.popen.poll() is None
    started.popen.stdin.close()
    assert started.status() == 7
    assert DEATH not in stderr_of(started)


@pytest.mark.parametrize("how", ["thread", "thread-signal"])
def test_traced_thread_is_reaped_and_is_not_an_exit_of_command(
        start, helper, mode, place, how):
    """pthread_join returns while the thread is a zombie, which its tracer must reap."""
    started = start_traced(start, helper, *mode, place=place, how=how)
    command = started.command
    wait_until(lambda: len(os.listdir(f"/proc/{command}/task")) == 1,
               "the thread to be reaped")
    assert started.popen.poll() is None
    started.popen.stdin.close()
    assert started.status() == 5
    assert stderr_of(started) == ""


@pytest.mark.parametrize("end, status", [(None, 5), (signal.SIGTERM, 143),
                                         (signal.SIGKILL, 137)])
def test_command_with_a_traced_thread_exits_with_its_own_status(start, helper, place,
                                                                end, status):
    started = start_traced(start, helper, place=place, how="thread-stays")
    if end is None:
        started.popen.stdin.close()
    else:
        os.kill(started.command, end)
    assert started.status() == status


def test_traced_thread_gets_a_signal_and_continues(start, helper, place):
    started = start_traced(start, helper, place=place, how="thread-stays")
    for _ in range(2):
        started.send(signal.SIGUSR2)
        started.expect("got\n")
    thread = max(map(int, os.listdir(f"/proc/{started.command}/task")))
    os.kill(thread, signal.SIGUSR2)  # of its process, as kill(2) says
    started.expect("got\n")
    started.popen.stdin.close()
    assert started.status() == 5


@pytest.mark.parametrize("options", [["-t", "60"], ["-W"]], ids=str)
def test_traced_orphan_gets_sigterm_and_is_waited_for(start, helper, mode, place,
                                                      options):
    started = start_traced(start, helper, *mode, *options, place=place, how="orphan")
    started.popen.stdin.close()
    if options == ["-W"]:
        wait_until(lambda: len(children(started.pid)) == 1, "COMMAND's exit")
        started.send(signal.SIGTERM)
    started.expect("got\n")
    assert started.status() == 3
    assert stderr_of(started) == ""


# A comment on a death is true: of a signal that dumb-init sent there is none


@pytest.fixture
def of_root(another):
    """For a shell that runs as `another`: starts a process of root, which refuses
    its signals; refusing(started) is its PID."""
    directory = pathlib.Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    program = directory / "setpriv"
    shutil.copy(shutil.which("setpriv"), program)
    program.chmod(0o4755)
    words = [str(program), "--reuid", "0", "--clear-groups"]
    uid = subprocess.run([*another, *words, "id", "-u"], check=False, text=True,
                         capture_output=True)
    if uid.stdout.strip() != "0":
        shutil.rmtree(directory)
        pytest.skip("NOT TESTED: needs a file system on which set-user-ID programs "
                    f"work, at {directory.parent}")
    yield f"{' '.join(words)} sh -c 'echo $$ refuses; exec sleep 60' & "
    shutil.rmtree(directory)


REFUSED = "Operation not permitted"


def refusing(started):
    return int(started.expect(rb"(\d+) refuses")[1])


def test_refusal_of_a_forwarded_signal_is_only_a_warning(start, another, of_root):
    started = start("-a", "bash", "-c", of_root + "exec sleep 60",
                    before=another, stderr=subprocess.PIPE)
    refuses = refusing(started)
    started.send(signal.SIGTERM)
    status = started.status()
    os.kill(refuses, signal.SIGKILL)
    assert status == 143
    assert stderr_of(started) == \
        f"[dumb-init] cannot send SIGTERM to all processes: {REFUSED}\n"


def test_refusal_of_sigkill_is_only_a_warning(start, another, of_root):
    directory = pathlib.Path(tempfile.mkdtemp())
    directory.chmod(0o777)
    log = directory / "termination-log"
    started = start("-k", "50ms", f"--termination-log={log}", "bash", "-c",
                    "trap '' TERM; " + of_root + "while :; do wait; done",
                    before=another, stderr=subprocess.PIPE)
    refuses = refusing(started)
    started.send(signal.SIGTERM)
    status = started.status()
    os.kill(refuses, signal.SIGKILL)
    assert status == 137
    first, *others = stderr_of(started).splitlines()
    assert "SIGKILL to all processes" in first
    assert others == [f"[dumb-init] cannot send SIGKILL to all processes: {REFUSED}"]
    written = os.listdir(directory)
    shutil.rmtree(directory)
    assert not written


def test_refusal_of_sigkill_under_grace_is_a_warning(start, another, of_root):
    started = start("-t", "50ms", "bash", "-c", of_root + "read line; exit 3",
                    before=another, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    refuses = refusing(started)
    started.popen.stdin.close()
    status = started.status()
    os.kill(refuses, signal.SIGKILL)
    assert status == 3
    said = stderr_of(started)
    assert f"[dumb-init] cannot send SIGKILL to all processes: {REFUSED}\n" in said
    assert DEATH not in said and "survived" not in said


@pytest.mark.usefixtures("unsanitized")
def test_forwarded_signal_is_not_explained_without_proc(start, mode):
    started = start("-a", *mode, "sh", "-c", "echo ready; exec sleep 60",
                    before=NO_PROC, stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 143
    said = stderr_of(started)
    assert DEATH not in said
    assert "cannot send SIGTERM to all processes: " in said


@pytest.mark.usefixtures("unsanitized")
def test_own_sigkill_is_only_a_warning_without_proc(start, mode, log):
    started = start("-k", "50ms", f"--termination-log={log}", *mode, "sh", "-c",
                    "trap '' TERM; echo ready; while :; do sleep 0.1; done",
                    before=NO_PROC, stderr=subprocess.PIPE)
    started.expect("ready")
    command = started.command
    started.send(signal.SIGTERM)
    assert started.status() == 137
    said = stderr_of(started)
    assert DEATH not in said
    assert "cannot send SIGKILL to all processes: " in said
    assert not log.exists()
    assert state(command) == "X"


@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=str)
def test_command_killed_by_sigpipe_is_not_explained(run, mode, before, log, quiet):
    result = run(*quiet, *mode, f"--termination-log={log}", "sh", "-c",
                 "kill -PIPE $$", before=before)
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, "")
    assert not log.exists()


def test_end_of_a_pipeline_is_not_explained(run, mode):
    result = run(*mode, "yes", before=["sh", "-c", '"$@" | head -n 1', "sh"])
    assert (result.returncode, result.stdout, result.stderr) == (0, "y\n", "")


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("options", [["-a", "-t", "50ms"], ["-t", "50ms"]], ids=str)
def test_no_line_claims_that_a_process_survived_sigkill_without_proc(start, options):
    """No SIGKILL was sent, as no process could be found."""
    started = start(*options, "sh", "-c", "sleep 60 & echo $! ready; read line; exit 3",
                    before=NO_PROC, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    left = int(started.expect(rb"(\d+) ready")[1])
    os.kill(left, signal.SIGSTOP)  # SIGTERM for the group does not end it
    started.popen.stdin.close()
    status = started.status()
    said = stderr_of(started)
    os.kill(left, signal.SIGKILL)
    assert status == 3
    assert not re.search("survive|does not end", said)
    assert "cannot send SIGKILL to all processes: " in said


# COMMAND exits with 137 itself, as a shell does whose child was killed


OOM_BELOW = re.compile(r"\[dumb-init\] (.*) \(PID \d+\) exited with status 137, and "
                       r"its cgroup recorded an OOM kill.*\n")


def count(first, last, end):
    """COMMAND, in whose cgroup the count is first, and then last."""
    script = f"printf '%s' '{EVENTS.format(last)}' >/sys/fs/cgroup/memory.events; {end}"
    around = 'printf "%s" "$0" >"$1"/memory.events && ' \
        'mount --bind "$1" /sys/fs/cgroup && shift && exec "$@"'
    return ["sh", "-c", AWAIT_INIT + script], \
        lambda directory: ["unshare", "--mount", "sh", "-c", around,
                           EVENTS.format(first), str(directory)]


@pytest.mark.parametrize("first, last", [(0, 1), (7, 9)])
def test_status_137_is_explained_by_an_out_of_memory_kill_below(
        run, mode, tmp_path, log, first, last):
    command, before = count(first, last, "exit 137")
    result = run(*mode, f"--termination-log={log}", *command, before=before(tmp_path))
    assert result.returncode == 137
    assert OOM_BELOW.fullmatch(result.stderr)[1] == "sh"
    assert log.read_text() == result.stderr


def test_status_137_is_explained_where_it_is_mapped_and_in_the_log_if_quiet(
        run, tmp_path, log):
    command, before = count(0, 1, "exit 137")
    result = run("-q", "-e", "137:4", f"--termination-log={log}", *command,
                 before=before(tmp_path))
    assert (result.returncode, result.stderr) == (4, "")
    assert OOM_BELOW.fullmatch(log.read_text())


@pytest.mark.parametrize("first, last, status", [
    (0, 0, 137), (7, 7, 137), (7, 0, 137), ("x", 1, 137), (0, "x", 137), (0, 1, 0),
    (0, 1, 1), (0, 1, 143), (0, 1, 9)])
def test_status_other_than_137_or_without_a_counted_kill_is_not_explained(
        run, tmp_path, log, first, last, status):
    command, before = count(first, last, f"exit {status}")
    result = run(f"--termination-log={log}", *command, before=before(tmp_path))
    assert (result.returncode, result.stderr) == (status, "")
    assert not log.exists()


def test_status_of_a_shell_whose_child_was_out_of_memory_is_explained(
        run, inside, log):  # noqa
    result = run(f"--termination-log={log}", "sh", "-c",
                 AWAIT_INIT + '"$@" 2>/dev/null; exit $?', "sh", *EATER, before=inside)
    assert result.returncode == 137
    assert OOM_BELOW.fullmatch(result.stderr)
    assert log.read_text() == result.stderr


def test_status_of_a_shell_whose_child_was_killed_otherwise_is_not_explained(
        run, inside, log):  # noqa: F811
    result = run(f"--termination-log={log}", "sh", "-c", AWAIT_INIT +
                 "sh -c 'kill -9 $$'; exit $?", before=inside)
    assert (result.returncode, log.exists()) == (137, False)
    assert "OOM" not in result.stderr and DEATH not in result.stderr
