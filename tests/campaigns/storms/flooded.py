"""Ordinary signals at full speed from several senders, while thousands of orphans and
members of COMMAND's group start and exit, and then while COMMANDs do. Afterwards one
more signal of each kind arrives, the init uses no more resources than before, and it
exits with COMMAND's status."""

import contextlib
import os
import signal
import time

from arena import (JOB_STOP, ORDINARY, floods, running, set_of, state,
                   wait_for_report, wait_until)
import cgroups

NAME = "flood"
SENDERS = 3
MS = 10_000  # in each mode
WARM_UP_MS = 300
MODES = {"session": [], "group": ["-g"], "single-child": ["-c"]}
SHORT_LIVES = 300
LIFE_MAX = 0.02  # seconds
BLOCKED = "f" * 16  # all 64
PROCESSES = 2000  # at most; a tenth of it, if each process had enough processor time


@contextlib.contextmanager
def bounded():
    """Words that limit the number of processes, so that the machine keeps free PIDs."""
    try:
        cgroup = cgroups.make("pids", PROCESSES)
    except OSError:
        yield ["prlimit", f"--nproc={PROCESSES}"]  # which does not bind root
        return
    try:
        yield cgroups.enter(cgroup)
    finally:
        cgroups.remove(cgroup)


def flood(place, init, mode, ms):
    """Returns the number of signals sent. In session mode, no signal is sent that would
    stop COMMAND."""
    signums = set(ORDINARY) - set(JOB_STOP if mode == "session" else ())
    arguments = [("mix", init.pid, ms, place.random.getrandbits(31), set_of(signums))
                 for _ in range(SENDERS)]
    init.ask("churn")
    with floods(place, *arguments) as senders:
        sent = sum(sender.result()[0] for sender in senders)
    # In group mode some of COMMAND's children are stopped.
    os.kill(init.pid, signal.SIGCONT)
    init.ask("calm")
    init.expect_alone()
    return sent


def expect_one_more(init, mode):
    """One more of each signal, one after the other: SIGCONT discards pending stop
    signals, and a stop signal discards a pending SIGCONT."""
    for signum in ORDINARY + list(range(32, 65)):
        before = init.report()["received"][signum]
        os.kill(init.pid, signum)
        if mode == "session" and signum in JOB_STOP:
            wait_until(lambda: state(init.command) == "T", f"signal {signum}")
            os.kill(init.pid, signal.SIGCONT)
            continue
        after = wait_for_report(init,
                                lambda report: report["received"][signum] > before,
                                f"expected signal {signum}, got")
        assert after["received"][signum] == before + 1, \
            f"expected signal {signum} once, got it twice"


def long_life(place, mode, limit):
    """Returns the numbers of signals sent, of those received, and of orphans."""
    with running([place.init, *MODES[mode], *place.helper("turmoil")],
                 before=limit) as init:
        init.hear()
        flood(place, init, mode, WARM_UP_MS)
        before = init.footprint()
        sent = flood(place, init, mode, place.part(MS, 500))
        init.expect_no_growth(before)
        # The signals that waited for COMMAND arrive first.
        expect_one_more(init, mode)
        report = init.report()
        init.end(place.random.randrange(1, 128))
    return sent, sum(report["received"][:32]), report["orphans"]


def short_life(place, mode, limit):
    """Sends signals from before the init's start until after its exit."""
    blocked = place.helper("inherit", BLOCKED, 0)
    with running([place.init, *MODES[mode], *place.helper("turmoil")],
                 before=[*blocked, *limit]) as init:
        signums = set_of(set(ORDINARY) - set(JOB_STOP))
        with floods(place, ("mix", init.pid, 60_000, place.random.getrandbits(31),
                            signums)):
            init.hear()
            init.ask("churn")
            time.sleep(place.random.uniform(0, LIFE_MAX))
            init.end(place.random.randrange(1, 128))


def storm(place):
    lives = place.part(SHORT_LIVES, 20)
    with bounded() as limit:
        sent, received, orphans = map(sum, zip(*(
            long_life(place, mode, limit) for mode in MODES)))
        for _ in range(lives):
            short_life(place, place.random.choice(list(MODES)), limit)
    return {"signals sent": sent, "that reached COMMAND (the kernel merges pending "
            "signals of the same number)": received, "orphans": orphans,
            "COMMANDs that exited during a flood": lives}
