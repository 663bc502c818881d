"""The APKBUILD: its functions, run by a busybox shell as abuild runs them, with
Debian's musl-gcc. There is no abuild in Debian."""

import pytest

from contents import completions, is_static, made, run

# The variables of abuild. Debian's cmocka is for glibc, so check uses gcc.
ABUILD = r"""
set -e
srcdir=$1 pkgdir=$2
export CFLAGS="-Os -fstack-clash-protection -Wformat -Werror=format-security"
export LDFLAGS="-Wl,--as-needed,-O1,--sort-common" CC=musl-gcc
. "$srcdir/APKBUILD"
builddir=$srcdir/$pkgname-$pkgver
tar -xzf $source
cd "$builddir"
build
CC=gcc check
package
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return made("apkbuild", tmp_path_factory)


@pytest.fixture(scope="module")
def package(source, tmp_path_factory):
    """The files of the package, before abuild moves some to subpackages."""
    directory = tmp_path_factory.mktemp("pkg")
    run("busybox", "ash", "-c", ABUILD, "ash", source, directory, cwd=source)
    return directory


def test_package_has_the_program_and_the_files_of_the_subpackages(package):
    files = {str(path.relative_to(package)) for path in package.rglob("*")
             if not path.is_dir()}
    share = {"man/man1/dumb-init.1", "licenses/dumb-init/LICENSE"} | completions()
    assert files == {"usr/bin/dumb-init"} | {f"usr/share/{name}" for name in share}


def test_program_is_static_and_runs(package):
    program = package / "usr/bin/dumb-init"
    assert is_static(program)
    assert run(program, "echo", "runs") == "runs\n"
    (package / "tini").symlink_to("usr/bin/dumb-init")
    commit = run("git", "rev-parse", "HEAD")[:7]
    assert run(package / "tini", "--version").endswith(f" - git.{commit}\n")


def test_sum_is_that_of_the_tarball(source):
    run("busybox", "ash", "-c", '. ./APKBUILD; echo "$sha512sums" | sha512sum -c',
        cwd=source)


def test_shellcheck_finds_only_variables_of_abuild(source):
    run("shellcheck", "--shell=dash", "--exclude=SC2034,SC2154", source / "APKBUILD")
