"""Contract, section 5: no message blocks dumb-init, shows control characters or is
written through a link; and no long input breaks the start."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import termios
import time

import pytest

from conftest import (NAMESPACE, children, patience, scaled, state, wait_until,
                      waits_for_good)
from test_section_5_messages import gets_only_signals_of_the_test
from test_section_6_never import failing

pytestmark = pytest.mark.slow

WITHOUT_PROC = ["unshare", "--mount", "sh", "-c",
                'mount -t tmpfs none /proc && exec "$@"', "sh"]


@pytest.fixture(params=["same user", "another user", "without /proc"])
def user(request):
    """The words before a command that run it as the user that has opened stderr; as
    another user, which may not open it again through /proc/self/fd/2; or without that
    file."""
    if request.param == "another user":
        return request.getfixturevalue("another")
    if request.param == "without /proc":
        request.getfixturevalue("unsanitized")
        return WITHOUT_PROC
    return []


# A stderr that is full or stuck


class Stderr:
    """A kind of stderr: `given` is the file that dumb-init gets, `other` the file from
    which the test reads its lines."""

    def __init__(self, kind, directory):
        self.kind = kind
        if kind == "pipe":
            self.other, self.given = os.pipe()
        elif kind == "FIFO":
            path = str(directory / "fifo")
            os.mkfifo(path, 0o600)
            self.other = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            self.given = os.open(path, os.O_WRONLY)
        elif kind.endswith("socket"):
            family = {"stream": socket.SOCK_STREAM, "datagram": socket.SOCK_DGRAM}
            pair = socket.socketpair(socket.AF_UNIX, family[kind.split()[0]])
            self.other, self.given = (each.detach() for each in pair)
        else:
            self.other, self.given = pty.openpty()
        os.set_blocking(self.other, False)
        if kind == "held terminal":
            termios.tcflow(self.given, termios.TCOOFF)  # as ^S does
        self.flags = self.flags_now()

    def flags_now(self):
        """The flags of the open file that dumb-init shares with the test."""
        return fcntl.fcntl(self.given, fcntl.F_GETFL)

    def fill(self):
        """Writes until there is no room for a byte."""
        if self.kind.endswith("socket"):
            with socket.socket(fileno=os.dup(self.given)) as given:
                fill(lambda text: given.send(text, socket.MSG_DONTWAIT))
            return
        own = os.open(f"/proc/self/fd/{self.given}",
                      os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        fill(lambda text: os.write(own, text))
        os.close(own)

    def drain(self):
        """Reads the available output."""
        if self.kind == "held terminal":
            termios.tcflow(self.given, termios.TCOON)
        text = b""
        while select.select([self.other], [], [], 0)[0]:
            read = os.read(self.other, 65536)
            if not read:
                break
            text += read
        return text

    def expect(self, pattern):
        """Reads until there is a match for pattern."""
        text = b""
        deadline = time.monotonic() + patience()
        while not re.search(pattern, text):
            assert time.monotonic() < deadline, f"expected {pattern}, got {text}"
            select.select([self.other], [], [], 0.1)
            text += self.drain()
        return text

    def close(self):
        os.close(self.given)
        os.close(self.other)


def fill(write):
    for size in (4096, 64, 1):
        with pytest.raises(BlockingIOError):
            while True:
                write(b"x" * size)


KINDS = ["pipe", "FIFO", "stream socket", "datagram socket", "terminal",
         "held terminal"]


@pytest.fixture(params=KINDS)
def stderr(request, tmp_path):
    made = Stderr(request.param, tmp_path)
    yield made
    made.close()


def signals_are_handled(started, count):
    for _ in range(count):
        started.send(signal.SIGUSR1)
        started.expect_signals(signal.SIGUSR1)


def start_reporter(start, helper, user, given, place="ordinary"):
    """SIGTERM ends it: dumb-init forwards SIGKILL instead."""
    started = start("-v", "-r", "TERM:KILL", helper("reporter"), place=place,
                    before=user, stderr=given)
    started.expect("ready")
    return started


def ends_at_sigterm(started):
    started.send(signal.SIGTERM)
    return started.status() == 128 + signal.SIGKILL


@pytest.mark.parametrize("place", ["pid1", "ordinary"], indirect=True)
def test_full_or_held_stderr_does_not_stop_dumb_init(start, helper, user, stderr,
                                                     place):
    started = start_reporter(start, helper, user, stderr.given, place)
    stderr.fill()
    signals_are_handled(started, 20)
    assert stderr.flags_now() == stderr.flags
    assert ends_at_sigterm(started)


@pytest.mark.parametrize("place", ["pid1", "ordinary"], indirect=True)
def test_messages_that_fill_stderr_do_not_stop_dumb_init(start, helper, user, stderr,
                                                         place):
    """Some pages are free, and the messages fill them to the last byte."""
    started = start_reporter(start, helper, user, stderr.given, place)
    stderr.fill()
    if stderr.kind != "held terminal":
        assert os.read(stderr.other, 4096)
    signals_are_handled(started, 150)
    assert stderr.flags_now() == stderr.flags
    assert ends_at_sigterm(started)


def test_room_for_a_few_bytes_on_stderr_does_not_stop_dumb_init(start, helper, user,
                                                                stderr):
    started = start_reporter(start, helper, user, stderr.given)
    stderr.fill()
    for size in (1, 2, 10, 70):
        if stderr.kind != "held terminal":
            assert os.read(stderr.other, size)
        signals_are_handled(started, 2)
    assert stderr.flags_now() == stderr.flags
    assert ends_at_sigterm(started)


def test_lines_arrive_on_stderr_that_is_read(start, helper, user, stderr):
    stderr.drain()
    started = start_reporter(start, helper, user, stderr.given)
    signals_are_handled(started, 3)
    text = stderr.expect(rb"(?s)(SIGUSR1 from.*){3}\n")
    lines = text.replace(b"\r", b"").decode().splitlines()
    assert all(line.startswith("[dumb-init] ") for line in lines)
    assert len([line for line in lines if "SIGUSR1 from" in line]) == 3
    assert stderr.flags_now() == stderr.flags
    assert ends_at_sigterm(started)


def test_line_after_one_that_was_cut_begins_at_a_new_line(start, helper, tmp_path):
    """A terminal has room for a part of a line."""
    stderr = Stderr("terminal", tmp_path)
    started = start_reporter(start, helper, [], stderr.given)
    stderr.fill()
    assert os.read(stderr.other, 4096)
    signals_are_handled(started, 150)
    text = stderr.drain()
    while b"SIGUSR2 from" not in text:
        started.send(signal.SIGUSR2)
        started.expect_signals(signal.SIGUSR2)
        text += stderr.drain()
    assert all(line.count(b"[dumb-init]") <= 1 for line in text.splitlines())
    assert b"\0" not in text
    assert ends_at_sigterm(started)
    stderr.close()


def test_lines_arrive_again_on_stderr_that_was_stuck(start, helper, user, stderr):
    started = start_reporter(start, helper, user, stderr.given)
    stderr.fill()
    signals_are_handled(started, 2)
    wait_until(lambda: not stderr.drain(), "an empty stderr")
    started.send(signal.SIGUSR2)
    started.expect_signals(signal.SIGUSR2)
    stderr.expect(rb"\[dumb-init\] SIGUSR2 from .*\n")
    assert ends_at_sigterm(started)


@pytest.mark.parametrize("kind", ["pipe", "FIFO", "stream socket", "datagram socket"])
def test_stderr_without_a_reader_sends_command_no_signal(start, helper, user, kind,
                                                         tmp_path):
    stderr = Stderr(kind, tmp_path)
    started = start("-v", helper("reporter"), before=user, stderr=stderr.given)
    stderr.close()
    gets_only_signals_of_the_test(started, signal.SIGPIPE)


@pytest.mark.parametrize("kind", ["pipe", "FIFO", "stream socket", "datagram socket"])
def test_status_of_a_failed_exec_is_the_same_without_a_reader_of_stderr(
        run, mode, kind, tmp_path):
    stderr = Stderr(kind, tmp_path)
    os.close(stderr.other)
    result = run(*mode, "nonsense-7", stderr=stderr.given, capture_output=False)
    assert result.returncode == 127
    os.close(stderr.given)


def test_status_of_a_failed_exec_is_the_same_if_stderr_has_reached_its_limit(
        run, mode, tmp_path):
    with open(tmp_path / "said", "wb") as said:
        result = run(*mode, "nonsense-7", before=["prlimit", "--fsize=0"], stderr=said,
                     capture_output=False)
    assert result.returncode == 127


def test_orphans_are_reaped_though_stderr_is_stuck(start, user, stderr):
    script = "read line; for i in 1 2 3 4 5 6 7 8; do (true &); done; " \
        "echo made; exec sleep 60"
    started = start("-w", "sh", "-c", "echo ready; " + script, before=user,
                    stdin=subprocess.PIPE, stderr=stderr.given)
    started.expect("ready")
    stderr.fill()
    started.popen.stdin.write(b"\n")
    started.popen.stdin.flush()
    started.expect("made")
    wait_until(lambda: len(children(started.pid)) == 1, "the orphans to be reaped")
    started.send(signal.SIGTERM)
    assert started.status() == 143


@pytest.mark.parametrize("kind", KINDS)
def test_flags_of_stderr_that_others_share_are_never_set(run, kind, tmp_path):
    stderr = Stderr(kind, tmp_path)
    if kind != "held terminal":
        stderr.fill()
    trace = tmp_path / "trace"
    result = run("-v", "sh", "-c", "(exit 1 &); exit 3", stderr=stderr.given,
                 capture_output=False, before=[
                     "strace", "-qq", "-o", str(trace), "-e", "trace=fcntl,ioctl"])
    stderr.close()
    assert result.returncode == 3
    assert not re.search("F_SETFL|FIONBIO|TCSETS|TCXONC|TCFLSH", trace.read_text())


@pytest.fixture
def apart():
    """apart(PID): the test and that process run on different processors."""
    processors = os.sched_getaffinity(0)

    def apart(pid):
        if len(processors) > 1:
            one, *others = sorted(processors)
            os.sched_setaffinity(0, [one])
            os.sched_setaffinity(pid, others)

    yield apart
    os.sched_setaffinity(0, processors)


def test_pipe_that_fills_up_between_check_and_write_does_not_stop_dumb_init(
        start, helper, user, apart, tmp_path):
    """A page of the full pipe becomes free for a moment, repeatedly."""
    stderr = Stderr("pipe", tmp_path)
    started = start("-v", "-r", "USR1:0", "-r", "TERM:KILL", helper("reporter"),
                    before=user, stderr=stderr.given)
    started.expect("ready")
    own = os.open(f"/proc/self/fd/{stderr.given}", os.O_WRONLY | os.O_NONBLOCK)
    ours = started.pid
    page = b"x" * 4096
    apart(ours)
    fill(lambda text: os.write(own, text))
    for _ in range(3):
        end = time.monotonic() + 0.25
        while time.monotonic() < end:
            os.kill(ours, signal.SIGUSR1)
            os.read(stderr.other, 4096)
            try:
                while True:
                    os.write(own, page)
            except BlockingIOError:
                pass
        started.send(signal.SIGUSR2)
        started.expect_signals(signal.SIGUSR2)
    assert stderr.flags_now() == stderr.flags
    os.close(own)
    assert ends_at_sigterm(started)
    stderr.close()


@pytest.mark.parametrize("kind", ["pipe", "held terminal"])
def test_error_on_a_stuck_stderr_delays_the_exit_by_a_second_at_most(run, user, kind,
                                                                     tmp_path):
    stderr = Stderr(kind, tmp_path)
    stderr.fill()
    begin = time.monotonic()
    result = run("/nonsense", before=user, stderr=stderr.given, capture_output=False)
    assert result.returncode == 127
    assert time.monotonic() - begin < scaled(5)  # it is one on an idle machine
    stderr.close()


def test_hint_does_not_wait_for_room_after_an_error_that_got_none(run, tmp_path):
    stderr, trace = Stderr("pipe", tmp_path), tmp_path / "trace"
    stderr.fill()
    result = run("no such", stderr=stderr.given, capture_output=False, before=[
        "strace", "-f", "-qq", "-o", str(trace), "-e", "trace=?poll,?ppoll"])
    assert result.returncode == 127
    waits = re.findall(r"poll\(\[\{fd=2.*, (1000\)|\{tv_sec=1|0\)|\{tv_sec=0)",
                       trace.read_text())
    assert [each in ("1000)", "{tv_sec=1") for each in waits] == [True, False]
    stderr.close()


def test_lines_arrive_on_the_controlling_terminal(start, helper, mode):
    """/dev/tty, which cannot be opened again where it has been given up."""
    started = start("-v", *mode, helper("reporter"), terminal=True,
                    before=["sh", "-c", 'exec "$@" 2>/dev/tty', "sh"])
    started.expect("ready")
    for _ in range(2):
        started.send(signal.SIGUSR1)
        started.expect(r"\[dumb-init\] SIGUSR1 from [^\n]*\n")


@pytest.mark.usefixtures("unsanitized")
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_line_that_found_no_room_for_a_moment_arrives(start, helper, mode, terminal):
    """strace refuses every second write. A terminal refuses one while another process
    writes to it."""
    started = start("-v", *mode, helper("reporter"), terminal=terminal,
                    before=failing("write", error="EAGAIN", when="1+2"),
                    **({} if terminal else {"stderr": subprocess.STDOUT}))
    started.expect("ready")
    ours, = children(started.pid)
    for _ in range(2):
        os.kill(ours, signal.SIGUSR1)
        started.expect(r"\[dumb-init\] SIGUSR1 from [^\n]*\n")


@pytest.mark.usefixtures("unsanitized")
def test_line_that_found_no_room_on_a_socket_for_a_moment_arrives(start, helper,
                                                                  tmp_path):
    """strace refuses every second sendto(2)."""
    stderr = Stderr("stream socket", tmp_path)
    started = start_reporter(start, helper, failing(
        "sendto", error="EAGAIN", when="1+2"), stderr.given)
    ours, = children(started.pid)
    for _ in range(2):
        os.kill(ours, signal.SIGUSR1)
        stderr.expect(rb"\[dumb-init\] SIGUSR1 from [^\n]*\n")
    stderr.close()


@pytest.mark.usefixtures("unsanitized")
def test_of_several_lines_without_room_only_the_first_waits(start, helper, tmp_path):
    """Each wait has a timer. After a line that found room, one waits again."""
    trace = tmp_path / "trace"
    stderr = Stderr("pipe", tmp_path)
    started = start_reporter(start, helper, [
        "strace", "-qq", "-o", str(trace), "-e", "trace=timer_create,timer_delete"],
        stderr.given)
    ours, = children(started.pid)

    def are_handled(count):
        for _ in range(count):
            os.kill(ours, signal.SIGUSR1)
            started.expect_signals(signal.SIGUSR1)
    for waits in (1, 2):
        stderr.fill()
        are_handled(5)
        calls = trace.read_text()
        assert (calls.count("create("), calls.count("delete(")) == (waits, waits)
        stderr.drain()
        are_handled(1)
        stderr.expect(rb"\[dumb-init\] SIGUSR1 from ")
    stderr.close()


def test_signals_of_libc_are_forwarded_after_a_line_without_room(
        start, helper, tmp_path):
    """When musl installs a first handler, it unblocks these signals."""
    of_libc = [33, 34]
    stderr = Stderr("pipe", tmp_path)
    started = start_reporter(start, helper, [], stderr.given)
    stderr.fill()
    started.send(signal.SIGSTOP)
    wait_until(lambda: state(started.pid) == "T", "dumb-init to stop")
    started.send(signal.SIGUSR1, *of_libc, signal.SIGCONT)
    started.expect_signals(signal.SIGUSR1, signal.SIGCONT, *of_libc)
    stderr.close()


def test_exit_is_not_missed_when_a_line_has_no_room_and_the_queue_is_full(
        start, tmp_path):
    """Without room in the signal queue there is no timer, timer_create(2). dumb-init
    finds both signals at once, as it gets the processor after COMMAND."""
    stderr = Stderr("pipe", tmp_path)
    started = start("-v", "sh", "-c", "echo ready; read line; kill -USR1 $PPID; exit 3",
                    before=["prlimit", "--sigpending=0"], stderr=stderr.given,
                    stdin=subprocess.PIPE)
    started.expect("ready")
    wait_until(lambda: waits_for_good(started.pid), "a wait without a limit")
    stderr.fill()
    processor = {min(os.sched_getaffinity(0))}
    for pid in started.pid, started.command:
        os.sched_setaffinity(pid, processor)
    os.sched_setscheduler(started.pid, os.SCHED_IDLE, os.sched_param(0))
    started.popen.stdin.close()
    assert started.status() == 3
    stderr.close()


@pytest.mark.parametrize("before", ["", "before\n"], ids=["start", "middle"])
def test_messages_are_appended_where_the_position_of_a_file_is(start, helper, user,
                                                               tmp_path, before):
    path = tmp_path / "said"
    path.write_text(before + "longer than that\n" + "x" * 2000)
    path.chmod(0o600)
    with open(path, "r+b", buffering=0) as file:
        file.seek(len(before))
        started = start_reporter(start, helper, user, file)
        signals_are_handled(started, 2)
        assert ends_at_sigterm(started)
        position = file.tell()
        file.write(b"after\n")
    text = path.read_bytes()
    assert text.startswith(before.encode())
    lines = text[len(before):position].decode().splitlines()
    assert all(line.startswith("[dumb-init] ") for line in lines)
    assert len([line for line in lines if "SIGUSR1 from" in line]) == 2
    assert text[position:].startswith(b"after\n")


@pytest.mark.parametrize("close, files", [("", ["0", "1", "2"]), ("<&-", ["1", "2"])],
                         ids=["with stdin", "without stdin"])
def test_lines_leave_no_file_open(start, helper, tmp_path, close, files):
    """dumb-init opens a pipe on stderr again for each line."""
    stderr = Stderr("pipe", tmp_path)
    started = start_reporter(start, helper, ["sh", "-c", f'exec "$@" {close}', "sh"],
                             stderr.given)
    signals_are_handled(started, 5)
    wait_until(lambda: waits_for_good(started.pid), "the next wait")
    assert files_of(started.pid) == files
    stderr.close()


def test_messages_to_dev_null_do_not_stop_dumb_init(start, helper, user, mode):
    started = start("-v", *mode, "-r", "TERM:KILL", helper("reporter"), before=user,
                    stderr=subprocess.DEVNULL)
    started.expect("ready")
    signals_are_handled(started, 5)
    assert ends_at_sigterm(started)


def test_closed_stderr_stays_closed_and_does_not_stop_dumb_init(
        start, helper, user, mode):
    started = start("-v", *mode, "-r", "TERM:KILL", helper("reporter"), before=[
        "sh", "-c", 'exec "$@" 2>&-', "sh", *user])
    started.expect("ready")
    signals_are_handled(started, 5)
    wait_until(lambda: waits_for_good(started.pid), "the end of the start")
    assert sorted(os.listdir(f"/proc/{started.pid}/fd")) == ["0", "1"]
    assert ends_at_sigterm(started)


@pytest.mark.parametrize("kind", ["FIFO", "terminal", "file"])
def test_stderr_that_is_open_for_reading_only_gets_nothing(start, helper, user, kind,
                                                           tmp_path):
    """Also not through a file description that dumb-init opens itself."""
    made = None if kind == "file" else Stderr(kind, tmp_path)
    path = tmp_path / "said" if kind == "file" else f"/proc/self/fd/{made.given}"
    if kind == "file":
        path.write_text("as it was")
    elif kind == "FIFO":
        path = tmp_path / "fifo"
    given = os.open(path, os.O_RDONLY | os.O_NOCTTY)
    started = start_reporter(start, helper, user, given)
    signals_are_handled(started, 5)
    assert ends_at_sigterm(started)
    os.close(given)
    if kind == "file":
        assert path.read_text() == "as it was"
    else:
        assert made.drain() == b""
        made.close()


# Names from elsewhere

# As a file name has it, and what of it is shown; of at most 15 bytes, for a
# process's name has no more.
NAMES = {
    "C1 control in UTF-8": (b"\xc2\x9b31mevil\xc2\x9b7m", "??31mevil??7m"),
    "C1 controls as bytes": (b"\x9b2J\x9bH\x9d0;x", "?2J?H?0;x"),
    "first and last C1 control": (b"\xc2\x80\xc2\x9f\x80\x9f", "??????"),
    "C0 controls and DEL": (b"a\x1b[31m\x07\x7f\rb", "a?[31m???b"),
    "UTF-8 of two bytes": ("n\u00e4me\u00a0\u07ff".encode(), "n\u00e4me\u00a0\u07ff"),
    "UTF-8 of three bytes": ("\u540d\u524d\u0800\uffee".encode(),
                             "\u540d\u524d\u0800\uffee"),
    "UTF-8 of four bytes": ("x\U0001f600\U0010fffd".encode(), "x\U0001f600\U0010fffd"),
    "start without continuation": (b"a\xc3(\xe2\x82(\xf0\x9f\x98", "a?(??(???"),
    "continuation without start": (b"a\xa0\xbfb", "a??b"),
    "overlong": (b"\xc0\xae\xe0\x80\xae\xf0\x80\x80\xae", "?????????"),
    "overlong C1 control": (b"\xe0\x82\x9b", "???"),
    "surrogate": (b"\xed\xa0\x80\xed\xbf\xbf", "??????"),
    "too large": (b"\xf4\x90\x80\x80\xf8\x88\xff\xfe", "????????"),
    "cut off by the kernel": ("\u00e9".encode() * 8, "\u00e9" * 7 + "?"),
}
WITHOUT_LIMIT = [name for name in NAMES if name != "cut off by the kernel"]


def printable(text):
    """Decoded: UTF-8 without control characters, except that a line ends."""
    decoded = text.decode("utf-8", "strict")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", decoded), repr(decoded)
    return decoded


@pytest.mark.parametrize("name", NAMES)
def test_name_of_a_sender_is_printed_without_controls_and_broken_utf_8(
        start, tmp_path, name):
    given, shown = NAMES[name]
    sender = os.path.join(os.fsencode(tmp_path), given)
    os.symlink(shutil.which("bash"), sender)
    started = start("-v", "sh", "-c", "echo ready; exec sleep 60",
                    stderr=subprocess.PIPE)
    started.expect("ready")
    with subprocess.Popen([sender, "-c", f"kill -TERM {started.pid}; read line"],
                          stdin=subprocess.PIPE) as popen:
        assert started.status() == 143
        popen.stdin.close()
    said = printable(started.popen.stderr.read())
    assert f"SIGTERM from {shown} (PID {popen.pid}, UID " in said


BINARY = {"text": None, "errors": None}


@pytest.mark.parametrize("name", WITHOUT_LIMIT)
def test_word_of_a_usage_error_is_printed_without_controls_and_broken_utf_8(run, name):
    given, shown = NAMES[name]
    for words in ([b"--" + given], [b"-r", given, "true"], [b"-k", given, "true"],
                  [b"--rewrite=" + given, "true"]):
        result = run(*words, **BINARY)
        assert (result.returncode, result.stdout) == (1, b"")
        assert shown in printable(result.stderr)
    result = run("true", env=os.environb | {b"DUMB_INIT_OPTIONS": b"--x" + given},
                 **BINARY)
    # Of the first word; a '?' stands for each control character.
    assert shown.split()[0][:len(given.split()[0])] in printable(result.stderr)


@pytest.mark.parametrize("name", WITHOUT_LIMIT)
def test_name_of_command_is_printed_without_controls_and_broken_utf_8(run, tmp_path,
                                                                      name):
    given, shown = NAMES[name]
    path = os.path.join(os.fsencode(tmp_path), given)
    result = run("-v", path, **BINARY)
    assert result.returncode == 127
    assert f"/{shown}': No such file" in printable(result.stderr)
    os.symlink(shutil.which("bash"), path)
    result = run("-v", path, "-c", "kill -SEGV $$", **BINARY)
    assert result.returncode == 128 + signal.SIGSEGV
    assert f"/{shown}" in printable(result.stderr)


@pytest.mark.parametrize("offset", range(4))
def test_long_word_is_cut_off_between_characters(run, offset):
    for character in "\u00e9\u540d\U0001f600":
        word = b"x" * offset + character.encode() * 2000
        result = run(b"/" + word, **BINARY)
        line = printable(result.stderr).splitlines()[0]
        assert line.endswith("...") and character in line


# The sender's program


def test_sender_is_named_only_where_proc_is_of_the_own_pid_namespace(run):
    """In another /proc the PID belongs to another process."""
    if not os.path.exists("/proc/2/comm"):
        pytest.skip("NOT TESTED: needs a process with PID 2, for it to be mistaken")
    script = "kill -USR1 $PPID; exit 3"
    foreign = [word for word in NAMESPACE if word != "--mount-proc"]
    result = run("-v", "-r", "USR1:0", "sh", "-c", script, before=foreign)
    assert f"SIGUSR1 from PID 2 (UID {os.getuid()}): " in result.stderr
    result = run("-v", "-r", "USR1:0", "sh", "-c", script, before=NAMESPACE)
    assert f"SIGUSR1 from sh (PID 2, UID {os.getuid()}): " in result.stderr


# --termination-log


@pytest.mark.parametrize("command, status", [
    ("kill -USR1 $$", 128 + signal.SIGUSR1), (None, 127)],
                         ids=["killed", "not started"])
@pytest.mark.parametrize("target", ["file", "nothing", "itself"])
def test_termination_log_is_not_written_through_a_symbolic_link(
        run, mode, tmp_path, command, status, target):
    log = tmp_path / "log"
    victim = tmp_path / "victim" if target != "itself" else log
    log.symlink_to(victim)
    if target == "file":
        victim.write_text("as it was\n")
    words = ["sh", "-c", command] if command else [str(tmp_path / "nonsense")]
    result = run(*mode, f"--termination-log={log}", *words)
    assert result.returncode == status
    assert f"[dumb-init] cannot write to '{log}' (--termination-log): Too many levels of symbolic links\n" \
        in result.stderr
    assert log.is_symlink()
    if target == "file":
        assert victim.read_text() == "as it was\n"
    else:
        assert os.listdir(tmp_path) == ["log"]


def test_termination_log_is_not_written_through_a_link_that_command_plants(
        run, mode, tmp_path):
    log, victim = tmp_path / "log", tmp_path / "victim"
    log.write_text("")
    script = f"ln -sf {victim} {log}; kill -USR1 $$"
    result = run(*mode, f"--termination-log={log}", "sh", "-c", script)
    assert result.returncode == 128 + signal.SIGUSR1
    assert f"cannot write to '{log}' " in result.stderr
    assert not victim.exists()


# Inputs of any length, and a small stack

SMALL_STACK = ["/bin/sh", "-c", 'ulimit -s 128; exec "$@"', "sh"]
LONG = 100_000


def starts(run, helper, variables, command=None):
    """Runs the init with only these variables and a stack of 128 KiB."""
    command = command or [helper("thread_end"), "race"]
    return run(*command, env={"PATH": "/usr/bin:/bin"} | variables,
               before=SMALL_STACK)


@pytest.mark.parametrize("options", ["-q ", "-qrUSR1:0 ", "-q" + " " * 98 + "\t"],
                         ids=["words", "rewrites", "blanks"])
def test_variable_with_100000_bytes_of_options_works_on_a_small_stack(
        run, helper, options):
    value = (options * LONG)[:LONG - 10].rpartition(" ")[0] + " "
    assert len(value) > LONG - 30 or "\t" in options
    result = starts(run, helper, {"DUMB_INIT_OPTIONS": value})
    assert (result.returncode, result.stderr) == (3, "")


@pytest.mark.parametrize("value, shown", [
    ("-q " * (LONG // 3) + "--nonsense", "--nonsense"),
    ("-q " * (LONG // 3) + "nonsense", "nonsense"),
    ("x" * LONG, "xxx"), ("--" + "x" * LONG, "xxx"), ("-r " + "x" * LONG, "xxx")],
    ids=["option last", "word last", "a word", "an option", "an argument"])
def test_wrong_variable_with_100000_bytes_is_1_and_a_clear_line(
        run, helper, value, shown):
    result = starts(run, helper, {"DUMB_INIT_OPTIONS": value})
    assert result.returncode == 1
    assert shown in result.stderr and "DUMB_INIT_OPTIONS" in result.stderr
    assert len(result.stderr) < 2000


# A few thousand directories, as each is a system call.
PATHS = {"directories": ("/" + "x" * 31 + ":") * (LONG // 33),
         "one directory": "/x" * (LONG // 2) + ":",
         "empty ones": ":" * 2000 + "/x" * (LONG // 2 - 1000) + ":"}


@pytest.mark.parametrize("path", PATHS)
def test_path_of_100000_bytes_works_on_a_small_stack(run, helper, path):
    directory, name = os.path.split(helper("thread_end"))
    result = starts(run, helper, {"PATH": PATHS[path] + directory},
                    command=[name, "race"])
    assert (result.returncode, result.stderr) == (3, "")


@pytest.mark.parametrize("path", PATHS)
def test_name_not_in_a_path_of_100000_bytes_is_127_and_a_clear_line(run, helper, path):
    result = starts(run, helper, {"PATH": PATHS[path].rstrip(":") + "/x"},
                    command=["nonsense-7"])
    assert result.returncode == 127
    first, hint = result.stderr.splitlines()
    assert first == "[dumb-init] cannot execute 'nonsense-7': No such file or directory"
    assert "not in PATH" in hint and len(hint) < 1024


# Files, where stdin is closed


def files_of(pid):
    return sorted(os.listdir(f"/proc/{pid}/fd"))


CLOSED = "echo ready $PPID; kill -STOP $$; echo again; kill -STOP $$; exec sleep 60"


def test_closed_stdin_stays_closed_after_stops_in_a_script_on_a_terminal(start):
    """The script leads the session: dumb-init is not a job and does not stop."""
    started = start("-g", "sh", "-c", CLOSED, terminal=True,
                    before=["sh", "-c", '"$@" <&-; echo ended', "sh"])
    ours = int(started.expect(rb"ready (\d+)\r?\n")[1])
    command, = children(ours)
    for then in ("again", None):
        wait_until(lambda: state(command) == "T", "the process to stop")
        wait_until(lambda: waits_for_good(ours), "the next wait")
        assert files_of(ours) == ["1", "2"]
        if then:
            os.kill(ours, signal.SIGCONT)
            started.expect(then)
    os.kill(command, signal.SIGKILL)
    started.expect("ended")


def test_closed_stdin_stays_closed_when_a_job_has_the_terminal_and_stops(shell):
    """COMMAND gets the terminal at its SIGTTIN."""
    shell.sendline("$INIT -g sh -c 'echo ready $PPID; read line </dev/tty; "
                   "echo got $line; exec sleep 60' <&-")
    shell.expect(r"ready (\d+)\r\n")
    ours = int(shell.match[1])
    shell.sendline("this")
    shell.expect_exact("got this\r\n")
    wait_until(lambda: waits_for_good(ours), "the end of the start")
    assert files_of(ours) == ["1", "2"]
    for _ in range(2):
        shell.send("\x1a")
        shell.expect("Stopped")
        shell.expect_exact("prompt> ")
        assert state(ours) == "T"
        assert files_of(ours) == ["1", "2"]
        shell.sendline("fg")
        wait_until(lambda: state(ours) != "T" and waits_for_good(ours),
                   "the init's next wait")
        assert files_of(ours) == ["1", "2"]
    shell.send("\x03")
    shell.expect_exact("prompt> ")
