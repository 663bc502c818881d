"""SIGSTOP and SIGCONT for the init itself, from outside and at random, while signals
are queued and orphans made: no signal is lost, and no process is left."""

import os
import signal
import time

from arena import (floods, realtime, running, state, summary, wait_for_report,
                   wait_until)

NAME = "stops"
LIVES = 20
BURSTS = 40   # in each life
SENDERS = 4   # in each burst; a value can tell all senders apart
SIGNALS = 50  # of each sender
MOMENT = 0.005  # seconds, at most


def burst(place, init, first_sender):
    """Stops and continues the init while senders run. Returns the number of stops and
    of signals sent."""
    stops = 0
    arguments = [("queue", init.pid, SIGNALS, first_sender + sender,
                  place.random.getrandbits(31)) for sender in range(SENDERS)]
    with floods(place, *arguments) as senders:
        while stops == 0 or any(sender.popen.poll() is None for sender in senders):
            os.kill(init.pid, signal.SIGSTOP)
            stops += 1
            time.sleep(place.random.uniform(0, MOMENT))
            os.kill(init.pid, signal.SIGCONT)
            time.sleep(place.random.uniform(0, MOMENT))
        return stops, sum(sender.result()[0] for sender in senders)


def life(place):
    stops = sent = 0
    with running([place.init, "-c", *place.helper("turmoil")]) as init:
        init.hear()
        init.ask("churn")
        for i in range(BURSTS):
            more_stops, more_sent = burst(place, init, i * SENDERS)
            stops, sent = stops + more_stops, sent + more_sent
        init.ask("calm")
        report = wait_for_report(init, lambda report: realtime(report) >= sent,
                                 f"of {sent:,} sent")
        assert (report["queued"], report["wrong"]) == (sent, 0), \
            f"expected {sent:,} signals in order, got: {summary(report)}"
        init.expect_alone()
        # COMMAND exits while the init is stopped.
        command = init.command
        os.kill(init.pid, signal.SIGSTOP)
        status = place.random.randrange(1, 128)
        init.tell(f"exit {status}")
        wait_until(lambda: state(command) == "Z", "COMMAND's exit")
        os.kill(init.pid, signal.SIGCONT)
        init.expect_status(status)
    return stops, sent, report["orphans"]


def storm(place):
    lives = [life(place) for _ in range(place.part(LIVES, 2))]
    stops, sent, orphans = map(sum, zip(*lives))
    return {"stops": stops, "signals queued, and received": sent, "orphans": orphans,
            "COMMANDs that exited while the init was stopped": len(lives)}
