"""runc and containerd's ctr, without an engine.

The container has the file system of the engines' images."""

import json
import re
import signal
import subprocess
import uuid

import pexpect
import psutil
import pytest

from conftest import (AT_ONCE, BASH, CGROUP, ENGINES, SCRIPT, in_foreground,
                      on_terminal)
from watch import wait_until

ROOT = f"{ENGINES}/root"
INIT = "/usr/bin/dumb-init"


class Runtime:
    """One container, and the client that runs it in the foreground."""

    def __init__(self, path):
        self.path = path
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self.clients = []

    def __call__(self, *words, check=True):
        return subprocess.run([*self.client, *words], check=check, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=600)

    def run(self, *words, **how):
        return subprocess.run(self.words(*words), check=False, text=True,
                              capture_output=True, timeout=600, **how)

    def start(self, *words):
        """Starts the client; its output can be read."""
        self.clients.append(subprocess.Popen(
            self.words(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True))
        return self.clients[-1]

    def end(self):
        self.remove()
        for client in self.clients:
            client.kill()
            client.communicate()


class Runc(Runtime):
    client = ["runc", "--root", f"{ENGINES}/runc"]

    def words(self, *words, terminal=False):
        """The client's words that run this command under the init."""
        self("spec", "--bundle", str(self.path))
        file = self.path / "config.json"
        config = json.loads(file.read_text())
        config["process"] |= {"args": [INIT, *words], "terminal": terminal}
        config["root"]["path"] = ROOT
        config["linux"]["cgroupsPath"] = f"/{CGROUP}/{self.name}"
        file.write_text(json.dumps(config))
        return [*self.client, "run", "--bundle", str(self.path), self.name]

    def kill(self, name):
        self("kill", self.name, name)

    def exec(self, *words):
        return self("exec", self.name, *words)

    def pid(self):
        return json.loads(self("state", self.name).stdout)["pid"]

    def remove(self):
        self("delete", "--force", self.name)


class Ctr(Runtime):
    client = ["ctr", "--address", f"{ENGINES}/containerd.sock"]

    def words(self, *words, terminal=False):
        return [*self.client, "run", "--cgroup", f"/{CGROUP}/{self.name}",
                *(["--tty"] if terminal else []), "--rootfs", ROOT, self.name,
                INIT, *words]

    def kill(self, name):
        self("task", "kill", "--signal", name, self.name)

    def exec(self, *words):
        return self("task", "exec", "--exec-id", uuid.uuid4().hex[:12], self.name,
                    *words)

    def pid(self):
        tasks = self("task", "ls").stdout
        return int(re.search(rf"^{self.name} +(\d+)", tasks, re.M)[1])

    def remove(self):
        self("task", "delete", "--force", self.name, check=False)
        self("container", "delete", self.name, check=False)


@pytest.fixture(params=[Runc, Ctr])
def runtime(request, tmp_path):
    runtime = request.param(tmp_path)
    yield runtime
    runtime.end()


def test_container_has_the_input_output_and_status_of_command(runtime):
    # Two lines, not all of the input: ctr 1.6 does not forward its end.
    result = runtime.run("sh", "-c", "head -n 2; echo oops >&2; exit 7",
                         input="two\nlines\n")
    assert (result.returncode, result.stdout, result.stderr) == (7, "two\nlines\n",
                                                                 "oops\n")


def test_kill_ends_a_script_and_its_helpers(runtime):
    client = runtime.start("sh", "-c", SCRIPT)
    assert client.stdout.readline() == "ready\n"
    inside = psutil.Process(runtime.pid()).children(recursive=True)
    assert len(inside) == 3
    runtime.kill("TERM")
    assert client.wait(AT_ONCE) == 128 + signal.SIGTERM
    assert not any(process.is_running() for process in inside)


@pytest.mark.parametrize("number", [signal.SIGHUP, 37, 64])
def test_signal_of_kill_is_forwarded(runtime, number):
    client = runtime.start("/helpers/reporter")
    assert client.stdout.readline().startswith("ready")
    runtime.kill(str(int(number)))
    got = [int(client.stdout.readline().split()[0])]
    # SIGURG: Go's runtime in runc's client sends it to itself, and runc forwards it.
    while got[-1] == signal.SIGURG:
        got.append(int(client.stdout.readline().split()[0]))
    assert got[-1] == number


def test_orphans_of_exec_are_reaped(runtime):
    client = runtime.start("sh", "-c", SCRIPT)
    assert client.stdout.readline() == "ready\n"
    init = psutil.Process(runtime.pid())
    assert init.cmdline()[0] == INIT
    command = set(init.children())
    # ctr sets no PATH; runc waits for each process that has its output open.
    runtime.exec("/bin/sh", "-c", "for i in $(seq 20); do sleep 1000 & done "
                 ">/dev/null 2>&1")
    # dumb-init adopts the processes that outlive the shell.
    orphans = set(init.children()) - command
    assert len(orphans) == 20
    for orphan in orphans:
        orphan.kill()
    wait_until(lambda: set(init.children()) == command, "the orphans to be reaped")


def test_shell_on_a_terminal_has_job_control(runtime):
    terminal = on_terminal(runtime.words("env", "PS1=prompt> ", "TERM=dumb", *BASH,
                                         terminal=True))
    terminal.expect_exact("prompt> ")
    init = psutil.Process(runtime.pid())
    terminal.sendline("sleep 1000")
    wait_until(lambda: in_foreground(init.children(recursive=True), "sleep"),
               "sleep to start")
    terminal.send("\x1a")
    terminal.expect("Stopped")
    terminal.expect_exact("prompt> ")
    terminal.sendline("fg")
    wait_until(lambda: in_foreground(init.children(recursive=True), "sleep"),
               "sleep to start")
    terminal.send("\x03")
    terminal.expect_exact("prompt> ")
    terminal.sendline("exit 5")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 5
