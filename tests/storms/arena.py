"""Where a storm takes place: an init as PID 1 of a namespace, with a COMMAND that is
told what to do, and what is to be true of them afterwards."""

import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# For whoever imports this first, too.
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from harness import children, processor_time
import watch
# Some of these are for the storms, which take them from here.
from watch import (maps_other_users, memory, state, status_field, wait_until,
                   waits_for_good)

AS_PID_1 = [str(ROOT / "tools" / "in-pid-namespace")]
PATIENCE = 60  # seconds, where a busy machine has much to do
watch.TIMEOUT = PATIENCE
# All that can be sent to PID 1 from outside, but for what ends or stops it and for
# SIGCHLD; and of these, what stops COMMAND in session mode.
ORDINARY = [signum for signum in range(1, 32) if signum not in (9, 17, 19)]
JOB_STOP = [20, 21, 22]


class Skipped(Exception):
    """This storm cannot be made here."""


@dataclass
class Place:
    """What storms need to know. scale: 1 is all that is asked for, in full."""
    init: str
    helpers: pathlib.Path
    scale: float
    random: object = None

    def helper(self, name, *words):
        return [str(self.helpers / name), *map(str, words)]

    def part(self, count, least):
        """So many, or at this scale less."""
        return max(least, round(count * self.scale))


def set_of(signums):
    """In hex, as in /proc/PID/status."""
    return f"{sum(1 << (signum - 1) for signum in signums):x}"


def exit_code(popen, limit=PATIENCE):
    """As a shell counts: 128+N if signal N killed it."""
    with os.fdopen(os.pidfd_open(popen.pid)) as process:
        assert select.select([process], [], [], limit)[0], \
            f"has not ended after {limit} s"
    code = popen.wait()
    return code if code >= 0 else 128 - code


class Init:
    """An init that runs. before: words that run it, inside of its namespace."""

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
        """The init's, as we see it."""
        if not self.as_pid_1:
            return self.popen.pid
        if self._pid is None:
            self._pid, = wait_until(lambda: children(self.popen.pid), "the init")
        return self._pid

    @property
    def command(self):
        """COMMAND's PID: the eldest that we see below the init."""
        return min(children(self.pid))

    def hear(self, limit=PATIENCE):
        """The next line of COMMAND."""
        deadline = time.monotonic() + limit
        while b"\n" not in self.said:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.popen.stdout], [], [], left)[0], \
                f"COMMAND says nothing for {limit} s"
            read = os.read(self.popen.stdout.fileno(), 4096)
            assert read, "COMMAND has ended, status " \
                f"{exit_code(self.popen)}: {self.complaints()}"
            self.said += read
        line, _, self.said = self.said.partition(b"\n")
        return line.decode()

    def tell(self, text):
        self.popen.stdin.write(f"{text}\n".encode())

    def ask(self, text):
        """Tells COMMAND, and returns what it says."""
        self.tell(text)
        return self.hear()

    def report(self):
        """What turmoil.c has counted."""
        return json.loads(self.ask("report"))

    def end(self, status):
        """Lets turmoil.c end so."""
        self.tell(f"exit {status}")
        self.expect_status(status)

    def expect_status(self, status):
        """The init ends, as COMMAND has."""
        got = exit_code(self.popen)
        assert got == status, f"status {got}, and COMMAND's was {status}"

    def complaints(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def footprint(self):
        """All that must not grow: kB of memory, open files, threads."""
        return {"memory": memory(self.pid),
                "files": sorted(os.listdir(f"/proc/{self.pid}/fd")),
                "threads": status_field(self.pid, "Threads")}

    def used(self):
        """Processor time of the init, in ns."""
        return processor_time(self.pid)

    def expect_alone(self):
        """No zombie, and no orphan: COMMAND is the only child."""
        wait_until(lambda: len(children(self.pid)) == 1,
                   "the end of all children but COMMAND")

    def close(self):
        """Whatever has happened: nothing of it is left."""
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
    """A sender that runs, flood.c."""

    def __init__(self, place, kind, pid, *words):
        self.popen = subprocess.Popen(place.helper("flood", kind, pid, *words),
                                      stdout=subprocess.PIPE, text=True)

    def result(self):
        """How many it has sent, and how many it was refused."""
        said, _ = self.popen.communicate(timeout=PATIENCE)
        assert self.popen.returncode == 0, "a sender has failed"
        sent, refused = said.split()
        return int(sent), int(refused)

    def close(self):
        self.popen.kill()
        self.popen.communicate()


@contextlib.contextmanager
def floods(place, *arguments):
    """Several at the same time; the arguments of each."""
    senders = [Flood(place, *each) for each in arguments]
    try:
        yield senders
    finally:
        for sender in senders:
            sender.close()


def wait_for_report(init, condition, what):
    """The first report of COMMAND of which this is true, as long as more comes."""
    report, since = init.report(), time.monotonic()
    while not condition(report):
        assert time.monotonic() - since < PATIENCE, f"{what}: {told(report)}"
        time.sleep(0.01)
        before, report = report, init.report()
        if report != before:
            since = time.monotonic()
    return report


def told(report):
    """A report in few words."""
    return f"{sum(report['received'][:32]):,} ordinary and {realtime(report):,} " \
        f"real-time signals have come, {report['queued']:,} with a value, " \
        f"{report['wrong']:,} of these out of turn"


def realtime(report):
    """How many signals that queue up have come."""
    return sum(report["received"][32:])
