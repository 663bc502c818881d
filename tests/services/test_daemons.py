"""supervisord, cron, runsvdir, sshd, tmux, screen and keepalived."""

import pytest

# A job that cleans up on SIGTERM, as long as the test wants.
JOB = """#!/bin/sh
trap 'touch /shared/stopping; until [ -e /shared/go ]; do sleep 0.02; done
	touch /shared/complete; exit' TERM HUP
touch /shared/begun
while :; do sleep 0.1; done
"""
PROGRAM = "[program:job]\ncommand = /app/job\nautorestart = false\nstopwaitsecs = 3600\n"


@pytest.fixture
def job(container):
    container.add("/app/job", JOB, 0o755)
    return container


def finish(container):
    """Lets the job clean up, once it has got its signal."""
    container.wait_until((container.shared / "stopping").exists, "a job that stops")
    container.go()


def test_supervisord_stops_its_programs(job):
    job.add("/etc/supervisor/conf.d/job.conf", PROGRAM)
    job.start_service("supervisord", ["supervisord", "-n"],
                      ["supervisord", "-n", "-c", "/etc/supervisor/supervisord.conf"])
    job.begun()
    job.stop()
    finish(job)
    assert job.status() == 0
    assert job.complete()


def start_cron(job, options):
    job.add("/etc/cron.d/job", "@reboot root /app/job\n")
    job.start_service("cron", ["--grace", "8"], options)
    job.begun()


def start_runsvdir(job, options):
    job.add("/etc/runit/runsvdir/default/job/run", "#!/bin/sh\nexec /app/job\n", 0o755)
    job.start_service("runsvdir", ["--grace", "8"], options)
    job.begun()


def start_sshd(job, options):
    job.add("/run/sshd/x", "")
    job.start_service("sshd", ["--grace", "5"], options)
    job.exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/key")
    job.exec("sh", "-c", "mkdir -p -m 700 /root/.ssh && cp /key.pub "
                         "/root/.ssh/authorized_keys")
    job.expect("Server listening")
    job.client("ssh", "-tt", "-o", "StrictHostKeyChecking=no", "-i", "/key",
               "root@127.0.0.1", "/app/job")
    job.begun()


STARTS = pytest.mark.parametrize("start", [start_cron, start_runsvdir, start_sshd])


@STARTS
def test_jobs_and_sessions_clean_up_with_grace(job, start):
    start(job, ["--grace", "1h"])
    job.stop()
    finish(job)
    job.status()
    assert job.complete()


@STARTS
def test_jobs_and_sessions_are_killed_without_grace(job, start):
    start(job, [])
    job.stop()
    job.status()
    assert not job.complete()


@pytest.fixture
def keepalived(job):
    job.add("/etc/keepalived/keepalived.conf",
            "vrrp_instance one {\n interface one\n virtual_router_id 1\n"
            " virtual_ipaddress {\n  192.0.2.1\n }\n}\n")
    return job


# It needs an interface with an address, and gives it another one.
INTERFACE = ["sh", "-c", """ip link add one type veth peer two && ip link set two up &&
    ip link set one up && ip address add 192.0.2.2/24 dev one && exec keepalived"""]


@pytest.mark.parametrize("service", ["tmux", "screen"])
def test_daemon_stays_with_wait_all(job, service):
    job.start_service(service, ["server"], ["/app/job"])
    job.begun()
    job.stop()
    finish(job)
    job.status()
    assert job.complete()


@pytest.mark.parametrize("options, more", [(["--wait-all"], ""), ([], " --dont-fork")])
def test_keepalived_stays(keepalived, options, more):
    keepalived.start_service("keepalived", ["--wait-all"], options, ["keepalived"],
                             [*INTERFACE[:2], INTERFACE[2] + more])
    keepalived.wait_until(lambda: "192.0.2.1" in keepalived.exec("ip", "address"),
                          "the address of keepalived")
    keepalived.stop()
    assert keepalived.status() == 0


@pytest.mark.parametrize("service, first, words", [
    ("tmux", "server", ["/app/job"]), ("screen", "server", ["/app/job"]),
    ("keepalived", "keepalived", INTERFACE)])
def test_daemon_ends_the_container_without_wait_all(keepalived, service, first, words):
    keepalived.start_service(service, ["--wait-all", "--"], ["--"], [first], words)
    assert keepalived.status() == 0
