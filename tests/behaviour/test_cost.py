"""Bounds on cost (docs/design.md), counted and not timed. They are meant for
the static musl build; the glibc build keeps those that do not depend on libc."""

import glob
import os
import pathlib
import re
import signal
import statistics
import subprocess
import time

import pytest

import calls
from conftest import (MODES, NAMESPACE, children, end_tree, patience, sleeps_on,
                      wait_until, waits_for_good)

pytestmark = pytest.mark.cost


def pages_of_musl():
    """How many pages of 4 KB this musl takes more than musl 1.2.3. The part of musl
    1.2.5 that dumb-init links is 1 KB larger. The loader prints the version."""
    loaders = glob.glob("/lib/ld-musl-*.so.1")
    said = [subprocess.run([loader], check=False, capture_output=True, text=True,
                           timeout=patience()).stderr for loader in loaders[:1]]
    version = re.search(r"^Version (\d+)\.(\d+)\.(\d+)", "".join(said), re.M)
    return int(version is not None and
               tuple(int(number) for number in version.groups()) >= (1, 2, 5))


@pytest.mark.musl
def test_program_file_is_small(init):
    assert os.path.getsize(init) <= (40 + 4 * pages_of_musl()) * 1024


def traced(init, tmp_path, *options, words):
    """System calls of the init, as strace writes them."""
    trace = tmp_path / "trace"
    subprocess.run(["strace", *options, "-qq", "-e", "signal=none", "-o", str(trace),
                    init, *words], check=True, timeout=patience())
    return trace.read_text().splitlines()


@pytest.mark.musl
def test_command_is_executed_after_few_system_calls(init, tmp_path, mode):
    lines = traced(init, tmp_path, "-f", words=[*mode, "/bin/true"])
    calls = [(line.split()[0], re.match(r"\d+ +(\w+)", line)[1], line)
             for line in lines if "resumed>" not in line]
    # After the execve that starts dumb-init; COMMAND's own calls included.
    (ours, first, _), *rest = calls
    assert first == "execve"
    end, = [i for i, (_, _, line) in enumerate(rest) if 'execve("/bin/true"' in line]
    waits = [i for i, (pid, name, _) in enumerate(rest)
             if (pid, name) == (ours, "rt_sigtimedwait")]
    # Calls of dumb-init after the first wait for signals do not delay COMMAND. The two
    # processes may wait for each other: those waits do not count.
    counted = [name for i, (pid, name, _) in enumerate(rest[:end + 1])
               if name != "futex" and (pid != ours or i < waits[0])]
    print(f"{len(counted)} system calls: {' '.join(counted)}")
    assert len(counted) <= 15


SIGNALS = 200


# With these a signal may start or meet a deadline, which takes the clock.
TIMED = [["-k", "60"], ["-d", "HUP:60"]]


@pytest.mark.parametrize("options", [
    [], ["-t", "60"], ["-W", "-w", "-s", "-e", "3", "-p", "HUP"], *TIMED], ids=" ".join)
def test_forwarded_signal_costs_two_system_calls(
        start, helper, tmp_path, mode, options):
    trace = tmp_path / "trace"
    started = start(*mode, *options, helper("reporter"), before=[
        "strace", "-qq", "-o", str(trace), "-e", "signal=none"])
    started.expect("ready")
    ours, = children(started.pid)
    wait_until(lambda: waits_for_good(ours), "the init to be idle")
    for _ in range(SIGNALS):
        os.kill(ours, signal.SIGUSR1)
        started.expect_signals(signal.SIGUSR1)
    # From the first wait that has no limit.
    steady = re.search(r"^rt_sigtimedwait\([^\n]*, NULL, 8\).*", trace.read_text(),
                       re.M | re.S)[0]
    calls = re.findall(r"^(\w+)\(", steady, re.M)
    expected = ["rt_sigtimedwait", "kill"]
    if options in TIMED:
        expected.insert(1, "clock_gettime")
    assert calls[:len(expected) * SIGNALS] == expected * SIGNALS


ORPHANS = 100


def test_orphan_costs_few_system_calls(init, tmp_path, mode):
    """At most 3 for each that it tries to reap; in group mode one more, which sees
    whether COMMAND was stopped. Waits that time out, while COMMAND starts, do not
    count: on a busy machine there are more of them."""
    command = ["sh", "-c", f"i=0; while [ $i -lt {ORPHANS} ]; do "
                           "(true &); i=$((i + 1)); done"]
    lines = traced(init, tmp_path, words=[*mode, *command])
    calls = [line.partition("(")[0] for line in lines]
    each = 4 if mode == MODES["group"] else 3
    timeouts = sum(" EAGAIN " in line for line in lines)
    assert calls.count("wait4") > ORPHANS / 2
    assert len(calls) - calls.index("waitid") <= \
        each * (calls.count("wait4") + timeouts) + 30


def test_dumb_init_allocates_and_starts_nothing_while_command_runs(
        start, helper, tmp_path, mode):
    trace = tmp_path / "trace"
    script = "for i in 1 2 3 4 5 6 7 8 9; do (true &); done; exec " + helper("reporter")
    started = start(*mode, "sh", "-c", script, before=[
        "strace", "-q", "-o", str(trace)])
    started.expect("ready")
    ours, = children(started.pid)
    wait_until(lambda: waits_for_good(ours), "a wait without a limit")
    for signum in (signal.SIGUSR1, signal.SIGTSTP, signal.SIGCONT, signal.SIGUSR1):
        os.kill(ours, signum)
        if signum == signal.SIGTSTP:
            wait_until(lambda: "--- stopped by " in trace.read_text(),
                       "the init to stop")
        else:
            started.expect(rb"\d+ [^\n]*\n")
    wait_until(lambda: len(children(ours)) == 1, "the orphans' exits")
    command, = children(ours)
    os.kill(command, signal.SIGKILL)
    assert started.status() == 128 + signal.SIGKILL
    lines = trace.read_text().splitlines()
    calls = [line.partition("(")[0] for line in lines if re.match(r"\w+\(", line)]
    # From COMMAND's start until its exit is seen. The first waitid would be too late:
    # where the children are slow, it comes after the cgroup is read.
    first = next(i for i, call in enumerate(calls) if call in ("clone", "vfork"))
    last = [call for call in lines if re.match(r"\w+\(", call)].index(next(
        line for line in lines if re.match(
            rf"(waitid|rt_sigtimedwait)\(.*si_pid={command}\b.*SIGKILL", line)))
    terminal = {"ioctl", "getpgid", "getpgrp", "open", "openat", "close"} \
        if mode == MODES["group"] else set()
    # The path and the counts of the cgroup are read once after COMMAND's start, and
    # again at its exit, not while it starts.
    reading = {"open", "openat", "fcntl", "read", "close"}
    supervising = terminal | {
        "waitid", "wait4", "rt_sigtimedwait", "kill", "getpid", "rt_sigpending",
        "timer_create", "timer_settime", "timer_delete", "rt_sigprocmask",
        "rt_sigaction"}
    settled = next(i for i in range(first, last) if calls[i] in reading - terminal)
    assert "rt_sigtimedwait" in calls[first:settled]
    while calls[settled] in reading:
        settled += 1
    assert set(calls[settled:last]) <= supervising
    assert set(calls[last + 1:]) <= terminal | reading | {
        "waitid", "wait4", "kill", "lseek", "write", "ioctl", "exit_group",
        "rt_sigpending"}
    assert len(calls) - last < 40


@pytest.mark.parametrize("options", calls.OPTIONS, ids=" ".join)
def test_only_listed_system_calls_are_made_once_command_runs(
        init, tmp_path, place, options):
    """The calls are those that calls.py lists, with all options."""
    ours = calls.while_command_runs(init, options, tmp_path / "trace",
                                    NAMESPACE if place == "pid1" else [])
    assert ours.count("rt_sigtimedwait") > 3 and ours[-1] == "exit_group"
    others = set(ours) - calls.NAMES
    assert not others, f"expected no other system calls, got {', '.join(others)}"


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    *MODES.values(), ["-a", "-t", "1", "-k", "1", "-d", "TERM:1"]], ids=" ".join)
def test_no_wake_up_while_nothing_happens(start, helper, place, options):
    started = start(*options, helper("reporter"), place=place)
    started.expect("ready")
    started.send(signal.SIGUSR1)
    started.expect_signals(signal.SIGUSR1)
    wait_until(lambda: sleeps_on(started.pid), "a second without a wake-up")


@pytest.mark.musl
def test_idle_program_uses_little_memory(start, helper, mode):
    """The median of many starts: the kernel places the stack at random, so that it
    takes a page more or less. The environment is empty, as it is on the stack, too."""
    os.sync()  # pages of a file that was just written count as dirty
    resident, dirty = [], []
    for _ in range(41):
        started = start(*mode, helper("reporter"), env={})
        started.expect("ready")
        started.send(signal.SIGUSR1)
        started.expect_signals(signal.SIGUSR1)
        wait_until(lambda: waits_for_good(started.pid), "the init to be idle")
        with open(f"/proc/{started.pid}/smaps_rollup", encoding="ascii") as rollup:
            fields = {line.split()[0]: line.split()[1] for line in rollup}
        resident.append(int(fields["Rss:"]))
        dirty.append(int(fields["Private_Dirty:"]))
        end_tree(started.popen.pid)
    print(f"{sorted(resident)} kB resident, {sorted(dirty)} private and dirty")
    assert statistics.median(resident) <= 48 + 4 * pages_of_musl()
    assert statistics.median(dirty) <= 12


@pytest.mark.musl
def test_musl_build_is_static(init):
    assert b"/ld-musl" not in pathlib.Path(init).read_bytes()
