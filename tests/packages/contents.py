"""Shared by the tests of packages: running a command, and the installed files."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
VERSION, = re.findall(r"^VERSION = (\S+)$", (ROOT / "Makefile").read_text(), re.M)
COMPLETIONS = {
    "dumb-init.bash": "bash-completion/completions/dumb-init",
    "_dumb-init": "zsh/site-functions/_dumb-init",
    "dumb-init.fish": "fish/vendor_completions.d/dumb-init.fish",
}


def run(*words, **options):
    """Runs a command in the source tree. It must succeed. Returns its output."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
               "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT} | options
    result = subprocess.run([str(word) for word in words], check=False, **options)
    assert result.returncode == 0, result.stdout
    return result.stdout


def made(target, tmp_path_factory):
    """The directory with the files that `make TARGET` has made."""
    directory = tmp_path_factory.mktemp(target)
    run("make", target, f"DIST={directory}")
    return directory


def unpack(tarball, directory):
    """Runs tar: the default filter of Python's tarfile depends on the version."""
    run("tar", "-xf", tarball, "-C", directory)


def completions():
    """The paths of the shell completions in /usr/share."""
    return {COMPLETIONS[path.name] for path in ROOT.glob("completions/*")}


def is_static(path):
    """Whether the program needs no other file to run."""
    return "INTERP" not in run("readelf", "--program-headers", "--wide", path)
