"""Contract, section 1: single options. --grace, --kill-after, --wait-all and --delay
are tested with section 4, groups with section 2."""

import os
import signal
import subprocess

import pexpect.fdpexpect
import psutil
import pytest

from conftest import MODES, children, patience, state, wait_until

# --map-exit


@pytest.mark.parametrize("options, ends, status", [
    (["-e", "3"], "exit 3", 0),
    (["-e", "3:0"], "exit 3", 0),
    (["-e3:7"], "exit 3", 7),
    (["--map-exit=3:255"], "exit 3", 255),
    (["-e", "255:254"], "exit 255", 254),
    (["-e", "255"], "exit 255", 0),
    (["-e", "0:5"], "exit 0", 5),
    (["-e", "0:5"], "exit 5", 5),
    (["-e", "3"], "exit 4", 4),
    (["-e", "3"], "exit 2", 2),
    (["-e", "137:7"], "kill -KILL $$", 7),
    (["-e", "137:7"], "exit 137", 7),
    (["-e", "9:7"], "kill -KILL $$", 137),
    (["-e", "126", "-e", "127:3"], "exit 127", 3),
    (["-e", "3:4", "-e", "5:6", "-e", "7"], "exit 5", 6),
    (["-e", "3:4", "-e", "3:5"], "exit 3", 5),
    (["-e", "3:4", "-e", "3"], "exit 3", 0),
    (["-e", "3", "-e", "3:3"], "exit 3", 3),
    # Once only.
    (["-e", "3:4", "-e", "4:5"], "exit 3", 4),
    (["-e", "4:3", "-e", "3:4"], "exit 3", 4),
], ids=str)
def test_mapped_status_is_the_exit_status(run, mode, options, ends, status):
    result = run(*mode, *options, "sh", "-c", ends)
    assert (result.returncode, result.stdout) == (status, "")
    assert ("was killed by SIGKILL" in result.stderr) == (ends == "kill -KILL $$")
    assert len(result.stderr.splitlines()) == ("kill" in ends)


def test_forwarded_signal_can_be_mapped_to_success(start, mode, place):
    started = start(*mode, "-e", "143:0", "sh", "-c", "echo ready; exec sleep 60",
                    place=place)
    started.expect("ready")
    started.send(signal.SIGTERM)
    assert started.status() == 0


@pytest.mark.parametrize("words, status", [
    (["-e", "127", "/nonexistent"], 127),
    (["-e", "126", "/"], 126),
    (["-e", "1", "--nonsense", "true"], 1),
    (["-e", "0:5", "--help"], 0),
], ids=str)
def test_status_of_a_command_that_did_not_run_is_not_mapped(run, words, status):
    assert run(*words).returncode == status


# --parent-death-signal

# Starts the parent of the init, and is its subreaper when the parent has been killed,
# so that a process which a test forgets still has an ancestor here.
ANCESTOR = """if True:
    import ctypes, os, subprocess, sys
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    subprocess.Popen(sys.argv[1:])
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
"""
PARENTS = {"ordinary": ["sh", "-c", '"$@" & wait', "sh"],
           # Without --kill-child, which sets a parent death signal of its own.
           "pid1": ["unshare", "--pid", "--fork", "--mount-proc"]}


@pytest.fixture
def orphaned(start, helper, place):
    """orphaned(OPTION...): starts an init with the reporter and kills its parent.
    Returns the Started and the PIDs of the two."""
    def orphaned(*options):
        started = start(*options, helper("reporter"), before=[
            "python3", "-c", ANCESTOR, *PARENTS[place]])
        started.expect("ready")
        parent, = children(started.popen.pid)
        ours, = children(parent)
        command, = children(ours)
        os.kill(parent, signal.SIGKILL)
        wait_until(lambda: state(parent) == "X", "the parent's exit")
        return started, ours, command
    return orphaned


@pytest.mark.parametrize("options, arrives", [
    (["-p", "USR1"], [signal.SIGUSR1]),
    (["--parent-death-signal=64"], [64]),
    (["-p", "RTMIN+3", "-r", "RTMIN+3:INT"], [signal.SIGINT]),
    (["-p", "USR1", "-p", "HUP"], [signal.SIGHUP]),
    (["-p", "TERM", "-r", "TERM:0"], []),
    ([], []),
], ids=str)
def test_parent_death_signal_is_forwarded(orphaned, mode, options, arrives):
    started, ours, _ = orphaned(*mode, *options)
    started.expect_signals(*arrives)
    # Once, and nothing else.
    os.kill(ours, 50)
    started.expect_signals(50)


def test_parent_death_signal_kill_kills_dumb_init(orphaned, mode, place):
    _, ours, command = orphaned(*mode, "-p", "KILL")
    wait_until(lambda: state(ours) == "X", "the init's exit")
    if place == "ordinary":  # the exit of PID 1 kills its namespace
        wait_until(lambda: state(command) == "S", "COMMAND to continue")


def test_command_does_not_inherit_the_parent_death_signal(run, mode):
    look = """if True:
        import ctypes
        signum = ctypes.c_int(-1)
        ctypes.CDLL(None).prctl(2, ctypes.byref(signum), 0, 0, 0)
        print(signum.value)  # PR_GET_PDEATHSIG
    """
    assert run(*mode, "-p", "TERM", "python3", "-c", look).stdout == "0\n"


# --subreaper and --warn-on-reap

# Two that become orphans, and end when stdin does.
ORPHANS = """
exec 9<&0
(sh -c 'echo ends $$; read line <&9; exit 5' &)
(sh -c 'echo dies $$; read line <&9; kill -KILL $$' &)
exec sleep 60
"""


@pytest.fixture
def two_orphans(start, mode, place):
    """two_orphans(OPTION...): lets an init reap two orphans. Returns its messages,
    and the expected ones."""
    def two_orphans(*options):
        started = start(*mode, *options, "sh", "-c", ORPHANS, place=place,
                        stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        pids = dict(started.expect(rb"(ends|dies) (\d+)\n").groups()
                    for _ in range(2))
        wait_until(lambda: len(children(started.pid)) == 3, "two orphans")
        started.popen.stdin.close()
        wait_until(lambda: len(children(started.pid)) == 1, "the exits")
        started.send(signal.SIGTERM)
        assert started.status() == 128 + signal.SIGTERM
        return sorted(started.popen.stderr.read().decode().splitlines()), sorted([
            f"[dumb-init] reaped orphan (PID {int(pids[b'ends'])}), which exited with "
            "status 5",
            f"[dumb-init] reaped orphan (PID {int(pids[b'dies'])}), which was killed by "
            "SIGKILL"])
    return two_orphans


@pytest.mark.parametrize("options", [
    ["-w"], ["--warn-on-reap"], ["-ww", "-s"]], ids=" ".join)
def test_warn_on_reap_prints_a_line_for_each_orphan(two_orphans, options):
    said, expected = two_orphans(*options)
    assert said == expected


@pytest.mark.parametrize("options", [
    [], ["-wq"], ["-q", "-w"], ["-s"], ["--subreaper"]], ids=" ".join)
def test_orphans_are_reaped_silently_without_warn_on_reap(two_orphans, options):
    said, _ = two_orphans(*options)
    assert not said


def test_warn_on_reap_adds_nothing_to_verbose(two_orphans):
    said, expected = two_orphans("-v", "-w")
    assert [line for line in said if "orphan" in line] == expected


# --all

# COMMAND and its descendants; each is a reporter that writes to a file.
FAMILY = """
"$0" >job &
setsid "$0" >daemon &
(setsid "$0" >orphan &)
sh -c '"$0" >grandchild & exec "$0" >child' "$0" &
exec "$0" >command
"""
GROUP = {"command", "job", "child", "grandchild"}
ALL = GROUP | {"daemon", "orphan"}


class Family:
    """An init with FAMILY as COMMAND."""

    def __init__(self, start, helper, directory, *options, place):
        self.directory = directory
        self.started = start(*options, "bash", "-c", FAMILY, helper("reporter"),
                             cwd=directory, place=place)
        self.wait_for("ready", ALL)
        family = psutil.Process(self.started.pid).children(recursive=True)
        self.pids = [process.pid for process in family]
        assert len(self.pids) == len(ALL)

    def said(self, name):
        """The first word of each line."""
        try:
            lines = (self.directory / name).read_text().splitlines()
        except FileNotFoundError:
            return []
        return [line.split()[0] for line in lines]

    def wait_for(self, word, names):
        wait_until(lambda: all(str(word) in self.said(name) for name in names),
                   f"{word} from {names}")


def assert_reached(family, names):
    """A signal to the init reaches these once, and no other process."""
    family.started.send(40, 41)
    # The kernel queues them and delivers 40 first: a second 40 would come before 41.
    family.wait_for(41, names)
    for pid in family.pids:
        os.kill(pid, 42)
    family.wait_for(42, ALL)
    assert {name: family.said(name) for name in ALL} == {
        name: ["ready", *(["40", "41"] if name in names else []), "42"]
        for name in ALL}


@pytest.mark.parametrize("option", ["-a", "--all"])
def test_all_reaches_every_process_once(start, helper, tmp_path, mode, place, option):
    family = Family(start, helper, tmp_path, *mode, option, place=place)
    assert_reached(family, ALL)


def test_other_sessions_are_not_reached_without_all(
        start, helper, tmp_path, mode, place):
    family = Family(start, helper, tmp_path, *mode, place=place)
    alone = mode == MODES["single-child"]
    assert_reached(family, {"command"} if alone else GROUP)


def test_all_reaches_no_process_that_is_not_a_descendant(start, helper, tmp_path, mode):
    outside = start(helper("reporter"))
    outside.expect("ready")
    family = Family(start, helper, tmp_path, *mode, "-a", place="ordinary")
    family.started.send(40, 41)
    family.wait_for(41, ALL)
    os.kill(outside.command, 42)
    outside.expect_signals(42)


def test_all_reaches_a_process_that_entered_the_namespace_of_pid_1(start, helper):
    """As with docker exec: its parent is outside the namespace."""
    started = start("-a", helper("reporter"), place="pid1")
    started.expect("ready")
    with subprocess.Popen(["nsenter", "--pid", "--target", str(started.pid),
                           helper("reporter")], stdout=subprocess.PIPE) as visitor:
        output = pexpect.fdpexpect.fdspawn(visitor.stdout, timeout=patience())
        try:
            output.expect("ready")
            started.send(40)
            output.expect("40 ")
            started.expect_signals(40)
        finally:
            started.send(signal.SIGKILL)  # that ends the visitor


def test_all_stops_and_continues_every_process_in_session_mode(
        start, helper, tmp_path, place):
    family = Family(start, helper, tmp_path, "-a", place=place)
    for _ in range(2):
        family.started.send(signal.SIGTSTP)
        wait_until(lambda: {state(pid) for pid in family.pids} == {"T"},
                   "the processes to stop")
        if place == "ordinary":
            wait_until(lambda: state(family.started.pid) == "T", "the init to stop")
        family.started.send(signal.SIGCONT)
        wait_until(lambda: {state(pid) for pid in family.pids} == {"S"}, "SIGCONT")
        wait_until(lambda: state(family.started.pid) == "S", "the init to continue")
    family.wait_for(int(signal.SIGCONT), ALL)
