"""The clock is set, forward and back, while deadlines run: this must not change them.
It runs in a kernel of its own, user-mode Linux, so that the clock of this machine does
not change. The program "steps" runs there."""

import json
import platform
import shutil
import subprocess
import tempfile

from arena import ROOT, Skipped

NAME = "clock"
ROUNDS = 12
LIMIT = 300  # seconds
KERNEL = "linux.uml"


def boot(place, rounds, directory):
    """The output of steps. The kernel's files are in directory, not in $HOME."""
    words = ["/usr/bin/python3", ROOT / "tests/campaigns/storms/steps", place.init,
             place.helpers, rounds, place.random.getrandbits(31)]
    kernel = subprocess.Popen(
        [KERNEL, f"uml_dir={directory}/", "mem=128M", "rootfstype=hostfs",
         "rootflags=/", "ro", "quiet", "con=null", "con0=null,fd:1", "con1=null",
         "ssl=null", f"init={words[0]}", "--", *map(str, words[1:])],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace")
    try:
        return kernel.communicate(timeout=LIMIT)[0]
    finally:
        kernel.kill()
        kernel.communicate()


def storm(place):
    if not shutil.which(KERNEL):
        raise Skipped(f"no user-mode Linux ({KERNEL}) here, {platform.machine()}")
    rounds = place.part(ROUNDS, 1)
    with tempfile.TemporaryDirectory() as directory:
        said = boot(place, rounds, directory)
    lines = [line.partition("steps: ")[2] for line in said.splitlines()
             if "steps: " in line]
    if not lines:
        raise Skipped("user-mode Linux does not run here: " +
                      " ".join(said[-300:].split()))
    result = json.loads(lines[-1])
    assert "failed" not in result, result["failed"]
    return result
