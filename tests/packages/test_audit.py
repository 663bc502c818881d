"""tests/README.md has a row for each promise, and the tests that the rows name exist."""

import pathlib
import re

import pytest

TESTS = pathlib.Path(__file__).parents[1]
# The number of promises in each section.
SECTIONS = {1: 28, 2: 9, 3: 7, 4: 6, 5: 5, 6: 5}
ROW = re.compile(r"^\| (\d+)\.(\d+) \| ([^|]+) \| ([^|]+) \|$", re.M)
FILE = re.compile(r"`([\w/]+\.(?:py|c))`: (`test_\w+`(?:, `test_\w+`)*)")
ROWS = ROW.findall((TESTS / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("section", SECTIONS)
def test_each_promise_of_a_section_has_a_row(section):
    numbers = [int(row[1]) for row in ROWS if int(row[0]) == section]
    assert numbers == list(range(1, SECTIONS[section] + 1))


def test_readme_has_no_other_section():
    assert {int(row[0]) for row in ROWS} == set(SECTIONS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ".".join(row[:2]))
def test_tests_of_a_row_exist(row):
    named = FILE.findall(row[3])
    # The whole cell must have this form, so that no test is overlooked.
    assert named and "; ".join(f"`{path}`: {tests}" for path, tests in named) == row[3]
    for path, tests in named:
        source = (TESTS / path).read_text(encoding="utf-8")
        defined = re.findall(r"^(?:def|static void) (test_\w+)\(", source, re.M)
        missing = set(re.findall(r"test_\w+", tests)) - set(defined)
        assert not missing, f"{path} has no {', '.join(missing)}"


def test_functions_that_the_design_names_exist():
    design = (TESTS.parent / "docs/design.md").read_text(encoding="utf-8")
    source = " ".join(path.read_text(encoding="utf-8")
                      for path in sorted((TESTS.parent / "src").glob("*.[ch]")))
    modules = {path.stem for path in (TESTS.parent / "src").glob("*.c")}
    named = set(re.findall(r"`([a-z][a-z0-9_]*)`", design))
    assert named, "expected names of functions in docs/design.md, got none"
    missing = named - modules - set(re.findall(r"\w+", source))
    assert not missing, f"expected in src/: {', '.join(sorted(missing))}"
