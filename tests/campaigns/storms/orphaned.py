"""A million orphans (bench/orphans.c). Afterwards the init has no more memory and files
than before, an orphan takes no more processor time than in an init that has just
started, and no orphan stays a zombie."""

from statistics import median

from arena import running

NAME = "orphans"
COUNT = 1_000_000
AT_ONCE = 1000
# The two inits take turns, so that a busy machine slows both.
TURNS = 30
BOUND = 1.5


def make(init):
    """Makes AT_ONCE orphans. Returns the init's processor time for each, in µs."""
    before = init.used()
    init.ask(AT_ONCE)
    init.expect_alone()
    return (init.used() - before) / AT_ONCE / 1000


def begin(place):
    return running([place.init, *place.helper("orphans")])


def end(init):
    init.popen.stdin.close()
    status = init.popen.wait()
    assert status == 0, f"expected COMMAND's status 0, got {status}"


def storm(place):
    rounds = place.part(COUNT, 10 * AT_ONCE) // AT_ONCE
    with begin(place) as old, begin(place) as new:
        for init in (old, new):
            init.hear()
            make(init)
        before = old.footprint()
        for _ in range(rounds):
            make(old)
        costs = [(make(old), make(new)) for _ in range(TURNS)]
        old.expect_no_growth(before)
        end(old)
        end(new)
    late, early = map(median, zip(*costs))
    compared = f"{late:.2f} µs, and {early:.2f} µs in an init that has just started"
    assert late < BOUND * early, f"processor time for an orphan: {compared}"
    return {"orphans": (1 + rounds + TURNS) * AT_ONCE,
            "private memory and open files": f"{before['memory']} kB and "
            f"{len(before['files'])} at the beginning, not more at the end",
            "processor time for each": compared}
