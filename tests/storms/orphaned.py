"""A million orphans: the last of them take no more memory, files and processor time
than the first, and none stays a zombie. (bench/orphans.c)"""

from statistics import median

from arena import running

NAME = "orphans"
COUNT = 1_000_000
PARTS = 10
AT_ONCE = 1000  # at least
# A busy machine makes all slower, that is COMMAND, too. So it is to COMMAND's that the
# init's processor time is compared; for an orphan of the last part it may be so many
# times that of the first.
BOUND = 2


def make(init, count):
    """Processor time of the init for each, in µs, and as a part of COMMAND's."""
    before = init.used()
    init.ask(count)
    init.expect_alone()
    ours, commands = (b - a for a, b in zip(before, init.used()))
    return ours / count / 1000, ours / commands


def storm(place):
    each = place.part(COUNT // PARTS, AT_ONCE * PARTS)
    with running([place.init, *place.helper("orphans")]) as init:
        init.hear()
        make(init, AT_ONCE)
        before = init.footprint()
        costs = [[make(init, AT_ONCE) for _ in range(each // AT_ONCE)]
                 for _ in range(PARTS)]
        after = init.footprint()
        init.popen.stdin.close()
        status = init.popen.wait()
    assert after == before, f"{before} has become {after}"
    (first, first_part), (last, last_part) = (
        [median(figures) for figures in zip(*part)] for part in (costs[0], costs[-1]))
    compared = f"as a part of COMMAND's {first_part:.2f} and {last_part:.2f}"
    assert last_part < BOUND * first_part, f"processor time for an orphan, {compared}"
    assert status == 0, f"status {status}, and COMMAND's was 0"
    made = each // AT_ONCE * AT_ONCE * PARTS
    return {"orphans": made,
            "memory, files": f"{after['memory'][0]} kB, {len(after['files'])}, "
            "before and after",
            "processor time for each": f"{first:.2f} µs in the first tenth, "
            f"{last:.2f} µs in the last; {compared}"}
