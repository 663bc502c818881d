"""make dist: the source, for users without git."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

from contents import ROOT, unpack


def make(directory, *words, **variables):
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")} | variables
    return subprocess.run(["make", "-s", *words], cwd=directory, check=True, text=True,
                          capture_output=True, env=environment).stdout


def tarball(directory, dist, **variables):
    path, = make(directory, "dist", f"DIST={dist}", **variables).split()
    return pathlib.Path(path)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tarball(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def tree(source, tmp_path_factory):
    """The unpacked tree."""
    directory = tmp_path_factory.mktemp("tree")
    unpack(source, directory)
    tree, = directory.iterdir()
    assert source.name == f"{tree.name}.tar.gz"
    return tree


def test_tarball_is_the_same_at_any_time_and_place(source, tmp_path):
    other = tarball(ROOT, tmp_path, TZ="Asia/Kolkata", LC_ALL="C", TMPDIR=str(tmp_path))
    assert digest(other) == digest(source)


def test_tarball_is_made_from_a_tarball_as_well(tree, source, tmp_path):
    assert digest(tarball(tree, tmp_path)) == digest(source)


def test_tarball_has_no_owner_and_one_time(source):
    with tarfile.open(source) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname)
            for member in members} == {(0, 0, "", "")}
    assert len({member.mtime for member in members}) == 1


def test_source_outside_git_builds_and_passes_the_unit_tests(tree):
    make(tree, "test-unit")


def test_tree_is_packed_as_it_is_where_git_does_not_work(tree, source, tmp_path):
    """git refuses, as in a clone that belongs to another user."""
    clone = shutil.copytree(tree, tmp_path / "clone", symlinks=True)
    (clone / ".git").mkdir()
    (tmp_path / "git").write_text("#!/bin/sh\nexit 128\n")
    (tmp_path / "git").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert digest(tarball(clone, tmp_path / "dist", PATH=path)) == digest(source)

    (tmp_path / "tree").mkdir()
    said = subprocess.run([clone / "packaging/tree", tmp_path / "tree"], check=True,
                          capture_output=True, text=True,
                          env=os.environ | {"PATH": path}).stderr
    assert said == "git does not work here: taking all files as they are.\n"


def commit_of_source():
    """The commit, from the tarball's COMMIT or from git; "" if neither knows."""
    command = "grep -x '[0-9a-f]*' COMMIT || { test -e .git && git rev-parse HEAD; }"
    return subprocess.run(["sh", "-c", command], cwd=ROOT, check=False, text=True,
                          capture_output=True).stdout[:7]


def test_source_outside_git_knows_its_commit(tree, tmp_path):
    commit = commit_of_source()
    if not commit:
        pytest.skip("NOT TESTED: needs git, which alone knows the commit of a clone")
    for directory in tree, ROOT:
        build = tmp_path / directory.name
        make(directory, f"BUILD={build}")
        version = subprocess.run([build / "dumb-init", "--version"], check=True,
                                 capture_output=True, text=True).stdout
        assert version.endswith(f" - git.{commit}\n")
