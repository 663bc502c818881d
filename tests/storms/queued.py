"""Real-time signals, queued by several senders at once: none is lost, and what each
sender queues of a number comes in its order. So it is where there is no room, either,
RLIMIT_SIGPENDING: what sigqueue(3) did not refuse arrives. But kill(2) never says that
there was no room; so of what it sent some is lost, which is counted.
"""

import os
import signal

from arena import (floods, maps_other_users, realtime, running, status_field, told,
                   wait_for_report, wait_until, waits_for_good)

NAME = "queue"
SENDERS = 4
COUNT = 100_000
# Of these in each mode.
SHARES = {"stopped": 0.4, "reading": 0.4, "slow": 0.2}
MODES = {"a single child": ["-c"], "a session": []}
SMALL_LIMIT = 1000

def none_waits(pid):
    return int(status_field(pid, "ShdPnd"), 16) == 0


def room(init):
    """Half of what the queue of this UID has left; the other half is for others."""
    queued, limit = map(int, status_field(init.pid, "SigQ").split("/"))
    return (limit - queued) // 2


def flood(place, init, kind, count, first_sender):
    """Returns how many the senders got through, and how often they were refused.
    Instead of who is the first sender there may be a signal for kill."""
    arguments = [(kind, init.pid, count, first_sender + (kind != "kill") * sender,
                  place.random.getrandbits(31)) for sender in range(SENDERS)]
    with floods(place, *arguments) as senders:
        results = [sender.result() for sender in senders]
        wait_until(lambda: none_waits(init.pid), "what waits for the init")
    return [sum(figures) for figures in zip(*results)]


def expect_all(init, options, sent):
    """All that were sent have come, and in single-child mode with their values."""
    report = wait_for_report(init, lambda report: realtime(report) >= sent,
                             f"of {sent:,} sent")
    valued = report["queued"] == sent or "-c" not in options
    assert valued and report["wrong"] == 0 and realtime(report) == sent, \
        f"{sent:,} were sent, and {told(report)}"
    return report


def in_mode(place, options):
    """How many were sent, and how often a sender was told that there is no room."""
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
    """Where the queue is full all the time: how many were sent, refused, received."""
    arguments = [place.part(COUNT / SENDERS, 2000), 40 if kind == "kill" else 0]
    # The queue is that of a UID, of one that nobody else has.
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
            wait_until(lambda: none_waits(init.command), "what waits for COMMAND")
            return sent, refused, realtime(init.report())
        report = expect_all(init, options, sent)
        init.end(place.random.randrange(1, 128))
    return sent, refused, realtime(report)


def where_it_is_full(place):
    results = {kind: [in_small_room(place, options, kind) for options in MODES.values()]
               for kind in ("try", "queue", "kill")}
    sent, refused, _ = map(sum, zip(*results["try"], *results["queue"]))
    killed, _, received = map(sum, zip(*results["kill"]))
    return {f"queued where {SMALL_LIMIT:,} fill the queue, and received": sent,
            "refused there": refused,
            "sent there by kill(2)": killed, "of these received": received}


def storm(place):
    results = [in_mode(place, options) for options in MODES.values()]
    counted = {"signals queued, and received": sum(sent for sent, _ in results),
               "refused at first": sum(refused for _, refused in results)}
    if maps_other_users():
        return counted | where_it_is_full(place)
    return counted | {"where the queue is full": "NOT TESTED, for want of a second UID"}
