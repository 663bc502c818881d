"""The cost of orphans, of each one and of a million (orphans.c). The init is PID 1
of a namespace, as in a container."""

import time

import harness
import memory
from harness import counted, quantile, taking_turns
from results import Column, Row, Table

AT_ONCE = 1000
CHUNKS = 40
MILLION = 1_000_000
OTHERS_REAP = 100_000


def make_and_reap(process, count):
    """Lets COMMAND make count orphans. Returns the time until all are reaped, and the
    init's processor time, in ns."""
    begin, used = time.monotonic_ns(), harness.processor_time(process.pid)
    process.popen.stdin.write(f"{count}\n".encode())
    process.popen.stdin.flush()
    process.answer(limit=10 * harness.LIMIT)
    harness.wait_until(lambda: len(harness.children(process.pid)) == 1,
                       "the last orphan's end")
    return (time.monotonic_ns() - begin, harness.processor_time(process.pid) - used)


def one_by_one(inits, program, scale):
    table = Table("orphans", "Orphans", [
        Column("processor time for each", "µs", spread=True,
               name="Processor time for an orphan"),
        Column("orphans a second", "", better="more", spread=True,
               name="Orphans made and reaped in a second")])
    processes = {init.path: harness.Running(init.words(), [program], as_pid_1=True)
                 for init in inits}
    samples = {init.path: [] for init in inits}
    for process in processes.values():
        make_and_reap(process, AT_ONCE)
    for init in taking_turns(inits, max(4, round(CHUNKS * scale))):
        samples[init.path].append(make_and_reap(processes[init.path], AT_ONCE))
    for init in inits:
        processes[init.path].end()
        table.rows.append(Row(init.title, [
            quantile([used / AT_ONCE / 1000 for _, used in samples[init.path]]),
            quantile([AT_ONCE * 1e9 / clock for clock, _ in samples[init.path]])],
            init.limit))
    return table


def million(inits, program, scale):
    table = Table("million", "Many orphans", [
        Column("orphans", better=None),
        Column("resident memory before", "kB", better=None),
        Column("resident memory after", "kB", better=None),
        Column("processor time for each", "µs", better=None),
        Column("time for all", "s", better=None)])
    for init in inits:
        count = round((MILLION if init is inits[0] else OTHERS_REAP) * scale)
        with harness.running(init.words(), [program], as_pid_1=True) as process:
            # Start-up ends after 5 ms of quiet, or 8 wake-ups.
            make_and_reap(process, 10)
            time.sleep(0.03)
            before = memory.usage(process.pid)
            clock, used = make_and_reap(process, count)
            after = memory.usage(process.pid)
        table.rows.append(Row(init.title, [
            counted(value) for value in
            (count, before[0], after[0], used / count / 1000, clock / 1e9)]))
        table.extra.setdefault("ours", (before, after))
    return table


def measure(inits, programs, scale):
    program = programs["orphans"]
    return [one_by_one([*inits, harness.raw_init(programs)], program, scale),
            million(inits, program, scale)]
