"""Start-up, compared with the least time that an init can take.

Times `INIT COMMAND` from its start to its exit, where COMMAND exits at once. Each INIT
is measured in pairs with raw_init (raw_init.c), which makes only the necessary calls.

The time of the harness is part of both times of a pair, so it draws the ratio to 1.
This effect is small. The row "no init" shows the time of COMMAND alone: nearly all of
it is the kernel's work for starting a process, which any init needs. And the same
harness in C gave the same ratios to within a hundredth.
"""

import gc
import os
import sys
import time

import harness
from harness import ENVIRONMENT, quantile, taking_turns
from results import Column, Row, Table

BLOCK = 100  # pairs
WARM_UP = 10


def microseconds(argv, spawn=os.posix_spawn, wait=os.waitpid,
                 now=time.perf_counter_ns):
    start = now()
    pid = spawn(argv[0], argv, ENVIRONMENT)
    status = wait(pid, 0)[1]
    end = now()
    if status != 0:
        sys.exit(f"{' '.join(argv)}: wait status {status:#x}")
    return (end - start) / 1000


def pairs(commands, reference, rounds):
    """For each command its times, and the times of the reference in the same pairs. In
    a pair they take turns at being first. The commands take turns by blocks, each with
    a warm-up: after a dynamic loader has run, every cache is cold."""
    times = {tuple(command): ([], []) for command in commands}
    gc.disable()
    for argv in taking_turns(commands, max(2, rounds // BLOCK)):
        of_command, beside_it = times[tuple(argv)]
        for i in range(-WARM_UP, BLOCK):
            if i % 2:
                mine, its = microseconds(argv), microseconds(reference)
            else:
                its, mine = microseconds(reference), microseconds(argv)
            if i >= 0:
                of_command.append(mine)
                beside_it.append(its)
    gc.enable()
    return list(times.values())


def measure(inits, programs, scale):
    table = Table("startup", "Start-up", [
        Column("start to end", "µs", spread=True, name="Start to end"),
        Column("raw_init beside it", "µs", better=None),
        Column("times raw_init", name="Start to end, as a multiple of raw_init")])
    limit = harness.raw_init(programs)
    command = limit.path  # which exits at once without arguments
    named = [(init, [*init.words(), command]) for init in [*inits, limit]]
    named.insert(-1, (harness.Init("no init", command, limit=True), [command]))
    measured = pairs([words for _, words in named], [*limit.words(), command],
                     round(3000 * scale))
    for (init, _), (times, beside) in zip(named, measured):
        table.rows.append(Row(init.title, [
            quantile(times), quantile(beside),
            quantile([a / b for a, b in zip(times, beside)])], init.limit))
    return [table]
