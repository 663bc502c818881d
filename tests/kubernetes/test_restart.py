"""Restarts of a container, and the status of the one before."""

import signal

from conftest import IGNORES, SERVER

# The container is sick as soon as this file exists. A restart removes it.
SICK = "/tmp/sick"
PROBE = {"exec": {"command": ["test", "!", "-e", SICK]}, "periodSeconds": 1,
         "failureThreshold": 1}
ALWAYS = {"restartPolicy": "Always"}


def test_failed_liveness_probe_sends_sigterm_and_restarts(start):
    pod = start(SERVER, livenessProbe=PROBE, spec=ALWAYS)
    pod.line("^ready$")
    pod.exec("touch", SICK)
    assert pod.restarted()["exitCode"] == 6
    pod.line("^bye$")
    assert pod.log() == "ready\nbye\n"
    pod.line("^ready$", "c", 1)


def test_failed_liveness_probe_kills_a_command_that_ignores_sigterm(start):
    pod = start(IGNORES, "-v", livenessProbe=PROBE,
                spec=ALWAYS | {"terminationGracePeriodSeconds": 3})
    pod.line("^ready$")
    pod.exec("touch", SICK)
    assert pod.restarted()["exitCode"] == 128 + signal.SIGKILL
    pod.line("SIGTERM from")
    pod.line("^ready$", "c", 1)


def test_last_state_has_the_status_of_command(start):
    pod = start("exit 3", spec={"restartPolicy": "OnFailure"})
    assert pod.restarted()["exitCode"] == 3


def test_mapped_status_is_no_failure(start):
    pod = start("exit 3", "--map-exit", "3", spec={"restartPolicy": "OnFailure"})
    pod.wait(lambda: pod.state.get("status", {}).get("phase") == "Succeeded",
             "a Pod that has succeeded")
    assert pod.terminated()["exitCode"] == 0
    assert pod.container()["restartCount"] == 0
