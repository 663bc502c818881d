"""Shared by the measurements: the inits, their surroundings, and statistics."""

import argparse
import contextlib
import os
import pathlib
import re
import select
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
AS_PID_1 = [str(ROOT / "tools" / "in-pid-namespace")]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
LIMIT = 60  # seconds, for short operations
RAW_FLAGS = ("-Os -s -nostdlib -static -ffreestanding -fno-stack-protector "
             "-Wl,-z,noseparate-code -Wl,--build-id=none").split()


# The options of each kind of init, by the output of --version; the first match counts.
# tini warns if it is not PID 1, except with -s; most measurements run without a PID
# namespace, which costs more than any init.
KINDS = {
    r"dumb-init v1\.": {"group": ()},
    r"dumb-init v": {"group": (), "grace": ("--grace", "60")},
    r"tini version .*_catatonit": {"options": ("--",), "group": ("-g",)},
    r"tini version": {"options": ("-s", "--"), "group": ("-g",)},
}


@dataclass
class Init:
    """An init. It needs the options in `group` to forward signals to the process group
    of COMMAND, and those in `grace` to wait for the helpers of COMMAND; None: it has no
    such feature, or the options are unknown. A limit is not an init, but shows the
    least cost of any."""
    name: str
    path: str
    options: tuple = ()
    group: tuple = None
    grace: tuple = None
    limit: bool = False
    version: str = ""
    said: str = ""  # the output of --version

    @property
    def title(self):
        """The name and the version; a name may already end with it."""
        return f"{self.name.removesuffix('-' + self.version)} {self.version}".rstrip()

    def words(self, *more):
        return [self.path, *more, *self.options]


def init_of(name, path):
    """The init, with its version and options by the output of --version. An init of an
    unknown kind is started as PATH COMMAND."""
    said = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          errors="replace", check=False, timeout=LIMIT).stdout
    kind = next((KINDS[kind] for kind in KINDS if re.match(kind, said)), {})
    version = re.search(r"\d+(\.\d+)+", said)
    return Init(name, path, version=version[0] if version else "", said=said, **kind)


def other(text):
    """The init that NAME=PATH describes."""
    name, _, path = text.partition("=")
    if not shutil.which(path):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=PATH of a program")
    return init_of(name, os.path.abspath(shutil.which(path)))


def raw_init(programs):
    return Init("raw_init", programs["raw_init"], limit=True)


def build_of(init):
    """How an init is linked, and with which C library. A static program with glibc
    contains the names of tunables; one with musl that calls strerror(3), a message that
    only musl has."""
    headers = subprocess.run(["readelf", "-lW", init.path], text=True, check=True,
                             capture_output=True, env=ENVIRONMENT).stdout
    if loader := re.search(r"program interpreter: (\S+)\]", headers):
        return "dynamic", "musl" if "/ld-musl" in loader[1] else "glibc"
    program = pathlib.Path(init.path).read_bytes()
    if b"glibc." in program:
        return "static", "glibc"
    return "static", "musl" if b"No error information" in program else "not glibc"


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
