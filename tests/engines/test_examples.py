"""examples/: each one is built, runs, and stops as its text says.

The base images are substitutes for those that the Dockerfiles name, because there is
no registry here; examples.py describes them. Kubernetes and ECS are not here either:
their files are compared with their schemas, and the commands in these files run with
Docker."""

import copy
import hashlib
import json
import os
import re
import signal
import subprocess
import uuid

import psutil
import pytest
import yaml

from conftest import AT_ONCE, NO_NETWORK, PATIENCE, Container, Engine, docker
from examples import (EXAMPLES, build, check_kubernetes, context, ecs_errors,
                      make_base, run, seconds, words)
from watch import patience, state, wait_until

DOCKERFILES = sorted(EXAMPLES.glob("*/Dockerfile"))
PODS = sorted(EXAMPLES.glob("kubernetes/*.yaml"))
TASK = EXAMPLES / "ecs" / "task.json"
KILLING = 1    # seconds that dumb-init may need after SIGKILL
A_MINUTE = 62  # seconds; crond starts its next job in less

# Clients, in Python. The second one has an idle connection, too.
POST = """if True:
    import sys, urllib.request
    urllib.request.urlopen("http://127.0.0.1:8080/" + sys.argv[1], b"")
"""
GET = """if True:
    import http.client, sys
    idle, busy = (http.client.HTTPConnection("127.0.0.1", 8080)
                  for _ in range(2))
    idle.request("GET", "/first")
    idle.getresponse().read()
    busy.request("GET", "/" + sys.argv[1])
    print(busy.getresponse().read().decode(), end="", flush=True)
    assert idle.sock.recv(1) == b""
    print("closed")
"""


@pytest.fixture(name="engine")
def one_engine():
    """Docker. It replaces the engines of conftest.py, because the results of the
    examples do not depend on the engine. Removes its containers at the end."""
    engine = Engine(docker("docker"), NO_NETWORK, None, "/usr/bin/dumb-init")
    yield engine
    engine.remove_all()


@pytest.fixture(scope="session", name="ready")
def ready_context(tmp_path_factory):
    return context(tmp_path_factory.mktemp("examples") / "examples")


@pytest.fixture(name="start")
def starter(engine, ready):
    """Builds an example's image, and starts it."""
    def start(name, *command, **where):
        return engine.start(*command, image=build(name, ready), **where)
    return start


def stops(container, name):
    """Stops an example's container. It must stop at once, with the status in the
    README's table, and leave no process."""
    before = inside(container)
    assert container.stop() < AT_ONCE
    assert container.status() == promised(name)[1]
    assert not any(process.is_running() for process in before)


def inside(container):
    """psutil's objects for all descendants of a container's PID 1, with zombies."""
    return psutil.Process(container.pid).children(recursive=True)


def reaps_orphans(container):
    """Whether an orphan that this function makes exits and leaves no zombie."""
    orphan = "0.12345"
    container.exec("sh", "-c", f"sleep {orphan} &")

    def gone():
        found = inside(container)
        return not any(state(process.pid) == "Z" for process in found) and \
            not any(orphan in words for words in map(arguments, found))
    return wait_until(gone, "the orphan's exit")


def arguments(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def client(container, code, *words):
    """The words that run a client on a container's loopback interface."""
    return ["timeout", str(patience()), "nsenter", "--target", str(container.pid),
            "--net", "python3", "-c", code, *words]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.parent.name)
def test_dockerfile_has_words_in_json_and_dumb_init_in_front(dockerfile):
    assert words(dockerfile, "ENTRYPOINT")[0] == "/usr/bin/dumb-init"
    assert "--" in words(dockerfile, "ENTRYPOINT")
    assert words(dockerfile, "CMD")
    for option in ("--grace", "--kill-after"):
        if option in words(dockerfile, "ENTRYPOINT"):
            assert seconds(words(dockerfile, "ENTRYPOINT"), option) + KILLING < 10


def promised(name):
    """The option and the status that the README's table gives for an example."""
    row = re.search(rf"^\| \[{name}\].*\| `([^`]*)` \| (\d+) \|$",
                    (EXAMPLES / "README.md").read_text(), re.M)
    return row[1], int(row[2])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.parent.name)
def test_readme_names_the_option_of_a_dockerfile(dockerfile):
    option, _ = promised(dockerfile.parent.name)
    assert [word for word in words(dockerfile, "ENTRYPOINT")
            if word.startswith("--") and word != "--"] == [option]


def test_readme_names_every_example():
    text = (EXAMPLES / "README.md").read_text()
    for directory in EXAMPLES.iterdir():
        assert not directory.is_dir() or f"]({directory.name}/" in text, directory


def test_alpine_job_finishes_after_crond_has_exited(start):
    container = start("alpine")
    container.wait_for("^backup: begun$", A_MINUTE + patience())
    stops(container, "alpine")
    assert "backup: finished" in container.logs()


FEW = ["CHOWN", "KILL", "SETGID", "SETUID"]


@pytest.mark.parametrize("options", [
    [], ["--cap-drop", "ALL", *(f"--cap-add={name}" for name in FEW)]],
    ids=["with-all-capabilities", "with-few-capabilities"])
def test_debian_worker_is_not_root_and_finishes_its_job(start, options):
    container = start("debian", init="--verbose", options=options)
    container.wait_for("^working as www-data$")
    assert reaps_orphans(container)
    # A FIFO: the test decides when the file ends. Opening it waits for a reader.
    script = "cd /var/spool/jobs; mkfifo one.job; exec 3>one.job; " \
        "echo open; cat >&3"
    writer_words = ["timeout", str(patience()), *container.engine.command, "exec",
                    "--interactive", "--user", "www-data", container.name,
                    "sh", "-c", script]
    stop_words = [*container.engine.command, "stop", "--time", str(PATIENCE),
                  container.name]
    with subprocess.Popen(writer_words, stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == "open\n"
        with subprocess.Popen(stop_words, stdout=subprocess.DEVNULL) as stop:
            container.wait_for("SIGTERM")
            writer.communicate("hello\n", timeout=AT_ONCE)
            stop.wait(timeout=AT_ONCE)
    assert container.status() == promised("debian")[1]
    digest = hashlib.sha256(b"hello\n").hexdigest()
    assert f"one.job: {digest}\nstopped\n" in container.engine(
        "logs", container.name).stdout


def test_debian_without_cap_kill_is_killed(start):
    few = [f"--cap-add={name}" for name in FEW if name != "KILL"]
    container = start("debian", options=["--cap-drop", "ALL", *few])
    container.wait_for("^working as www-data$")
    container.stop(patience=1)
    assert container.status() == 128 + signal.SIGKILL
    assert "cannot send SIGTERM to" in container.logs()


def test_scratch_needs_two_static_files_and_exits_with_0(start):
    container = start("scratch")
    container.wait_for("^tick 1$")
    stops(container, "scratch")


def test_scratch_without_dumb_init_ignores_sigterm(start):
    container = start("scratch", options=["--entrypoint", "/ticker"])
    container.wait_for("^tick 1$")
    container.kill("TERM")
    container.wait_for("^tick 3$")
    assert container.state["Status"] == "running"


def test_node_answers_its_open_request_and_closes_the_idle_connection(start):
    container = start("node")
    container.wait_for("^listening$")
    assert reaps_orphans(container)
    with subprocess.Popen(client(container, GET, "second"), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as get:
        container.wait_for("^/second$")
        stops(container, "node")
        assert get.communicate()[0] == "you asked for /second\nclosed\n"
    assert re.search("^closing\nclosed$", container.logs(), re.M)


def test_python_finishes_its_job(start):
    container = start("python")
    container.wait_for("^listening$")
    assert reaps_orphans(container)
    run(*client(container, POST, "sort"))
    container.wait_for("^sort: begun$")
    stops(container, "python")
    assert "sort: done" in container.logs()


def shell_files(container):
    return sorted(re.findall("^(.*): complete$", container.logs(), re.M))


def start_shell(start, *command, **where):
    container = start("shell", *command, **where)
    container.wait_for("^load: started$")
    container.wait_for("^memory: started$")
    return container


def test_shell_helpers_clean_up(start):
    container = start_shell(start)
    assert reaps_orphans(container)
    stops(container, "shell")
    assert shell_files(container) == ["load", "memory"]


def test_shell_helpers_clean_up_with_the_engines_init_above_dumb_init(start):
    container = start_shell(start, options=["--init"])
    stops(container, "shell")
    assert shell_files(container) == ["load", "memory"]


def test_shell_helpers_need_grace(start):
    container = start_shell(
        start, "--", "collect.sh", options=["--entrypoint", "/usr/bin/dumb-init"])
    stops(container, "shell")
    assert not shell_files(container)


def pod(file):
    document = yaml.safe_load(file.read_text())
    return document, document["spec"]["containers"]


def kubernetes(container):
    """The words of dumb-init for a container of a Pod."""
    assert container["command"][0] == "/usr/bin/dumb-init"
    return [*container["command"][1:], *container["args"]]


@pytest.mark.parametrize("file", PODS, ids=lambda file: file.stem)
def test_pod_is_valid_for_kubernetes(file):
    document, containers = pod(file)
    assert (document["apiVersion"], document["kind"]) == ("v1", "Pod")
    check_kubernetes(document, "V1Pod", file.name)
    for container in containers:
        # Some of the time remains for COMMAND itself.
        assert seconds(container["command"], "--grace") + KILLING + 5 <= \
            document["spec"]["terminationGracePeriodSeconds"]


def test_pod_shares_processes_only_where_it_says_so():
    shared = [file.stem for file in PODS
              if pod(file)[0]["spec"].get("shareProcessNamespace")]
    assert shared == ["shared-pids"]


def misspell(document, path, wrong):
    """A copy, in which the field at the end of path has another name."""
    document = copy.deepcopy(document)
    *parents, last = path
    where = document
    for key in parents:
        where = where[key]
    where[wrong] = where.pop(last)
    return document


@pytest.mark.parametrize("path, wrong", [
    (["spec", "terminationGracePeriodSeconds"], "terminationGracePeriod"),
    (["spec", "containers", 0, "terminationMessagePath"], "terminationLogPath"),
    (["spec", "containers", 0, "resources"], "resource"),
    (["spec"], "specs")])
def test_misspelt_field_of_a_pod_is_refused(path, wrong):
    document = misspell(pod(EXAMPLES / "kubernetes/grace.yaml")[0], path, wrong)
    with pytest.raises(AssertionError, match=f"no such field.*'{wrong}'"):
        check_kubernetes(document, "V1Pod", "pod")


@pytest.mark.parametrize("field, value", [
    ("terminationGracePeriodSeconds", "30s"), ("containers", {}), ("containers", None),
    ("shareProcessNamespace", 1)])
def test_wrong_type_in_a_pod_is_refused(field, value):
    document, _ = pod(EXAMPLES / "kubernetes/grace.yaml")
    document["spec"][field] = value
    with pytest.raises(AssertionError, match=field):
        check_kubernetes(document, "V1Pod", "pod")


def test_pod_names_the_signal_that_killed_it(start, tmp_path):
    _, [container] = pod(EXAMPLES / "kubernetes/grace.yaml")
    log = tmp_path / "log"
    log.touch()
    running = start_shell(
        start, *kubernetes(container),
        options=["--entrypoint", container["command"][0], "--volume",
                 f"{log}:{container['terminationMessagePath']}"])
    [command] = psutil.Process(running.pid).children()
    command.send_signal(signal.SIGSEGV)
    assert running.status() == 128 + signal.SIGSEGV
    assert "killed by SIGSEGV" in log.read_text()
    # --grace applies here, too.
    assert shell_files(running) == ["load", "memory"]


def test_containers_that_share_processes_exit_by_themselves(engine, start):
    """The plain image's sleep stands for the pause container."""
    _, [collect, serve] = pod(EXAMPLES / "kubernetes/shared-pids.yaml")
    pause = engine.start("sleep", "1000", image="plain")
    share = ["--pid", f"container:{pause.name}", "--entrypoint", "/usr/bin/dumb-init"]
    collector = start_shell(start, *kubernetes(collect), options=share)
    server = start("python", *kubernetes(serve), options=share)
    server.wait_for("^listening$")

    collector.kill("TERM")
    assert collector.status() == 0
    assert shell_files(collector) == ["load", "memory"]
    # The other processes received no signal.
    run(*client(server, POST, "sort"))
    server.wait_for("^sort: done$")
    assert pause.state["Status"] == "running"
    server.kill("TERM")
    assert server.status() == 0


def task():
    document = json.loads(TASK.read_text())
    return document, document["containerDefinitions"][0]


def test_task_is_valid_for_ecs_and_exits_in_time():
    document, container = task()
    assert ecs_errors(document) == ""
    # --kill-after counts from the same signal as --delay, and Fargate waits for 120
    # seconds at most.
    assert seconds(container["entryPoint"], "--delay") + 10 <= \
        seconds(container["entryPoint"], "--kill-after")
    assert seconds(container["entryPoint"], "--kill-after") + KILLING < \
        container["stopTimeout"] <= 120
    # One init is enough.
    assert not container["linuxParameters"]["initProcessEnabled"]


@pytest.mark.parametrize("path, wrong", [
    (["containerDefinitions", 0, "stopTimeout"], "stopTimout"),
    (["containerDefinitions", 0, "entryPoint"], "entrypoint"),
    (["family"], "familiy")])
def test_misspelt_field_of_a_task_is_refused(path, wrong):
    assert wrong in ecs_errors(misspell(task()[0], path, wrong))


def test_task_keeps_serving_until_a_second_sigterm(start):
    _, container = task()
    words = container["entryPoint"]
    # Longer than any machine takes for the client.
    words[words.index("--delay") + 1] = "TERM:1h"
    words[words.index("--kill-after") + 1] = "1h"
    running = start("node", *words[1:], *container["command"],
                    options=["--entrypoint", words[0]],
                    init="--verbose")
    running.wait_for("^listening$")
    running.kill("TERM")
    running.wait_for("SIGTERM")
    with subprocess.Popen(client(running, GET, "second"), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as get:
        assert get.stdout.readline() == "you asked for /second\n"
        assert "closing" not in running.logs()
        running.kill("TERM")
        assert get.stdout.readline() == "closed\n"
    assert running.status() == 0
    assert "closed" in running.logs()


@pytest.fixture(name="compose")
def compose_project(ready, tmp_path):
    """compose(WORD...): runs docker-compose for the example, without a network."""
    services = yaml.safe_load((EXAMPLES / "compose/compose.yaml").read_text())
    override = tmp_path / "override.yaml"
    override.write_text(yaml.safe_dump({"services": {
        name: {"network_mode": "none"} | (
            {"build": {"network": "none"}} if "build" in service else {})
        for name, service in services["services"].items()}}))
    project = f"test{uuid.uuid4().hex[:12]}"
    environment = os.environ | {
        "DOCKER_HOST": docker("docker")[-1], "DOCKER_BUILDKIT": "0",
        "COMPOSE_DOCKER_CLI_BUILD": "0",
        # Version 2 then names containers as version 1 does.
        "COMPOSE_COMPATIBILITY": "1"}

    def compose(*words, **options):
        return run("docker-compose", "--file", ready / "compose/compose.yaml",
                   "--file", override, "--project-name", project, *words,
                   env=environment, stderr=subprocess.STDOUT, text=True, **options)
    compose.project = project
    return compose


def test_compose_file_is_valid_for_compose(compose):
    services = yaml.safe_load(compose("config").stdout)["services"]
    collect, tick = services["collect"], services["tick"]
    assert (collect["init"], tick["init"]) == (False, True)
    assert (collect["stop_grace_period"], tick["stop_signal"]) == ("15s", "SIGINT")
    grace = seconds(words(EXAMPLES / "shell/Dockerfile", "ENTRYPOINT"), "--grace")
    assert grace + KILLING < 15


def test_misspelt_field_of_a_compose_file_is_refused(compose, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("services: {tick: {stop_grace: 5s}}\n")
    result = compose("--file", wrong, "config", check=False)
    assert result.returncode != 0 and "stop_grace" in result.stdout


def test_compose_stops_both_with_either_init(engine, compose):
    make_base("alpine:3")
    names = [f"{compose.project}_{name}_1" for name in ("collect", "tick")]
    engine.names += names
    compose("up", "--detach")
    collect, tick = (Container(engine, name) for name in names)
    tick.wait_for("^ready$")
    collect.wait_for("^load: started$")
    collect.wait_for("^memory: started$")
    compose("stop", "--timeout", str(PATIENCE))
    # Each has a handler, and exits with 0.
    assert (collect.status(), tick.status()) == (0, 0)
    assert shell_files(collect) == ["load", "memory"]
    assert "bye" in tick.logs()
    # DUMB_INIT_OPTIONS has been read.
    assert "[dumb-init] " in collect.logs()
