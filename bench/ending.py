"""The time from the exit of the last process to that of the init (straggler.c)."""

import os
import select
import subprocess
import sys
import time

import harness
from harness import quantile, taking_turns
from results import Column, Row, Table


def microseconds(words, command, as_pid_1=False):
    """From the time that COMMAND, or its helper, prints to the exit of the init."""
    around = harness.AS_PID_1 if as_pid_1 else []
    popen = subprocess.Popen([*around, *words, *command], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, bufsize=0,
                             env=harness.ENVIRONMENT)
    popen.stdout.read(8)
    try:
        pid = harness.children(popen.pid)[0] if as_pid_1 else popen.pid
        process = os.pidfd_open(pid)
    except (IndexError, ProcessLookupError):  # this program was late: once more
        popen.stdout.close()
        popen.wait()
        return microseconds(words, command, as_pid_1)
    if not select.select([process], [], [], harness.LIMIT)[0]:
        sys.exit(f"{popen.args}: expected an exit, got none")
    ended = time.monotonic_ns()
    os.close(process)
    said = popen.stdout.read()
    popen.stdout.close()
    if popen.wait() != 0:
        sys.exit(f"{popen.args}: status {popen.returncode}")
    return (ended - int.from_bytes(said, "little")) / 1000


def measure(inits, programs, scale):
    table = Table("ending", "Exit", [
        Column("after COMMAND", "µs", spread=True),
        Column("after the last helper", "µs", spread=True),
        Column("after the last helper, as PID 1", "µs", spread=True)])
    alone, helper = [programs["straggler"]], [programs["straggler"], "helper"]
    measured = [*inits, harness.raw_init(programs)]
    cases = []
    for init in measured:
        cases.append((init, 0, init.words(), alone, False))
        if init.grace is not None:
            with_grace = init.words(*init.grace)
            cases += [(init, 1, with_grace, helper, False),
                      (init, 2, with_grace, helper, True)]
    samples = {}
    for init, column, *arguments in taking_turns(cases, max(10, round(500 * scale))):
        samples.setdefault((init.path, column), []).append(microseconds(*arguments))
    for init in measured:
        table.rows.append(Row(init.title, [
            quantile(samples[init.path, column]) if (init.path, column) in samples
            else None for column in range(3)], init.limit))
    return [table]
