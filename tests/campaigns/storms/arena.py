"""Shared by the storms: an init as PID 1 of a namespace, a COMMAND that takes orders,
and checks of both."""

import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[3]
# For soak and steps, which import this module first.
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "bench")]

from harness import children, processor_time
import watch
# The storms import some of these from here.
from watch import (maps_other_users, memory, state, status_field, wait_until,
                   waits_for_good)

AS_PID_1 = [str(ROOT / "tools" / "in-pid-namespace")]
PATIENCE = 60  # seconds, enough for much work on a busy machine
watch.TIMEOUT = PATIENCE
# All signals that can be sent to PID 1 from outside, except SIGKILL and SIGSTOP, which
# end or stop it, and SIGCHLD; and those of them that stop COMMAND in session mode.
ORDINARY = [signum for signum in range(1, 32) if signum not in (9, 17, 19)]
JOB_STOP = [20, 21, 22]


class Skipped(Exception):
    """This storm cannot run here."""


@dataclass
class Place:
    """The parameters of a storm. scale: 1 for a full storm, less for a part of it."""
    init: str
    helpers: pathlib.Path
    scale: float
    random: object = None

    def helper(self, name, *words):
        return [str(self.helpers / name), *map(str, words)]

    def part(self, count, least):
        """count at full scale, otherwise the part of it, but at least `least`."""
        return max(least, round(count * self.scale))


def set_of(signums):
    """The set of signals in hex, as in /proc/PID/status."""
    return f"{sum(1 << (signum - 1) for signum in signums):x}"


def exit_code(popen, limit=PATIENCE):
    """The exit code as in a shell: 128+N if signal N killed the process."""
    with os.fdopen(os.pidfd_open(popen.pid)) as process:
        assert select.select([process], [], [], limit)[0], \
            f"expected an exit in {limit} s, got none"
    code = popen.wait()
    return code if code >= 0 else 128 - code


class Init:
    """A running init. before: words that run it, inside its namespace."""

    def __init__(self, words, before=(), as_pid_1=True):
        self.errors = os.fdopen(os.memfd_create("stderr"), "r+b")
        self.said = b""
        self.popen = subprocess.Popen(
            [*(AS_PID_1 if as_pid_1 else []), *before, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            bufsize=0)
        self.as_pid_1 = as_pid_1
        self._pid = None

    @property
    def pid(self):
        """The init's PID, in the PID namespace of this program."""
        if not self.as_pid_1:
            return self.popen.pid
        if self._pid is None:
            # Before, the child is one by which in-pid-namespace tries unshare.
            comm = pathlib.Path(f"/proc/{self.popen.pid}/comm")
            wait_until(lambda: comm.read_text() == "unshare\n", "unshare")
            self._pid, = wait_until(lambda: children(self.popen.pid), "the init")
        return self._pid

    @property
    def command(self):
        """COMMAND's PID: the eldest child of the init."""
        return min(children(self.pid))

    def hear(self, limit=PATIENCE):
        """The next line of COMMAND."""
        deadline = time.monotonic() + limit
        while b"\n" not in self.said:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.popen.stdout], [], [], left)[0], \
                f"expected a line of COMMAND in {limit} s, got none"
            read = os.read(self.popen.stdout.fileno(), 4096)
            assert read, "expected a line, got COMMAND's exit with status " \
                f"{exit_code(self.popen)}: {self.complaints()}"
            self.said += read
        line, _, self.said = self.said.partition(b"\n")
        return line.decode()

    def tell(self, text):
        self.popen.stdin.write(f"{text}\n".encode())

    def ask(self, text):
        """Sends a line to COMMAND, and returns the answer."""
        self.tell(text)
        return self.hear()

    def report(self):
        """The counts of COMMAND, turmoil.c."""
        return json.loads(self.ask("report"))

    def end(self, status):
        """Lets turmoil.c exit with this status."""
        self.tell(f"exit {status}")
        self.expect_status(status)

    def expect_status(self, status):
        """The init must exit with COMMAND's status."""
        got = exit_code(self.popen)
        assert got == status, f"expected COMMAND's status {status}, got {got}"

    def complaints(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def footprint(self):
        """The resources that must not grow: kB of memory, open files, threads."""
        return {"memory": memory(self.pid),
                "files": sorted(os.listdir(f"/proc/{self.pid}/fd")),
                "threads": status_field(self.pid, "Threads")}

    def expect_no_growth(self, before):
        """Since footprint returned before. Memory may shrink: that of the start is
        freed late on a busy machine."""
        after = self.footprint()
        most = max(before["memory"], after["memory"])
        assert after | {"memory": most} == before, f"expected {before}, got {after}"

    def used(self):
        """Processor time of the init, in ns."""
        return processor_time(self.pid)

    def expect_alone(self):
        """Waits until COMMAND is the only child: no zombie, and no orphan."""
        wait_until(lambda: len(children(self.pid)) == 1,
                   "the exit of all children except COMMAND")

    def close(self):
        """Kills the init, if it still runs, so that no process is left."""
        with contextlib.suppress(ProcessLookupError):
            self.popen.kill()
        self.popen.wait()
        for file in (self.popen.stdin, self.popen.stdout, self.errors):
            file.close()


@contextlib.contextmanager
def running(*arguments, **options):
    init = Init(*arguments, **options)
    try:
        yield init
    finally:
        init.close()


class Flood:
    """A running sender, flood.c."""

    def __init__(self, place, kind, pid, *words):
        self.popen = subprocess.Popen(place.helper("flood", kind, pid, *words),
                                      stdout=subprocess.PIPE, text=True)

    def result(self):
        """The number of signals that were sent, and of those that were refused."""
        said, _ = self.popen.communicate(timeout=PATIENCE)
        assert self.popen.returncode == 0, "a sender has failed"
        sent, refused = said.split()
        return int(sent), int(refused)

    def close(self):
        self.popen.kill()
        self.popen.communicate()


@contextlib.contextmanager
def floods(place, *arguments):
    """Several floods at the same time, each with its own arguments."""
    senders = [Flood(place, *each) for each in arguments]
    try:
        yield senders
    finally:
        for sender in senders:
            sender.close()


def wait_for_report(init, condition, what):
    """COMMAND's first report that fulfils the condition. Fails if the reports stop
    changing before that."""
    report, since = init.report(), time.monotonic()
    while not condition(report):
        assert time.monotonic() - since < PATIENCE, f"{what}: {summary(report)}"
        time.sleep(0.01)
        before, report = report, init.report()
        if report != before:
            since = time.monotonic()
    return report


def summary(report):
    """The report as a short text."""
    return f"{sum(report['received'][:32]):,} ordinary and {realtime(report):,} " \
        f"real-time signals received, {report['queued']:,} with a value, " \
        f"{report['wrong']:,} of these out of turn"


def realtime(report):
    """The number of real-time signals received."""
    return sum(report["received"][32:])
