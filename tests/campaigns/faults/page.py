"""The section of docs/reliability.md that tests/campaigns/faults/run writes."""

import collections
import platform
import textwrap

from errnos import ERRNOS
from trial import NOTHING, PHASES

TEXT = """
## When a system call fails

    make faults PAGE=docs/reliability.md

Whichever system call fails, dumb-init does not exit early, hang, exit with another
status, lose a signal without a warning, leave a zombie, or keep a processor busy.
There is one exception: if the kernel says that a process is gone (ESRCH, ECHILD),
dumb-init believes it.

This was tried with {count} faults, in the static musl build on {machine}, and with
these sets of options:

{sets}

strace lists the system calls that dumb-init makes with each set. Then it makes each
call fail with each errno that the call's manual page names, and with EPERM and
ENOSYS, which a seccomp filter returns. *Once*: one call of this kind fails, each in
its turn (in *run* the first four). *Always*: a call and all later ones of this kind
fail. The time of the fault is one of these:

- *start* is before COMMAND exists, and *child* is in the process that becomes COMMAND.
  Either COMMAND runs as without the fault, or dumb-init exits with 1 or 126 and a line
  that says why, and no process is left.
- *settle* is from there to the first wait without a limit, and *run* is after that.
  COMMAND gets the signals; those that the fault has delayed arrive when the call works
  again. Orphans are reaped, and dumb-init exits with COMMAND's status.
- *end* is COMMAND's exit while the call always fails. If dumb-init does not notice the
  exit, it exits with COMMAND's status when the call works again.

| call | errno | when | options | faults | outcome |
|---|---|---|---|---|---|
{rows}

If dumb-init cannot read `/proc`, it does not terminate the remaining processes, except
as PID 1, where it can use `kill(-1)`. When dumb-init gives up its terminal, the kernel
sends it SIGHUP and SIGCONT. COMMAND gets these only if each wait has failed since the
start and then works again.
"""


def whens(cases):
    """Phases, with "once" or "always" if only that was tried: "start once, run"."""
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
    """The list of the sets, in lines that do not break within the name of a set."""
    line = ", ".join(code(name).replace(" ", "~") for name in sets) + "."
    return textwrap.fill(line, 85, break_on_hyphens=False).replace("~", " ")


def options_of(cases, makers, sets):
    """The sets of options in cases. makers: all sets that make the call."""
    names = {case.options for case in cases}
    others = makers - names
    few = len(others) < len(names)
    said = [code(name) for name in sets if name in (others if few else names)]
    if not others:
        return "all that make it"
    return ("all except " if few else "") + ", ".join(said)


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
