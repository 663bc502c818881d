"""The stop of a Pod: the preStop hook, SIGTERM, and after terminationGracePeriodSeconds
SIGKILL."""

import signal

from conftest import IGNORES, SERVER

# A helper that needs 2 s to exit. COMMAND does not wait for it.
CLEANS_UP = """sh -c 'trap "sleep 2; echo clean; exit" TERM; echo ready
while :; do sleep 0.1; done' & sleep 1000"""
KILLED, TERMINATED = 128 + signal.SIGKILL, 128 + signal.SIGTERM
EXPIRED = "[dumb-init] --kill-after expired: sending SIGKILL to all processes"


def hook(seconds):
    """The field of a container for a preStop hook that takes some seconds."""
    script = f"echo begin >/proc/1/fd/1; sleep {seconds}; echo end >/proc/1/fd/1"
    return {"preStop": {"exec": {"command": ["sh", "-c", script]}}}


def test_sigterm_of_a_stop_is_forwarded(start):
    pod = start(SERVER)
    pod.line("^ready$")
    assert pod.stop() == 6
    pod.line("^bye$")
    assert pod.log() == "ready\nbye\n"


def test_stop_signal_of_the_image_is_forwarded(start):
    pod = start("trap '' TERM; trap 'echo usr1; exit 6' USR1; echo ready; "
                "while :; do sleep 0.1; done", image="localhost/usr1:1")
    pod.line("^ready$")
    assert pod.stop() == 6
    pod.line("^usr1$")


def test_grace_lasts_until_a_clean_up_has_finished(start):
    pod = start(CLEANS_UP, "--grace", "60")
    pod.line("^ready$")
    assert pod.stop() == TERMINATED
    pod.line("^clean$")


def test_container_exits_with_command_without_grace(start):
    pod = start(CLEANS_UP)
    pod.line("^ready$")
    assert pod.stop() == TERMINATED
    assert "clean\n" not in pod.log()


def test_kubelet_kills_a_command_that_ignores_sigterm(start):
    period = 5
    pod = start(IGNORES, "-v", spec={"terminationGracePeriodSeconds": period})
    pod.line("^ready$")
    assert pod.stop() == KILLED
    assert pod.ended - pod.stopped >= period
    pod.line("SIGTERM from")
    # PID 1 is killed with it.
    assert "SIGKILL" not in pod.log()


def test_kill_after_is_sooner_than_the_kubelet(start):
    pod = start(IGNORES, "-v", "--kill-after", "2")
    pod.line("^ready$")
    assert pod.stop() == KILLED
    assert pod.line("--kill-after").text == EXPIRED
    assert pod.ended - pod.stopped >= 2


def test_sigterm_comes_after_the_prestop_hook(start):
    pod = start(SERVER, lifecycle=hook(seconds=2))
    pod.line("^ready$")
    assert pod.stop() == 6
    pod.line("^bye$")
    assert pod.log() == "ready\nbegin\nend\nbye\n"


def test_time_until_sigkill_includes_the_prestop_hook(start):
    period, takes = 12, 9
    pod = start(IGNORES, lifecycle=hook(takes),
                spec={"terminationGracePeriodSeconds": period})
    pod.line("^ready$")
    assert pod.stop() == KILLED
    assert period <= pod.ended - pod.stopped < period + takes


def test_command_has_two_seconds_after_a_hook_that_takes_too_long(start):
    period = 4
    pod = start(IGNORES, "-v", lifecycle=hook(seconds=1000),
                spec={"terminationGracePeriodSeconds": period})
    pod.line("^ready$")
    assert pod.stop() == KILLED
    assert pod.line("SIGTERM from").time - pod.stopped >= period
    assert pod.ended - pod.stopped >= period + 2


def test_delay_postpones_sigterm(start):
    pod = start("trap 'echo bye; exit 6' TERM; echo ready; "
                "while :; do echo alive; sleep 0.1; done", "-v", "--delay", "TERM:3")
    pod.line("^ready$")
    assert pod.stop() == 6
    delayed = pod.line(r"SIGTERM from .*: delayed \(--delay\)$").time
    assert pod.line("^bye$").time - pod.stopped >= 3
    # COMMAND continues meanwhile.
    assert sum(line.text == "alive" and line.time > delayed for line in pod.lines()) > 1


def test_sigterm_from_exec_ends_the_delay_of_a_stop(start):
    pod = start(SERVER, "-v", "--delay", "TERM:10m")
    pod.line("^ready$")

    def send_another():
        pod.line(r"SIGTERM from .*: delayed \(--delay\)$")
        pod.exec("kill", "-TERM", "1")
    assert pod.stop(meanwhile=send_another) == 6
