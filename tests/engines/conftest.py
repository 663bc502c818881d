"""Shared by the tests with real engines: a container, with the init in each of the
places where an engine's user can put it.

A test that takes `engine` runs for each of PLACES. tests/engines/run starts the daemons
and imports the images:

    plain      a root file system with busybox, bash, and the programs of
               tests/support/helpers in /helpers
    dumb-init  the same, with /usr/bin/dumb-init as its ENTRYPOINT
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import time
import uuid

import pexpect
import psutil
import pytest

from watch import patience, wait_until

# The machine need not have the other runtimes; each root file system of a suite does.
collect_ignore = [] if "IN_SUITE" in os.environ else ["test_others.py"]

ENGINES = pathlib.Path(os.environ["ENGINES"])
CGROUP = os.environ["ENGINES_CGROUP"]
# Seconds from SIGTERM to SIGKILL in `docker stop`, `podman stop`; and fewer, for an exit
# without SIGKILL on any machine: an emulated one has taken 9.
PATIENCE = 120
AT_ONCE = 60
# A shell that runs this as PID 1 ignores SIGTERM. It starts two helpers and waits.
SCRIPT = "sleep 1000 & sleep 1000 & echo ready; wait"
BASH = ["bash", "--norc", "--noprofile"]

# Options for a client. It does not run in the source tree: at an out-of-memory kill,
# Podman leaves a file named "oom" in its working directory.
DEFAULTS = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 600,
            "cwd": ENGINES}


def docker(name):
    return ["docker", "-H", f"unix://{ENGINES}/{name}.sock"]


PODMAN = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs",
          "--root", f"{ENGINES}/podman", "--runroot", "/run/podman"]
NO_NETWORK = ["--network", "none"]
# By default Podman raises the limits further than a test machine may allow.
PODMAN_RUN = [*NO_NETWORK, "--cgroup-parent", f"/{CGROUP}",
              "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]


class Engine:
    """An engine's client, and the init in one place."""

    def __init__(self, command, run_options, image, path):
        self.command = command          # of the client
        self.run_options = run_options  # always given to `run`
        self.image = image              # with the init or without it
        self.path = path                # of the init in the container
        self.names = []                 # of containers

    @property
    def name(self):
        return self.command[0]

    def __call__(self, *words, **options):
        """Runs the client; check=False if it may fail."""
        options = DEFAULTS | {"check": True, "text": True} | options
        return subprocess.run([*self.command, *words], **options)

    def remove_all(self):
        """Kills and removes the containers."""
        # By default Podman sends SIGTERM first, and waits.
        at_once = ["--time", "0"] if self.name == "podman" else []
        for name in self.names:
            self("rm", "--force", "--volumes", *at_once, name, check=False)

    def run_words(self, *words, options=(), init="", image=None):
        """The words of the client for `run`, and the name of the container.

        init: options of dumb-init. image: an image to use instead, without --init."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.names.append(name)
        place = self.run_options
        if image is not None:
            place = [word for word in place if not word.startswith("--init")]
        return name, [*self.command, "run", "--name", name, *place,
                      "--env", f"DUMB_INIT_OPTIONS={init}", *options,
                      image or self.image, *words]

    def run(self, *words, text="", **where):
        """Runs a container in the foreground until it exits, with text as its
        input. Returns the result of subprocess.run."""
        _, command = self.run_words(*words, **where)
        options = DEFAULTS | {"stdin": None, "input": text}
        return subprocess.run(command, text=True, check=False, **options)

    def start(self, *words, **where):
        """Starts a container in the background."""
        name, command = self.run_words(*words, **where)
        command.insert(command.index("run") + 1, "--detach")
        result = subprocess.run(command, check=False, **DEFAULTS)
        assert result.returncode == 0, f"expected a container, got {result.stderr!r}"
        return Container(self, name)

    def terminal(self, *words, options=("-it",), **where):
        """Starts a container in the foreground on a terminal. Returns the terminal,
        a pexpect object, and the container."""
        name, command = self.run_words(*words, options=options, **where)
        return on_terminal(command), Container(self, name)


def remove_pod(name):
    """Podman 4.3 refuses while a container of the Pod is exiting."""
    wait_until(lambda: subprocess.run(
        [*PODMAN, "pod", "rm", "--force", "--ignore", "--time", "0", name], check=False,
        **DEFAULTS).returncode == 0, "the removal of the Pod")


def on_terminal(command):
    """Starts a command on a new terminal."""
    terminal = pexpect.spawn(command[0], command[1:], timeout=patience(),
                             encoding="utf-8", cwd=ENGINES)
    terminal.delaybeforesend = None
    return terminal


def in_foreground(processes, name):
    """Whether a process of that name is in the foreground of its terminal."""
    for process in processes:
        try:
            text = pathlib.Path(f"/proc/{process.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        command, rest = text[text.index("(") + 1:].rsplit(") ", 1)
        _, _, group, _, _, foreground, *_ = rest.split()
        if command == name and group == foreground:
            return True
    return False


def names(processes):
    """The sorted names of the processes, without those that have exited meanwhile."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(process.name())
    return sorted(found)


def pid_namespace(pid):
    """The name of the process's PID namespace; "" if the process has exited."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


class Container:
    def __init__(self, engine, name):
        self.engine = engine
        self.name = name

    @property
    def state(self):
        """The state that `inspect` reports; {} before the container exists."""
        result = self.engine("inspect", "--format", "{{json .State}}", self.name,
                             check=False)
        return json.loads(result.stdout) if result.returncode == 0 else {}

    @property
    def pid(self):
        """The PID of the container's PID 1, in the PID namespace of this test."""
        return wait_until(lambda: self.state.get("Pid"), "the container")

    def processes(self):
        """psutil's objects for all processes in it except PID 1; zombies included."""
        pid = self.pid
        return [process for process in psutil.process_iter() if process.pid != pid
                and pid_namespace(process.pid) == pid_namespace(pid)]

    def logs(self):
        result = self.engine("logs", self.name)
        return result.stdout + result.stderr

    def wait_for(self, pattern, limit=None):
        """Follows the log until a line matches; fails after limit seconds."""
        limit = limit or patience()
        follow = [*self.engine.command, "logs", "--follow", self.name]
        with subprocess.Popen(["timeout", str(limit), *follow], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as log:
            found = any(re.search(pattern, line.rstrip()) for line in log.stdout)
            log.terminate()
        assert found, f"expected {pattern} in the log, got {self.logs()}"

    def exec(self, *words, options=(), **how):
        return self.engine("exec", *options, self.name, *words, **how)

    def kill(self, signal):
        self.engine("kill", "--signal", str(signal), self.name)

    def stop(self, patience=PATIENCE):
        """Stops the container. Returns how long that took, in seconds."""
        begin = time.monotonic()
        self.engine("stop", "--time", str(patience), self.name)
        return time.monotonic() - begin

    def status(self):
        """Waits until the container exits. Returns its status."""
        self.engine("wait", self.name)
        found = self.state
        # `podman wait` prints 0 for a container that never started. Podman 5 says
        # "stopped" before it has cleaned up.
        assert found["Status"] in ("exited", "stopped") and found["Pid"] == 0
        assert not found["StartedAt"].startswith("0001-")
        return found["ExitCode"]


def place_of(name):
    """The engine for a name of PLACES."""
    if name.startswith("docker"):
        kind = "docker-in-path" if name == "docker-in-path" else "docker"
        command, options, path = docker(kind), NO_NETWORK, "/sbin/docker-init"
    else:
        command, options, path = PODMAN, PODMAN_RUN, "/run/podman-init"
    if name.endswith("-entrypoint"):
        return Engine(command, options, "dumb-init", "/usr/bin/dumb-init")
    options = [*options, "--init"]
    if name == "podman-init-path":
        options.append(f"--init-path={os.environ['INIT']}")
    return Engine(command, options, "plain", path)


PLACES = ["docker-entrypoint", "docker-init-path", "docker-in-path",
          "podman-entrypoint", "podman-init-path"]


@pytest.fixture(params=PLACES)
def engine(request):
    """An engine, with the init in each place. Removes its containers at the end."""
    engine = place_of(request.param)
    yield engine
    engine.remove_all()
