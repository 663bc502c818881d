"""What the tests with real engines share: a container, with the init in each of
the places where an engine's user can put it.

A test that takes `engine` runs for each of PLACES; tests/run-engines has started
the daemons and imported the images:

    plain      a busybox root file system, with bash, and tests/helpers in /helpers
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

ENGINES = pathlib.Path(os.environ["ENGINES"])
CGROUP = os.environ["ENGINES_CGROUP"]
PATIENCE = 10  # seconds from SIGTERM to SIGKILL in `docker stop`, `podman stop`
# What bounces off a shell that is PID 1: it waits, and has helpers.
SCRIPT = "sleep 1000 & sleep 1000 & echo ready; wait"
BASH = ["bash", "--norc", "--noprofile"]
AT_ONCE = 5    # seconds; far less than that, and enough for a busy machine

# For a client. Not in our directory: Podman leaves a file named "oom" where it is
# called, at an out-of-memory kill.
DEFAULTS = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60,
            "cwd": ENGINES}


def docker(name):
    return ["docker", "-H", f"unix://{ENGINES}/{name}.sock"]


PODMAN = ["podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs",
          "--root", f"{ENGINES}/podman", "--runroot", "/run/podman"]
NO_NETWORK = ["--network", "none"]
# Podman would raise the limits further than a machine of ours may let it.
PODMAN_RUN = [*NO_NETWORK, "--cgroup-parent", f"/{CGROUP}",
              "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]


class Engine:
    """An engine's client, and the init in one place."""

    def __init__(self, command, run_options, image, path):
        self.command = command          # of the client
        self.run_options = run_options  # always given to `run`
        self.image = image              # which has the init, or has not
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
        """Ends and removes the containers."""
        # Podman would begin with SIGTERM, and wait.
        at_once = ["--time", "0"] if self.name == "podman" else []
        for name in self.names:
            self("rm", "--force", "--volumes", *at_once, name, check=False)

    def run_words(self, *words, options=(), init="", image=None):
        """The words of the client for `run`, and the name of the container.

        init: options of the init. image: another one, without our init."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.names.append(name)
        place = self.run_options
        if image is not None:
            place = [word for word in place if not word.startswith("--init")]
        return name, [*self.command, "run", "--name", name, *place,
                      "--env", f"DUMB_INIT_OPTIONS={init}", *options,
                      image or self.image, *words]

    def run(self, *words, text="", **where):
        """Runs a container in the foreground, with text as its input, until it
        ends; as subprocess.run."""
        _, command = self.run_words(*words, **where)
        options = DEFAULTS | {"stdin": None, "input": text}
        return subprocess.run(command, text=True, check=False, **options)

    def start(self, *words, **where):
        """Starts a container in the background."""
        name, command = self.run_words(*words, **where)
        command.insert(command.index("run") + 1, "--detach")
        subprocess.run(command, check=True, **DEFAULTS)
        return Container(self, name)

    def terminal(self, *words, options=("-it",), **where):
        """Starts a container in the foreground on a terminal: that, pexpect's,
        and the container."""
        name, command = self.run_words(*words, options=options, **where)
        return on_terminal(command), Container(self, name)


def on_terminal(command):
    """Starts a command on a new terminal."""
    terminal = pexpect.spawn(command[0], command[1:], timeout=patience(),
                             encoding="utf-8", cwd=ENGINES)
    terminal.delaybeforesend = None
    return terminal


def in_foreground(processes, name):
    """Whether one of that name is where the keys of its terminal go to."""
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
    """What these are called, in order; without those that have ended meanwhile."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(process.name())
    return sorted(found)


def pid_namespace(pid):
    """Its name, or nothing if there is no such process any more."""
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
        """What `inspect` says of it; {} before it is there."""
        result = self.engine("inspect", "--format", "{{json .State}}", self.name,
                             check=False)
        return json.loads(result.stdout) if result.returncode == 0 else {}

    @property
    def pid(self):
        """The PID of the container's PID 1, as we see it."""
        return wait_until(lambda: self.state.get("Pid"), "the container")

    def processes(self):
        """All in it, as psutil has them, but for PID 1; zombies included."""
        pid = self.pid
        return [process for process in psutil.process_iter() if process.pid != pid
                and pid_namespace(process.pid) == pid_namespace(pid)]

    def logs(self):
        result = self.engine("logs", self.name)
        return result.stdout + result.stderr

    def wait_for(self, pattern, limit=None):
        """Follows the log until a line matches; fails after so many seconds."""
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
        """Stops it. Returns how long that took, in seconds."""
        begin = time.monotonic()
        self.engine("stop", "--time", str(patience), self.name)
        return time.monotonic() - begin

    def status(self):
        """Waits for its end, and returns its status."""
        self.engine("wait", self.name)
        found = self.state
        # `podman wait` says 0 of a container that never started.
        assert found["Status"] == "exited" and found["Pid"] == 0
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
    """An engine, with the init in each place. Its containers end with the test."""
    engine = place_of(request.param)
    yield engine
    engine.remove_all()
