"""The version is in the Makefile. What has to say it as well says the same."""

import re

import pytest

from contents import ROOT, VERSION


def first(pattern, path):
    """What the group of pattern is at its first match in a file."""
    match = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.M)
    assert match, f"{path} does not say a version"
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
