"""Scripts: another user, a log by tee, several servers."""

import signal

import pytest

# Cleans up on SIGTERM and prints a last line.
SERVER = """#!/bin/bash
trap 'touch /shared/stopping; until [ -e /shared/go ]; do sleep 0.02; done
	echo cleaned up; touch /shared/complete; exit 6' TERM
echo ready
touch /shared/begun
while :; do sleep 0.1; done
"""


@pytest.fixture
def server(container):
    container.add("/app/server", SERVER, 0o755)
    container.add("/etc/sudoers.d/x", "Defaults !requiretty\n", 0o440)
    return container


def stop(container):
    container.begun()
    container.stop()
    container.wait_until((container.shared / "stopping").exists, "a server that stops")
    container.go()
    return container.status()


@pytest.mark.parametrize("words", [
    ["gosu", "nobody"], ["sudo", "-u", "nobody"],
    ["setpriv", "--reuid=nobody", "--regid=nogroup", "--init-groups"]])
def test_server_of_another_user_cleans_up(server, words):
    server.start("dumb-init", "--", *words, "/app/server")
    assert stop(server) == 6
    assert server.complete()


@pytest.mark.parametrize("words", [
    ["su", "-s", "/bin/sh", "nobody", "-c", "/app/server"],
    ["script", "-qc", "/app/server", "/dev/null"]])
def test_server_of_su_or_script_is_killed(server, words):
    server.start("dumb-init", "--", *words)
    server.begun()
    server.stop()
    server.expect("Session terminated")
    server.status()
    assert not server.complete()


# Without `exec`, and with a trap, the shell waits for the pipe.
SURVIVES = "(trap '' TERM; exec tee /shared/log)"


@pytest.mark.parametrize("options, script", [
    (["--single-child", "--wait-all"], "exec > >(tee /shared/log); exec /app/server"),
    (["--wait-all"], f"exec > >{SURVIVES}; exec /app/server"),
    ([], f"set -o pipefail; trap : TERM; /app/server | {SURVIVES}")])
def test_last_lines_reach_tee(server, options, script):
    server.start("dumb-init", *options, "--", "bash", "-c", script)
    log = server.shared / "log"
    server.wait_until(lambda: log.exists() and log.read_text(), "tee, after its trap")
    assert stop(server) == 6
    assert "cleaned up" in log.read_text()


# The last status of a pipe counts, here that of tee. -i ignores SIGINT only.
@pytest.mark.parametrize("script, signum", [
    ("exec > >(tee /shared/log); exec /app/server", signal.SIGPIPE),
    ("exec > >(tee -i /shared/log); exec /app/server", signal.SIGPIPE),
    ("set -o pipefail; trap : TERM; /app/server | tee -i /shared/log", signal.SIGTERM)])
def test_server_dies_of_sigpipe_when_tee_dies_of_sigterm(server, script, signum):
    server.start("dumb-init", "--", "bash", "-c", script)
    assert stop(server) == 128 + signum
    assert not server.complete()


def start_several(server, options):
    server.add("/app/start", "#!/bin/bash\n/app/server &\ntail -f /dev/null &\n"
               "wait -n; exit\n", 0o755)
    server.start("dumb-init", *options, "--", "/app/start")
    server.begun()
    server.wait_until(lambda: server.pids("tail"), "tail")


def end_one(server):
    server.exec("kill", str(server.pids("tail")[0]), check=False)


def test_others_clean_up_with_grace_when_one_of_several_servers_exits(server):
    start_several(server, ["--grace", "1h"])
    end_one(server)
    server.wait_until((server.shared / "stopping").exists, "another that stops")
    server.go()
    assert server.status() == 128 + signal.SIGTERM
    assert server.complete()


def test_others_are_killed_without_grace_when_one_of_several_servers_exits(server):
    start_several(server, [])
    end_one(server)
    assert server.status() == 128 + signal.SIGTERM
    assert not server.complete()


def test_options_of_a_shebang_need_env(server):
    server.add("/app/start", "#!/usr/bin/env -S dumb-init --single-child /bin/bash\n"
                             "exec /app/server $1\n", 0o755)
    server.start("/app/start", "argument")
    assert stop(server) == 6


@pytest.mark.parametrize("options, ends", [([], True), (["--rewrite", "HUP:0"], False)])
def test_signal_without_a_handler_kills_command_unless_it_is_dropped(
        server, options, ends):
    server.start("dumb-init", *options, "--", "/app/server")
    server.begun()
    server.exec("kill", "-HUP", "1", check=False)
    if ends:
        assert server.status() == 128 + signal.SIGHUP
    else:
        assert stop(server) == 6


def test_shell_with_a_trap_works_after_its_server(server):
    server.start("dumb-init", "--single-child", "--", "sh", "-c", """
        trap 'kill -TERM $pid' TERM
        /app/server & pid=$!
        wait $pid; wait $pid; status=$?
        touch /shared/after; exit $status""")
    assert stop(server) == 6
    assert server.complete()
    assert (server.shared / "after").exists()


@pytest.mark.parametrize("init, error", [
    ("/usr/sbin/runit", "must be run as process no 1"),
    ("/lib/systemd/systemd", "required to run as user manager")])
def test_other_init_refuses_to_run_below_dumb_init(server, init, error):
    server.start("dumb-init", "--", init)
    assert server.status() != 0
    assert error in server.said()


# Only in single-child mode COMMAND leads no group, so setsid need not fork.
@pytest.mark.parametrize("options, status", [
    ([], 128 + signal.SIGTERM), (["--process-group"], 128 + signal.SIGTERM),
    (["--single-child"], 6)])
def test_command_that_calls_setsid_needs_single_child_mode(server, options, status):
    server.start("dumb-init", *options, "--", "setsid", "-w", "/app/server")
    server.begun()
    server.stop()
    if status == 6:
        server.go()
    assert server.status() == status
