"""Real-time signals, queued by several senders at once: none is lost, and the signals
of one sender and one number arrive in order. The same is true without room in the
queue (RLIMIT_SIGPENDING): each signal that sigqueue(3) accepted arrives. But kill(2)
never reports that there was no room, so some of its signals are lost; they are counted.
"""

import os
import signal

from arena import (floods, maps_other_users, realtime, running, status_field, summary,
                   wait_for_report, wait_until, waits_for_good)

NAME = "queue"
SENDERS = 4
COUNT = 100_000
# Shares of COUNT in each mode.
SHARES = {"stopped": 0.4, "reading": 0.4, "slow": 0.2}
MODES = {"a single child": ["-c"], "a session": []}
SMALL_LIMIT = 1000


def none_waits(pid):
    return int(status_field(pid, "ShdPnd"), 16) == 0


def room(init):
    """Half of the free room in this UID's queue; the other half is for others."""
    queued, limit = map(int, status_field(init.pid, "SigQ").split("/"))
    return (limit - queued) // 2


def flood(place, init, kind, count, first_sender):
    """Returns the number of signals sent, and the number of refusals. first_sender is
    the number of the first sender; for the kind "kill", the signal."""
    arguments = [(kind, init.pid, count, first_sender + (kind != "kill") * sender,
                  place.random.getrandbits(31)) for sender in range(SENDERS)]
    with floods(place, *arguments) as senders:
        results = [sender.result() for sender in senders]
        wait_until(lambda: none_waits(init.pid), "the delivery of all signals")
    return [sum(figures) for figures in zip(*results)]


def expect_all(init, options, sent):
    """All signals must have arrived, and in single-child mode with their values."""
    report = wait_for_report(init, lambda report: realtime(report) >= sent,
                             f"expected {sent:,} signals, got")
    valued = report["queued"] == sent or "-c" not in options
    assert valued and report["wrong"] == 0 and realtime(report) == sent, \
        f"expected {sent:,} signals, got: {summary(report)}"
    return report


def in_mode(place, options):
    """The number of signals sent, and how often there was no room for one."""
    sent = refused = 0
    with running([place.init, *options, *place.helper("turmoil")]) as init:
        init.hear()
        for first_sender, (how, share) in enumerate(SHARES.items()):
            count = min(place.part(COUNT * share, 1000), room(init))
            if how == "stopped":
                os.kill(init.command, signal.SIGSTOP)
            elif how == "slow":
                init.ask("slow")
            got, not_at_once = flood(place, init, "queue", count // SENDERS,
                                     first_sender * SENDERS)
            sent, refused = sent + got, refused + not_at_once
            if how == "stopped":
                os.kill(init.command, signal.SIGCONT)
            expect_all(init, options, sent)
        init.end(place.random.randrange(1, 128))
    return sent, refused


def in_small_room(place, options, kind):
    """The numbers of signals sent, refused, received while the queue is always full."""
    arguments = [place.part(COUNT / SENDERS, 2000), 40 if kind == "kill" else 0]
    # A queue belongs to a UID; this UID has no other process.
    small = ["setpriv", "--reuid", str(place.random.randrange(20_000, 60_000)),
             "--clear-groups", "--inh-caps=+dac_override",
             "--ambient-caps=+dac_override", "prlimit",
             f"--sigpending={SMALL_LIMIT}:{SMALL_LIMIT}"]
    with running([place.init, *options, *place.helper("turmoil")],
                 before=small) as init:
        init.hear()
        wait_until(lambda: waits_for_good(init.pid), "the init's readiness")
        if kind != "queue":
            os.kill(init.command, signal.SIGSTOP)
        sent, refused = flood(place, init, kind, *arguments)
        os.kill(init.command, signal.SIGCONT)
        if kind == "kill":
            wait_until(lambda: none_waits(init.command), "the delivery of all signals")
            return sent, refused, realtime(init.report())
        report = expect_all(init, options, sent)
        init.end(place.random.randrange(1, 128))
    return sent, refused, realtime(report)


def where_it_is_full(place):
    results = {kind: [in_small_room(place, options, kind) for options in MODES.values()]
               for kind in ("try", "queue", "kill")}
    sent, refused, _ = map(sum, zip(*results["try"], *results["queue"]))
    killed, _, received = map(sum, zip(*results["kill"]))
    return {f"queued at a limit of {SMALL_LIMIT:,}, and received": sent,
            "refused at this limit": refused,
            "sent by kill(2) at this limit": killed, "of these received": received}


def storm(place):
    results = [in_mode(place, options) for options in MODES.values()]
    counted = {"signals queued, and received": sum(sent for sent, _ in results),
               "refused at the first try": sum(refused for _, refused in results)}
    if maps_other_users():
        return counted | where_it_is_full(place)
    return counted | {"at a small limit": "NOT TESTED: there is no second UID"}
