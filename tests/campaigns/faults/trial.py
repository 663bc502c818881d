"""One fault: a system call is made to fail, and the outcome is checked."""

import collections
import contextlib
import ctypes
import os
import re
import signal
import time

from subject import LIMIT
from watch import children, state, wait_until

# when: "once" (only the call with this number fails) or "always" (from that one on).
Case = collections.namedtuple("Case", "options phase call errno when number last")

PHASES = ["start", "child", "settle", "run", "end"]

SOON = 0.5  # seconds, for signals that do not come as long as the call fails
HELD = 1    # seconds, for an exit that does not come as long as the call fails
STATUS = 7  # COMMAND's exit status
BUSY = 20   # failed calls in 50 ms; dumb-init retries a failed wait every 20 ms

NOTHING = "no difference"
REFUSED = "a warning: the signal cannot be sent"
GONE = "the kernel reports that the target is gone: the signal is lost"
LATE = "signals wait until the call works again"
LATE_END = "exits once the call works again"
WARNED = "a warning"
ELSEWHERE = "a warning: another process adopts orphans"
UNKNOWN = "as on a kernel without this call, Linux < 3.4: no warning"
UNENDED = "a warning: remaining processes are not terminated"
ALONE = "the kernel reports no child: exits"
TERMINAL = "COMMAND also gets SIGHUP and SIGCONT of dumb-init's terminal"
REFUSES = ("kill", "pidfd_send_signal", "rt_sigqueueinfo")
TWICE = "COMMAND gets the signal of a key twice"


class Bad(Exception):
    """An outcome that must not happen."""


class Trial:
    """A case, tried on a subject."""

    def __init__(self, case, subject):
        self.case = case
        self.subject = subject
        self.command = None
        self.works = False  # the call that has always failed works again
        self.late = []      # signals that have not arrived
        self.notes = set()

    def is_always(self, *calls):
        return self.case.when == "always" and self.case.call in calls

    def is_lie(self):
        """Whether the fault says wrongly that the target is gone."""
        return self.case.errno == "ESRCH" and self.case.call in (
            "kill", "pidfd_open", "pidfd_send_signal")

    def outcome(self):
        """The outcome as text; None if the call was not made. Raises Bad."""
        case, subject = self.case, self.subject
        if case.phase in ("start", "child", "settle"):
            self.inject()
        subject.open_gate()
        if not self.is_up():
            return self.refusal()
        if case.phase in ("run", "end"):
            self.inject()
            wait_until(self.is_affected, "idleness")
        self.command = wait_until(subject.find_command, "COMMAND")
        self.events()
        if case.phase != "end":
            self.never_busy()
            if case.when == "always":
                subject.detach()
                self.works = True
            self.all_is_well()
        self.end()
        self.never_strange()
        subject.detach()
        if not subject.injected():
            return None
        if case.call == "prctl" and not self.notes:
            raise Bad("expected a warning, got none")
        if len(self.notes) > 1:
            self.notes.discard(WARNED)  # the other note says which warning
        return "; ".join(sorted(self.notes)) or NOTHING

    def inject(self):
        case = self.case
        when = str(case.number)
        if case.when == "always":
            when += f"..{case.last}" if case.last else "+"
        self.subject.inject(case.call, case.errno, when, case.phase == "child")

    def is_affected(self):
        at_once = self.case.call == "rt_sigtimedwait" and self.case.number == 1
        return self.subject.injected() > 0 or (not at_once and self.subject.is_idle())

    def is_up(self):
        """Waits until COMMAND runs and the init is idle. False if the init exits."""
        subject = self.subject
        busy = self.is_always("rt_sigtimedwait", "waitid")
        if not subject.heard("ready"):
            return False
        if subject.lines()["blocked\n"]:
            raise Bad("COMMAND starts with signals blocked")
        wait_until(lambda: subject.popen.poll() is not None or subject.is_idle()
                   or (busy and subject.injected() > 0), "idleness")
        return subject.popen.poll() is None

    def refusal(self):
        """The outcome if the init exits at the start. It must say why."""
        subject = self.subject
        status = subject.ended()
        lines = subject.said()
        if status is None:
            raise Bad("hangs at the start")
        if status not in (1, 126, 127):
            raise Bad(f"exited with {status}: {lines}")
        if not lines or not all(re.match(r"\[dumb-init\] .", line) for line in lines):
            raise Bad(f"expected messages of dumb-init, got {lines}")
        if not subject.pause:
            while subject.listen(LIMIT):
                pass
            if subject.text or not subject.at_end:
                raise Bad("a process was started nevertheless")
        return f"status {status}, and a line that says why"

    def send(self, signum, value):
        subject = self.subject
        if subject.popen.poll() is not None:
            raise Bad(f"exited early, with {subject.popen.returncode}")
        if value is None:
            subject.send(subject.pid, signum)
        else:
            subject.sent[str(int(signum))] += 1
            ctypes.CDLL(None).sigqueue(subject.pid, int(signum), ctypes.c_void_p(value))

    def is_refused(self, signum):
        line = f"cannot send {signal.Signals(signum).name} to"
        return self.case.call in REFUSES and any(
            line in each for each in self.subject.said())

    def is_hopeless(self, signum):
        """Returns a function that is called repeatedly while a signal has not arrived.
        It returns true when the signal will not arrive."""
        before = self.subject.injected()
        failed = []  # the times at which a failed call was seen
        slow = not self.works and (
            self.is_lie() or self.is_always("rt_sigtimedwait", "clock_gettime"))

        def hopeless():
            if slow and self.subject.injected() > before:
                failed.append(time.monotonic())
            return self.is_refused(signum) or (
                failed and time.monotonic() - failed[0] > SOON)
        return hopeless

    def forward(self, signum, value=None):
        """Sends a signal and records the outcome. Returns whether it was forwarded."""
        self.send(signum, value)
        if self.subject.pause:
            return True
        word = str(int(signum))
        if self.subject.heard(word, self.is_hopeless(signum)):
            return True
        if self.works:
            raise Bad(f"{signum.name} is lost although the call works again")
        if self.is_refused(signum):
            self.notes.add(REFUSED)
        elif self.is_lie():
            self.notes.add(GONE)
        elif self.case.when == "always":
            self.notes.add(LATE)
            self.late.append(signum)
        else:
            raise Bad(f"{signum.name} is lost")
        return False

    def orphan(self, signum=signal.SIGUSR2):
        """Makes three orphans that exit at once (SIGUSR2), or one (SIGURG)."""
        self.subject.send(self.command, signum)
        if not self.subject.heard(str(int(signum))):
            raise Bad("COMMAND does not run")

    def events(self):
        """Events that make the init call while COMMAND runs: signals and orphans."""
        self.forward(signal.SIGUSR1)
        words = self.subject.options.words
        if "-dHUP:0.02" in words:
            self.forward(signal.SIGHUP)
        if "-g" in words:
            self.forward(signal.SIGCONT)
        if "-c" in words:
            self.forward(signal.SIGRTMIN, value=7)
        if "-c" in words and self.subject.terminal:
            self.type_key()
        self.orphan()

    def type_key(self):
        """^C goes to the foreground group, which both are in."""
        self.subject.sent["2"] += 1
        os.write(self.subject.terminal[0], b"\3")
        if not self.subject.heard("2"):
            raise Bad("COMMAND is not in the init's group")

    def never_busy(self):
        """The init must not stay busy. It tries for a while before it believes that a
        process is gone, so the limit is long."""
        deadline = time.monotonic() + 3 * LIMIT
        while self.case.when == "always":
            before = self.subject.injected()
            time.sleep(0.05)
            if self.subject.injected() - before <= BUSY:
                return
            if time.monotonic() > deadline:
                raise Bad("busy while the call fails")

    def all_is_well(self):
        """The call that has always failed works again. Then everything must work."""
        subject = self.subject
        for signum in self.late:
            if not subject.heard(str(int(signum))):
                raise Bad(f"{signum.name} is lost")
        self.no_zombie()
        self.forward(signal.SIGWINCH)
        self.orphan()
        self.no_zombie()

    def no_zombie(self):
        """After ECHILD in a pause, the init believes that it has no child until
        another one exits."""
        believed = self.subject.pause and self.case.errno == "ECHILD"
        deadline = time.monotonic() + LIMIT
        while set(children(self.subject.pid)) - {self.command}:
            if time.monotonic() > deadline:
                raise Bad("a zombie is left")
            if believed:
                self.orphan()
            time.sleep(0.05 if believed else 0.002)

    def end(self):
        """Asks COMMAND to exit; directly, if the init does not forward the signal."""
        subject = self.subject
        if subject.options.left:
            self.orphan(signal.SIGURG)
        if subject.pause:
            self.forward(signal.SIGTERM)
        elif subject.options.killed:
            os.kill(self.command, signal.SIGKILL)
        elif self.case.phase == "end":
            subject.send(self.command, signal.SIGTERM)
        elif not self.forward(signal.SIGTERM):
            subject.send(self.command, signal.SIGTERM)
        early = "-W" in subject.options.words and self.end_the_rest()
        status = subject.ended() if early else self.status()
        if status is None:
            raise Bad("does not exit")
        killed = 128 + signal.SIGKILL
        if status != (0 if subject.pause else killed if subject.options.killed
                      else STATUS):
            raise Bad(f"exited with {status}")
        if (self.case.call, self.case.errno) == ("prctl", "EINVAL"):
            self.notes.add(UNKNOWN)
        for line in subject.said():
            if "orphans will not be reaped" in line:
                self.notes.add(ELSEWHERE)
            elif "cannot send" in line and self.case.call in REFUSES:
                self.notes.add(REFUSED)
            elif "exiting anyway" in line:
                self.notes.add(UNENDED)
            elif re.search("cannot|could not", line):
                self.notes.add(WARNED)

    def end_the_rest(self):
        """Kills the remaining processes. Returns whether the init exited before."""
        subject = self.subject
        wait_until(lambda: state(self.command) in "XZ", "COMMAND's exit")
        if subject.ended(0.1) is not None:
            if self.case.errno == "ECHILD":
                self.notes.add(ALONE)
            elif self.case.call != "prctl":
                raise Bad("exited before the remaining processes")
            return True
        for pid in children(subject.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return False

    def status(self):
        """The init's status. If it does not exit while the call fails, the call works
        again."""
        if self.case.phase != "end":
            return self.subject.ended()
        slow = self.is_always("wait4", "waitid", "kill", "rt_sigtimedwait",
                              "clock_gettime")
        status = self.subject.ended(HELD if slow else LIMIT)
        if status is None:
            self.subject.detach()
            status = self.subject.ended()
            self.notes.add(LATE_END)
        return status

    def never_strange(self):
        """COMMAND must have received exactly the signals that were sent."""
        subject = self.subject
        while subject.listen(0):
            pass
        got = collections.Counter({word[:-1]: count for word, count
                                   in subject.lines().items() if word != "ready\n"})
        strange = got - subject.sent
        if strange == {"1": 1, "18": 1} and subject.options.terminal:
            self.notes.add(TERMINAL)
        elif strange == {"2": 1} and self.case.call == "getpgid":
            self.notes.add(TWICE)
        elif strange:
            raise Bad(f"COMMAND got {dict(strange)}")
