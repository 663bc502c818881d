"""Orphans, `kubectl exec`, and containers that share their processes."""

import signal

import pytest

from conftest import INIT, SERVER, container, document, kubectl, names
from watch import wait_until

ORPHANS = 100
SHARED = {"shareProcessNamespace": True}
# A helper in a session of its own that needs 2 s to exit.
HELPER = """setsid sh -c 'trap "sleep 2; echo clean; exit" TERM; echo ready
while :; do sleep 0.1; done' & sleep 1000"""


def test_orphans_of_exec_are_reaped(start):
    pod = start(SERVER, "--warn-on-reap")
    pod.line("^ready$")
    init = pod.init()
    before = set(init.children(recursive=True))
    assert len(before) == 2
    pod.exec("sh", "-c", f"for i in $(seq {ORPHANS}); do (sleep 0.1 &); done")
    wait_until(lambda: pod.log().count("reaped orphan") >= ORPHANS,
               f"{ORPHANS} reaped orphans")
    assert set(init.children(recursive=True)) == before
    assert pod.log().count("reaped orphan") == ORPHANS


def test_orphans_of_exec_probes_are_reaped(start):
    pod = start(SERVER, "--warn-on-reap", readinessProbe={
        "exec": {"command": ["sh", "-c", "sleep 0.1 & sleep 0.2 &"]},
        "periodSeconds": 1})
    pod.line("^ready$")
    wait_until(lambda: pod.container().get("ready"), "a successful probe")
    wait_until(lambda: pod.log().count("reaped orphan") >= 4, "4 reaped orphans")
    init = pod.init()
    wait_until(lambda: names(init.children()) == ["sh"], "no orphan between two probes")
    assert pod.stop() == 6


def test_program_of_a_late_exec_probe_is_adopted(start):
    """The timeout kills the first process of the probe and no other."""
    pod = start(SERVER, "--grace", "60", readinessProbe={
        "exec": {"command": ["sh", "-c", "sleep 1000 >/dev/null 2>&1; true"]},
        "periodSeconds": 1, "timeoutSeconds": 1})
    pod.line("^ready$")
    init = pod.init()
    wait_until(lambda: names(init.children()).count("sleep") >= 2, "two programs")
    # --grace terminates them.
    assert pod.stop() == 6


def test_exec_has_the_status_of_its_program(start):
    pod = start(SERVER)
    pod.line("^ready$")
    assert pod.exec("sh", "-c", "exit 7", check=False).returncode == 7


@pytest.mark.parametrize("number", [signal.SIGHUP, 37, 64])
def test_signal_from_exec_is_forwarded(create, number):
    pod = create(document(container(["/helpers/reporter"])))
    pod.line("^ready")
    pod.exec("kill", f"-{int(number)}", "1")
    assert pod.line("^[0-9]").text.split()[0] == str(int(number))


def test_output_of_exec_to_stdout_of_pid_1_is_in_the_log(start):
    pod = start(SERVER)
    pod.line("^ready$")
    pod.exec("sh", "-c", "echo out >/proc/1/fd/1; echo err >/proc/1/fd/2")
    pod.line("^out$")
    pod.line("^err$")
    # The order is not certain, as these are two pipes.
    assert sorted(kubectl("logs", pod.name).stdout.split()) == ["err", "out", "ready"]


def test_orphans_in_a_shared_pid_namespace_are_reaped(start):
    """dumb-init, which is not PID 1, adopts those of its descendants, and the pause
    container, dumb-init with --pause, those of exec."""
    pod = start("(sleep 0.1 & sleep 1000 &); " + SERVER, spec=SHARED)
    pod.line("^ready$")
    init, pause = pod.init(), pod.pause()
    assert pause.cmdline() == [INIT, "--pause"]
    # COMMAND, and the orphan that does not exit.
    wait_until(lambda: names(init.children()) == ["sh", "sleep"], "an orphan's exit")
    # kubectl waits for each process that has its output open.
    pod.exec("sh", "-c", "(sleep 0.1 & sleep 1000 &) >/dev/null 2>&1")
    wait_until(lambda: names(pause.children()) == ["sleep"], "an orphan's exit")
    assert names(init.children()) == ["sh", "sleep"]
    assert pod.stop() == 6


def test_all_and_grace_reach_no_other_container(create):
    """The signal that would end the pause container, or that another container would
    print, goes to the descendants of one dumb-init."""
    pod = create(document(container(["sh", "-c", HELPER], ["--all", "--grace", "60"]),
                          container(["/helpers/reporter"], name="other"), **SHARED))
    pod.line("^ready$")
    pod.line("^ready", "other")
    pause, other = pod.pause(), pod.init("other")
    pod.init().terminate()
    assert pod.terminated()["exitCode"] == 128 + signal.SIGTERM
    pod.line("^clean$")
    assert pause.is_running() and other.is_running()
    assert pod.log("other").count("\n") == 1
