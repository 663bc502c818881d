"""Shared by the tests of packages: running a command, and the installed files."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
VERSION, = re.findall(r"^VERSION = (\S+)$", (ROOT / "Makefile").read_text(), re.M)
# An environment unlike that of the first build.
ELSEWHERE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp",
             "USER": "somebody", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8",
             "LANG": "C.UTF-8"}
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


def built_in_a_copy(target, directory, before=(), **environ):
    """Makes a target in a copy of the source. Returns the directory with the files."""
    directory.mkdir(parents=True)
    run("packaging/tree", directory)
    environ = environ or {"PATH": ELSEWHERE["PATH"], "HOME": "/"}
    run(*before, "make", "-s", target, cwd=directory, env=environ)
    return directory / "dist"


def unpack(tarball, directory):
    """Runs tar: the default filter of Python's tarfile depends on the version."""
    run("tar", "-xf", tarball, "-C", directory)


def completions():
    """The paths of the shell completions in /usr/share."""
    return {COMPLETIONS[path.name] for path in ROOT.glob("completions/*")}


def is_static(path):
    """Whether the program needs no other file to run."""
    return "INTERP" not in run("readelf", "--program-headers", "--wide", path)
