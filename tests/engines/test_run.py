"""Run, stop, kill: the commands that every user of containers knows."""

import select
import signal
import subprocess

import pytest

from conftest import AT_ONCE, SCRIPT, Container

LAST = 35  # the kernel delivers the pending signal with the lowest number first


def test_dumb_init_is_pid_1(engine):
    result = engine.run("sh", "-c", "cat /proc/1/cmdline")
    assert result.stdout.split("\0")[0] == engine.path
    assert result.stdout.split("\0")[-4:-1] == ["sh", "-c", "cat /proc/1/cmdline"]


def test_container_has_the_input_output_and_status_of_command(engine):
    result = engine.run("sh", "-c", "cat; echo oops >&2; exit 7", options=["-i"],
                        text="some\nlines\n")
    assert (result.returncode, result.stdout, result.stderr) == \
        (7, "some\nlines\n", "oops\n")


def test_missing_command_exits_with_127_and_a_hint(engine):
    result = engine.run("nosuch")
    assert result.returncode == 127
    lines = result.stderr.splitlines()
    assert lines[0] == "[dumb-init] cannot execute 'nosuch': No such file or directory"
    assert lines[1].startswith("[dumb-init] hint: ") and "PATH" in lines[1]


def test_stop_ends_a_script_and_its_helpers_at_once(engine):
    container = engine.start("sh", "-c", SCRIPT)
    container.wait_for("ready")
    # The script and two helpers.
    inside = container.processes()
    assert len(inside) == 3
    assert container.stop() < AT_ONCE
    assert container.status() == 128 + signal.SIGTERM
    assert not any(process.is_running() for process in inside)


@pytest.mark.parametrize("name, number", [("HUP", 1), ("RTMIN+3", 37), (64, 64)])
def test_signal_of_kill_is_forwarded(engine, name, number):
    container = engine.start("/helpers/reporter")
    container.wait_for("ready")
    container.kill(name)
    # Number, code, sender and value; the sender is dumb-init.
    container.wait_for(rf"^{number} \d+ 1 0$")


def test_stop_signal_is_rewritten(engine):
    container = engine.start(
        "sh", "-c", "trap 'exit 5' TERM; trap 'exit 6' USR1; echo ready; "
        "while :; do sleep 0.1; done",
        options=["--stop-signal", "USR1"], init="--rewrite USR1:TERM")
    container.wait_for("ready")
    assert container.stop() < AT_ONCE
    assert container.status() == 5


@pytest.fixture
def client(engine):
    """client(): starts a script. Returns its container and the client that waits."""
    clients = []

    def start(script=SCRIPT, **where):
        name, command = engine.run_words("sh", "-c", script, **where)
        clients.append((Container(engine, name), subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)))
        assert clients[-1][1].stdout.readline() == "ready\n"
        return clients[-1]

    yield start
    engine.remove_all()
    for _, client in clients:
        client.kill()
        client.communicate()


def wait_until_it_forwards(client):
    """Podman's client forwards signals only some time after the container's first
    output. Until then it loses them, or exits with 0. The first answer shows it."""
    answers = False
    while not answers:
        client.send_signal(signal.SIGUSR1)
        answers, _, _ = select.select([client.stdout], [], [], 1)


def test_client_that_gets_sigterm_ends_the_container(client):
    container, started = client(
        "trap 'echo usr1' USR1; (trap '' USR1; exec sleep 1000) & echo ready; "
        "while :; do wait; done")
    wait_until_it_forwards(started)
    started.terminate()
    assert started.wait(AT_ONCE) == 128 + signal.SIGTERM
    assert container.status() == 128 + signal.SIGTERM


def test_container_without_dumb_init_ignores_sigterm(client):
    # The shell is PID 1 and has no handler: the kernel drops the signal.
    container, started = client(
        f"trap 'echo usr1' USR1; trap 'echo last' {LAST}; echo ready; "
        "sleep 1000 & while :; do wait; done",
        image="plain")
    wait_until_it_forwards(started)
    started.terminate()
    # LAST is delivered after SIGTERM.
    started.send_signal(LAST)
    assert "last\n" in started.stdout
    assert container.state["Status"] == "running"
    container.kill("KILL")
    assert started.wait(AT_ONCE) == 128 + signal.SIGKILL
