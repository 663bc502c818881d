"""Shared by the tests with Kubernetes: a Pod, with dumb-init in its containers.

tests/kubernetes/run starts the servers and imports the images:

    plain      a root file system with busybox, and the programs of
               tests/support/helpers in /helpers
    dumb-init  the same, with /usr/bin/dumb-init
    usr1       the same, with STOPSIGNAL SIGUSR1
    pause      dumb-init alone, for the pause container of each Pod: --pause
    dumb-init-shell, dumb-init-python  the images that examples/kubernetes names
"""

import contextlib
import datetime
import json
import os
import re
import subprocess
import threading
import time
import uuid

import psutil
import pytest

from watch import scaled, status_field, wait_until

INIT = "/usr/bin/dumb-init"
NODE = "node"
PODS = "/api/v1/namespaces/default/pods"
# Seconds: terminationGracePeriodSeconds, unless a test is about it. Longer than a test
# takes, so that the kubelet's SIGKILL is never the reason of an exit.
GRACE = 600

# When it prints "ready", it has all its children.
SERVER = "trap 'echo bye; exit 6' TERM; sleep 1000 & echo ready; " \
    "while :; do wait; done"
# It ignores SIGTERM, and prints a line ten times a second.
IGNORES = "trap '' TERM; echo ready; while :; do echo alive; sleep 0.1; done"


def kubectl(*words, check=True, text=None):
    """Runs kubectl with text as its input; check=False if it may fail."""
    where = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    result = subprocess.run(["kubectl", *words], text=True, capture_output=True,
                            timeout=scaled(60), check=False, **where)
    assert not check or result.returncode == 0, \
        f"expected status 0 of kubectl {words[0]}, got {result.returncode}: {result.stderr}"
    return result


def names(processes):
    """The sorted names of processes that have not exited meanwhile. A zombie has
    one, too."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(process.name())
    return sorted(found)


def seconds(text):
    """A time such as 2006-01-02T15:04:05.999999999Z, in seconds."""
    return datetime.datetime.fromisoformat(text).timestamp()


class Watch:
    """All Pods, as the API server reports them, and the exits that containerd reports:
    a kubelet 1.20 may delete a Pod without the status of its containers."""

    def __init__(self):
        self.pods = {}   # the last state of each, by its name
        self.exits = {}  # the status of PID 1 and the time, by the container's ID
        self.clients, self.threads = [], []
        self.follow(self.see_pod, "kubectl", "get", "--raw", f"{PODS}?watch=1")
        self.follow(self.see_exit, "ctr", "-n", "k8s.io", "events")

    def follow(self, see, *command):
        client = subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE)

        def read():
            for line in client.stdout:
                see(line)
        self.clients.append(client)
        self.threads.append(threading.Thread(target=read))
        self.threads[-1].start()

    def see_pod(self, line):
        event = json.loads(line)
        self.pods[event["object"]["metadata"]["name"]] = event["object"]

    def see_exit(self, line):
        """A line is "TIME NAMESPACE TOPIC JSON"; there are processes of exec, too."""
        _, topic, text = line.partition(" /tasks/exit ")
        event = json.loads(text) if topic else {}
        if topic and event["id"] == event["container_id"]:
            self.exits[event["id"]] = (event.get("exit_status", 0),
                                       seconds(event["exited_at"]))

    def end(self):
        for client in self.clients:
            client.kill()
            client.wait()
        for thread in self.threads:
            thread.join()


class Line:
    """A line of a container's log: containerd writes "TIME STREAM F TEXT"."""

    def __init__(self, line):
        when, _, _, self.text = line.rstrip("\n").split(" ", 3)
        self.time = seconds(when)


class Pod:
    def __init__(self, watch, document):
        self.watch = watch
        self.name = document["metadata"]["name"]
        self.stopped = None  # the time at which stop() began
        self.ended = None    # the time at which the container then exited
        self.logs = {}  # open files: the kubelet removes them together with the Pod
        kubectl("create", "-f", "-", text=json.dumps(document))

    @property
    def state(self):
        """The Pod as the API server has reported it last; {} before that."""
        return self.watch.pods.get(self.name, {})

    def container(self, name="c"):
        """The status of a container; {} before it exists."""
        status = self.state.get("status", {})
        for each in (*status.get("initContainerStatuses", ()),
                     *status.get("containerStatuses", ())):
            if each["name"] == name:
                return each
        return {}

    def lines(self, container="c", attempt=0):
        """The lines of a container's log. attempt: the number of earlier restarts."""
        key = container, attempt
        if key not in self.logs:
            uid = self.state.get("metadata", {}).get("uid")
            directory = f"/var/log/pods/default_{self.name}_{uid}"
            try:
                self.logs[key] = open(f"{directory}/{container}/{attempt}.log",
                                      encoding="utf-8")
            except FileNotFoundError:
                return []
        self.logs[key].seek(0)
        lines = self.logs[key].read().splitlines(keepends=True)
        return [Line(line) for line in lines if line.endswith("\n")]

    def log(self, *where):
        """The text of a container's log; the arguments are those of lines()."""
        return "".join(f"{line.text}\n" for line in self.lines(*where))

    def wait(self, condition, what, *where):
        """wait_until(), whose message shows the Pod and the log of a container, too."""
        try:
            return wait_until(condition, what)
        except AssertionError as error:
            status = self.state.get("status", {})
            states = [each["state"] for each in status.get("containerStatuses", ())]
            raise AssertionError(f"{error}; the Pod is {status.get('phase')} {states}, "
                                 f"its log {self.log(*where)!r}") from None

    def line(self, pattern, *where):
        """Waits for a line of the log that matches, and returns it."""
        def find():
            return next((line for line in self.lines(*where)
                         if re.search(pattern, line.text)), None)
        return self.wait(find, f"a line '{pattern}'", *where)

    def terminated(self, container="c"):
        """Waits until a container has terminated and is not restarted. Returns how."""
        return self.wait(lambda: self.container(container).get("state", {})
                         .get("terminated"), f"the exit of {container}", container)

    def restarted(self, container="c"):
        """Waits for the first restart. Returns how the container terminated."""
        self.wait(lambda: self.container(container).get("restartCount") == 1,
                  f"a restart of {container}", container)
        return self.container(container)["lastState"]["terminated"]

    def running(self, container="c"):
        """Waits until a container runs. Returns its ID."""
        self.wait(lambda: "running" in self.container(container).get("state", ()),
                  f"the start of {container}", container)
        return self.container(container)["containerID"].rpartition("/")[2]

    def init(self, container="c"):
        """psutil's object for the first process of a container."""
        name = self.running(container)
        tasks = subprocess.run(["ctr", "-n", "k8s.io", "tasks", "ls"], text=True,
                               check=True, capture_output=True, timeout=60).stdout
        return psutil.Process(int(re.search(rf"^{name} +(\d+)", tasks, re.M)[1]))

    def pause(self, container="c"):
        """psutil's object for PID 1, if the container shares it with others."""
        def namespace(pid):
            return os.readlink(f"/proc/{pid}/ns/pid")

        ours = namespace(self.init(container).pid)
        for pid in psutil.pids():
            with contextlib.suppress(OSError):
                if namespace(pid) == ours and \
                        status_field(pid, "NSpid").split()[-1] == "1":
                    return psutil.Process(pid)
        raise AssertionError(f"expected a PID 1 in {ours}, got none")

    def exec(self, *words, container="c", **options):
        # Earlier the kubelet finds no container: exec and logs fail.
        self.running(container)
        return kubectl("exec", self.name, "--container", container, "--", *words,
                       **options)

    def describe(self):
        return kubectl("describe", "pod", self.name).stdout

    def stop(self, container="c", meanwhile=lambda: None):
        """Deletes the Pod, calls meanwhile(), and waits for the exit of a container.
        Returns its status. The last lines of its log may be late."""
        # Otherwise the kubelet may be late to stop it.
        name = self.running(container)
        self.stopped = time.time()
        kubectl("delete", "pod", self.name, "--wait=false")
        meanwhile()
        # Not for the end of the Pod: a kubelet 1.20 sometimes needs a minute for that.
        self.wait(lambda: name in self.watch.exits, f"the exit of {container}",
                  container)
        status, self.ended = self.watch.exits[name]
        return status

    def end(self):
        kubectl("delete", "pod", self.name, "--force", "--grace-period=0",
                "--wait=false", check=False)
        for file in self.logs.values():
            file.close()


def container(words, options=(), name="c", image="localhost/dumb-init:1", **fields):
    """A container that runs these words below dumb-init with options. None as the
    options: without dumb-init."""
    init = [] if options is None else [INIT, *options, "--"]
    # Kubernetes replaces "$(NAME)", and "$$" by "$".
    command = [word.replace("$", "$$") for word in (*init, *words)]
    return {"name": name, "image": image, "imagePullPolicy": "Never",
            "command": command} | fields


def document(*containers, **spec):
    """A Pod on the one node. No scheduler runs here."""
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": f"test-{uuid.uuid4().hex[:12]}"},
            "spec": {"nodeName": NODE, "restartPolicy": "Never",
                     "terminationGracePeriodSeconds": GRACE,
                     "containers": list(containers)} | spec}


@pytest.fixture(scope="session", name="watch")
def one_watch():
    watch = Watch()
    yield watch
    watch.end()


@pytest.fixture(name="create")
def creator(watch):
    """A function that creates a Pod from its document. All are removed at the end."""
    pods = []

    def create(pod):
        pods.append(Pod(watch, pod))
        return pods[-1]
    yield create
    for pod in pods:
        pod.end()


@pytest.fixture(name="start")
def starter(create):
    """A function that starts a Pod with one container, in which a shell runs a script
    below dumb-init. spec: fields of the Pod; the other arguments are those of
    container()."""
    def start(script, *options, spec=None, **fields):
        return create(document(container(["sh", "-c", script], options, **fields),
                               **(spec or {})))
    return start
