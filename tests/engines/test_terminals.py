"""docker run -t and -it: a container on a terminal."""

import re
import signal

import pexpect
import pytest

from conftest import AT_ONCE, BASH, in_foreground, on_terminal
from watch import wait_until

PROMPT = "prompt> "
INTERACTIVE = ["-it", "--env", f"PS1={PROMPT}", "--env", "TERM=dumb"]
DETACH = "\x10\x11"  # ^P ^Q


@pytest.fixture
def shell(engine):
    """An interactive shell in a container, on a terminal."""
    terminal, container = engine.terminal(*BASH, options=INTERACTIVE)
    terminal.expect(PROMPT)
    yield terminal, container
    terminal.kill(signal.SIGKILL)
    terminal.wait()


def answer(terminal, command):
    """The output of command at the prompt."""
    terminal.sendline(command)
    terminal.expect_exact(command + "\r\n")
    terminal.expect_exact(PROMPT)
    return terminal.before


def test_shell_has_job_control(shell):
    terminal, container = shell
    terminal.sendline("sleep 1000")
    wait_until(lambda: in_foreground(container.processes(), "sleep"), "sleep to start")
    terminal.send("\x1a")
    terminal.expect(r"\[1\]\+ +Stopped +.*sleep 1000\r\n")
    terminal.expect_exact(PROMPT)
    terminal.sendline("fg")
    wait_until(lambda: in_foreground(container.processes(), "sleep"), "sleep to start")
    terminal.send("\x03")
    terminal.expect_exact(PROMPT)
    # 128 + SIGINT; the shell itself did not receive SIGINT.
    assert answer(terminal, "echo $?").strip() == "130"
    terminal.sendline("exit 5")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 5


def test_keys_reach_a_command_that_is_not_a_shell(engine):
    terminal, container = engine.terminal("/helpers/reporter")
    terminal.expect("ready")
    terminal.send("\x03")
    # SI_KERNEL: from the terminal; dumb-init does not send it again.
    terminal.expect(rf"{signal.SIGINT:d} 128 0 0\r\n")
    terminal.send("\x1c")
    terminal.expect(rf"{signal.SIGQUIT:d} 128 0 0\r\n")
    assert f"{signal.SIGINT:d} 128" not in terminal.before
    container.kill("KILL")
    terminal.expect(pexpect.EOF)
    terminal.close()


def test_window_size_and_its_changes_arrive(engine):
    terminal, _ = engine.terminal("bash", "-c", "trap 'stty size' WINCH; echo ready; "
                                  "while :; do sleep 0.1; done")
    terminal.expect("ready\r\n")
    for rows, columns in [(33, 99), (44, 111)]:
        terminal.setwinsize(rows, columns)
        # Docker's client misses a change while it starts: repeat it until it arrives.
        while terminal.expect_exact([f"{rows} {columns}\r\n", pexpect.TIMEOUT],
                                    timeout=1):
            terminal.kill(signal.SIGWINCH)
    terminal.kill(signal.SIGKILL)
    terminal.wait()


def test_detached_container_runs_on_and_can_be_attached_again(shell, engine):
    terminal, container = shell
    assert answer(terminal, "x=kept").strip() == ""
    # Podman accepts these keys only one by one: it must read each by itself.
    detached, terminal.delaybeforesend = False, 0.1
    while not detached:
        terminal.delaybeforesend *= 2
        for key in DETACH:
            terminal.send(key)
        detached = terminal.expect([pexpect.TIMEOUT, pexpect.EOF], timeout=10)
    assert container.state["Status"] == "running"
    attached = on_terminal([*engine.command, "attach", container.name])
    # ^U: the shell may have got keys.
    attached.sendline("\x15echo $x here")
    attached.expect("kept here\r\n")
    attached.sendline("exit 6")
    attached.expect(pexpect.EOF)
    attached.close()
    assert container.status() == 6


def test_container_with_a_terminal_but_without_input_can_be_stopped(engine):
    """-t alone: the log is a terminal without input."""
    container = engine.start(
        "sh", "-c", "trap 'echo bye; exit 5' TERM; test -t 1 && echo ready; "
        "sleep 1000 & while :; do wait; done", options=["-t"])
    container.wait_for("ready")
    assert container.stop() < AT_ONCE
    assert container.status() == 5
    assert re.findall("bye", container.logs()) == ["bye"]
