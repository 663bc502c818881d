"""A fork bomb fills a cgroup (tests/support/helpers/bomb.c): SIGTERM reaches COMMAND,
the deadlines hold, no process is left, and the status is the right one."""

import os
import signal
import time

from arena import Skipped, exit_code, running, wait_until
import cgroups

NAME = "bomb"
LIMIT = 150  # processes
BOMB = 200
BOMBS = 6    # runs of each kind, as PID 1 and as an ordinary process
SECONDS = 0.5
LINE = "[dumb-init] {} expired: sending SIGKILL to all processes"
ASKED = """trap 'echo asked; exit 7' TERM
"$@" &
while :; do wait; done"""
KINDS = {
    "--kill-after": (["--kill-after", SECONDS], [], 137),
    "--grace": (["--grace", SECONDS], ["sh", "-c", ASKED, "sh"], 7),
}


def refused(cgroup):
    """The number of times that fork was refused in the cgroup."""
    return int((cgroup / "pids.events").read_text().split()[1])


def explode(place, cgroup, kind, as_pid_1):
    options, shell, expected = KINDS[kind]
    before = refused(cgroup)
    with running([place.init, *map(str, options), *shell, *place.helper("bomb", BOMB)],
                 before=cgroups.enter(cgroup), as_pid_1=as_pid_1) as init:
        assert init.hear() == "ready"
        wait_until(lambda: refused(cgroup) > before + BOMB, "the limit")
        begin = time.monotonic()
        os.kill(init.pid, signal.SIGTERM)
        if shell:
            assert init.hear() == "asked", "expected SIGTERM in COMMAND, got none"
        status = exit_code(init.popen)
        took = time.monotonic() - begin
        complaints = init.complaints()
    wait_until(lambda: not (cgroup / "cgroup.procs").read_text(),
               "the exit of the remaining processes")
    assert (status, complaints) == (expected, LINE.format(kind)), \
        f"expected status {expected}, got {status}: {complaints}"
    assert took >= SECONDS, f"expected an exit after {SECONDS} s, got {took:.2f} s"
    return refused(cgroup) - before


def storm(place):
    try:
        cgroup = cgroups.make("pids", LIMIT)
    except OSError as error:
        raise Skipped(str(error)) from error
    try:
        bombs = [(kind, as_pid_1) for kind in KINDS for as_pid_1 in (True, False)
                 for _ in range(place.part(BOMBS, 1))]
        forks = sum(explode(place, cgroup, *bomb) for bomb in bombs)
    finally:
        cgroups.remove(cgroup)
    return {f"bombs of {LIMIT} processes": len(bombs), "processes refused": forks}
