"""How long a signal takes, to one process and to groups of them (signals.c)."""

import subprocess

import harness
from harness import counted, quantile, taking_turns
from results import Column, Row, Table

BLOCKS = 20
# Processes in the group: how many signals, in how many blocks.
GROUPS = {10: (2000, 20), 100: (400, 20), 1000: (60, 6), 10000: (12, 2)}


def pairs(words, count, rounds, program):
    """Of each round the time of a direct kill(2) and of one through the init, in
    µs; None where so many processes cannot be had."""
    run = subprocess.run([program, str(count), str(rounds), *words], check=False,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                         env=harness.ENVIRONMENT, timeout=10 * harness.LIMIT)
    if run.returncode != 0:
        return None
    return [[int(ns) / 1000 for ns in line.split()] for line in run.stdout.splitlines()]


def in_blocks(inits, words_of, count, rounds, blocks, program):
    """By path: direct times, and times through the init; or None."""
    samples = {init.path: ([], []) for init in inits}
    for init in taking_turns(inits, blocks):
        measured = pairs(words_of(init), count, max(2, round(rounds / blocks)), program)
        if measured is None:
            return None
        for times, new in zip(samples[init.path], zip(*measured)):
            times += new
    return samples


def latency(inits, program, scale):
    table = Table("latency", "Signal latency", [
        Column("median", "µs", spread=True, name="A signal's way, median"),
        Column("99th percentile", "µs", name="A signal's way, 99th percentile"),
        Column("more than a direct kill", "µs",
               name="A signal's way, more than a direct kill")])
    samples = in_blocks(inits, lambda init: init.words, 1, 5000 * scale,
                        max(2, round(BLOCKS * scale)), program)
    for init in inits:
        direct, through = samples[init.path]
        table.rows.append(Row(init.name, init.version, [
            quantile(through), quantile(through, 0.99),
            quantile([b - a for a, b in zip(direct, through)])]))
    alone = [time for direct, _ in samples.values() for time in direct]
    table.rows.append(Row("direct kill", "", [
        quantile(alone), quantile(alone, 0.99), counted(0)], limit=True))
    table.extra["samples"] = [*(samples[init.path][1] for init in inits), alone]
    return table


def groups(inits, program, scale):
    table = Table("groups", "A signal to a whole group", [
        Column(f"{size:,} processes", "µs", spread=True,
               name=f"A signal to a group of {size:,}") for size in GROUPS])
    rows = [Row(init.name, init.version, []) for init in inits]
    direct_row = Row("direct kill", "", [], limit=True)
    for size, (rounds, blocks) in GROUPS.items():
        samples = None
        if size <= max(GROUPS) * scale:  # to start so many takes its time
            samples = in_blocks(inits, lambda init: init.group_words, size,
                                rounds * scale, max(2, round(blocks * scale)), program)
        for row, init in zip(rows, inits):
            row.figures.append(samples and quantile(samples[init.path][1]))
        direct_row.figures.append(samples and quantile(
            [time for direct, _ in samples.values() for time in direct]))
    table.rows = [*rows, direct_row]
    return table


def measure(inits, programs, scale):
    program = programs["signals"]
    return [latency(inits, program, scale), groups(inits, program, scale)]
