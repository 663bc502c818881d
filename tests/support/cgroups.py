"""Cgroups with a limit, of either version, for tests that need one."""

import os
import pathlib
import subprocess
import time

from watch import patience, wait_until

TOP = pathlib.Path("/sys/fs/cgroup")
# The file of a limit, and a file that prevents swapping, if there is one.
FILES = {
    (1, "memory"): ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    (2, "memory"): ("memory.max", "memory.swap.max"),
    (1, "pids"): ("pids.max", ""),
    (2, "pids"): ("pids.max", ""),
}


def parents(controller):
    """Yields the version and the directory of cgroups in which one might be made."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, ours = line.split(":", 2)
        if controller in controllers.split(","):
            for parent in (TOP / controller / ours[1:], TOP / controller):
                if (parent / "cgroup.procs").exists():
                    yield 1, parent
                    return
        if not controllers and (TOP / "cgroup.controllers").exists():
            parent = TOP / ours[1:]
            yield from ((2, each) for each in (parent, *parent.parents)
                        if each.is_relative_to(TOP))


def remove(made):
    def removed():
        try:
            made.rmdir()
        except OSError:
            return False
        return True
    wait_until(removed, "the cgroup's removal")


def make_below(version, parent, controller, limit):
    """Makes a cgroup in parent. May raise OSError."""
    control = parent / "cgroup.subtree_control"
    if version == 2 and controller not in control.read_text().split():
        control.write_text("+" + controller)
    made = parent / f"dumb-init-test-{os.getpid()}-{time.monotonic_ns()}"
    made.mkdir()
    file, swap = FILES[version, controller]
    try:
        (made / file).write_text(str(limit))
        if swap and (made / swap).exists():
            (made / swap).write_text(str(limit if version == 1 else 0))
        subprocess.run([*enter(made), "true"], check=True, capture_output=True,
                       timeout=patience())
    except (OSError, subprocess.CalledProcessError) as error:
        remove(made)
        raise OSError(str(error)) from error
    return made


def enter(made):
    """The words before a command that run it in that cgroup."""
    return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(made / "cgroup.procs")]


def make(controller, limit):
    """Makes a cgroup. Returns its directory, or raises OSError with the reasons."""
    errors = []
    for version, parent in parents(controller):
        try:
            return make_below(version, parent, controller, limit)
        except OSError as error:
            errors.append(f"{parent}: {error.strerror or error}")
    raise OSError(f"no cgroup with a limit of {controller} can be made: {errors}")
