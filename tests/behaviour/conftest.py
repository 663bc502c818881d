"""Shared by the behaviour tests: start an init, read its output, end it.

A test takes `start` and, through it, is run for each build (--init NAME=PATH),
and for each mode and place that it names as a fixture:

    def test_claim(start, mode, place): ...
"""

import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile

import pexpect
import pexpect.fdpexpect
import psutil
import pytest

from adapters import ADAPTERS, Adapted, NoSuchOption, words_of
from terminals import Terminal
# Some of these are for the tests, which import them from here.
from watch import (WAITS_FOR_GOOD, children, duration, maps_other_users, patience,
                   scaled, sleeps_on, state, status_field, wait_until, waits_for_good)

NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
MODES = {"session": [], "group": ["-g"], "single-child": ["-c"]}
WITHOUT_CAP_KILL = ["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill"]
BASH = ["bash", "--norc", "--noprofile"]
# Debian's programs with names that dumb-init also has.
PEERS = {name: f"/usr/bin/{name}" for name in ("tini", "tini-static", "catatonit")}


def pytest_addoption(parser):
    parser.addoption("--init", action="append", default=[], metavar="NAME=PATH",
                     help="an init to be held against the contract")
    parser.addoption("--helpers", metavar="DIR", help="built tests/support/helpers")


def pytest_configure(config):
    config.addinivalue_line("markers", "cost: counts what a release build costs")
    config.addinivalue_line("markers", "musl: holds for the static musl build only")
    config.addinivalue_line("markers", "slow: of several builds, for the last only")
    config.addinivalue_line("markers", "names(NAME, ...): each build under each of "
                            "these names, and Debian's programs of these names")
    config.addinivalue_line("markers", "differs(NAME=REASON, ...): Debian's program "
                            "of that name does not do so, as docs/drop-in.md says")
    config.links = pathlib.Path(tempfile.mkdtemp())
    # A background job of a script starts with SIGINT and SIGQUIT ignored, and each
    # process of the tests would inherit that. (Python resets its own ignored signals.)
    for signum in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def pytest_unconfigure(config):
    shutil.rmtree(config.links)


def under_names(config, builds, names):
    """Parameters for init: id and path, of builds and of Debian's programs."""
    for name in names:
        for build, path in builds.items():
            link = config.links / build / name
            link.parent.mkdir(exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(pathlib.Path(path).resolve())
            yield pytest.param(str(link), id=f"{build}-{name}")
        if name in PEERS:
            missing = not os.path.exists(PEERS[name])
            yield pytest.param(PEERS[name], id=f"debian-{name}", marks=[
                pytest.mark.skipif(missing, reason=f"NOT TESTED: no {PEERS[name]}")])


def adapted(item):
    """The init of a test, if it is one of adapters.py."""
    init = item.callspec.params.get("init") if hasattr(item, "callspec") else None
    return init if isinstance(init, Adapted) else None


def pytest_collection_modifyitems(items):
    """A test marked with `differs` must fail, or the marker is out of date."""
    peers = {path: name for name, path in PEERS.items()}
    for item in items:
        if adapted(item):
            continue
        init = item.callspec.params.get("init") if hasattr(item, "callspec") else None
        name = peers.get(init, "").removesuffix("-static")
        for marker in item.iter_markers("differs"):
            if name in marker.kwargs:
                item.add_marker(pytest.mark.xfail(reason=marker.kwargs[name],
                                                  strict=True))


def pytest_generate_tests(metafunc):
    if "init" not in metafunc.fixturenames:
        return
    named = dict(each.split("=", 1) for each in metafunc.config.getoption("--init"))
    others = {name: Adapted(name, named.pop(name))
              for name in ADAPTERS if name in named}
    if metafunc.definition.get_closest_marker("musl"):
        named = {name: path for name, path in named.items() if name == "musl"}
    if metafunc.definition.get_closest_marker("slow"):
        named = dict(list(named.items())[-1:])
    names = metafunc.definition.get_closest_marker("names")
    if names and not others:
        metafunc.parametrize("init", list(under_names(metafunc.config, named,
                                                      names.args)))
        return
    builds = {name: str(pathlib.Path(path).resolve()) for name, path in named.items()}
    metafunc.parametrize("init", (builds | others).values(), ids=builds | others)


@pytest.fixture(autouse=True)
def nothing_left_behind(request):
    """A test must end each process that it started. The others become children of
    PID 1, the parent of pytest (tests/support/reaper)."""
    yield
    if os.getppid() != 1:
        return

    def left():
        return set(children(1)) - {os.getpid()}
    # Another init may leave processes that no test expects.
    for pid in left() if adapted(request.node) else ():
        end_tree(pid)
    try:
        wait_until(lambda: not left(), "no process left by the test")
    except AssertionError:
        said = [(state(pid), status_field(pid, "Name")) for pid in left()]
        for pid in left():  # or each later test would find it
            end_tree(pid)
        pytest.fail(f"expected no process left by the test, got {said}")


@pytest.fixture(params=MODES)
def mode(request, init):
    """The options of each mode."""
    if isinstance(init, Adapted) and request.param not in init.modes:
        pytest.skip("no such mode")
    return MODES[request.param]


@pytest.fixture(params=["pid1", "ordinary"])
def place(request):
    """Whether the init is PID 1 of a namespace, or a process like any other."""
    return request.param


@pytest.fixture(scope="session")
def helpers(request):
    """A copy of the helpers that every user can run: the directory of the build may
    be closed to others."""
    with tempfile.TemporaryDirectory() as directory:
        for program in pathlib.Path(request.config.getoption("--helpers")).iterdir():
            pathlib.Path(shutil.copy(program, directory)).chmod(0o755)
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory).resolve()


@pytest.fixture
def helper(helpers):
    """Path of a program of tests/support/helpers."""
    return lambda name: str(helpers / name)


@pytest.fixture
def another():
    """The words before a command that run it as another user."""
    if not maps_other_users():
        pytest.skip("NOT TESTED: needs a second UID, and this user namespace "
                    "has one; run the tests as root")
    return ["setpriv", "--reuid", "12345", "--clear-groups"]


@pytest.fixture
def unsanitized(init):
    """For a test that denies a resource which AddressSanitizer needs."""
    if b"__asan_" in pathlib.Path(init).read_bytes():
        pytest.skip("AddressSanitizer does not run where this is denied")


@pytest.fixture
def command_line(init):
    """command_line(WORD...): the words that start the init with this command line."""
    def command_line(*words):
        try:
            return words_of(init, words)
        except NoSuchOption as option:
            return pytest.skip(f"no such option: {option}")
    return command_line


@pytest.fixture
def run(command_line):
    """run(WORD...): runs an init until it exits; returns as subprocess.run."""
    def run(*words, before=(), **options):
        options = {"stdin": subprocess.DEVNULL, "capture_output": True,
                   "text": True, "errors": "replace", "timeout": patience()} | options
        return subprocess.run([*before, *command_line(*words)], check=False, **options)
    return run


def end_tree(pid):
    """Kills a process and all its descendants."""
    try:
        top = psutil.Process(pid)
        tree = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass


# A shell as COMMAND waits until its init waits for signals.
AWAIT_INIT = f"until grep -qE '{WAITS_FOR_GOOD}' /proc/$PPID/syscall; do :; done; "


def wait_for_end(popen):
    """The status as in a shell: 128+N if signal N killed it. Does not poll, as
    Popen.wait with a timeout does."""
    with os.fdopen(os.pidfd_open(popen.pid)) as process:
        assert select.select([process], [], [], patience())[0], \
            "expected the exit of the init, got none"
    code = popen.wait()
    return code if code >= 0 else 128 - code


class Started:
    """A running init, and the output of it and of COMMAND."""

    def __init__(self, popen, place, output):
        self.popen = popen    # the init, or unshare around it
        self.output = output  # a pexpect object
        self.end_status = None
        self._pid = None if place == "pid1" else popen.pid

    @property
    def pid(self):
        """The init's PID in the namespace of the tests. COMMAND must have started."""
        if self._pid is None:
            self._pid, = children(self.popen.pid)
        return self._pid

    @property
    def command(self):
        """COMMAND's PID in the namespace of the tests. The init has no other child."""
        below = children(self.pid)
        assert len(below) == 1, f"expected one child of the init, got {len(below)}"
        return below[0]

    def _limit(self, end_of_file):
        """The end of a wait for output, for the message."""
        status = self.popen.poll()
        if status is None:
            return "before end of file" if end_of_file else \
                f"within {self.output.timeout:.0f} s"
        return "before the init " + (
            "exited" if status >= 0 else f"was killed by {names_of([-status])}")

    def expect(self, pattern, what=None):
        """Waits for pattern in the output. Returns the match."""
        try:
            self.output.expect(pattern)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            what = what or (pattern if isinstance(pattern, str) else pattern.decode())
            limit = self._limit(isinstance(error, pexpect.EOF))
            pytest.fail(f"expected {what!r} {limit}, got {self.output.before[-200:]!r}")
        return self.output.match

    def next_signal(self, what):
        """Waits until the reporter gets a signal. Returns its number."""
        return int(self.expect(rb"(\d+) -?\d+ \d+ -?\d+\r?\n", what)[1])

    def signals_up_to(self, last):
        """The signals that the reporter gets, up to the first `last`."""
        heard = []
        while last not in heard:
            heard.append(self.next_signal(f"signals up to {names_of([last])}"))
        return heard

    def expect_signals(self, *signums):
        """Waits until the reporter gets exactly these signals, in this order."""
        for signum in signums:
            got = self.next_signal(names_of([signum]))
            assert got == signum, \
                f"expected {names_of([signum])}, got {names_of([got])}"

    def send(self, *signums):
        for signum in signums:
            os.kill(self.pid, signum)

    def type(self, keys):
        """Types on the terminal."""
        self.output.send(keys)

    def status(self):
        """Waits for the exit. Returns the status as wait_for_end does."""
        if self.popen.returncode is None:
            self.end_status = wait_for_end(self.popen)
        return self.end_status


@pytest.fixture
def start(command_line):
    """start(WORD...): starts an init in the background.

    place: "pid1" or "ordinary". before: a command that runs the init; around:
    a command that runs the namespace as well.
    terminal: the init leads the session of a new terminal, as with -t of an engine,
    and the output is that of the terminal. Other options: those of subprocess.Popen.
    After the test all processes are killed.
    """
    started = []

    def start(*words, place="ordinary", around=(), before=(), terminal=False,
              **options):
        around = [*around, *(NAMESPACE if place == "pid1" else [])]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | options
        if terminal:
            master, slave = os.openpty()
            around += ["setsid", "--ctty"]
            options |= {"stdin": slave, "stdout": slave, "stderr": slave}
        popen = subprocess.Popen([*around, *before, *command_line(*words)], **options)
        if terminal:
            os.close(slave)
            output = master
        else:
            output = popen.stdout and popen.stdout.fileno()
        if output is not None:
            output = pexpect.fdpexpect.fdspawn(output, timeout=patience())
        started.append((popen, terminal and output))
        return Started(popen, place, output)

    yield start
    for popen, terminal in started:
        if popen.returncode is None:
            end_tree(popen.pid)
            wait_for_end(popen)
        if terminal:
            terminal.close()
        for stream in (popen.stdin, popen.stdout, popen.stderr):
            if stream:
                stream.close()


@pytest.fixture
def shell(init):
    """An interactive bash on a new terminal; $INIT is the init."""
    if isinstance(init, Adapted):
        init = init.program()
    terminal = Terminal([*BASH, "-i"], timeout=patience(), encoding="ascii",
                        env=os.environ | {"PS1": "prompt> ", "INIT": init,
                                          "TERM": "dumb"})
    terminal.expect("prompt> ")
    yield terminal
    end_tree(terminal.pid)
    terminal.close()


def names_of(signums):
    """For messages; a signal without a name is a number."""
    named = {each.value: each.name for each in signal.Signals}
    return ", ".join(named.get(each, str(each)) for each in sorted(signums)) or "none"


# All signals that can be caught, except SIGCHLD.
ALL_SIGNALS = [number for number in range(1, 65)
               if number not in (signal.SIGKILL, signal.SIGCHLD, signal.SIGSTOP)]
JOB_STOP = [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU]
