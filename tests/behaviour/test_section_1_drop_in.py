"""Contract, section 1: a drop-in for tini and catatonit on a host, and for dumb-init in
scripts; and 2.3: job control with -g wherever a shell runs dumb-init."""

import os
import pathlib
import re
import signal
import subprocess

import psutil
import pytest

from conftest import children, patience, state, wait_until
from test_section_1_options import GROUP, Family, assert_reached
from test_section_2_groups import (CTRL_D, any_shell,  # pylint: disable=unused-import
                                   foreground, wait_for_states)
from test_section_2_terminals import CTRL_C, CTRL_Z, terminal_of
from test_section_3_job_stop import catcher, heard_up_to

engines = pytest.mark.names("docker-init", "podman-init")
VERSION = re.search(r"^VERSION = (.*)$", (pathlib.Path(__file__).parents[2] /
                                          "Makefile").read_text(), re.M)[1]

# docker-init and podman-init are as tini


@engines
def test_command_of_an_engines_init_leads_a_group_in_its_session(start, helper, place):
    started = start("--", helper("reporter"), place=place)
    started.expect("ready")
    init, command = started.pid, started.command
    assert os.getpgid(command) == command != os.getpgid(init)
    assert os.getsid(command) == os.getsid(init) != command


@engines
def test_command_of_an_engines_init_is_its_only_target(start, helper, tmp_path):
    assert_reached(Family(start, helper, tmp_path, "--", place="pid1"), {"command"})


@engines
@pytest.mark.slow
def test_g_of_an_engines_init_targets_the_group(start, helper, tmp_path):
    assert_reached(Family(start, helper, tmp_path, "-g", "--", place="pid1"), GROUP)


@engines
@pytest.mark.slow
def test_kill_process_group_variable_applies_to_an_engines_init(
        start, helper, tmp_path, monkeypatch):
    monkeypatch.setenv("TINI_KILL_PROCESS_GROUP", "1")
    assert_reached(Family(start, helper, tmp_path, "--", place="pid1"), GROUP)


@engines
def test_verbosity_variable_applies_to_an_engines_init(run):
    for value, says in (("0", False), ("1", False), ("3", True)):
        result = run("--", "true", env=os.environ | {"TINI_VERBOSITY": value})
        assert (result.returncode, result.stdout) == (0, "")
        assert bool(result.stderr) is says


@engines
def test_options_variable_applies_to_an_engines_init(run):
    variables = {"DUMB_INIT_OPTIONS": "-e 3:4"}
    assert run("--", "sh", "-c", "exit 3", env=os.environ | variables).returncode == 4


@engines
def test_options_of_tini_apply_to_an_engines_init(run):
    result = run("-s", "-v", "-v", "-e", "3", "--", "sh", "-c", "exit 3")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr


# As dcron does, and others that become daemons.
MOVES = """if True:
    import os
    os.setpgid(0, 0)
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(4)
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@engines
def test_command_of_an_engines_init_may_call_setpgid_and_its_child_setsid(run):
    result = run("--", "/usr/bin/python3", "-ISc", MOVES)
    assert (result.returncode, result.stderr) == (4, "")


@engines
def test_job_stops_reach_the_command_of_an_engines_init_unchanged(start):
    started = start("--", *catcher(signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP),
                    place="pid1")
    started.expect("ready")
    for signum in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP):
        started.send(signum)
        assert heard_up_to(started, signum) == [signum]


# For scripts


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_first_line_of_the_version_is_that_of_1_2_5(run, option):
    result = run(option)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == f"dumb-init v{VERSION}"


def called(init, name, *words):
    """Runs an init with this name as argv[0]. Returns what subprocess.run returns."""
    return subprocess.run([name, *words], executable=init, check=False, text=True,
                          capture_output=True, timeout=patience())


@pytest.mark.parametrize("name", ["dumb-init", "-dumb-init", "/sbin/-dumb-init"])
def test_login_shell_name_is_taken_for_dumb_init(init, name):
    assert called(init, name, "-V").stdout.startswith(f"dumb-init v{VERSION}\n")


@pytest.mark.parametrize("name", ["-tini", "-tini-static", "-catatonit", "-docker-init",
                                  "-podman-init", "/sbin/-tini"])
def test_leading_dash_of_the_name_is_ignored(init, name):
    assert called(init, name, "--version").stdout.startswith("tini version ")
    result = called(init, name, "--", "/usr/bin/python3", "-ISc",
                    "import os; print(os.getsid(0) == os.getpid())")
    assert result.stdout == "False\n"


# Job control with -g

JOB = "$INIT -g sh -c 'echo running; exec sleep 1000'"
JOBS = {
    "alone": JOB,
    "script": "sh ./script",
    "bash script": "bash ./script",
    "pipeline": f"{JOB} | cat",
    "end of a pipeline": f"sleep 1000 | {JOB}",
    "subshell": f"({JOB}; echo after)",
    "below -g": "$INIT -g " + JOB,
    "below -g -g": "$INIT -g $INIT -g " + JOB,
    "below -c": "$INIT -c " + JOB,
    "script below -g": "$INIT -g sh ./script",
    "script below -c": "$INIT -c sh ./script",
    "-g below -g in a script": "sh ./nested",
}


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_ctrl_z_gives_the_prompt_back_and_fg_continues_the_job(any_shell, tmp_path,
                                                               job):
    shell = any_shell
    (tmp_path / "script").write_text(f"{JOB}\necho end of script\n")
    (tmp_path / "nested").write_text(f"$INIT -g {JOB}\necho end of script\n")
    shell.sendline(f"cd {tmp_path}")
    shell.expect_exact("prompt> ")
    shell.sendline(JOBS[job])
    shell.expect_exact("running\r\n")
    processes = [each.pid for each in psutil.Process(shell.pid).children(
        recursive=True)]
    groups = {os.getpgid(each) for each in processes}
    wait_until(lambda: foreground(shell.pid) in groups, "the job's terminal")
    # The shell, too: a dash that waits for a start does not see that the job stops.
    wait_for_states("S", shell.pid, *processes)
    for _ in range(2):
        shell.send(CTRL_Z)
        shell.expect("Stopped")
        shell.expect_exact("prompt> ")
        wait_for_states("T", *processes)
        assert foreground(shell.pid) == shell.pid
        shell.sendline("fg")
        wait_for_states("S", shell.pid, *processes)
        # In a pipeline the next program may have given it to the job's own group.
        wait_until(lambda: foreground(shell.pid) in groups, "the job's terminal")
    shell.send(CTRL_C)
    shell.expect_exact("prompt> ")
    shell.sendline("kill %1; echo over")
    shell.expect_exact("over\r\n")
    wait_until(lambda: all(state(each) in "XZ" for each in processes), "the job's exit")


BACKGROUND = """$INIT -g sleep 1000 &
echo script up
while read line; do echo "got $line"; done
kill $!
wait $!
echo status $?
"""


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", ["sh", "bash"])
def test_background_job_of_a_script_never_takes_its_terminal(any_shell, tmp_path,
                                                             interpreter):
    shell = any_shell
    (tmp_path / "script").write_text(BACKGROUND)
    shell.sendline(f"{interpreter} {tmp_path}/script")
    shell.expect_exact("script up\r\n")
    shell.sendline("first")
    shell.expect_exact("got first\r\n")
    script, = (each.pid for each in psutil.Process(shell.pid).children())
    init, = children(script)
    for number in range(3):
        shell.send(CTRL_Z)
        shell.expect("Stopped")
        shell.expect_exact("prompt> ")
        wait_for_states("T", script, init)
        shell.sendline("fg")
        wait_until(lambda: terminal_of(shell.pid)[1] == script, "the script's terminal")
        shell.sendline(f"line {number}")
        shell.expect_exact(f"got line {number}\r\n")
        assert terminal_of(shell.pid)[1] == script
    shell.send(CTRL_D)
    shell.expect_exact("status 143\r\n")
    shell.expect_exact("prompt> ")
