"""Functions that observe processes and wait for events, for all tests."""

import os
import pathlib
import re
import time

import psutil

# The limit of a wait on an idle machine, in seconds. Most waits take milliseconds;
# tests/kernels sets a longer limit for an emulated processor.
TIMEOUT = int(os.environ.get("TEST_PATIENCE", 20))
# The load multiplies the limit by at most this, so that a test that hangs ends.
MOST = 10
# /proc/PID/syscall, proc(5), during rt_sigtimedwait(2) with a set, a siginfo and no
# timeout: dumb-init waits in this way once it has read the counts of its cgroup.
WAITS_FOR_GOOD = r"^[0-9]+ (0x[0-9a-f]{5,} ){2}0x0 0x(8|10) "


def scaled(seconds):
    """Seconds on an idle machine, as seconds under the load of this moment."""
    load = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    return seconds * min(max(1, load), MOST)


def duration(milliseconds):
    """A duration for an option, scaled, so that a process can act before it expires."""
    return f"{scaled(milliseconds):.0f}ms"


def patience():
    """The limit of a wait at the present load, in seconds."""
    return scaled(TIMEOUT)


def wait_until(condition, what="a true value"):
    """Returns the first true value of condition(). what: its name in the message."""
    begun = time.monotonic()
    while not (value := condition()):
        limit = patience()
        assert time.monotonic() - begun < limit, \
            f"expected {what} within {limit:.0f} s, got {value!r}"
        time.sleep(0.002)
    return value


def state(pid):
    """The letter that ps shows: R, S, T, Z ...; X when there is no process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "X"
    return text.rpartition(")")[2].split()[0]


def children(pid):
    """PIDs of the children of a process, zombies included."""
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def status_field(pid, name):
    """A field of /proc/PID/status, proc(5)."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.partition(":")[2].strip()
    raise KeyError(name)


def sleeps_on(pid):
    """Whether the process does not run at all for a second. It may have to be asked
    again: the kernel shows the state S before it counts the switch to it."""
    def switches():
        return [status_field(pid, kind + "_ctxt_switches")
                for kind in ("voluntary", "nonvoluntary")]
    before = switches()
    time.sleep(1)  # what is measured: a second in which nothing happens
    return switches() == before


def memory(pid):
    """Private memory, in use and swapped, in kB. Pages of a file do not count, as the
    kernel may drop them and read them again at any time: smaps in proc(5)."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        fields = {line.split()[0]: line.split()[1] for line in rollup}
    return int(fields["Anonymous:"]) + int(fields["Swap:"])


def waits_for_good(pid):
    text = pathlib.Path(f"/proc/{pid}/syscall").read_text()
    # At the end of the call a tracer still shows it, in the state t.
    return re.match(WAITS_FOR_GOOD, text) is not None and state(pid) == "S"


def maps_other_users():
    """Whether this user namespace has other users."""
    return pathlib.Path("/proc/self/uid_map").read_text().split()[2] != "1"
