"""Processes, files and limits in a container while it runs, and its exit."""

import json
import os
import re
import signal
import stat
import subprocess
import time
import uuid

import psutil
import pytest

from conftest import (AT_ONCE, CGROUP, PATIENCE, Container, names, place_of,
                      remove_pod)
from watch import state, status_field, wait_until

INIT = os.environ["INIT"]

# When it prints "ready", it has all its children.
SERVER = "trap 'echo bye; exit 5' TERM; sleep 1000 & echo ready; " \
    "while :; do wait; done"
# A helper that needs 2 s to exit. COMMAND does not wait for it.
CLEANS_UP = """sh -c 'trap "sleep 2; echo clean; exit" TERM; echo ready
while :; do sleep 0.1; done' & sleep 1000"""
ORPHANS, CHECKS = 200, 8   # orphans in all, and health checks that leave them


def serve(engine, *options, **where):
    """Starts a container. At SIGTERM it prints "bye" and exits with 5."""
    container = engine.start("bash", "-c", SERVER, options=options, **where)
    container.wait_for("^ready$")
    return container


def assert_does_its_job(container, status=5):
    """Orphans are reaped; SIGTERM is forwarded; the status is COMMAND's."""
    before = len(container.processes())
    container.exec("bash", "-c", "sleep 0.1 & sleep 0.1 &")
    wait_until(lambda: len(container.processes()) == before, "the orphans")
    assert container.stop() < AT_ONCE
    assert container.status() == status
    assert "bye" in container.logs()


def test_orphans_of_health_checks_are_reaped(engine):
    container = serve(engine, init="--warn-on-reap")
    before = container.processes()
    for _ in range(CHECKS):
        container.exec("sh", "-c", f"for i in $(seq {ORPHANS // CHECKS}); "
                       "do sleep 0.01 & done")
    wait_until(lambda: set(container.processes()) == set(before),
               "the orphans to be reaped")
    assert container.stop() < AT_ONCE
    ends = re.findall(r"^\[dumb-init\] reaped orphan \(PID \d+\), which exited with status 0$",
                      container.logs(), re.M)
    assert len(ends) == ORPHANS


def test_grace_lasts_until_a_clean_up_has_finished(engine):
    container = engine.start("sh", "-c", CLEANS_UP, init="--grace 8")
    container.wait_for("ready")
    took = container.stop()
    assert 2 <= took < 2 + AT_ONCE
    assert "clean" in container.logs()
    assert container.status() == 128 + signal.SIGTERM


def test_container_exits_with_command_without_grace(engine):
    container = engine.start("sh", "-c", CLEANS_UP)
    container.wait_for("ready")
    assert container.stop() < AT_ONCE
    assert "clean" not in container.logs()
    assert container.status() == 128 + signal.SIGTERM


def test_kill_after_is_sooner_than_the_engine(engine):
    container = engine.start("sh", "-c", "trap '' TERM; echo ready; "
                             "while :; do sleep 0.1; done", init="--kill-after 1")
    container.wait_for("ready")
    assert 1 <= container.stop() < 1 + AT_ONCE
    assert container.status() == 128 + signal.SIGKILL
    assert re.search(r"^\[dumb-init\] .*SIGKILL", container.logs(), re.M)


def test_output_of_exec_to_stdout_of_pid_1_is_in_the_log(engine):
    container = serve(engine)
    container.exec("sh", "-c", "echo out >/proc/1/fd/1; echo err >/proc/1/fd/2")
    container.wait_for("^out$")
    container.wait_for("^err$")


def test_signal_from_exec_is_forwarded(engine):
    container = serve(engine)
    container.exec("sh", "-c", "kill -TERM 1", check=False)
    assert container.status() == 5


def test_pause_and_unpause_send_no_signal(engine):
    """The freezer stops and continues all processes, without a signal."""
    container = serve(engine, init="-v")
    engine("pause", container.name)
    engine("unpause", container.name)
    assert_does_its_job(container)
    assert "SIGSTOP" not in container.logs() and "SIGCONT" not in container.logs()


def test_container_can_be_restarted(engine):
    container = serve(engine)
    engine("restart", "--time", str(PATIENCE), container.name)
    wait_until(lambda: container.logs().count("ready") == 2, "the second start")
    assert container.stop() < AT_ONCE
    assert container.status() == 5


# Containers with fewer privileges or files


@pytest.mark.parametrize("options", [
    ["--read-only"],
    ["--cap-drop", "all"],
    ["--user", "1000"],
    ["--user", "1000", "--cap-drop", "all", "--read-only",
     "--security-opt", "no-new-privileges"],
    ["--workdir", "/tmp"],
    ["--ipc", "host", "--uts", "host"],
], ids=" ".join)
def test_dumb_init_works_with_restricting_options(engine, options):
    assert_does_its_job(serve(engine, *options))


def test_dumb_init_works_without_dev(engine, tmp_path):
    """Except /dev/null, without which runc starts nothing."""
    os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    container = serve(engine, "--volume", f"{tmp_path}:/dev")
    # Podman adds shm.
    assert set(container.exec("ls", "/dev").stdout.split()) <= {"null", "shm"}
    assert_does_its_job(container)


def test_default_seccomp_profile_is_in_force(engine):
    container = serve(engine)
    filtering = "2"  # SECCOMP_MODE_FILTER, proc(5)
    assert status_field(container.pid, "Seccomp") == filtering


@pytest.mark.parametrize("options", [
    [], ["--cap-drop", "chown"], ["--user", "1000"]], ids=" ".join)
def test_visible_privileges_of_pid_1_are_those_of_the_container(engine, options):
    """PID 1 has the same privileges as a process that exec starts: `podman top` and
    people read the privileges of a container from PID 1."""
    container = serve(engine, *options)
    of_pid_1, of_exec = [container.exec("grep", "-E", "^(Cap|NoNewPrivs|Seccomp)", path
                                        ).stdout for path in ("/proc/1/status",
                                                              "/proc/self/status")]
    assert of_pid_1.count("\n") >= 7 and of_pid_1 == of_exec


@pytest.mark.parametrize("engine", ["docker-entrypoint", "podman-entrypoint"],
                         indirect=True)
def test_orphans_are_reaped_in_the_host_pid_namespace(engine):
    """dumb-init is not PID 1, and reaps orphans nevertheless. (With --init Docker
    then uses no init, and Podman refuses.)"""
    container = engine.start(
        "sh", "-c", "(sleep 0.1 & sleep 1000 &); " + SERVER,
        options=["--pid", "host"], init="-v --grace 1")
    container.wait_for("^ready$")
    init = psutil.Process(container.pid)
    assert init.pid != 1
    # COMMAND, and the orphan that does not exit.
    wait_until(lambda: names(init.children()) == ["sh", "sleep"], "an orphan's exit")
    orphan, = [p for p in init.children() if p.name() == "sleep"]
    assert container.stop() < AT_ONCE
    assert container.status() == 5
    wait_until(lambda: state(orphan.pid) == "X", "the orphan's exit")


def test_dumb_init_works_below_another_init(engine):
    """--init for an image with an init in its ENTRYPOINT."""
    container = engine.start("/usr/bin/dumb-init", "-v", "sh", "-c", SERVER)
    container.wait_for("^ready$")
    names = [" ".join(p.cmdline()) for p in container.processes()]
    assert [name for name in names if name.startswith("/usr/bin/dumb-init -v")]
    assert_does_its_job(container)


def test_stop_works_at_the_limit_of_processes(engine):
    limit = 20
    container = engine.start(
        "sh", "-c", "trap 'echo bye; exit 5' TERM; echo ready; "
        f"for i in $(seq {2 * limit}); do sh -c 'sleep 1000 & exit' & done; "
        "while :; do wait; done", options=["--pids-limit", str(limit)])
    container.wait_for("can't fork")
    # 2: the error has ended the shell. 5: it continued until SIGTERM.
    assert container.stop() < AT_ONCE
    assert container.status() in (2, 5)


def test_out_of_memory_kill_has_a_line(engine):
    container = engine.start("tail", "/dev/zero", options=["--memory", "32m"])
    assert container.status() == 128 + signal.SIGKILL
    assert re.fullmatch(
        r"\[dumb-init\] tail \(PID \d+\) was killed by SIGKILL, not sent by dumb-init: "
        r"out of memory \(its cgroup recorded an OOM kill\)\n", container.logs())


@pytest.mark.parametrize("engine", ["podman-entrypoint"], indirect=True)
def test_pause_is_the_infra_container_of_a_pod(engine):
    pod = f"pod-{uuid.uuid4().hex[:12]}"
    engine("pod", "create", "--name", pod, "--share", "pid", "--network", "none",
           "--infra-image", "plain",
           "--infra-command", "/usr/bin/dumb-init --pause", "--infra-name",
           f"{pod}-infra", "--cgroup-parent", f"/{CGROUP}")
    try:
        container = engine.start("sh", "-c", "sleep 0.1 & exec sleep 1000",
                                 options=["--pod", pod], image="plain")
        infra = psutil.Process(Container(engine, f"{pod}-infra").pid)
        assert infra.cmdline() == ["/usr/bin/dumb-init", "--pause"]
        container.exec("sh", "-c", "sleep 0.1 & sleep 1000 &")
        # The shorter one has exited and was reaped.
        wait_until(lambda: names(infra.children()) == ["sleep"], "the orphans")
        begin = time.monotonic()
        engine("stop", "--time", str(PATIENCE),
               Container(engine, f"{pod}-infra").name)
        assert time.monotonic() - begin < AT_ONCE
    finally:
        remove_pod(pod)


# dockerd's information about its init


def version_and_commit():
    """The version and the commit that the init prints under its own name."""
    said = subprocess.run([INIT, "--version"], check=True, text=True,
                          capture_output=True).stdout
    return re.fullmatch(r"dumb-init v(\S+)\nsource - git\.(\S+)\n", said).groups()


@pytest.mark.parametrize("place, binary", [("docker-init-path", INIT),
                                           ("docker-in-path", "docker-init")])
def test_docker_info_names_the_init_and_its_commit(place, binary):
    said = place_of(place)("info", "--format", "{{.InitBinary}} {{.InitCommit.ID}}")
    assert said.stdout.split() == [binary, version_and_commit()[1]]


def test_docker_version_names_its_version_and_commit():
    said = place_of("docker-in-path")("version", "--format", "{{json .Server}}")
    init, = [each for each in json.loads(said.stdout)["Components"]
             if each["Name"] == "docker-init"]
    assert (init["Version"], init["Details"]["GitCommit"]) == version_and_commit()
