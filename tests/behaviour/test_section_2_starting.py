"""Contract, section 2: starting COMMAND (terminals have a file of their own)."""

import errno
import fcntl
import os
import pathlib
import random
import signal
import stat
import subprocess
import time

import pexpect.fdpexpect
import pytest

from conftest import (BASH, children, end_tree, patience, state, status_field,
                      wait_until, waits_for_good)
from test_section_6_never import failing

# By bit: HUP, USR1, PIPE, CHLD, TTIN, 32, 33, 34, 64; and others.
BLOCKED = 0x8000000380111201
IGNORED = 0x400000018001720D


@pytest.mark.parametrize("blocked, ignored", [
    (BLOCKED, IGNORED), (0, 0), (1 << 16, 1 << 16), (~0 & (1 << 64) - 1, 0)])
def test_command_inherits_signal_mask_and_ignored_signals(
        run, init, mode, helper, blocked, ignored):
    inherit = [helper("inherit"), f"{blocked:x}", f"{ignored:x}"]
    look = ["grep", "^Sig[PBIC]", "/proc/self/status"]
    without_us = subprocess.run([*inherit, *look], check=True, text=True,
                                capture_output=True, timeout=patience()).stdout
    assert len(without_us.splitlines()) == 4
    assert run(*mode, *look, before=inherit).stdout == without_us


def test_ignored_sighup_stays_ignored(run):
    """As with nohup(1); dumb-init 1.2.5 did not keep it."""
    result = run("sh", "-c", "kill -HUP $$; echo alive", before=["nohup"])
    assert result.stdout == "alive\n"


def test_inherited_ignored_sigchld_does_not_lose_the_status(run, helper, mode):
    inherit = [helper("inherit"), "0", f"{1 << signal.SIGCHLD - 1:x}"]
    assert run(*mode, "sh", "-c", "exit 3", before=inherit).returncode == 3


def ids(pid):
    """Process group and session, proc(5)."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = text.rpartition(")")[2].split()
    return int(fields[2]), int(fields[3])


def test_command_leads_a_session_in_session_mode(start, helper):
    started = start(helper("reporter"))
    started.expect("ready")
    group, session = ids(started.command)
    assert group == started.command, "expected a session leader, got no leader"
    assert session == started.command, "expected a session leader, got a group leader"


def test_command_stays_in_the_group_of_dumb_init_in_single_child_mode(start, helper):
    started = start("-c", helper("reporter"))
    started.expect("ready")
    assert ids(started.command) == ids(started.pid) == ids(os.getpid())


def test_command_inherits_directory_and_environment(run, tmp_path, mode):
    result = run(*mode, "sh", "-c", 'pwd; echo "$GREETING"', cwd=tmp_path,
                 env=os.environ | {"GREETING": "hello"})
    assert result.stdout == f"{tmp_path}\nhello\n"


def test_command_inherits_the_environment_unchanged(run, mode):
    """Nothing is added or removed. (Under qemu a shell starts dumb-init, and sets
    PWD.)"""
    variables = {"PWD": os.getcwd(), "Z": "1", "A": "", "LINES": "a\nb",
                 "DUMB_INIT_SETSID": "1", "LISTEN_PID": "1234567",
                 "LISTEN_PIDFDID": "4", "Y": "x=y"}
    result = run(*mode, "/usr/bin/env", "-0", env=variables)
    assert sorted(result.stdout.split("\0")[:-1]) == sorted(
        "=".join(each) for each in variables.items())


def test_open_files_keep_their_flags(start, helper, mode):
    """Flags such as O_NONBLOCK are shared by all processes with the open file:
    COMMAND, dumb-init, and here the test."""
    ours = [*os.pipe(), *os.pipe()]
    before = [fcntl.fcntl(each, fcntl.F_GETFL) for each in ours]
    started = start("-v", *mode, helper("reporter"), stdin=ours[0], stderr=ours[3])
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    assert [fcntl.fcntl(each, fcntl.F_GETFL) for each in ours] == before
    for each in ours:
        os.close(each)


def files(pid):
    return sorted(int(each) for each in os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("without", [[], ["close_range"]], ids=["", "Linux 5.8"])
def test_files_and_directory_are_kept_by_command_and_not_by_dumb_init(
        start, helper, mode, tmp_path, without):
    reading, writing = os.pipe()
    extra = os.dup2(writing, 200)
    before = ["sh", "-c", 'exec "$@" 3</dev/null', "sh"]
    if without:
        before = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=close_range",
                  "-e", "inject=close_range:error=ENOSYS", *before]
    many = [os.dup(writing) for _ in range(100)]
    started = start(*mode, helper("reporter"), cwd=tmp_path, before=before,
                    pass_fds=[writing, extra, *many])
    for each in (writing, extra, *many):
        os.close(each)
    started.expect("ready")
    ours = children(started.pid)[0] if without else started.pid
    command, = children(ours)
    wait_until(lambda: files(ours) == [0, 1, 2], "the init's files to be closed")
    wait_until(lambda: os.readlink(f"/proc/{ours}/cwd") == "/", "the directory /")
    assert files(command) == sorted([0, 1, 2, 3, writing, extra, *many])
    assert os.readlink(f"/proc/{command}/cwd") == str(tmp_path)
    # The pipe ends as soon as COMMAND is killed: dumb-init does not hold it open.
    os.kill(command, signal.SIGKILL)
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_files_are_closed_in_one_call(run, tmp_path):
    trace = tmp_path / "trace"
    many = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
    run("true", pass_fds=many, before=["strace", "-qq", "-o", str(trace), "-e",
                                       "trace=close,close_range"])
    for each in many:
        os.close(each)
    calls = [line for line in trace.read_text().splitlines() if "close" in line]
    assert len(calls) < len(many)
    assert any(line.startswith("close_range(3, ") for line in calls)


def test_standard_files_stay_open_for_other_processes(start):
    started = start("sh", "-c", "echo ready; exec sleep 60")
    started.expect("ready")
    pathlib.Path(f"/proc/{started.pid}/fd/1").write_text("from outside\n", "ascii")
    started.expect("from outside")


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-",
                                     "</", "</dev/full", "</etc/passwd"])
def test_closed_and_odd_standard_files_do_no_harm(run, mode, tmp_path, closing):
    result = run(*mode, "sh", "-c", f"echo ran >{tmp_path}/ran; exit 3",
                 before=["sh", "-c", f'"$@" {closing}', "sh"])
    assert result.returncode == 3
    assert (tmp_path / "ran").read_text() == "ran\n"


@pytest.mark.parametrize("name", ["LISTEN_PID", "WATCHDOG_PID"])
def test_pid_of_dumb_init_in_a_variable_becomes_that_of_command(run, name):
    script = f'export {name}=$$ LISTEN_FDS=1 LISTEN_PIDFDID=4; exec "$@"'
    look = f"echo ${name} = $$, $LISTEN_FDS, ${{LISTEN_PIDFDID-none}}"
    result = run("sh", "-c", look, before=["sh", "-c", script, "sh"])
    named, _, pid, listen, pidfd = result.stdout.replace(",", "").split()
    assert named == pid, f"expected {name}={pid}, got {named}"
    assert listen == "1"
    assert pidfd == ("none" if name == "LISTEN_PID" else "4"), \
        "expected LISTEN_PIDFDID to be removed with LISTEN_PID only"


def test_both_pid_variables_are_changed_at_once(run):
    script = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'
    look = "echo $LISTEN_PID $WATCHDOG_PID $$"
    result = run("sh", "-c", look, before=["sh", "-c", script, "sh"])
    assert len(set(result.stdout.split())) == 1


def test_pid_of_another_process_in_a_variable_is_not_changed(run):
    others = {"LISTEN_PID": "1234567", "WATCHDOG_PID": "1234567",
              "LISTEN_PIDFDID": "4", "LISTEN_PID_X": "x"}
    result = run("env", env=os.environ | others)
    for name, value in others.items():
        assert f"{name}={value}\n" in result.stdout


def test_init_runs_a_script_that_names_it_in_its_shebang(init, tmp_path):
    script = tmp_path / "script"
    script.write_text(f'#!{init} /bin/sh\necho "$1 from $0"; exit 3\n')
    script.chmod(0o755)
    result = subprocess.run([script, "hello"], check=False, capture_output=True,
                            text=True, timeout=patience())
    assert result.stdout == f"hello from {script}\n"
    assert result.returncode == 3


@pytest.mark.parametrize("chain", [["-c", "-c"], ["", ""], ["-c", ""], ["", "-c"],
                                   ["-c"] * 5], ids=str)
def test_dumb_init_can_run_dumb_init(run, init, chain):
    words = [word for option in chain for word in (init, option) if word]
    result = run(*words[1:], "sh", "-c", "echo hi; exit 3")
    assert (result.stdout, result.stderr, result.returncode) == ("hi\n", "", 3)


def program(path, content, mode=0o755):
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def says(result, name, error):
    """Checks the reason; a hint may follow (test_section_5_why.py)."""
    line, *hint = result.stderr.splitlines()
    reason = {errno.ENOENT: "No such file or directory",
              errno.EACCES: "Permission denied", errno.ENOTDIR: "Not a directory",
              errno.ENOEXEC: "Exec format error"}[error]
    assert line == f"[dumb-init] cannot execute '{name}': {reason}"
    assert len(hint) <= 1
    assert all(line.startswith("[dumb-init] hint: ") for line in hint)
    return True


def test_missing_program_is_127(run, mode, tmp_path):
    for name in ("nonsense-7", str(tmp_path / "nonsense"), "./nonsense", ""):
        result = run(*mode, name)
        assert result.returncode == 127
        assert says(result, name, errno.ENOENT)
    result = run(*mode, "/dev/null/nonsense")
    assert result.returncode == 127
    assert says(result, "/dev/null/nonsense", errno.ENOTDIR)


def test_program_that_cannot_be_run_is_126(run, mode, tmp_path):
    plain = program(tmp_path / "plain", "echo hi\n", 0o644)
    for name in (plain, str(tmp_path)):
        result = run(*mode, name)
        assert result.returncode == 126
        assert says(result, name, errno.EACCES)


# A subreaper, which gets each child that dumb-init leaves unreaped.
HEIR = """if True:
    import ctypes, os, subprocess, sys
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    for _ in range(20):
        subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL)
        try:
            sys.exit(f"left: {os.wait()}")
        except ChildProcessError:
            pass
"""


def test_process_whose_exec_failed_is_reaped(run, mode):
    result = run(*mode, "nonsense-7", before=["/usr/bin/python3", "-ISc", HEIR])
    assert (result.stderr, result.returncode) == ("", 0)


def test_script_with_a_missing_interpreter_is_126(run, tmp_path):
    script = program(tmp_path / "script-7", "#!/nonsense\n")
    assert run(script).returncode == 126
    result = run("script-7", env={"PATH": str(tmp_path)})
    assert result.returncode == 126
    assert says(result, "script-7", errno.ENOENT)


def test_path_is_searched_as_execvp_does(run, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    program(first / "shadowed", "#!/bin/sh\necho first\n", 0o644)
    program(second / "shadowed", "#!/bin/sh\necho second\n")
    program(first / "refused", "#!/bin/sh\n", 0o644)
    program(tmp_path / "here", "#!/bin/sh\necho here $0\n")
    path = {"PATH": f"/nonsense:/etc/passwd:{first}:{second}::"}
    # A file without execute permission does not hide a later one with it ...
    assert run("shadowed", env=path).stdout == "second\n"
    # ... but without a later one it is the reason in the message.
    result = run("refused", env=path)
    assert result.returncode == 126
    assert says(result, "refused", errno.EACCES)
    # An empty directory in PATH is the current one.
    assert run("here", env=path, cwd=tmp_path).stdout == "here here\n"
    assert run("here", env={"PATH": str(first)}, cwd=tmp_path).returncode == 127
    assert run("sh", "-c", "echo no PATH", env={}).stdout == "no PATH\n"
    assert run("true", env={"PATH": "x" * 5000 + ":/usr/bin"}).returncode == 0


def test_path_that_is_too_long_is_not_truncated(run, tmp_path):
    """The longest path has 4095 bytes, PATH_MAX."""
    def directory(length):
        path = str(tmp_path)
        while len(path) < length:
            path += "/" + "d" * min(200, length - len(path) - 1)
        path = path[:length]
        os.makedirs(path, exist_ok=True)
        return path

    fits, too_long = directory(4095 - len("/script-7")), directory(4095 - len("/script-"))
    program(pathlib.Path(too_long, "script-"), "#!/bin/sh\necho another\n")
    assert run("script-7", env={"PATH": too_long}).returncode == 127
    program(pathlib.Path(fits, "script-7"), "#!/bin/sh\necho found\n")
    assert run("script-7", env={"PATH": f"{too_long}:{fits}"}).stdout == "found\n"


def test_unsearchable_directory_in_path_does_not_change_the_error(run, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir(mode=0)
    powers = "-dac_override,-dac_read_search"
    result = run("nonsense-7", env={"PATH": f"{secret}:/usr/bin"}, before=[
        "setpriv", "--bounding-set", powers, "--inh-caps", powers])
    assert result.returncode == 127
    assert says(result, "nonsense-7", errno.ENOENT)


def test_script_without_a_shebang_is_run_by_the_shell(run, mode, tmp_path):
    script = program(tmp_path / "bare", 'echo "$0 has $*"; exit 3\n')
    result = run(*mode, script, "a b", "c")
    assert (result.stdout, result.returncode) == (f"{script} has a b c\n", 3)
    result = run(*mode, "bare", "a b", env={"PATH": f"/nonsense:{tmp_path}"})
    assert (result.stdout, result.returncode) == (f"{script} has a b\n", 3)


def test_script_without_a_shebang_is_126_where_there_is_no_shell(run, tmp_path):
    program(tmp_path / "bare", "exit 3\n")
    path = {"PATH": f"{os.environ['PATH']}:{tmp_path}"}
    result = run("bare", env=os.environ | path, before=[
        "unshare", "--mount", "sh", "-c",
        'mount --bind /dev/null "$(realpath /bin/sh)" && exec "$0" "$@"'])
    assert result.returncode == 126
    assert says(result, "bare", errno.ENOEXEC)


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("call", ["rt_sigprocmask", "rt_sigaction"])
def test_failure_to_block_signals_is_1_and_starts_nothing(run, call):
    """Made up: seccomp(2) may forbid it."""
    result = run("echo", "started", before=[
        "strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
        "-e", f"inject={call}:error=EPERM"])
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == \
        "[dumb-init] cannot block signals: Operation not permitted\n"


def test_failure_to_create_a_process_is_1(run):
    """strace injects the error, as RLIMIT_NPROC does not bind root."""
    result = run("true", before=["strace", "-qq", "-o", "/dev/null", "-e",
                                 "trace=vfork,clone", "-e",
                                 "inject=vfork,clone:error=EAGAIN"])
    assert result.returncode == 1
    assert result.stderr.startswith("[dumb-init] cannot create a process for 'true': ")


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("error", ["EAGAIN", "EINTR"])
def test_exec_that_fails_for_a_moment_is_tried_again(run, tmp_path, error):
    trace = tmp_path / "trace"
    result = run("/bin/echo", "started",
                 before=failing("execve", "-f", when="1", error=error, trace=trace))
    assert "(INJECTED)" in trace.read_text()
    assert (result.returncode, result.stdout, result.stderr) == (0, "started\n", "")


@pytest.mark.usefixtures("unsanitized")
def test_exec_that_fails_with_eagain_each_time_is_126(run):
    result = run("/bin/true", before=failing("execve", "-f", error="EAGAIN"))
    assert (result.returncode, result.stderr) == (126, "[dumb-init] cannot execute "
                                                  "'/bin/true': Resource temporarily "
                                                  "unavailable\n")


@pytest.mark.usefixtures("unsanitized")
def test_exec_that_fails_for_another_reason_is_not_tried_again(run, tmp_path):
    trace = tmp_path / "trace"
    result = run("/missing/program", before=["strace", "-f", "-qq", "-o", str(trace),
                                             "-e", "trace=execve"])
    assert result.returncode == 127
    assert trace.read_text().count('execve("/missing/program"') == 1


TRIES = 100


def test_signal_of_the_first_millisecond_is_never_lost(command_line, helper, mode):
    """100 tries for each build and mode. The signal is blocked at the start, so that
    it is pending until dumb-init takes it."""
    lost = killed = 0
    words = command_line(*mode, helper("reporter"))
    for _ in range(TRIES):
        signum = random.choice([signal.SIGTERM, signal.SIGHUP, signal.SIGCONT,
                                signal.SIGUSR1, signal.SIGRTMIN + 6])
        delay = random.uniform(0, 0.001)
        reading, writing = os.pipe()
        pid = os.posix_spawn(
            words[0], words, os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)], setsigmask=[signum])
        begin = time.perf_counter()
        while time.perf_counter() - begin < delay:
            pass
        os.kill(pid, signum)
        os.close(writing)
        output = pexpect.fdpexpect.fdspawn(reading, timeout=patience())
        # If it killed COMMAND, it came before COMMAND had blocked it.
        if output.expect([rb"ready \d+\r?\n", pexpect.EOF]) == 1:
            killed += 1
        else:
            # The highest number is delivered last: if it comes first, the other
            # signal is lost.
            os.kill(pid, signal.SIGRTMAX)
            output.expect(rb"(\d+) [^\n]*\n")
            lost += int(output.match[1]) != signum
        end_tree(pid)
        os.waitpid(pid, 0)
        output.close()
    assert not lost and not killed, f"of {TRIES}, {lost} were lost and {killed} " \
        "killed a COMMAND that did not run yet"


def test_signals_are_blocked_before_the_options_are_read(run, tmp_path):
    """PID 1 loses signals before that. strace sees the options read by their error."""
    trace = tmp_path / "trace"
    run("--nonsense", before=["strace", "-qq", "-o", str(trace), "-e",
                              "trace=rt_sigprocmask,write"])
    first, *_, last = trace.read_text().splitlines()
    assert first.startswith("rt_sigprocmask(SIG_SETMASK, ~[], ")
    assert last.startswith("write(")


def has_taken_over(pid, mask):
    """Whether dumb-init blocks more signals than it inherited, or has a child: signals
    that it waits for do not count as blocked. strace has children of its own before
    it starts dumb-init, and they block signals, too."""
    try:
        return status_field(pid, "Name") != "strace" and (
            int(status_field(pid, "SigBlk"), 16) > mask or children(pid))
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("call", ["vfork,clone", "setsid,setpgid", "execve"])
def test_signal_while_command_starts_is_forwarded_once_it_runs(start, helper, call):
    """strace delays the start at a certain point: before the child exists, in the
    child, and before its program."""
    sigterm = 1 << signal.SIGTERM - 1
    started = start(helper("reporter"), before=[
        "strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}",
        "-e", f"inject={call}:delay_enter=200000",
        helper("inherit"), f"{sigterm:x}", "0"])
    ours = wait_until(lambda: [pid for pid in children(started.pid)
                               if has_taken_over(pid, sigterm)],
                      "the init to block signals")[0]
    os.kill(ours, signal.SIGTERM)
    started.expect("ready")
    started.expect_signals(signal.SIGTERM)


def leave_zombie():
    """As a shell that starts a helper and then becomes dumb-init by exec."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    while state(pid) != "Z":
        pass


def test_zombie_from_before_the_start_is_reaped(start, helper):
    """An earlier zombie raises no SIGCHLD."""
    started = start(helper("reporter"), preexec_fn=leave_zombie)
    started.expect("ready")
    wait_until(lambda: len(children(started.pid)) == 1, "the zombie's reaping")


def test_zombie_from_before_a_pause_is_reaped(start):
    started = start("--pause", preexec_fn=leave_zombie)
    wait_until(lambda: waits_for_good(started.pid), "the init's first wait")
    assert not children(started.pid)


def test_interactive_shell_runs_without_a_terminal(run):
    assert run(*BASH, "-i", "-c", "exit 3").returncode == 3


def test_unreadable_program_runs(run, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(pathlib.Path("/bin/true").read_bytes())
    copy.chmod(stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    assert run(str(copy)).returncode == 0
