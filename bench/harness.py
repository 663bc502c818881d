"""Shared by the measurements: the inits, their surroundings, and statistics."""

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
LIMIT = 60  # seconds, for short operations
RAW_FLAGS = ("-Os -s -nostdlib -static -ffreestanding -fno-stack-protector "
             "-Wl,-z,noseparate-code -Wl,--build-id=none").split()


@dataclass
class Init:
    """An init, and its words for signals to COMMAND alone and to COMMAND's group.

    Most measurements run without a PID namespace, which costs more than any init. tini
    warns if it is not PID 1, except with -s.
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
    """The upstream version, without Debian's suffix."""
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
    """The installed inits of Debian."""
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
    """Builds the C files in this directory. Returns the programs' paths, by name."""
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
    """The same surroundings everywhere, as in a container: one CPU and three files.

    A high file number makes the kernel copy a large table into each process.
    """
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    return cpu


def taking_turns(things, rounds):
    """Yields the things in each round, each time in another order, so that a change on
    the machine affects all of them."""
    for i in range(rounds):
        start = i % len(things)
        turn = things[start:] + things[:start]
        yield from turn if i // len(things) % 2 == 0 else reversed(turn)


@dataclass
class Figure:
    """A quantile of samples, its confidence interval (95 %), and the quartiles. For a
    count all are the same."""
    value: float
    sure: tuple
    quartiles: tuple = None


def counted(value):
    return Figure(value, (value, value))


def quantile(samples, q=0.5):
    """A quantile and its interval for any distribution: ranks are binomial."""
    ordered = sorted(samples)
    last = len(ordered) - 1
    spread = 1.96 * (len(ordered) * q * (1 - q)) ** 0.5

    def at(rank):
        return ordered[min(max(round(rank), 0), last)]
    value = statistics.median(ordered) if q == 0.5 else at(q * last)
    low, _, high = statistics.quantiles(ordered, n=4) if last else [value] * 3
    return Figure(value, (at(q * last - spread), at(q * last + spread)), (low, high))


def quantile_of_blocks(blocks, q=0.5):
    """Samples that are close in time depend on each other. So the interval is that of
    the blocks, which are independent."""
    every = quantile([sample for block in blocks for sample in block], q)
    of_each = quantile([quantile(block, q).value for block in blocks])
    return Figure(every.value, of_each.sure, every.quartiles)


def wait_until(condition, what):
    """Returns the first true value of condition()."""
    deadline = time.monotonic() + LIMIT
    while not (value := condition()):
        if time.monotonic() > deadline:
            sys.exit(f"expected {what} within {LIMIT} s, got {value!r}")
        time.sleep(0.0005)
    return value


def children(pid):
    """The PIDs of a process's children, zombies included."""
    task = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in task.read_text(encoding="ascii").split()]


def numbers(pid, file):
    """The numbers, by name, of lines like "Rss:   36 kB" in /proc/PID/FILE."""
    text = pathlib.Path(f"/proc/{pid}/{file}").read_text(encoding="ascii")
    fields = [line.split() for line in text.splitlines()]
    return {words[0].rstrip(":"): int(words[1]) for words in fields
            if len(words) > 1 and words[1].isdigit()}


def processor_time(pid):
    """The processor time of a process with one thread, in ns."""
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
        """The next output of COMMAND."""
        if not select.select([self.popen.stdout], [], [], limit)[0]:
            sys.exit(f"{self.popen.args}: expected an answer in {limit} s, got none")
        said = os.read(self.popen.stdout.fileno(), 4096)
        if not said:
            sys.exit(f"{self.popen.args}: expected an answer, got end of file")
        return said

    def end(self):
        """Closes COMMAND's input and sends SIGTERM: COMMAND exits at either."""
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
