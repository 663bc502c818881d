"""How long a signal takes, to one process and to groups of them (signals.c)."""

import subprocess

import harness
from harness import counted, quantile_of_blocks, taking_turns
from results import Column, Row, Table

BLOCKS = 20
# Number of processes in the group: (number of signals, number of blocks).
GROUPS = {10: (2000, 20), 100: (400, 20), 1000: (60, 6), 10000: (15, 5)}


def pairs(words, count, rounds, program):
    """For each round, the times of a direct kill(2) and of one through the init, in
    µs; None if the machine cannot run so many processes."""
    run = subprocess.run([program, str(count), str(rounds), *words], check=False,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                         env=harness.ENVIRONMENT, timeout=10 * harness.LIMIT)
    if run.returncode != 0:
        return None
    return [[int(ns) / 1000 for ns in line.split()] for line in run.stdout.splitlines()]


def in_blocks(inits, words_of, count, rounds, blocks, program):
    """By path: blocks of pairs, a direct time and one through the init. None if the
    machine cannot run so many processes."""
    samples = {init.path: [] for init in inits}
    for init in taking_turns(inits, blocks):
        measured = pairs(words_of(init), count, max(2, round(rounds / blocks)), program)
        if measured is None:
            return None
        samples[init.path].append(measured)
    return samples


def through(blocks):
    return [[through for _, through in block] for block in blocks]


def direct(samples):
    return [[direct for direct, _ in block]
            for blocks in samples.values() for block in blocks]


def latency(inits, program, scale):
    table = Table("latency", "Signal latency", [
        Column("median", "µs", spread=True, name="Signal latency, median"),
        Column("99th percentile", "µs", name="Signal latency, 99th percentile"),
        Column("more than a direct kill", "µs",
               name="Signal latency, more than a direct kill")])
    samples = in_blocks(inits, harness.Init.words, 1, 5000 * scale,
                        max(2, round(BLOCKS * scale)), program)
    for init in inits:
        blocks = samples[init.path]
        more = [[through - direct for direct, through in block] for block in blocks]
        table.rows.append(Row(init.title, [
            quantile_of_blocks(through(blocks)),
            quantile_of_blocks(through(blocks), 0.99), quantile_of_blocks(more)]))
    alone = direct(samples)
    table.rows.append(Row("direct kill", [
        quantile_of_blocks(alone), quantile_of_blocks(alone, 0.99), counted(0)],
        limit=True))
    table.extra["samples"] = [sum(times, []) for times in [
        *(through(samples[init.path]) for init in inits), alone]]
    return table


def groups(inits, program, scale):
    table = Table("groups", "A signal to a whole group", [
        Column(f"{size:,} processes", "µs", spread=True,
               name=f"A signal to a group of {size:,}") for size in GROUPS])
    rows = [Row(init.title, []) for init in inits]
    direct_row = Row("direct kill", [], limit=True)
    able = [init for init in inits if init.group is not None]
    for size, (rounds, blocks) in GROUPS.items():
        samples = None
        if size <= max(GROUPS) * scale:  # starting so many processes takes time
            samples = in_blocks(able, lambda init: init.words(*init.group), size,
                                rounds * scale, max(2, round(blocks * scale)), program)
        for row, init in zip(rows, inits):
            measured = samples and samples.get(init.path)
            row.figures.append(measured and quantile_of_blocks(through(measured)))
        direct_row.figures.append(samples and quantile_of_blocks(direct(samples)))
    table.rows = [*rows, direct_row]
    return table


def measure(inits, programs, scale):
    program = programs["signals"]
    return [latency(inits, program, scale), groups(inits, program, scale)]
