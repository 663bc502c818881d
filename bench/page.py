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
from harness import ENVIRONMENT, HERE
from results import short, write_summary, write_table

BOUND = 1.15  # times raw_init, docs/design.md
POINTS = 200


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
        return "ON, though, which favours some"
    return "off"


def machine(ours):
    model = first_match("/proc/cpuinfo", r"^model name\s*: (.*)$", platform.machine())
    virtual = first_match("/proc/cpuinfo", r"^flags.*\b(hypervisor)\b", "")
    system = first_match("/etc/os-release", r'^PRETTY_NAME="(.*)"$', "?")
    ram = int(first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)", "0")) / 2**20
    return "\n".join([
        f"- {datetime.date.today()}, commit {ours.commit}",
        f"- {os.cpu_count()} processors {model}"
        f"{' in a virtual machine' if virtual else ''}, {ram:.0f} GiB of memory",
        f"- {system}, Linux {platform.release()}, cgroup {cgroups()}"])


def full_name(row):
    return f"{row.name} {row.version}".rstrip()


def write_data(directory, tables):
    """Writes the data for gnuplot: words and numbers, separated by tabs."""
    colours = ["0x1f7fdb", "0xd9730d", "0x2c9a4b", "0x8a8f00", "0xb65fce"]
    lines = []
    for i, row in enumerate(tables["startup"].rows):
        figure = row.figures[0]
        colour = "0x767676" if row.limit else colours[i % len(colours)]
        lines.append([full_name(row), colour, figure.value, *figure.quartiles])
    save(directory / "start-up", lines)

    latency, lines = tables["latency"], []
    for row, samples in zip(latency.rows, latency.extra["samples"]):
        ordered = sorted(samples)
        lines += [[], []] if lines else []
        lines.append([full_name(row)])
        lines += [[100 * i / POINTS, ordered[round(i / POINTS * (len(ordered) - 1))]]
                  for i in range(POINTS)]
    save(directory / "latency", lines)
    for key, name in (("groups", "groups"), ("million_memory", "orphans")):
        table = tables[key]
        lines = [["x", *map(full_name, table.rows)]]
        for i, column in enumerate(table.columns):
            count = column.title.split()[0].replace(",", "")
            lines.append([count, *(row.figures[i].value if row.figures[i] else "?"
                                   for row in table.rows)])
        save(directory / name, lines)


def save(path, lines):
    path.write_text("".join("\t".join(f"{word:.4g}" if isinstance(word, float)
                                      else str(word) for word in line) + "\n"
                            for line in lines), encoding="utf-8")


def draw(tables, data, plots):
    """data: a directory for gnuplot's input; plots: one for its output."""
    for directory in (data, plots):
        directory.mkdir(parents=True, exist_ok=True)
    write_data(data, tables)
    subprocess.run(["gnuplot", "-c", str(HERE / "plots.gp"), str(data), str(plots)],
                   check=True, env=ENVIRONMENT | {"LC_ALL": "C.UTF-8"})


def fill(text):
    return textwrap.fill(text, 80)


def behind_text(behind):
    if not behind:
        return "In no row is another init ahead."
    return "Another init is ahead in: " + "; ".join(row[0] for row in behind) + "."


def unchanged_text(sizes, many):
    """sizes: dumb-init's memory, before and after the orphans."""
    if all(size == sizes[0] for size in sizes):
        return (f"The memory of this dumb-init has not changed after {many} of them, "
                "neither the resident nor the private.")
    return f"This dumb-init HAS CHANGED: {sizes} ({', '.join(memory.KINDS)})."


def start_up_text(ratio):
    word = "is" if ratio <= BOUND else "is NOT"
    return (f"This dumb-init {word} within {BOUND} times raw_init, its bound: "
            f"{short(ratio)}.")


def write(path, tables, ours, **words):
    """The page at path; its plots are in a directory beside it."""
    summary, behind = write_summary(tables.values())
    sizes = tables["million_memory"].extra["ours"]
    words["rounds"] = fill(words["rounds"])
    words |= {key: write_table(table) for key, table in tables.items()}
    words |= {
        "machine": machine(ours), "autogroup": autogroup(),
        "summary": summary, "many": memory.MANY,
        "behind": fill(behind_text(behind)),
        "start_up": fill(start_up_text(
            tables["startup"].figure("times raw_init").value)),
        "unchanged": fill(unchanged_text(
            sizes, tables["million_memory"].columns[len(sizes) - 1].title))}
    template = string.Template((HERE / "page.md").read_text(encoding="utf-8"))
    path.write_text(template.substitute(words), encoding="utf-8")
    return behind
