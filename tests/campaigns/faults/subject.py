"""An init whose system calls are made to fail, and its COMMAND."""

import collections
import fcntl
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import termios
import time

from watch import children, wait_until, waits_for_good

LIMIT = 60  # seconds, for events that come at once unless a test fails
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]

# left: the init waits for processes that outlive COMMAND. killed: COMMAND is killed.
Options = collections.namedtuple("Options", "words pid1 terminal left killed",
                                 defaults=[False, False, False, False])


class Subject:
    """A program that waits at a gate. Once that is open, it becomes the init."""

    def __init__(self, options, init, helpers):
        self.options = options
        self.pause = "--pause" in options.words
        self.strace = None
        self.text = b""  # COMMAND's output; `sent` counts the signals for it
        self.at_end = False
        self.sent = collections.Counter()
        self.trace = tempfile.NamedTemporaryFile(mode="r", errors="replace")
        self.errors = tempfile.TemporaryFile()
        self.terminal = os.openpty() if options.terminal else ()
        self.popen = self.start(init, helpers)
        self.pid = self.popen.pid
        if options.pid1:
            self.pid = wait_until(lambda: children(self.popen.pid), "unshare")[0]
        wait_until(lambda: pathlib.Path(f"/proc/{self.pid}/comm").read_text()
                   == "gate\n", "the gate")

    def start(self, init, helpers):
        gate, self.gate = os.pipe()
        words = [f"{helpers}/gate", str(gate), init, *self.options.words]
        if self.pause:
            words = ["sh", "-c", f'{helpers}/orphaner & exec "$@"', "sh", *words]
        else:
            words += [f"{helpers}/orphaner"]
        popen = subprocess.Popen(
            [*NAMESPACE * self.options.pid1, *words], pass_fds=[gate],
            stdin=self.terminal[1] if self.terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
            if self.terminal else None)
        os.close(gate)
        return popen

    def open_gate(self):
        os.close(self.gate)
        self.gate = None

    def attach(self, *options):
        """Traces the init from now on."""
        self.strace = subprocess.Popen(
            ["strace", *options, "-e", "signal=none", "-o", self.trace.name, "-p",
             str(self.pid)], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if b"attached" not in self.strace.stderr.readline():
            raise RuntimeError("strace cannot attach")

    def detach(self):
        if self.strace:
            self.strace.terminate()
            self.strace.communicate()
            self.strace = None

    def inject(self, call, errno, when, follow):
        self.attach(*["-f"] * follow, "-e", f"trace={call}", "-e",
                    f"inject={call}:error={errno}:when={when}")

    def injected(self):
        """The number of calls that strace has made fail so far."""
        text = pathlib.Path(self.trace.name).read_text(errors="replace")
        return text.count("(INJECTED)")

    def said(self):
        """The lines on the init's stderr."""
        return os.pread(self.errors.fileno(), 1 << 20, 0).decode().splitlines()

    def send(self, pid, signum):
        self.sent[str(int(signum))] += 1
        os.kill(pid, signum)

    def listen(self, limit):
        """Waits for more output of COMMAND. Returns whether there was some."""
        if not select.select([self.popen.stdout], [], [], limit)[0]:
            return False
        data = os.read(self.popen.stdout.fileno(), 4096)
        self.text += data
        self.at_end = data == b""
        return not self.at_end

    def lines(self):
        """The number of times that COMMAND has printed each line."""
        return collections.Counter(
            line.decode() for line in self.text.splitlines(keepends=True)
            if line.endswith(b"\n"))

    def heard(self, word, until=lambda: False, limit=LIMIT):
        """Waits until COMMAND has printed this word as often as it was sent."""
        deadline = time.monotonic() + limit
        wanted = max(1, self.sent[word])
        while self.lines()[word + "\n"] < wanted:
            left = deadline - time.monotonic()
            if left < 0 or until() or (self.popen.poll() is not None
                                       and not self.listen(0)):
                return False
            self.listen(min(left, 0.02))
        return True

    def ended(self, limit=LIMIT):
        """The status that the init exits with, or None after the limit."""
        if self.popen.poll() is not None:
            return self.popen.returncode
        with os.fdopen(os.pidfd_open(self.popen.pid)) as process:
            if not select.select([process], [], [], limit)[0]:
                return None
        return self.popen.wait()

    def is_idle(self):
        """Whether the init waits without a limit, or has exited."""
        try:
            return waits_for_good(self.pid)
        except OSError:
            return True

    def find_command(self):
        """The PID of COMMAND; in a pause, of the process that makes orphans instead."""
        return next((pid for pid in children(self.pid) if "orphaner" in pathlib.Path(
            f"/proc/{pid}/cmdline").read_text()), None)

    def tidy(self):
        """Kills all processes, and closes the files."""
        if self.gate is not None:
            os.close(self.gate)
        for pid in [*children(self.pid), self.pid, self.popen.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has exited; its PID is not used again so soon
        self.detach()
        self.popen.wait()
        self.popen.stdout.close()
        for each in self.terminal:
            os.close(each)
        self.errors.close()
        self.trace.close()
