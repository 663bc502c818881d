"""Memory of one instance, and of many at the same time, as the kernel counts it."""

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
    """The memory of a process in kB. Private: memory that its exit would free."""
    fields = harness.numbers(pid, "smaps_rollup")
    fields["Private"] = fields["Private_Clean"] + fields["Private_Dirty"]
    return [fields[kind] for kind in KINDS]


def own_copy(init, directory):
    """The init with a copy of its file, which no other process runs and so shares."""
    place = tempfile.mkdtemp(dir=directory)
    return dataclasses.replace(init, path=shutil.copy(init.path, place))


def of_one(init, receiver, starts):
    """The kernel places the stack at random, so that it needs a page more or less
    from one start to the next: takes the median of many starts. The environment is on
    the stack, too, but does not belong to the init, so it is empty."""
    samples = []
    for _ in range(starts):
        with harness.running(init.words(), receiver, env={}) as process:
            os.kill(process.pid, signal.SIGUSR1)
            process.answer()
            time.sleep(0.03)  # start-up may go on; that of dumb-init takes 5 ms
            samples.append(usage(process.pid))
    return [quantile(kind) for kind in zip(*samples)]


def of_many(init, receiver):
    """The sums of MANY instances. Their COMMANDs share a pipe, to save files."""
    ready, told = os.pipe()
    processes = [subprocess.Popen([*init.words(), *receiver], env={}, stdout=told,
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
    os.sync()  # before that, pages of a new file count as dirty
    for init in copies:
        one.rows.append(Row(init.title, of_one(init, receiver,
                                               max(5, round(STARTS * scale)))))
        many.rows.append(Row(init.title, of_many(init, receiver)))
    directory.cleanup()
    return [one, many]
