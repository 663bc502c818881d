"""Contract, section 5: why COMMAND did not start, and why it was killed."""

import os
import pathlib
import re
import resource
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys

import pexpect
import pytest

import cgroups
from conftest import (AWAIT_INIT, NAMESPACE, children, patience, scaled, state,
                      status_field, wait_until, waits_for_good)

# None of it depends on the C library.
pytestmark = pytest.mark.slow
MACHINE = os.uname().machine
NO_ENTRY = "No such file or directory"
NO_ACCESS = "Permission denied"
NO_FORMAT = "Exec format error"


@pytest.fixture
def before(place):
    """The words before an init that exits by itself, in each place."""
    return NAMESPACE if place == "pid1" else []


def said(*lines):
    """The text on stderr that consists of these lines."""
    return "".join(f"[dumb-init] {line}\n" for line in lines)


# COMMAND did not start


def program(path, content, mode=0o755):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def run_both_ways(run, path, **options):
    """Yields name and result: of the absolute path, and of the name in PATH."""
    yield str(path), run(str(path), **options)
    search = os.environ | {"PATH": f"/nonsense:{path.parent}:{os.environ['PATH']}"}
    yield path.name, run(path.name, env=search, **options)


def assert_not_run(run, path, reason, *hints, **options):
    for name, result in run_both_ways(run, path, **options):
        assert result.stderr == said(f"cannot execute '{name}': {reason}",
                                     *(f"hint: {hint}" for hint in hints))
        assert (result.returncode, result.stdout) == (126, "")


# e_machine, class and byte order, elf(5), by what uname -m says
MACHINES = {"x86_64": (62, 2, "<"), "aarch64": (183, 2, "<"), "s390x": (22, 2, ">"),
            "riscv64": (243, 2, "<"), "ppc64le": (21, 2, "<"),
            "loongarch64": (258, 2, "<"), "armv7l": (40, 1, "<")}
FOREIGN = [name for name in MACHINES
           if name != MACHINE and not {name, MACHINE} == {"aarch64", "armv7l"}]


def elf(machine, loader=None):
    """The smallest ELF file with the headers of a program for a machine."""
    number, size, order = MACHINES[machine]
    name = loader.encode() + b"\0" if loader else b""
    ident = b"\x7fELF" + bytes([size, 1 if order == "<" else 2, 1]) + bytes(9)
    if size == 1:
        return ident + struct.pack(order + "HHIIIIIHHHHHH", 2, number, 1, 0, 52, 0, 0,
                                   52, 32, 0, 40, 0, 0)
    header = struct.pack(order + "HHIQQQIHHHHHH", 2, number, 1, 0, 64, 0, 0, 64, 56,
                         1 if loader else 0, 64, 0, 0)
    interp = struct.pack(order + "IIQQQQQQ", 3, 4, 120, 120, 120, len(name), len(name),
                         1)
    return ident + header + (interp + name if loader else b"")


@pytest.mark.parametrize("line", ["#!/bin/sh\r", "#! /bin/sh\r", "#!\t/usr/bin/sh\r"])
def test_hint_names_the_windows_line_endings_of_a_script(run, mode, tmp_path, line):
    script = program(tmp_path / "windows-7", f"{line}\necho hi\r\n")
    assert_not_run(run, script, NO_ENTRY,
                   f"'{script}' has Windows line endings (CRLF); convert it with "
                   "dos2unix")
    assert run(*mode, str(script)).returncode == 126


@pytest.mark.parametrize("line", ["#!/nonsense/python3", "#! /nonsense/python3 -u",
                                  "#!/nonsense/python3\t-u\r"])
def test_hint_names_the_missing_interpreter_of_a_script(run, tmp_path, line):
    script = program(tmp_path / "script-7", f"{line}\nprint('hi')\n")
    assert_not_run(run, script, NO_ENTRY, f"'{script}' needs the interpreter "
                   "'/nonsense/python3', which does not exist")


def test_hint_names_the_missing_interpreter_of_an_interpreter(run, tmp_path):
    middle = program(tmp_path / "middle", "#!/nonsense/sh\n")
    script = program(tmp_path / "script-7", f"#!{middle}\n")
    assert_not_run(run, script, NO_ENTRY, f"'{middle}' needs the interpreter "
                   "'/nonsense/sh', which does not exist")


def test_hint_names_an_interpreter_without_execute_permission(run, tmp_path):
    middle = program(tmp_path / "middle", "#!/bin/sh\n", 0o644)
    script = program(tmp_path / "script-7", f"#!{middle}\n")
    assert_not_run(run, script, NO_ACCESS,
                   f"'{middle}' has no execute permission (chmod +x)")


@pytest.fixture
def nothing_emulated():
    registered = pathlib.Path("/proc/sys/fs/binfmt_misc")
    if any(registered.glob("qemu-*")):
        pytest.skip("NOT TESTED: other processors' programs run here (binfmt_misc)")


@pytest.mark.parametrize("machine", FOREIGN)
def test_hint_names_both_processors_of_a_foreign_program(
        run, nothing_emulated, tmp_path, machine):
    path = program(tmp_path / "foreign-7", elf(machine))
    assert_not_run(run, path, NO_FORMAT,
                   f"'{path}' is built for {machine}, but this machine is {MACHINE}")


def test_hint_names_both_processors_of_a_real_program(
        run, nothing_emulated, mode, tmp_path):
    content = bytearray(pathlib.Path("/bin/true").read_bytes())
    machine = "aarch64" if MACHINE == "x86_64" else "x86_64"
    struct.pack_into("<H", content, 18, MACHINES[machine][0])
    path = program(tmp_path / "foreign-7", content)
    hint = f"'{path}' is built for {machine}, but this machine is {MACHINE}"
    assert_not_run(run, path, NO_FORMAT, hint)
    assert hint in run(*mode, str(path)).stderr


def test_hint_names_both_processors_of_a_foreign_interpreter(
        run, nothing_emulated, tmp_path):
    """No shell runs the script instead."""
    interpreter = program(tmp_path / "interpreter", elf(FOREIGN[0]))
    script = program(tmp_path / "script-7", f"#!{interpreter}\necho run by a shell\n")
    assert_not_run(run, script, NO_FORMAT, f"'{interpreter}' is built for {FOREIGN[0]}, "
                   f"but this machine is {MACHINE}")


def test_hint_names_the_missing_loader_of_another_c_library(run, mode, tmp_path):
    loader = "/lib/ld-musl-nonsense.so.1"
    path = program(tmp_path / "musl-7", elf(MACHINE, loader))
    hint = (f"'{path}' needs the loader '{loader}', which does not exist; it was "
            "built for another C library")
    assert_not_run(run, path, NO_ENTRY, hint)
    assert run(*mode, str(path)).stderr == said(f"cannot execute '{path}': {NO_ENTRY}",
                                                 f"hint: {hint}")
    script = program(tmp_path / "script-7", f"#!{path}\n")
    assert_not_run(run, script, NO_ENTRY, hint)


def assert_no_claim(result):
    """The message says that the program cannot run, without a hint."""
    assert "hint" not in result.stderr and not result.stdout
    assert result.stderr.startswith("[dumb-init] ")
    assert result.returncode == 126


@pytest.mark.parametrize("machine", [MACHINE, FOREIGN[0]], ids=["own", "foreign"])
def test_truncated_header_gets_no_hint(run, nothing_emulated, tmp_path, machine):
    header = elf(machine, "/lib/ld-musl-nonsense.so.1")
    # After the first 64 bytes the processor is known.
    cuts = [*range(4, 64), *(range(64, len(header)) if machine == MACHINE else [])]
    for cut in cuts:
        path = program(tmp_path / "cut", header[:cut])
        assert_no_claim(run(str(path)))


def test_truncated_real_program_gets_no_hint(run, tmp_path):
    content = pathlib.Path("/bin/true").read_bytes()
    offset, = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for cut in range(4, offset + size * count, 13):
        path = program(tmp_path / "cut", content[:cut])
        assert_no_claim(run(str(path)))


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xff])
def test_corrupted_real_program_gets_no_hint(run, tmp_path, flip):
    """The program may run nonetheless. If it cannot find its arguments, coreutils 9.5
    print a line about argv[0] and abort."""
    content = pathlib.Path("/bin/true").read_bytes()
    offset, = struct.unpack_from("<Q", content, 32)
    # The header, and the first two program headers: PT_PHDR and PT_INTERP.
    for at in [*range(4, 64), *range(offset, offset + 112, 3)]:
        broken = bytearray(content)
        broken[at] ^= flip
        path = program(tmp_path / "broken", broken)
        result = run(str(path), before=["prlimit", "--cpu=2", "--core=0"])
        assert "hint" not in result.stderr, at
        assert not result.stdout
        lines = [line for line in result.stderr.splitlines()
                 if not line.startswith("A NULL argv[0] ")]
        assert len(lines) == (result.returncode != 0)


@pytest.mark.parametrize("content", [
    b"\x7fELF", b"\x7fELF\necho run by a shell\n",
    b"\x7fELF\x02\x01\x01" + b"\necho run by a shell\n" * 20])
def test_damaged_program_is_never_run_by_a_shell(run, tmp_path, content):
    path = program(tmp_path / "broken-7", content)
    assert_not_run(run, path, NO_FORMAT)


@pytest.fixture
def noexec(tmp_path):
    """The words before a command that run it where tmp_path/noexec is mounted noexec
    and has the files of tmp_path/files."""
    (tmp_path / "noexec").mkdir()
    (tmp_path / "files").mkdir()
    script = 'mount -t tmpfs -o noexec tmpfs "$0" && cp -p "$0"/../files/* "$0" && ' \
        'exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(tmp_path / "noexec")]


def test_hint_names_a_file_system_mounted_noexec(run, noexec, tmp_path):
    program(tmp_path / "files" / "program-7", "#!/bin/sh\n")
    path = tmp_path / "noexec" / "program-7"
    hint = f"'{path}' is on a file system mounted with noexec"
    assert_not_run(run, path, NO_ACCESS, hint, before=noexec)
    script = program(tmp_path / "script-7", f"#!{path}\n")
    assert_not_run(run, script, NO_ACCESS, hint, before=noexec)


def test_hint_names_a_directory(run, tmp_path):
    directory = tmp_path / "directory-7"
    directory.mkdir()
    assert_not_run(run, directory, NO_ACCESS, f"'{directory}' is a directory")


@pytest.mark.usefixtures("unsanitized")
def test_hint_is_found_while_waits_of_dumb_init_time_out(run, tmp_path):
    """COMMAND's process, which looks for the hint, has the same errno. strace delays it
    until a wait of dumb-init has failed."""
    result = run(tmp_path, before=["strace", "-qq", "-f", "-o", "/dev/null",
                                   "-e", "trace=close", "-e",
                                   f"inject=close:delay_enter={int(scaled(50_000))}"])
    assert result.returncode == 126
    assert result.stderr.splitlines()[1:] == [
        f"[dumb-init] hint: '{tmp_path}' is a directory"]


@pytest.mark.parametrize("content", ["#!/bin/sh\n", "#!/nonsense\r\n", elf(FOREIGN[0])],
                         ids=["script", "windows", "foreign"])
def test_hint_names_a_missing_execute_permission(run, tmp_path, content):
    path = program(tmp_path / "plain-7", content, 0o644)
    assert_not_run(run, path, NO_ACCESS,
                   f"'{path}' has no execute permission (chmod +x)")


@pytest.mark.parametrize("word", ["echo hello", "/bin/echo hello", "node server.js",
                                  "echo\thello"])
def test_hint_names_a_command_line_in_one_word(run, mode, word):
    result = run(*mode, word)
    shown = word.replace("\t", "?")
    assert result.stderr == said(
        f"cannot execute '{shown}': {NO_ENTRY}",
        "hint: the program name contains spaces; pass the program and each argument "
        "as separate words")
    assert (result.returncode, result.stdout) == (127, "")


@pytest.mark.parametrize("program", ["java", "/usr/bin/java"])
def test_command_line_in_one_word_may_be_longer_than_a_file_name(run, program):
    result = run(program + " -Dkey=value" * 25)
    assert "hint: the program name contains spaces; " in result.stderr
    assert result.returncode == 127


@pytest.mark.parametrize("path, named", [
    ("/nonsense:/usr/bin", "/nonsense:/usr/bin"), ("", ""),
    (None, "/usr/local/bin:/usr/bin:/bin")], ids=str)
def test_hint_names_path_if_the_program_is_not_in_it(run, path, named):
    result = run("nonsense-7", env={} if path is None else {"PATH": path})
    assert result.stderr == said(f"cannot execute 'nonsense-7': {NO_ENTRY}",
                                 f"hint: 'nonsense-7' is not in PATH ({named})")
    assert result.returncode == 127


def test_missing_file_named_by_its_path_gets_no_hint(run, tmp_path):
    for name in (str(tmp_path / "nonsense"), "./nonsense", ""):
        result = run(name)
        assert result.stderr == said(f"cannot execute '{name}': {NO_ENTRY}")
        assert result.returncode == 127


def test_hint_stays_a_line_of_bounded_length(run, tmp_path):
    result = run("nonsense-7", env={"PATH": "/x" * 5000 + "\n\x1b"})
    assert [len(line) < 1024 for line in result.stderr.splitlines()] == [True, True]
    script = program(tmp_path / "script-7", "#!/non\x1bsense\n")
    assert_not_run(run, script, NO_ENTRY, f"'{script}' needs the interpreter '/non?sense', "
                   "which does not exist")


def test_program_that_runs_gets_no_hint(run, mode, tmp_path):
    for path in (program(tmp_path / "script-7", "#!/bin/sh\nexit 3\n"),
                 program(tmp_path / "bare-7", "exit 3\n")):
        for _, result in run_both_ways(run, path):
            assert (result.stderr, result.returncode) == ("", 3)
    assert run(*mode, "true").stderr == ""


@pytest.mark.parametrize("error, reason", [
    ("E2BIG", "Argument list too long"), ("ENOMEM", "Cannot allocate memory"),
    ("EPERM", "Operation not permitted")])
def test_failure_not_caused_by_the_file_gets_no_hint(run, tmp_path, error, reason):
    """strace injects the error: too many arguments for COMMAND are too many for
    dumb-init."""
    script = str(program(tmp_path / "script-7", "#!/bin/sh\n"))
    for name in (os.path.realpath("/bin/sleep"), os.path.realpath(script)):
        result = run(name, "0", before=[
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=execve", "-P", name,
            "-e", f"inject=execve:error={error}"])
        assert result.stderr == said(f"cannot execute '{name}': {reason}")
        assert result.returncode == 126


def test_script_without_an_interpreter_line_is_named_as_it_was_given(start, tmp_path):
    """The messages have the name in PATH, though the shell gets its path."""
    program(tmp_path / "script-7", "echo ready\nexec sleep 60\n")
    started = start("-v", "script-7", stderr=subprocess.PIPE,
                    env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    started.expect("ready")
    wait_until(lambda: waits_for_good(started.pid), "the init to be idle")
    started.send(signal.SIGTERM)
    assert started.status() == 143
    lines = started.popen.stderr.read().decode().splitlines()
    assert len(lines) == 5 and all(" script-7 " in line for line in lines)


# COMMAND was killed


STOP_OR_NOTHING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
                   signal.SIGCONT, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH}
DEADLY = [number for number in range(1, 65) if number not in STOP_OR_NOTHING]
# The names of the kernel; Python has those of the C library.
NAMES = {signal.SIGABRT: "SIGABRT", signal.SIGIO: "SIGIO", 16: "SIGSTKFLT",
         32: "SIG32", 33: "SIG33", 34: "SIGRTMIN", 64: "SIGRTMAX"}
SIGKILL_UNEXPLAINED = (
    ": its cgroup recorded no OOM kill; another process probably sent it")
SIGKILL_UNKNOWN = ": out of memory, or another process sent it"
OOM_KILL = ": out of memory (its cgroup recorded an OOM kill)"
# NAME (PID N); other tests check NAME and N.
NAMED = re.compile(r"^\[dumb-init\] [^\n]*? \(PID \d+\) was killed", re.MULTILINE)


def name_of(signum):
    if signum in NAMES:
        return NAMES[signum]
    if signum < 32:
        return signal.Signals(signum).name
    return f"SIGRTMIN+{signum - 34}" if signum < 50 else f"SIGRTMAX-{64 - signum}"


def suicide(signum, after=""):
    return ["sh", "-c", f"{after}kill -{int(signum)} $$"]


def dumps_core(command, **options):
    """Whether the kernel reports a core without an init."""
    with subprocess.Popen(command, **options) as popen:
        info = os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    return info.si_code == os.CLD_DUMPED


def without_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def death(signum, core=False):
    """The lines that may explain the kill."""
    more = [SIGKILL_UNEXPLAINED, SIGKILL_UNKNOWN] if signum == signal.SIGKILL \
        else [""]
    core = " (core dumped)" if core else ""
    return [f"COMMAND was killed by {name_of(signum)}{core}, not sent by dumb-init"
            f"{each}" for each in more]


def unnamed(stderr):
    """The text with COMMAND in place of its name and PID."""
    return NAMED.sub("[dumb-init] COMMAND was killed", stderr)


def test_command_killed_at_once_is_not_called_out_of_memory(run, before):
    """COMMAND exits before dumb-init has read the counts of the cgroup."""
    for _ in range(5):
        result = run(*suicide(signal.SIGKILL), before=before)
        assert unnamed(result.stderr) in [said(line) for line in death(signal.SIGKILL)]


@pytest.mark.parametrize("half", [0, 1])
def test_each_signal_that_kills_command_is_named_in_one_line(run, before, half):
    for signum in DEADLY[half::2]:
        core = dumps_core(suicide(signum), preexec_fn=without_core)
        result = run(*suicide(signum), before=before, preexec_fn=without_core)
        if int(status_field("self", "SigIgn"), 16) >> (signum - 1) & 1 \
                and signum in (32, 33):
            # make(1) starts the tests so, and COMMAND survives these signals.
            assert (result.stderr, result.returncode) == ("", 0)
            continue
        # SIGPIPE is the normal end of a pipeline: no line.
        expected = [""] if signum == signal.SIGPIPE else \
            [said(line) for line in death(signum, core)]
        assert unnamed(result.stderr) in expected
        assert (result.returncode, result.stdout) == (128 + signum, "")


def test_dumped_core_is_printed(run, mode, tmp_path):
    """COMMAND sets the limit, as AddressSanitizer sets that of dumb-init to 0."""
    for signum in (signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM):
        script = f'ulimit -S -c "$(ulimit -H -c)"; kill -{int(signum)} $$'
        command = ["sh", "-c", script]
        core = dumps_core(command, cwd=tmp_path)
        result = run(*mode, *command, cwd=tmp_path)
        assert unnamed(result.stderr) == said(*death(signum, core))
        assert result.returncode == 128 + signum


SLEEPER = ["sh", "-c", "echo ready; exec sleep 60"]


@pytest.mark.parametrize("options, sent, got", [
    ([], signal.SIGTERM, signal.SIGTERM), ([], signal.SIGINT, signal.SIGINT),
    ([], signal.SIGSEGV, signal.SIGSEGV), ([], 35, 35),
    (["-a"], signal.SIGTERM, signal.SIGTERM),
    (["-r", "TERM:QUIT"], signal.SIGTERM, signal.SIGQUIT),
    (["-r", "TERM:KILL"], signal.SIGTERM, signal.SIGKILL),
    (["-d", "TERM:10ms"], signal.SIGTERM, signal.SIGTERM)], ids=str)
def test_kill_by_a_forwarded_signal_is_not_explained(
        start, mode, place, options, sent, got):
    started = start(*mode, *options, *SLEEPER, place=place, stderr=subprocess.PIPE,
                    preexec_fn=without_core)
    started.expect("ready")
    started.send(sent)
    assert started.status() == 128 + got
    assert started.popen.stderr.read() == b""


def test_kill_by_kill_after_is_explained_once(start, helper, mode, place):
    started = start(*mode, "-k", "50ms", helper("reporter"), place=place,
                    stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 137
    assert started.popen.stderr.read().decode() == \
        said("--kill-after expired: sending SIGKILL to all processes")


def test_kill_by_another_signal_than_the_forwarded_one_is_explained(start, mode, place):
    script = "exec 2>/dev/null; trap 'kill -SEGV $$' USR1; echo ready; " \
        "while :; do sleep 0.01; done"
    started = start(*mode, "sh", "-c", script, place=place, stderr=subprocess.PIPE,
                    preexec_fn=without_core)
    started.expect("ready")
    started.send(signal.SIGUSR1)
    assert started.status() == 128 + signal.SIGSEGV
    core = dumps_core(suicide(signal.SIGSEGV), preexec_fn=without_core)
    assert unnamed(started.popen.stderr.read().decode()) == said(*death(signal.SIGSEGV, core))


def rest_of(started):
    started.output.expect(pexpect.EOF)
    return started.output.before.decode()


@pytest.mark.parametrize("key, signum", [
    ("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)], ids=["SIGINT", "SIGQUIT"])
def test_kill_by_a_key_of_the_terminal_is_not_explained(
        start, mode, place, key, signum):
    started = start(*mode, *SLEEPER, terminal=True, place=place,
                    preexec_fn=without_core)
    started.expect("ready")
    started.type(key)
    assert started.status() == 128 + signum
    assert "dumb-init" not in rest_of(started)


def test_kill_by_a_key_is_not_explained_where_stdin_is_not_the_terminal(start, place):
    started = start("-c", *SLEEPER, terminal=True, place=place,
                    before=["sh", "-c", 'exec "$@" </dev/null', "sh"])
    started.expect("ready")
    started.type("\x03")
    assert started.status() == 130
    assert "dumb-init" not in rest_of(started)


def test_kill_by_a_signal_pending_for_dumb_init_is_not_explained(start, mode):
    """The kernel delivers it after SIGCHLD, so that it is not forwarded yet."""
    started = start(*mode, *SLEEPER, stderr=subprocess.PIPE)
    started.expect("ready")
    command = started.command
    started.send(signal.SIGSTOP)
    wait_until(lambda: state(started.pid) == "T", "the init to stop")
    os.kill(command, signal.SIGPROF)
    wait_until(lambda: state(command) == "Z", "COMMAND's exit")
    started.send(signal.SIGPROF, signal.SIGCONT)
    assert started.status() == 128 + signal.SIGPROF
    assert started.popen.stderr.read() == b""


def test_kill_by_a_signal_without_a_key_is_explained_on_a_terminal(start, mode, place):
    started = start(*mode, "sh", "-c", "kill -USR1 $$", terminal=True, place=place)
    assert started.status() == 128 + signal.SIGUSR1
    assert unnamed(rest_of(started).replace("\r", "")) == said(*death(signal.SIGUSR1))


@pytest.mark.parametrize("status", [1, 126, 127, 137, 139, 143])
def test_command_that_exits_by_itself_is_not_explained(run, mode, before, status):
    result = run(*mode, "sh", "-c", f"exit {status}", before=before)
    assert (result.stderr, result.returncode) == ("", status)


@pytest.mark.parametrize("signum", [signal.SIGSEGV, signal.SIGKILL])
def test_quiet_does_not_explain_a_killed_command(run, mode, before, signum):
    result = run("-q", *mode, *suicide(signum), before=before)
    assert (result.stderr, result.returncode) == ("", 128 + signum)


def test_killed_orphan_is_not_explained(run, mode):
    result = run(*mode, "-W", "sh", "-c", "(sh -c 'kill -SEGV $$' &) 2>/dev/null")
    assert (result.stderr, result.returncode) == ("", 0)


# Out of memory

LIMIT = 32 << 20
EATER = ["sh", "-c", 'echo 1000 >/proc/self/oom_score_adj; exec "$@"', "sh",
         sys.executable, "-S", "-c", f"b'x' * {8 * LIMIT}"]


def is_root_outside():
    """Whether this is root of the initial user namespace."""
    mapped = pathlib.Path("/proc/self/uid_map").read_text().split()
    return os.getuid() == 0 and mapped[1:] == ["0", "4294967295"]


@pytest.fixture
def cgroup():
    """The words before a command that run it in a cgroup with limited memory."""
    try:
        made = cgroups.make("memory", LIMIT)
    except OSError as error:
        if os.environ.get("CI") and is_root_outside():
            pytest.fail(str(error))
        pytest.skip(f"NOT TESTED: {error}")
    yield cgroups.enter(made)
    cgroups.remove(made)


@pytest.fixture(params=["pid1", "ordinary", "container", "container, its own names"])
def inside(request, cgroup):
    """The words before a command that run it in that cgroup, in each place. A container
    sees that cgroup alone, as / or under its name outside."""
    if not request.param.startswith("container"):
        return [*cgroup, *(NAMESPACE if request.param == "pid1" else [])]
    mounted = "/sys/fs/cgroup/memory"
    if not os.path.exists(f"{mounted}/cgroup.procs"):
        mounted = "/sys/fs/cgroup"
    script = f'mount --bind {os.path.dirname(cgroup[-1])} {mounted} && exec "$@"'
    names = ["--cgroup"] if "names" in request.param else []
    return [*cgroup, *NAMESPACE, *names, "sh", "-c", script, "sh"]


def test_out_of_memory_kill_is_explained(run, inside, init):
    # Another init may wait in another way, and does not read the counts.
    wait = "" if hasattr(init, "options") else AWAIT_INIT
    result = run("sh", "-c", wait + 'exec "$@"', "sh", *EATER, before=inside)
    assert unnamed(result.stderr) == \
        said("COMMAND was killed by SIGKILL, not sent by dumb-init" + OOM_KILL)
    assert result.returncode == 137


def test_out_of_memory_kill_before_command_ran_does_not_count(run, inside, cgroup):
    expected = said("COMMAND was killed by SIGKILL, not sent by dumb-init" +
                    SIGKILL_UNEXPLAINED)
    command = suicide(signal.SIGKILL, after=AWAIT_INIT)
    assert unnamed(run(*command, before=inside).stderr) == expected
    earlier = subprocess.run([*cgroup, *EATER], check=False, timeout=patience())
    assert earlier.returncode == -signal.SIGKILL
    result = run(*command, before=inside)
    assert (unnamed(result.stderr), result.returncode) == (expected, 137)


def test_out_of_memory_kill_of_a_child_does_not_explain_another_signal(run, inside):
    result = run("sh", "-c", '"$@" 2>/dev/null; kill -TERM $$', "sh", *EATER,
                 before=inside)
    assert unnamed(result.stderr) == said(*death(signal.SIGTERM))


EVENTS = "low 0\nhigh 0\nmax 12\noom 3\noom_kill {}\noom_group_kill 9\n"
NO_OOM_KILL = SIGKILL_UNEXPLAINED


@pytest.mark.parametrize("first, last, more", [
    (EVENTS.format(0), EVENTS.format(1), OOM_KILL),
    (EVENTS.format(7), EVENTS.format(9), OOM_KILL),
    (EVENTS.format(7), EVENTS.format(7), NO_OOM_KILL),
    (EVENTS.format(7), EVENTS.format(0), SIGKILL_UNKNOWN),
    (EVENTS.format("x"), EVENTS.format(1), SIGKILL_UNKNOWN),
    (EVENTS.format(1), "", SIGKILL_UNKNOWN), ("", EVENTS.format(1), SIGKILL_UNKNOWN),
    ("oom_kill 1", "oom_kill 2", SIGKILL_UNKNOWN),
    ("x" * 9999 + " oom_kill 0\n", "x" * 9999 + " oom_kill 1\n", SIGKILL_UNKNOWN)],
    ids=range(9))
def test_counts_of_cgroup_v2_are_read_as_the_kernel_writes_them(
        run, tmp_path, first, last, more):
    """The test provides the files as a container sees them, so that any kernel will do.
    COMMAND waits until dumb-init has read the first count."""
    (tmp_path / "memory.events").write_text(first)
    (tmp_path / "last").write_text(last)
    result = run("sh", "-c", AWAIT_INIT +
                 "cat /sys/fs/cgroup/last >/sys/fs/cgroup/memory.events; "
                 "kill -KILL $$", before=[
                     "unshare", "--mount", "sh", "-c",
                     f'mount --bind {tmp_path} /sys/fs/cgroup && exec "$@"', "sh"])
    assert unnamed(result.stderr) == said(
        f"COMMAND was killed by SIGKILL, not sent by dumb-init{more}")


def test_cause_of_a_kill_is_unknown_where_no_cgroup_is_mounted(run):
    """COMMAND waits a moment, until dumb-init has read the counts. Without /proc it
    cannot see that."""
    result = run(*suicide(signal.SIGKILL, after="sleep 0.3; "), before=[
        "unshare", "--mount", "sh", "-c", "mount -t tmpfs none /sys/fs/cgroup && "
        'mount -t tmpfs none /proc && exec "$0" "$@"'])
    # AddressSanitizer prints lines without /proc, too.
    assert said("COMMAND was killed by SIGKILL, not sent by dumb-init" +
                SIGKILL_UNKNOWN) in unnamed(result.stderr)


# --termination-log


@pytest.fixture
def log(tmp_path):
    return tmp_path / "termination-log"


def test_termination_log_says_why_command_did_not_start(run, mode, before, log):
    log.write_text("mine\n")
    result = run(*mode, f"--termination-log={log}", "echo hello", before=before)
    assert result.returncode == 127
    assert len(result.stderr.splitlines()) == 2
    assert log.read_text() == "mine\n" + result.stderr


def test_termination_log_says_why_command_was_killed(run, mode, before, log):
    result = run(*mode, f"--termination-log={log}", *suicide(signal.SIGUSR1),
                 before=before)
    assert result.returncode == 128 + signal.SIGUSR1
    assert log.read_text() == result.stderr
    assert unnamed(result.stderr) == said(*death(signal.SIGUSR1))
    run(*mode, f"--termination-log={log}", *suicide(signal.SIGUSR2), before=before)
    assert unnamed(log.read_text()) == said(*death(signal.SIGUSR1),
                                            *death(signal.SIGUSR2))


def test_termination_log_is_readable_by_all_and_writable_by_its_owner(run, log):
    """If the umask allows it. Without a stdin the file has the number 0."""
    result = run(f"--termination-log={log}", *suicide(signal.SIGUSR1),
                 before=["sh", "-c", 'umask 0; exec "$@" <&-', "sh"])
    assert log.read_text() == result.stderr
    assert unnamed(result.stderr) == said(*death(signal.SIGUSR1))
    assert stat.S_IMODE(log.stat().st_mode) == 0o644


@pytest.mark.parametrize("command, status", [
    (suicide(signal.SIGUSR1), 128 + signal.SIGUSR1), (["nonsense-7"], 127)], ids=str)
def test_termination_log_is_where_kubernetes_looks_by_default(run, command, status):
    script = 'mount -t tmpfs tmpfs /dev && {  "$@"; status=$?; ' \
        'cat /dev/termination-log; exit $status; }'
    result = run("--termination-log", *command,
                 before=["unshare", "--mount", "sh", "-c", script, "sh"])
    assert result.returncode == status
    assert result.stdout == result.stderr != ""


def test_termination_log_does_not_take_the_next_word(run, log):
    program(log, "#!/bin/sh\necho run\n")
    result = run("--termination-log", str(log))
    assert (result.stdout, result.stderr, result.returncode) == ("run\n", "", 0)


@pytest.mark.parametrize("name", ["relative", "./relative", ""])
def test_termination_log_must_be_an_absolute_path(run, tmp_path, name):
    result = run(f"--termination-log={name}", "echo", "started", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("[dumb-init] --termination-log: expected ")
    assert len(result.stderr.splitlines()) == 1
    assert not os.listdir(tmp_path)


def test_termination_log_can_be_set_in_the_variable(run, log):
    result = run(*suicide(signal.SIGUSR1), env=os.environ | {
        "DUMB_INIT_OPTIONS": f"-v --termination-log={log} -q"})
    assert result.stderr == ""
    assert unnamed(log.read_text()) == said(*death(signal.SIGUSR1))


def test_last_termination_log_option_wins(run, log, tmp_path):
    run(f"--termination-log={log}", f"--termination-log={tmp_path}/other",
        *suicide(signal.SIGUSR1))
    assert os.listdir(tmp_path) == ["other"]


def test_quiet_does_not_keep_the_termination_log_empty(run, log):
    result = run("-q", f"--termination-log={log}", *suicide(signal.SIGUSR1))
    assert result.stderr == ""
    assert unnamed(log.read_text()) == said(*death(signal.SIGUSR1))


def test_verbose_adds_nothing_to_the_termination_log(run, log):
    result = run("-v", f"--termination-log={log}", *suicide(signal.SIGUSR1))
    assert unnamed(log.read_text()) == said(*death(signal.SIGUSR1))
    assert log.read_text() in result.stderr


@pytest.mark.parametrize("status", [0, 1, 137])
def test_termination_log_is_not_written_for_a_command_that_exits_by_itself(
        run, log, status):
    option = f"--termination-log={log}"
    assert run(option, "sh", "-c", f"exit {status}").returncode == status
    assert not log.exists()
    run(option, "sh", "-c", f"echo mine >{log}; exit {status}")
    assert log.read_text() == "mine\n"


def test_termination_log_is_not_written_for_a_forwarded_signal(start, mode, log):
    started = start(*mode, f"--termination-log={log}", *SLEEPER)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 143
    assert not log.exists()


@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=str)
def test_termination_log_that_cannot_be_written_is_one_warning(run, log, quiet):
    path = log / "nonsense"
    option = f"--termination-log={path}"
    warning = f"cannot write to '{path}' (--termination-log): {NO_ENTRY}"
    result = run(*quiet, option, *suicide(signal.SIGALRM))
    assert result.returncode == 128 + signal.SIGALRM
    assert unnamed(result.stderr) == said(
        *([] if quiet else [*death(signal.SIGALRM), warning]))
    result = run(*quiet, option, str(log))
    assert result.returncode == 127
    assert result.stderr == said(f"cannot execute '{log}': {NO_ENTRY}",
                                 *([] if quiet else [warning]))


def fill(file):
    with pytest.raises(BlockingIOError):
        while True:
            os.write(file, b"x" * 4096)


@pytest.mark.parametrize("kind", ["no reader", "full", "limit"])
def test_unwritable_termination_log_stops_no_process_and_sends_no_signal(
        start, helper, mode, log, kind):
    """COMMAND exits at the end of stdin. The remaining process shows the forwarded
    signals."""
    pipe = None
    if kind != "limit":
        os.mkfifo(log)
    if kind == "full":
        pipe = os.open(log, os.O_RDWR | os.O_NONBLOCK)
        fill(pipe)
    script = 'setsid "$0" & read line; kill -USR1 $$'
    started = start(*mode, "-W", f"--termination-log={log}", "sh", "-c", script,
                    helper("reporter"), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                    before=["prlimit", "--fsize=0"] if kind == "limit" else [])
    left = int(started.expect(rb"ready (\d+)\r?\n")[1])
    started.popen.stdin.close()
    expected = said(*death(signal.SIGUSR1), f"cannot write to '{log}' ").strip()
    heard = ""
    while "cannot write" not in heard:
        assert select.select([started.popen.stderr], [], [], patience())[0]
        heard += os.read(started.popen.stderr.fileno(), 4096).decode()
    assert unnamed(heard).startswith(expected)
    for _ in range(2):
        started.send(signal.SIGUSR2)
        started.expect_signals(signal.SIGUSR2)
    os.kill(left, signal.SIGKILL)
    assert started.status() == 128 + signal.SIGUSR1
    assert started.popen.stderr.read() == b""
    if pipe is not None:
        os.close(pipe)


# --verbose


def test_verbose_names_the_program_of_a_sender(start, tmp_path):
    """A sender with an unusual name."""
    sender = tmp_path / "a (sender)"
    shutil.copy(shutil.which("bash"), sender)
    started = start("-v", *SLEEPER, stderr=subprocess.PIPE)
    started.expect("ready")
    with subprocess.Popen([sender, "-c", f"kill -TERM {started.pid}; read line"],
                          stdin=subprocess.PIPE) as popen:
        assert started.status() == 143
        popen.stdin.close()
    lines = started.popen.stderr.read().decode()
    assert f"SIGTERM from a (sender) (PID {popen.pid}, UID {os.getuid()}): " in \
        lines


def test_verbose_names_a_sender_outside_the_pid_namespace(start):
    started = start("-v", *SLEEPER, place="pid1", stderr=subprocess.PIPE)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 143
    line = ("[dumb-init] SIGTERM from a process outside this PID namespace "
            f"(UID {os.getuid()}): forwarded to the process group of sh (PID N)")
    said = re.sub(r"PID \d+", "PID N", started.popen.stderr.read().decode())
    assert line in said.splitlines()


USAGE = r"\[dumb-init\] \S+ used (\d+\.\d{3}) s user, (\d+\.\d{3}) s system, " \
    r"(\d+) KiB peak memory"
BURNER = """
import time
x = b"x" * (50 << 20)
while time.process_time() < 0.3:
    pass
"""


def test_verbose_prints_the_resource_usage_of_command(run, before):
    result = run("-v", sys.executable, "-S", "-c", BURNER, before=before)
    took = re.search(USAGE + r"\n\Z", result.stderr)
    assert took, "expected a line with the resource usage, got none"
    user, system, memory = took.groups()
    assert 0.29 <= float(user) + float(system) < 5
    assert 50 << 10 <= int(memory) < 150 << 10
    assert result.stderr.count(" peak memory") == 1


def test_verbose_prints_no_resource_usage_of_an_orphan(run):
    script = f"({sys.executable} -S -c '{BURNER}' &)"
    result = run("-v", "-W", "sh", "-c", script)
    user, system, memory = re.search(USAGE, result.stderr).groups()
    assert float(user) + float(system) < 0.3
    assert int(memory) < 50 << 10
    assert result.stderr.count(" peak memory") == 1


def test_name_of_a_sender_is_not_read_without_verbose(start, mode, tmp_path):
    trace = tmp_path / "trace"
    started = start(*mode, *SLEEPER, before=[
        "strace", "-qq", "-f", "-o", str(trace), "-e", "signal=none", "-e",
        "trace=open,openat,rt_sigtimedwait,kill,tgkill"])
    started.expect("ready")
    ours, = children(started.pid)
    wait_until(lambda: re.search(rf"^{ours} +rt_sigtimedwait", trace.read_text(), re.M),
               "the first wait")
    os.kill(ours, signal.SIGTERM)
    assert started.status() == 143
    assert " kill(" in trace.read_text()
    assert "/comm\"" not in trace.read_text()


def test_hangup_of_the_terminal_needs_no_explanation(start, mode, tmp_path):
    log = tmp_path / "log"
    started = start(*mode, f"--termination-log={log}", "sh", "-c",
                    "echo ready; exec sleep 60", terminal=True)
    started.expect("ready")
    started.output.close()
    assert started.status() == 128 + signal.SIGHUP
    assert not log.exists()
