"""The Debian package: built, checked, installed on a copy of the machine."""

import hashlib
import os
import re
import tarfile
import uuid

import pytest

from contents import ROOT, VERSION, completions, is_static, made, run, unpack

COPY = ROOT / "tests/packages/on-a-copy"
# The project has no mail address yet. Lintian wants one that accepts mail.
NO_ADDRESS = "bogus-mail-host,bogus-mail-host-in-debian-changelog"
# Only some of the behaviour tests: all, with AUTOPKGTEST='', take a minute.
PART = os.environ.get("AUTOPKGTEST", "-k 'command_line or section_3'")


def one(directory, pattern):
    path, = directory.glob(pattern)
    return path


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    return made("builddeb", tmp_path_factory)


@pytest.fixture(scope="session")
def deb(built):
    return one(built, "dumb-init_*.deb")


@pytest.fixture
def files(deb, tmp_path):
    """The members of the package by name, as in tarfile; extracted to tmp_path."""
    archive = tmp_path / "files.tar"
    run("sh", "-c", 'dpkg-deb --fsys-tarfile "$0" >"$1"', deb, archive)
    unpack(archive, tmp_path)
    with tarfile.open(archive) as tar:
        return {member.name.removeprefix("./"): member for member in tar
                if not member.isdir()}


def installed():
    """The files that must be in the package."""
    share = {"man/man1/dumb-init.1.gz", "lintian/overrides/dumb-init"}
    share |= {f"doc/dumb-init/{name}" for name in (
        "README.md.gz", "changelog.gz", "changelog.Debian.gz", "copyright",
        "cookbook.md.gz", "options.md.gz", "drop-in.md.gz", "engines.md.gz",
        "why-did-my-container-die.md.gz")}
    share |= {name.replace("site-functions", "vendor-completions")
              for name in completions()}
    share |= {f"doc/dumb-init/{name}" for name in
              run("git", "ls-files", "examples").split()
              if "/." not in name}
    return {"usr/bin/dumb-init"} | {f"usr/share/{name}" for name in share}


def test_lintian_finds_neither_error_nor_warning(built):
    run("lintian", "--allow-root", "--fail-on", "error,warning",
        "--suppress-tags", NO_ADDRESS, one(built, "*.changes"))


def test_package_has_the_program_and_its_documents(files):
    assert set(files) == installed()


def test_files_belong_to_root_and_can_be_read_by_all(files):
    for name, member in files.items():
        executable = name == "usr/bin/dumb-init" or name.endswith(".sh")
        assert member.mode == (0o755 if executable else 0o644), name
        assert (member.uname, member.gname) == ("root", "root"), name


def test_program_is_static_and_built_using_names_its_parts(deb, files, tmp_path):
    assert is_static(tmp_path / "usr/bin/dumb-init")
    fields = run("dpkg-deb", "--field", deb)
    assert "Depends" not in fields
    assert re.search(r"^Static-Built-Using: musl \(= \S+\)$", fields, re.M)


def test_program_knows_its_version_and_commit(files, tmp_path):
    (tmp_path / "tini").symlink_to("usr/bin/dumb-init")
    commit = run("git", "rev-parse", "HEAD")[:7]
    said = run(tmp_path / "tini", "--version")
    assert said == f"tini version {VERSION} - git.{commit}\n"


def sums(directory):
    """The sums of the packages; the other files record when and where they were built.
    """
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.iterdir()
            if path.suffix not in (".buildinfo", ".changes")}


def test_packages_built_again_elsewhere_are_the_same(built, tmp_path):
    elsewhere = tmp_path / "longer/name/of/a/temporary/directory"
    elsewhere.mkdir(parents=True)
    run("sh", "-c", 'umask 077; make builddeb DIST="$0" CFLAGS=-O0 BUILD=/nowhere',
        tmp_path / "again", env=os.environ | {
            "TMPDIR": str(elsewhere), "TZ": "Asia/Tokyo", "LC_ALL": "C"})
    assert len(sums(built)) == 4
    assert sums(tmp_path / "again") == sums(built)


UPGRADE = r"""
set -eu
list() {
	# Without the files of dpkg and man, and those that other programs use meanwhile.
	find /etc /usr /var -path /var/cache/man -prune -o -path /var/log -prune \
		-o -path /var/tmp -prune -o -path /var/lib/containers -prune -o -print |
		grep -v '^/var/lib/dpkg/[^/]*$' | sort
	dpkg-query -W
}
cd "$1"
"$3/tools/again" sh -c 'apt-get update && apt-get download dumb-init=1.2.5*'
dpkg --purge dumb-init
list >before
dpkg -i dumb-init_1.2.5*.deb
dumb-init --version
dpkg -i "$2"
test "$(dumb-init -c sh -c 'echo runs')" = runs
dumb-init --version
dpkg -r dumb-init
dpkg --purge dumb-init
list >after
diff before after
"""


def test_package_upgrades_debians_and_leaves_nothing_when_removed(deb, tmp_path):
    before = run("dpkg-query", "-W")
    said = run(COPY, "sh", "-c", UPGRADE, "sh", tmp_path, deb, ROOT)
    assert f"Unpacking dumb-init ({VERSION}-1) over (1.2.5" in said
    assert re.findall(r"^dumb-init v(\S+)", said, re.M) == ["1.2.5", VERSION]
    assert run("dpkg-query", "-W") == before


def test_behaviour_tests_pass_with_the_installed_program(built, deb):
    said = run(COPY, "autopkgtest", "--no-built-binaries", deb,
               one(built, "*.dsc"), "--", "null",
               env=os.environ | {"PYTEST_ADDOPTS": PART})
    assert re.search(r"^behaviour +PASS$", said, re.M), said
    assert re.search(r"^\d+ passed", said, re.M), said


# The image has all packages that the build needs, because there is no network.
IN_CONTAINER = r"""
set -eu
export TMPDIR=/mnt DOCKER_HOST=unix:///mnt/no-docker
export CONTAINERS_CONF=/mnt/containers.conf CONTAINERS_STORAGE_CONF=/mnt/storage.conf
printf '%s\n' '[engine]' 'runtime = "runc"' 'cgroup_manager = "cgroupfs"' \
	'events_logger = "none"' >/mnt/containers.conf
printf '%s\n' '[storage]' 'driver = "overlay"' 'graphroot = "/mnt/podman"' \
	'runroot = "/run/podman"' >/mnt/storage.conf
tools/again mmdebstrap --quiet --variant=apt \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--include=build-essential,debhelper,musl-tools,libcmocka-dev bookworm /mnt/bookworm.tar
podman import /mnt/bookworm.tar debian:bookworm
export DOCKER_ARGS="--network none --cgroup-parent /$2
	--ulimit nofile=1024:1024 --ulimit nproc=4096:4096"
make builddeb-docker BASE_IMAGE=debian:bookworm DIST="$1"
"""


def test_package_built_in_a_container_is_the_same(built, tmp_path):
    cgroup = f"dumb-init-packages-{uuid.uuid4().hex}"
    try:
        run(COPY, "sh", "-c", IN_CONTAINER, "sh", tmp_path, cgroup)
    finally:
        run("find", "/sys/fs/cgroup", "-ignore_readdir_race", "-depth", "-type", "d", "-path",
            f"*/{cgroup}*", "-exec", "rmdir", "{}", ";")
    assert sums(tmp_path) == sums(built)
