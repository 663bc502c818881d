"""The section of docs/reliability.md that tests/faults/run writes."""

import collections
import platform
import textwrap

from errnos import ERRNOS
from trial import NOTHING, PHASES

TEXT = """
## When a system call fails

`make faults` lists, with strace, the system calls that dumb-init makes with each
set of options:

{sets}

It makes each fail with each errno that its manual page names, and with EPERM and
ENOSYS, which a seccomp filter says: {count} faults, in the static musl build on
{machine}. *Once* is one call of its kind, each in its turn (in *run* the first
four); *always* is each from one on.

- *start* is before COMMAND, and *child* is what becomes COMMAND: it runs as if
  nothing had been, or dumb-init ends with 1 or 126 and a line that says why, and no
  process is left.
- *settle* is from there to the first wait without a limit, *run* is after that.
  COMMAND gets the signals; when the call works again it gets a later one, and those
  that have waited; orphans are collected; dumb-init ends with COMMAND's status.
- *end* is COMMAND's end while the call always fails. If dumb-init does not see it,
  it ends, with COMMAND's status, when the call works again.

In no case does dumb-init end early, hang, end with another status, lose a signal
without a warning, leave a zombie, or keep a processor busy. But who is said to be
gone (ESRCH, ECHILD) is believed to be.

| call | errno | when | options | faults | outcome |
|---|---|---|---|---|---|
{rows}

What is left is not ended where dumb-init is not PID 1, for which there is
`kill(-1)`, and cannot look into `/proc`. COMMAND gets what the kernel sends us for
giving up our terminal only if each wait has failed from the start, when nothing at
all is passed on, and then works.
"""


def whens(cases):
    """"start once, run" for cases of which those of run are of both kinds."""
    found = collections.defaultdict(set)
    for case in cases:
        found[case.phase].add(case.when)
    for phase in PHASES:
        if len(found[phase]) == 1 and phase != "end":
            yield f"{phase} {min(found[phase])}"
        elif found[phase]:
            yield phase


def code(name):
    return f"`{name}`" if name.startswith("-") else name or "none"


def listed(sets):
    """In lines, none of which ends in the middle of a set."""
    line = ", ".join(code(name).replace(" ", "~") for name in sets) + "."
    return textwrap.fill(line, 85, break_on_hyphens=False).replace("~", " ")


def options_of(cases, makers, sets):
    """The sets of options; makers make that call at all."""
    names = {case.options for case in cases}
    others = makers - names
    few = len(others) < len(names)
    said = [code(name) for name in sets if name in (others if few else names)]
    if not others:
        return "all that make it"
    return ("all but " if few else "") + ", ".join(said)


def rows(outcomes, sets):
    calls = collections.defaultdict(lambda: collections.defaultdict(list))
    for case, outcome in outcomes:
        calls[case.call][outcome].append(case)
    for call, found in sorted(calls.items()):
        makers = {case.options for cases in found.values() for case in cases}
        said = None
        for outcome in sorted(found, key=lambda each: (each != NOTHING, each)):
            cases = found[outcome]
            errnos = " ".join(each for each in ERRNOS[call]
                              if each in {case.errno for case in cases})
            yield (f"| {call} | {'the same' if errnos == said else errnos} | "
                   f"{', '.join(whens(cases))} | {options_of(cases, makers, sets)} | "
                   f"{len(cases)} | {outcome} |")
            said = errnos


def text(outcomes, sets):
    return TEXT.format(
        sets=listed(sets), count=len(outcomes), machine=platform.machine(),
        rows="\n".join(rows(outcomes, sets)))
