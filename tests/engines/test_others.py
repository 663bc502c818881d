"""LXC, systemd-nspawn, bubblewrap, and gVisor's runsc.

Only the root file systems of tests/engines/suite have them; conftest.py leaves this
file out elsewhere. The containers have the file system of the engines' images."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import uuid

import psutil
import pytest

from conftest import AT_ONCE, CGROUP, ENGINES, SCRIPT
from watch import patience, state, wait_until, waits_for_good

INIT = "/usr/bin/dumb-init"
CPU = pathlib.Path("/proc/cpuinfo")
RTMIN = 34  # SIGRTMIN of glibc, which LXC uses
ORPHANS = 100
# Starts orphans that exit, waits until /proc has only the last processes and prints
# them. A zombie would remain there. The shell itself expands the pattern.
ORPHANER = f"""for i in $(seq {ORPHANS}); do (sleep 0.1 &); done
until set -- /proc/[0-9]* && [ $# = %d ]; do sleep 0.1; done; echo "$@" """
# A helper that needs a second to exit. COMMAND does not wait for it.
CLEANS_UP = """sh -c 'trap "sleep 1; echo clean; exit" TERM; echo ready
while :; do sleep 0.1; done' & sleep 1000"""
KILLED = "[dumb-init] sh (PID 2) was killed by SIGKILL, not sent by dumb-init: "
GUESS = "out of memory, or another process sent it\n"
NOT_COUNTED = "its cgroup recorded no OOM kill; another process probably sent it\n"
# systemd-nspawn 262 refuses cgroup v1. In a mount namespace of its own it sees only v2,
# of which the kernel always has a hierarchy, with or without controllers.
CGROUP_V2 = 'mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && '


class Runtime:
    """One container, and the clients that run it in the foreground."""
    processes = 2   # in the container: PID 1 and COMMAND
    environment = {}
    has_counts = True   # of OOM kills, if its cgroup has them

    def __init__(self, root, path):
        self.root, self.path = root, path
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self.clients = []

    def __call__(self, program, *words):
        """Runs another program of the runtime."""
        return subprocess.run([program, *self.place(), *words], check=True, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=600).stdout

    def start(self, *command, **how):
        """Starts the command under dumb-init. Returns the client; its stdout has the
        whole output. init: options of dumb-init."""
        self.clients.append(subprocess.Popen(
            self.words(*command, **how), cwd=self.path, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=os.environ | self.environment))
        return self.clients[-1]

    def run(self, *command, **how):
        """Runs the command under dumb-init. Returns the client's status and output."""
        client = self.start(*command, **how)
        output, _ = client.communicate(timeout=patience())
        return client.returncode, output

    def status(self, status):
        """The status of the client when dumb-init has exited with that status."""
        return status

    def terminated(self):
        """The status of the client when SIGTERM has killed COMMAND."""
        return self.status(128 + signal.SIGTERM)

    def end(self):
        for client in self.clients:
            # Then the client exits, and removes its own traces.
            kill(descendants(client))
            client.wait(patience())
            client.stdout.close()


class Lxc(Runtime):
    program = "lxc-start"
    foreground = ["--foreground"]
    halt = ["lxc.signal.halt = SIGTERM"]

    def place(self):
        return [f"--lxcpath={ENGINES}/{self.program}", f"--name={self.name}"]

    def words(self, *command, init=(), halt=None):
        # In this place lxc-stop finds it, too.
        file = ENGINES / self.program / self.name / "config"
        file.parent.mkdir(parents=True)
        file.write_text("\n".join([
            f"lxc.rootfs.path = dir:{self.root}", "lxc.console.path = none",
            "lxc.mount.auto = proc:mixed sys:ro cgroup:ro",
            "lxc.apparmor.profile = unconfined",
            f"lxc.cgroup.dir = {CGROUP}/{self.name}",
            *(self.halt if halt is None else halt), ""]))
        # --quiet: with cgroup v2 it warns of controllers that it cannot delegate.
        return [self.program, *self.place(), "--quiet", *self.foreground, "--", INIT,
                *init, *command]

    def status(self, status):
        return 0    # whatever the container's

    def terminate(self):
        self("lxc-stop", "--nowait")

    def exec(self, *words):
        return self("lxc-attach", "--", *words)


class LxcExecute(Lxc):
    program = init = "lxc-execute"
    foreground = []
    processes = 3

    def status(self, status):
        return status


class Nspawn(Runtime):
    program = "systemd-nspawn"
    environment = {"SYSTEMD_LOG_LEVEL": "warning"}
    options = ["--kill-signal=SIGTERM"]

    def words(self, *command, init=(), options=None):
        # It makes two cgroups below the one that it is started in.
        return ["unshare", "--mount", "sh", "-c", CGROUP_V2 +
                'mkdir "$0" && echo $$ >"$0/cgroup.procs" && exec "$@"',
                f"{CGROUP}-{self.name}", self.program, "--quiet", "--pipe",
                f"--directory={self.root}", f"--machine={self.name}",
                "--register=no", "--keep-unit", "--link-journal=no",
                "--resolv-conf=off", "--timezone=off",
                *(self.options if options is None else options),
                INIT, *init, *command]

    def terminate(self):
        self.clients[-1].terminate()

    def end(self):
        super().end()
        remove = ["unshare", "--mount", "sh", "-c", CGROUP_V2 +
                  'find "$0" -depth -type d -exec rmdir {} +', f"{CGROUP}-{self.name}"]
        wait_until(lambda: subprocess.run(remove, timeout=600).returncode == 0,
                   "the removal of the cgroups")


class NspawnAsPid2(Nspawn):
    init = "(sd-stubinit)"
    # For SIGRTMIN+3 this init sends SIGHUP and SIGTERM to all processes.
    options = ["--as-pid2", "--kill-signal=SIGRTMIN+3"]
    processes = 3

    def terminated(self):
        return 0    # SIGRTMIN+3 means that the container was switched off


class Bubblewrap(Runtime):
    program = "bwrap"
    options = ["--as-pid-1"]

    def words(self, *command, init=(), options=()):
        return [self.program, "--bind", str(self.root), "/", "--proc", "/proc",
                "--dev", "/dev", "--unshare-pid", *self.options, *options, INIT, *init,
                *command]

    def terminate(self):
        """Not the client, which does not forward the signal."""
        dumb_init(self.clients[-1]).terminate()


class BubblewrapWithInit(Bubblewrap):
    init = "bwrap"
    options = []
    processes = 3


class Runsc(Runtime):
    program = "runsc"
    has_counts = False

    def place(self):
        return [f"--root={ENGINES}/runsc", "--platform=systrap", "--network=none",
                "--ignore-cgroups"]

    def words(self, *command, init=()):
        self(self.program, "spec", "--bundle", str(self.path))
        file = self.path / "config.json"
        config = json.loads(file.read_text())
        config["process"] |= {"args": [INIT, *init, *command], "terminal": False}
        config["root"]["path"] = str(self.root)
        file.write_text(json.dumps(config))
        return [self.program, *self.place(), "run", "--bundle", str(self.path),
                self.name]

    def terminate(self):
        self.kill("TERM")

    def kill(self, name):
        self(self.program, "kill", self.name, name)

    def exec(self, *words):
        return self(self.program, "exec", self.name, *words)


PID_1 = [Lxc, Nspawn, Bubblewrap, Runsc]
WITH_INIT = [LxcExecute, NspawnAsPid2, BubblewrapWithInit]


def under(*runtimes):
    return pytest.mark.parametrize("runtime", runtimes, indirect=True)


def descendants(client):
    try:
        return psutil.Process(client.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(processes):
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def dumb_init(client):
    init, = [process for process in descendants(client)
             if process.cmdline()[:1] == [INIT]]
    return init


def wait_for(client, pattern):
    """Reads the output until a line matches. Returns the match."""
    for line in client.stdout:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"expected {pattern} in the output, got its end")


def next_signal(client):
    """The number of the next signal that tests/support/helpers/reporter got."""
    return int(wait_for(client, r"^(\d+) \d+ \d+ ")[1])


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """A copy of the images' file system, in which the runtimes make directories."""
    root = tmp_path_factory.mktemp("others") / "root"
    shutil.copytree(ENGINES / "root", root, symlinks=True)
    return root


@pytest.fixture
def runtime(request, root, tmp_path):
    if not shutil.which(request.param.program):
        pytest.skip(f"this Debian has no {request.param.program} that works")
    if request.param is Runsc and "QEMU TCG" in CPU.read_text():
        pytest.skip("in an emulated machine runsc takes minutes for 100 processes")
    runtime = request.param(root, tmp_path)
    yield runtime
    runtime.end()


@under(*PID_1)
def test_dumb_init_is_pid_1(runtime):
    _, output = runtime.run("cat", "/proc/1/cmdline")
    assert output == f"{INIT}\0cat\0/proc/1/cmdline\0"


@under(*WITH_INIT)
def test_pid_1_is_an_init_of_the_runtime(runtime):
    _, output = runtime.run("cat", "/proc/1/comm", "/proc/2/comm")
    assert output == f"{runtime.init}\ndumb-init\n"


@under(*PID_1, *WITH_INIT)
def test_container_has_the_output_and_status_of_command(runtime):
    status, output = runtime.run("sh", "-c", "echo out; echo oops >&2; exit 7")
    assert output == "out\noops\n"
    assert status == runtime.status(7)


@under(*PID_1, *WITH_INIT)
def test_orphans_are_reaped(runtime):
    status, output = runtime.run("sh", "-c", ORPHANER % runtime.processes, init=["-w"])
    assert output.count("[dumb-init] reaped orphan") == ORPHANS
    # Not always the last line: dumb-init reaps an orphan, and then prints that.
    assert " ".join(f"/proc/{pid + 1}" for pid in range(runtime.processes)) \
        in output.splitlines()
    assert status == runtime.status(0)


@under(*PID_1)
def test_missing_command_exits_with_127_and_a_hint(runtime):
    status, output = runtime.run("nosuch")
    error, hint = output.splitlines()
    assert error == "[dumb-init] cannot execute 'nosuch': No such file or directory"
    assert hint.startswith("[dumb-init] hint: 'nosuch' is not in PATH")
    assert status == runtime.status(127)


@under(*PID_1, *WITH_INIT)
def test_stop_ends_a_script_and_its_helpers_at_once(runtime):
    client = runtime.start("sh", "-c", SCRIPT)
    wait_for(client, "^ready$")
    inside = descendants(client)
    assert inside
    runtime.terminate()
    assert client.wait(AT_ONCE) == runtime.terminated()
    wait_until(lambda: not any(process.is_running() for process in inside),
               "the exit of the helpers")


@under(*PID_1)
@pytest.mark.parametrize("init, cleaned", [(["--grace", "8"], True), ([], False)],
                         ids=["grace", "no-grace"])
def test_grace_lasts_until_a_clean_up_has_finished(runtime, init, cleaned):
    client = runtime.start("sh", "-c", CLEANS_UP, init=init)
    wait_for(client, "^ready$")
    runtime.terminate()
    output, _ = client.communicate(timeout=patience())
    assert ("clean" in output) == cleaned
    assert client.returncode == runtime.terminated()


@under(*PID_1)
def test_unexplained_sigkill_has_a_line(runtime):
    status, output = runtime.run("sh", "-c", "kill -KILL $$")
    assert (output == KILLED + GUESS
            or runtime.has_counts and output == KILLED + NOT_COUNTED)
    assert status == runtime.status(128 + signal.SIGKILL)


@under(Lxc, Runsc)
def test_orphans_of_exec_are_reaped(runtime):
    client = runtime.start("sh", "-c", SCRIPT, init=["-w"])
    wait_for(client, "^ready$")
    runtime.exec("/bin/sh", "-c", f"for i in $(seq {ORPHANS}); do sleep 0.1 & done "
                 ">/dev/null 2>&1")
    for _ in range(ORPHANS):
        wait_for(client, r"^\[dumb-init\] reaped orphan .* exited with status 0$")


# LXC


@under(Lxc)
def test_lxc_stop_sends_sigpwr_and_sigint_to_reboot(runtime):
    client = runtime.start("/helpers/reporter", halt=[])
    wait_for(client, "^ready")
    init = dumb_init(client)
    wait_until(lambda: waits_for_good(init.pid), "dumb-init to wait")
    runtime("lxc-stop", "--nowait")
    assert next_signal(client) == signal.SIGPWR
    wait_until(lambda: waits_for_good(init.pid), "dumb-init to wait")
    runtime("lxc-stop", "--nowait", "--reboot")
    assert next_signal(client) == signal.SIGINT


@under(Lxc)
def test_lxc_stop_sends_sigrtmin_3_when_dumb_init_does_not_wait(runtime):
    """lxc-stop takes an init that blocks SIGRTMIN+3 for systemd. dumb-init blocks all
    signals; while it waits, the kernel shows those that it waits for as not blocked."""
    client = runtime.start("/helpers/reporter", halt=[])
    wait_for(client, "^ready")
    init = dumb_init(client)
    init.suspend()
    wait_until(lambda: state(init.pid) == "T", "dumb-init to stop")
    runtime("lxc-stop", "--nowait")
    init.resume()
    assert {next_signal(client), next_signal(client)} == {signal.SIGCONT, RTMIN + 3}


@under(Lxc)
@pytest.mark.parametrize("options", [
    {"halt": ["lxc.signal.halt = SIGTERM"]},
    {"halt": [], "init": ["--rewrite", "PWR:TERM", "--rewrite", "RTMIN+3:TERM"]}],
    ids=["halt", "rewrite"])
def test_lxc_stop_becomes_sigterm(runtime, options):
    client = runtime.start("/helpers/reporter", **options)
    wait_for(client, "^ready")
    runtime("lxc-stop", "--nowait")
    assert next_signal(client) == signal.SIGTERM


@under(Lxc)
def test_lxc_start_forwards_sigterm(runtime):
    client = runtime.start("/helpers/reporter")
    wait_for(client, "^ready")
    client.terminate()
    assert next_signal(client) == signal.SIGTERM


# systemd-nspawn


@under(Nspawn)
def test_nspawn_without_kill_signal_kills_all_processes(runtime):
    client = runtime.start("sh", "-c", CLEANS_UP, init=["-v", "--grace", "8"],
                           options=[])
    wait_for(client, "^ready$")
    runtime.terminate()
    output, _ = client.communicate(timeout=patience())
    assert "SIGTERM" not in output and "clean" not in output
    assert client.returncode == 1


@under(NspawnAsPid2)
def test_nspawn_as_pid2_sends_sighup_and_sigterm(runtime):
    client = runtime.start("/helpers/reporter")
    wait_for(client, "^ready")
    runtime.terminate()
    assert {next_signal(client) for _ in range(3)} == {signal.SIGHUP, signal.SIGTERM,
                                                       signal.SIGCONT}


# bubblewrap


@under(Bubblewrap, BubblewrapWithInit)
def test_bubblewrap_does_not_forward_sigterm(runtime):
    client = runtime.start("/helpers/reporter")
    wait_for(client, "^ready")
    inside, init = descendants(client), dumb_init(client)
    client.terminate()
    assert client.wait(AT_ONCE) == -signal.SIGTERM
    assert all(process.is_running() for process in inside)
    init.send_signal(signal.SIGUSR1)
    assert next_signal(client) == signal.SIGUSR1
    kill(inside)


@under(Bubblewrap)
def test_bubblewrap_may_kill_all_processes_when_it_dies(runtime):
    client = runtime.start("/helpers/reporter", options=["--die-with-parent"])
    wait_for(client, "^ready")
    inside = descendants(client)
    client.terminate()
    wait_until(lambda: not any(process.is_running() for process in inside),
               "the exit of all processes")
    assert not client.stdout.read()


# gVisor


@under(Runsc)
@pytest.mark.parametrize("name", ["HUP", "INT", "USR1", "WINCH"])
def test_signal_of_kill_is_forwarded(runtime, name):
    client = runtime.start("/helpers/reporter")
    wait_for(client, "^ready")
    runtime.kill(name)
    assert next_signal(client) == signal.Signals["SIG" + name]


@under(Runsc)
@pytest.mark.parametrize("text, mode, hint", [
    ("#!/bin/nosuch\n", 0o755, "needs the interpreter '/bin/nosuch'"),
    ("#!/bin/sh\r\n", 0o755, "has Windows line endings"),
    ("echo hello\n", 0o644, "has no execute permission"),
], ids=["interpreter", "crlf", "permission"])
def test_command_that_cannot_be_executed_has_a_hint(runtime, text, mode, hint):
    file = runtime.root / runtime.name
    file.write_bytes(text.encode())
    file.chmod(mode)
    status, output = runtime.run(f"/{file.name}")
    assert f"\n[dumb-init] hint: '/{file.name}' {hint}" in output
    assert status == 126
