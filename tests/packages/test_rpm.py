"""The rpm: built with Debian's rpm, from the spec for distributions with rpm."""

import os
import subprocess

import pytest

from contents import ROOT, VERSION, completions, is_static, made, run


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return made("buildrpm", tmp_path_factory)


@pytest.fixture(scope="module")
def rpm(built):
    path, = built.iterdir()
    return path


@pytest.fixture(scope="module")
def root(rpm, tmp_path_factory):
    """The files of the package."""
    directory = tmp_path_factory.mktemp("root")
    run("sh", "-c", 'rpm2cpio "$0" | cpio -idm --quiet', rpm, cwd=directory)
    return directory


def test_rpm_has_the_program_and_its_documents(rpm, root):
    share = {"man/man1/dumb-init.1", "licenses/dumb-init/LICENSE"}
    share |= {f"doc/dumb-init/{name}" for name in (
        "README.md", "CHANGELOG.md", "cookbook.md", "options.md", "drop-in.md",
        "engines.md", "why-did-my-container-die.md")}
    share |= {f"doc/dumb-init/{name}" for name in
              run("git", "ls-files", "examples").split() if "/." not in name}
    share |= completions()
    # Debian's rpm still has the version in the directories' names.
    files = {line.split()[-1].replace(f"dumb-init-{VERSION}", "dumb-init")
             for line in run("rpm", "-qplv", rpm).splitlines()
             if not line.startswith("d") and "/.build-id/" not in line}
    assert files == {"/usr/bin/dumb-init"} | {f"/usr/share/{name}" for name in share}
    assert os.access(root / "usr/bin/dumb-init", os.X_OK)


def test_rpm_is_for_the_version_of_the_makefile(rpm):
    said = run("rpm", "-qp", "--queryformat", "%{NAME} %{VERSION} %{LICENSE}", rpm)
    assert said == f"dumb-init {VERSION} MIT"


def test_rpm_requires_only_an_rpm_that_can_read_it(rpm):
    for line in run("rpm", "-qp", "--requires", rpm).splitlines():
        assert line.startswith("rpmlib(")


def test_program_is_static_and_runs(root):
    program = root / "usr/bin/dumb-init"
    assert is_static(program)
    assert subprocess.run([program, "sh", "-c", "exit 3"], check=False).returncode == 3
    (root / "tini").symlink_to("usr/bin/dumb-init")
    commit = run("git", "rev-parse", "HEAD")[:7]
    assert run(root / "tini", "--version").endswith(f" - git.{commit}\n")


def test_rpm_built_again_elsewhere_is_the_same(rpm, tmp_path):
    elsewhere = tmp_path / "longer/name/of/a/temporary/directory"
    elsewhere.mkdir(parents=True)
    run("sh", "-c", 'umask 077; make buildrpm DIST="$0" CFLAGS=-O0 BUILD=/nowhere',
        tmp_path / "again", env=os.environ | {
            "TMPDIR": str(elsewhere), "TZ": "Asia/Tokyo", "LC_ALL": "C"})
    again, = (tmp_path / "again").iterdir()
    assert again.read_bytes() == rpm.read_bytes()


def test_program_built_with_glibc_for_rpm_is_static(tmp_path):
    run(ROOT / "packaging/buildrpm", VERSION, tmp_path)
    run("sh", "-c", "rpm2cpio *.rpm | cpio -idm --quiet", cwd=tmp_path)
    assert is_static(tmp_path / "usr/bin/dumb-init")
    assert run(tmp_path / "usr/bin/dumb-init", "echo", "runs") == "runs\n"
