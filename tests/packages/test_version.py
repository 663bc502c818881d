"""The version in the Makefile is also that of all other files that state it."""

import re

import pytest

from contents import ROOT, VERSION


def first(pattern, path):
    """The group of pattern in its first match in a file."""
    match = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.M)
    assert match, f"expected a version in {path}, got none"
    return match[1]


@pytest.mark.parametrize("path, pattern", {
    "CHANGELOG.md": r"^## \[(\S+)\] - ",
    "debian/changelog": r"^dumb-init \((\S+)-\d+\) ",
    "packaging/rpm/dumb-init.spec": r"^\* .* - (\S+)-\d+$",
}.items())
def test_newest_entry_is_for_the_version_of_the_makefile(path, pattern):
    assert first(pattern, path) == VERSION


@pytest.mark.parametrize("path, pattern", {
    "packaging/alpine/APKBUILD": r"^pkgver=(\S+)$",
    "packaging/rpm/dumb-init.spec": r"^Version: +(\S+)$",
}.items())
def test_package_is_of_the_version_of_the_makefile(path, pattern):
    assert first(pattern, path) == VERSION
