"""Writes the page: page.md with the tables in it, and the plots (plots.gp)."""

import datetime
import os
import pathlib
import platform
import re
import string
import subprocess
import textwrap

import memory
from harness import ENVIRONMENT, HERE, build_of
from results import (compare, markdown, short, write_result, write_summary,
                     write_table)

BOUND = 1.15  # times raw_init
PERCENTILES = 99  # of the latency; the slowest hundredth would stretch its plot


def first_match(path, pattern, otherwise):
    found = re.search(pattern, pathlib.Path(path).read_text(encoding="utf-8"), re.M)
    return found[1] if found else otherwise


def cgroups():
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return "v2"
    return "v1"


def autogroup():
    switch = pathlib.Path("/proc/sys/kernel/sched_autogroup_enabled")
    if switch.exists() and switch.read_text(encoding="ascii").strip() != "0":
        return "NOT off, which favours some inits"
    return "off"


def machine(ours):
    model = first_match("/proc/cpuinfo", r"^model name\s*: (.*)$", platform.machine())
    virtual = first_match("/proc/cpuinfo", r"^flags.*\b(hypervisor)\b", "")
    system = first_match("/etc/os-release", r'^PRETTY_NAME="(.*)"$', "?")
    ram = int(first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)", "0")) / 2**20
    commit = re.search(r"git\.(\w+)", ours.said)
    kernel = re.match("[0-9.]+", platform.release())[0]
    return "\n".join([
        f"- {datetime.date.today()}, commit {commit[1] if commit else 'unknown'}",
        f"- {os.cpu_count()} processors {model}"
        f"{' in a virtual machine' if virtual else ''}, {ram:.0f} GiB of memory",
        f"- {system}, Linux {kernel}, cgroup {cgroups()}"])


def builds_text(inits):
    """The table of the builds, and the effect of the build on the comparison."""
    builds = [build_of(init) for init in inits]
    builds[0] = ("static", "musl")  # by `make bench`; it has no message of musl
    files = ["of this repository", *(f"`{init.path}`" for init in inits[1:])]
    rows = [[init.title, file, *build,
             f"`{' '.join(init.options)}`" if init.options else "–"]
            for init, file, build in zip(inits, files, builds)]
    larger = [init.title for init, build in zip(inits, builds)
              if build[0] == "dynamic" or build[1] == "glibc"]
    table = markdown(["init", "file", "linked", "C library", "options"], rows, "lllll")
    if not larger:
        return table
    return table + "\n\n" + fill(
        "A large part of the differences in size, memory and start-up is due to the "
        "build and not to the source. If linked statically with musl, as this dumb-init "
        f"is, {listed(larger)} would start faster and need less memory, and less space "
        "with their libraries.")


def listed(names):
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def write_data(directory, tables):
    """Writes the data for gnuplot: words and numbers, separated by tabs."""
    lines = {"start-up": [], "memory": []}
    for row in tables["startup"].rows:
        time = row.figures[0]
        lines["start-up"].append([row.title, int(row.limit), time.value,
                                  *time.quartiles, short(time.value)])
    for row in tables["memory_one"].rows:
        resident, private = (figure.value for figure in row.figures[:2])
        lines["memory"].append([row.title, 0, resident, private,
                                f"{short(resident)}, private {short(private)}"])
    for name in lines:
        save(directory / name, lines[name])

    latency, groups = tables["latency"], tables["groups"]
    lines = []
    for row, samples in zip(latency.rows, latency.extra["samples"]):
        ordered = sorted(samples)
        lines += [[], []] if lines else []
        lines.append([row.title])
        lines += [[i, ordered[i * (len(ordered) - 1) // 100]]
                  for i in range(PERCENTILES + 1)]
    save(directory / "latency", lines)

    # The last row is that of the direct kill.
    lines = [["processes", *(row.title for row in groups.rows[:-1])]]
    for count, table, i in [("1", latency, 0), *(
            (column.title.split()[0], groups, i)
            for i, column in enumerate(groups.columns))]:
        *times, direct = (row.figures[i] for row in table.rows)
        if direct:
            lines.append([count, *(time.value / direct.value if time else "?"
                                   for time in times)])
    save(directory / "groups", lines)


def save(path, lines):
    path.write_text("".join("\t".join(f"{word:.4g}" if isinstance(word, float)
                                      else str(word) for word in line) + "\n"
                            for line in lines), encoding="utf-8")


def draw(tables, data, plots):
    """data: a directory for gnuplot's input; plots: one for its output, only."""
    for directory in (data, plots):
        directory.mkdir(parents=True, exist_ok=True)
    for old in plots.glob("*.svg"):
        old.unlink()
    write_data(data, tables)
    subprocess.run(["gnuplot", "-c", str(HERE / "plots.gp"), str(data), str(plots)],
                   check=True, env=ENVIRONMENT | {"LC_ALL": "C.UTF-8"})


def fill(text):
    return textwrap.fill(text, 80)


def counted_text(compared):
    better, equal, worse = (sum(row[-1] == word for row in compared)
                            for word in ("better", "equal", "worse"))
    return (f"In {better} of {len(compared)} rows this dumb-init is better than the "
            f"best other init, in {equal} it is equal, in {worse} it is worse.")


def unchanged_text(table):
    before, after = table.extra["ours"]
    many = table.rows[0].figures[0].value
    if before == after:
        return (f"The memory of this dumb-init is the same after {many:,} orphans as "
                "before them.")
    return (f"The memory of this dumb-init HAS CHANGED after {many:,} orphans, from "
            f"{before} to {after} kB ({', '.join(memory.KINDS)}).")


def start_up_text(ratio):
    word = "is" if ratio <= BOUND else "is NOT"
    return (f"This dumb-init {word} within {BOUND} times raw_init, its bound: "
            f"{short(ratio)}.")


def write(path, tables, inits, **words):
    """The page at path; its plots are in a directory beside it. The first of inits is
    this dumb-init. Returns the comparisons in which it is worse."""
    compared = {key: compare(table) for key, table in tables.items()}
    every = sum(compared.values(), [])
    words |= {key: write_table(table) for key, table in tables.items()}
    words |= {f"{key}_result": write_result(rows) for key, rows in compared.items()}
    words |= {
        "machine": machine(inits[0]), "autogroup": autogroup(),
        "builds": builds_text(inits), "many": memory.MANY,
        "summary": f"{fill(counted_text(every))}\n\n{write_summary(every)}",
        "start_up": fill(start_up_text(
            tables["startup"].figure("times raw_init").value)),
        "unchanged": fill(unchanged_text(tables["million"]))}
    template = string.Template((HERE / "page.md").read_text(encoding="utf-8"))
    path.write_text(template.substitute(words), encoding="utf-8")
    return [row for row in every if row[-1] == "worse"]
