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
DECADES = [1000, 10_000, 100_000, MILLION]
PEERS_MAKE = 100_000


def collect(process, count):
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
               name="Orphans made and collected a second")])
    processes = {init.path: harness.Running(init.words, [program], as_pid_1=True)
                 for init in inits}
    samples = {init.path: [] for init in inits}
    for process in processes.values():
        collect(process, AT_ONCE)
    for init in taking_turns(inits, max(4, round(CHUNKS * scale))):
        samples[init.path].append(collect(processes[init.path], AT_ONCE))
    for init in inits:
        processes[init.path].end()
        table.rows.append(Row(init.name, init.version, [
            quantile([used / AT_ONCE / 1000 for _, used in samples[init.path]]),
            quantile([AT_ONCE * 1e9 / clock for clock, _ in samples[init.path]])],
            limit=init.version == ""))
    return table


def by_decades(init, program, most):
    """Memory before and after each number of orphans, and seconds of real time and of
    processor time."""
    sizes, clocks, processor = [], [], []
    with harness.running(init.words, [program], as_pid_1=True) as process:
        collect(process, 10)
        sizes.append(memory.usage(process.pid))
        made = clock = used = 0
        for count in DECADES:
            if count > most:
                break
            took = collect(process, count - made)
            made, clock, used = count, clock + took[0], used + took[1]
            sizes.append(memory.usage(process.pid))
            clocks.append(clock / 1e9)
            processor.append(used / 1e9)
    return sizes, clocks, processor


def million(inits, program, scale):
    names = ["10", *(f"{count:,}" for count in DECADES)]
    resident = Table("million_memory", "Resident memory after so many orphans", [
        Column(name, "kB", name=f"Resident memory after {name} orphans")
        for name in names])
    seconds = Table("million_time", "Processor time for so many orphans", [
        Column(name, "s", better=None) for name in names[1:]])
    clock = Table("million_clock", "Time for so many orphans", [
        Column(name, "s", better=None) for name in names[1:]])
    for init in inits:
        most = (MILLION if init.has_grace else PEERS_MAKE) * scale
        sizes, clocks, processor = by_decades(init, program, most)
        for table, values in ((resident, [size[0] for size in sizes]),
                              (seconds, processor), (clock, clocks)):
            figures = [counted(value) for value in values]
            figures += [None] * (len(table.columns) - len(figures))
            table.rows.append(Row(init.name, init.version, figures))
        resident.extra.setdefault("ours", sizes)
    return [resident, seconds, clock]


def measure(inits, programs, scale):
    limit = harness.Init("raw_init", "", programs["raw_init"])
    program = programs["orphans"]
    return [one_by_one([*inits, limit], program, scale),
            *million(inits, program, scale)]
