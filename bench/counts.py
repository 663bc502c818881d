"""Counts bytes, system calls and wake-ups, which are free of noise."""

import itertools
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time

import harness
from harness import counted
from results import Column, Row, Table

SIGNALS = 100


def size_with_libraries(path):
    """The size of a program, of its loader and of its libraries."""
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    libraries = re.findall(r"(/\S+) \(", listed.stdout)
    return sum(os.path.getsize(file) for file in [path, *libraries])


def calls_before_command(init, command, trace):
    """The fewest of a few runs: a slow start costs the calls of another wait."""
    return min(count_before_command(init, command, trace) for _ in range(5))


def count_before_command(init, command, trace):
    """System calls after the execve of the init, including its child's, up to the
    execve of COMMAND. Waits of the two processes for each other and for signals are
    not counted, because they delay nothing."""
    subprocess.run(["strace", "-qq", "-f", "-o", trace, *init.words(), command],
                   check=True, env=harness.ENVIRONMENT, timeout=harness.LIMIT)
    with open(trace, encoding="ascii", errors="replace") as file:
        calls = [line.split(None, 1)[1] for line in file
                 if "resumed>" not in line and " --- " not in line]
    names = [call.partition("(")[0] for call in itertools.takewhile(
        lambda call: not call.startswith(f'execve("{command}"'), calls)]
    waits = names.count("futex") + max(0, names.count("rt_sigtimedwait") - 1)
    return len(names) - waits


def calls_for_a_signal(init, receiver, trace):
    """The init's system calls from one forwarded signal to the next."""
    strace = ["strace", "-qq", "-o", trace, "-e", "signal=none"]
    with harness.running([*strace, *init.words()], receiver) as traced:
        traced.pid, = harness.children(traced.popen.pid)
        for _ in range(SIGNALS):
            os.kill(traced.pid, signal.SIGUSR1)
            traced.answer()
    with open(trace, encoding="ascii", errors="replace") as file:
        sent = [i for i, line in enumerate(file)
                if re.match(r"t?kill\(.*SIGUSR1", line)]
    return int(statistics.median(b - a for a, b in zip(sent, sent[1:])))


def wake_ups(inits, receiver, seconds):
    """The wake-ups of each idle init in a second; all run at the same time."""
    def switches(process):
        fields = harness.numbers(process.pid, "status")
        return (fields["voluntary_ctxt_switches"] +
                fields["nonvoluntary_ctxt_switches"])
    processes = [harness.Running(init.words(), receiver) for init in inits]
    time.sleep(0.5)  # then tini's one-second period starts
    before = [switches(process) for process in processes]
    time.sleep(seconds)
    after = [switches(process) for process in processes]
    for process in processes:
        process.end()
    return [(b - a) / seconds for a, b in zip(before, after)]


def measure(inits, programs, scale):
    table = Table("counts", "Counted", [
        Column("file", "bytes", better=None),
        Column("file and its libraries", "bytes", name="Size, libraries included"),
        Column("before COMMAND", "calls", name="System calls before COMMAND runs"),
        Column("for a signal", "calls", name="System calls for a forwarded signal"),
        Column("wake-ups a second", name="Wake-ups a second while idle")])
    receiver = [programs["signals"], "receive", "1"]
    woken = wake_ups(inits, receiver, max(2, round(10 * scale)))
    with tempfile.NamedTemporaryFile() as trace:
        for init, wakes in zip(inits, woken):
            path = os.path.realpath(init.path)
            table.rows.append(Row(init.title, [
                counted(os.path.getsize(path)),
                counted(size_with_libraries(path)),
                counted(calls_before_command(init, programs["raw_init"], trace.name)),
                counted(calls_for_a_signal(init, receiver, trace.name)),
                counted(wakes)]))
    return [table]
