"""What the measurements share: the inits, where they run, what is made of samples."""

import contextlib
import os
import pathlib
import select
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
AS_PID_1 = [str(HERE.parent / "tools" / "in-pid-namespace")]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
LIMIT = 60  # seconds, for what takes a moment
RAW_FLAGS = ("-Os -s -nostdlib -static -ffreestanding -fno-stack-protector "
             "-Wl,-z,noseparate-code -Wl,--build-id=none").split()


@dataclass
class Init:
    """Its words, where COMMAND alone is to get signals and where its whole group is.

    Most is measured where we are not PID 1, since a PID namespace costs more than
    any init; tini says so at length unless it gets -s.
    """
    name: str
    version: str
    path: str
    options: tuple = ()
    group: tuple = ()
    commit: str = ""
    has_grace: bool = False

    @property
    def words(self):
        return [self.path, *self.options]

    @property
    def group_words(self):
        return [self.path, *self.group, *self.options]


def package_version(package):
    """Without what Debian has added."""
    if not shutil.which("dpkg-query"):
        return "?"
    said = subprocess.run(["dpkg-query", "-W", "-f", "${source:Upstream-Version}",
                           package], capture_output=True, text=True, check=False)
    return said.stdout or "?"


def ours(build):
    """The static musl build."""
    path = build / "musl" / "dumb-init"
    if not path.exists():
        sys.exit(f"{path} is missing: make bench builds it")
    # dumb-init v1.2.3 - git.COMMIT
    said = subprocess.run([path, "--version"], capture_output=True, check=True,
                          text=True).stdout.split()
    return Init("dumb-init", said[1].removeprefix("v"), str(path),
                commit=said[3].removeprefix("git."), has_grace=True)


def peers():
    """Debian's, those that are installed."""
    known = [
        Init("dumb-init", package_version("dumb-init"), "/usr/bin/dumb-init"),
        Init("tini", package_version("tini"), "/usr/bin/tini", ("-s", "--"), ("-g",)),
        Init("tini-static", package_version("tini"), "/usr/bin/tini-static",
             ("-s", "--"), ("-g",)),
        Init("catatonit", package_version("catatonit"), "/usr/bin/catatonit",
             ("--",), ("-g",)),
    ]
    return [init for init in known if os.path.exists(init.path)]


def compile_all(build):
    """Paths by name of what is built from the C files here."""
    programs = {}
    for source in HERE.glob("*.c"):
        program = build / "bench" / source.stem
        program.parent.mkdir(exist_ok=True)
        flags = RAW_FLAGS if source.stem == "raw_init" else ["-O1", "-static"]
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE",
                        *flags, "-o", str(program), str(source)], check=True)
        programs[source.stem] = str(program)
    return programs


def settle_down():
    """As in a container, and alike everywhere: one CPU, and no file but three.

    A high file number makes the kernel copy a large table into each process.
    """
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    return cpu


def taking_turns(things, rounds):
    """The things over and over, each round in another order: what changes on the
    machine meanwhile concerns all."""
    for i in range(rounds):
        start = i % len(things)
        turn = things[start:] + things[:start]
        yield from turn if i // len(things) % 2 == 0 else reversed(turn)


@dataclass
class Figure:
    """A quantile of samples, between which values the true one is (95 %), and the
    quartiles. Of what is counted all are the same."""
    value: float
    sure: tuple
    quartiles: tuple = None


def counted(value):
    return Figure(value, (value, value))


def quantile(samples, q=0.5):
    """Free of assumptions on the distribution: ranks are binomial."""
    ordered = sorted(samples)
    last = len(ordered) - 1
    spread = 1.96 * (len(ordered) * q * (1 - q)) ** 0.5

    def at(rank):
        return ordered[min(max(round(rank), 0), last)]
    value = statistics.median(ordered) if q == 0.5 else at(q * last)
    low, _, high = statistics.quantiles(ordered, n=4) if last else [value] * 3
    return Figure(value, (at(q * last - spread), at(q * last + spread)), (low, high))


def quantile_of_blocks(blocks, q=0.5):
    """What is near in time is alike: not each sample is a sample of its own, but
    each block of them is."""
    every = quantile([sample for block in blocks for sample in block], q)
    of_each = quantile([quantile(block, q).value for block in blocks])
    return Figure(every.value, of_each.sure, every.quartiles)


def wait_until(condition, what):
    """Returns condition()'s first true value."""
    deadline = time.monotonic() + LIMIT
    while not (value := condition()):
        if time.monotonic() > deadline:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.0005)
    return value


def children(pid):
    """PIDs of its children, zombies included."""
    task = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in task.read_text(encoding="ascii").split()]


def numbers(pid, file):
    """Of lines like "Rss:   36 kB" in /proc/PID/FILE: the numbers by name."""
    text = pathlib.Path(f"/proc/{pid}/{file}").read_text(encoding="ascii")
    fields = [line.split() for line in text.splitlines()]
    return {words[0].rstrip(":"): int(words[1]) for words in fields
            if len(words) > 1 and words[1].isdigit()}


def processor_time(pid):
    """In ns, of a process of one thread."""
    text = pathlib.Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    return int(text.split()[0])


class Running:
    """An init with a COMMAND that answers on its stdout."""

    def __init__(self, words, command, as_pid_1=False, env=None):
        around = AS_PID_1 if as_pid_1 else []
        self.popen = subprocess.Popen(
            [*around, *words, *command], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=ENVIRONMENT if env is None else env)
        self.answer()
        self.pid, = children(self.popen.pid) if as_pid_1 else [self.popen.pid]

    def answer(self, limit=LIMIT):
        """What COMMAND says next."""
        if not select.select([self.popen.stdout], [], [], limit)[0]:
            sys.exit(f"{self.popen.args}: no answer")
        said = os.read(self.popen.stdout.fileno(), 4096)
        if not said:
            sys.exit(f"{self.popen.args}: has ended")
        return said

    def end(self):
        """COMMAND ends at the end of its input, or of SIGTERM."""
        self.popen.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 15)
        self.popen.wait(LIMIT)
        self.popen.stdout.close()


@contextlib.contextmanager
def running(*arguments, **options):
    process = Running(*arguments, **options)
    try:
        yield process
    finally:
        process.end()
