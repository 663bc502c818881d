"""Memory of one instance, and of many side by side, as the kernel adds it up."""

import dataclasses
import os
import shutil
import signal
import subprocess
import tempfile
import time

import harness
from harness import counted, quantile
from results import Column, Row, Table

MANY = 500
STARTS = 41
KINDS = ["Rss", "Private", "Pss", "Private_Dirty"]


def usage(pid):
    """In kB. Private: what would be free if this process ended."""
    fields = harness.numbers(pid, "smaps_rollup")
    fields["Private"] = fields["Private_Clean"] + fields["Private_Dirty"]
    return [fields[kind] for kind in KINDS]


def own_copy(init, directory):
    """The same under the same name: a file that nobody else runs and so shares."""
    place = tempfile.mkdtemp(dir=directory)
    return dataclasses.replace(init, path=shutil.copy(init.path, place))


def of_one(init, receiver, starts):
    """The kernel puts the stack at random, so that it needs a page more or less
    from one start to the next: of many, the median. The environment is on the
    stack, too, and not ours: there is none."""
    samples = []
    for _ in range(starts):
        with harness.running(init.words, receiver, env={}) as process:
            os.kill(process.pid, signal.SIGUSR1)
            process.answer()
            time.sleep(0.03)  # a start may go on for a little; ours does for 5 ms
            samples.append(usage(process.pid))
    return [quantile(kind) for kind in zip(*samples)]


def of_many(init, receiver):
    """All together. Their COMMANDs share a pipe, or there were too many files."""
    ready, told = os.pipe()
    processes = [subprocess.Popen([*init.words, *receiver], env={}, stdout=told,
                                  stdin=subprocess.DEVNULL) for _ in range(MANY)]
    answer = len((0).to_bytes(8, "little"))
    missing = MANY * answer
    while missing:
        missing -= len(os.read(ready, missing))
    sums = [sum(kind) for kind in zip(*(usage(each.pid) for each in processes))]
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(harness.LIMIT)
    os.close(ready)
    os.close(told)
    return [counted(total) for total in sums]


def measure(inits, programs, scale):
    names = ["Resident", "Private", "Proportional", "Private and dirty"]
    one = Table("memory_one", "One instance", [
        Column(name.lower(), "kB", name=f"{name} memory of one") for name in names])
    many = Table("memory_many", f"{MANY} instances together", [
        Column(name.lower(), "kB", name=f"{name} memory of {MANY}")
        for name in names])
    receiver = [programs["signals"], "receive", "1"]
    directory = tempfile.TemporaryDirectory(dir=os.path.dirname(receiver[0]))
    copies = [own_copy(init, directory.name) for init in inits]
    os.sync()  # pages of a file that was just written count as dirty
    for init in copies:
        one.rows.append(Row(init.name, init.version, of_one(
            init, receiver, max(5, round(STARTS * scale)))))
        many.rows.append(Row(init.name, init.version, of_many(init, receiver)))
    directory.cleanup()
    return [one, many]
