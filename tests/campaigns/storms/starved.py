"""Memory runs short until the kernel kills a process in the cgroup (eater.c). It must
kill COMMAND and not the init, which says why and exits with 137."""

import re

from arena import Skipped, exit_code, running, wait_until, waits_for_good
import cgroups

NAME = "memory"
LIMIT = 32 << 20
ROUNDS = 40
OPTIONS = [[], ["-g"], ["-c"], ["--grace", "0.2"]]
LINE = re.compile(
    r"\[dumb-init\] \S+ \(PID \d+\) was killed by SIGKILL, not sent by dumb-init: "
    r"out of memory \(its cgroup recorded an OOM kill\)")


def kills(cgroup):
    """The number of processes that the OOM killer has killed in the cgroup."""
    for name in ("memory.events", "memory.oom_control"):
        if (cgroup / name).exists():
            return int(re.search(r"^oom_kill (\d+)", (cgroup / name).read_text(),
                                 re.MULTILINE)[1])
    raise Skipped("this kernel does not count OOM kills")


def starve(place, cgroup):
    options = place.random.choice(OPTIONS)
    with running([place.init, *options, *place.helper("eater")],
                 before=cgroups.enter(cgroup)) as init:
        init.hear()
        # The init has then read the number of OOM kills so far.
        wait_until(lambda: waits_for_good(init.pid), "a read of the OOM kills")
        init.tell("begin")
        status = exit_code(init.popen)
        complaints = init.complaints().replace(
            "\n[dumb-init] --grace expired: sending SIGKILL to all processes", "")
    assert status == 137 and LINE.fullmatch(complaints), \
        f"{' '.join(options)}: status {status}: {complaints or 'no message'}"


def storm(place):
    try:
        cgroup = cgroups.make("memory", LIMIT)
    except OSError as error:
        raise Skipped(str(error)) from error
    try:
        before = kills(cgroup)
        rounds = place.part(ROUNDS, 4)
        for _ in range(rounds):
            starve(place, cgroup)
        killed = kills(cgroup) - before
    finally:
        cgroups.remove(cgroup)
    return {f"runs in {LIMIT >> 20} MiB": rounds, "processes killed": killed}
