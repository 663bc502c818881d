"""How tests watch processes: for both kinds, tests/behaviour and tests/engines."""

import pathlib
import time

import psutil

TIMEOUT = 20  # seconds; for what takes milliseconds on an idle machine


def wait_until(condition, what="it"):
    """Returns condition()'s first true value."""
    deadline = time.monotonic() + TIMEOUT
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
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
