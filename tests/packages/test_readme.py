"""What README says beside other inits is what the generated pages say."""

import re

from contents import ROOT


def rows(text):
    """Of tables, without the numbers of notes."""
    return [re.sub(r" \(\d+\)(?= \|)", "", line) for line in text.splitlines()
            if line.startswith("| ")]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def section():
    return re.search(r"^## Beside other inits\n(.*?)^## ", read("README.md"),
                     re.M | re.S)[1]


def test_rows_are_those_of_the_generated_pages():
    generated = rows(read("docs/comparison.md") + read("docs/benchmarks.md"))
    own = rows(section())
    assert len(own) > 10
    assert [row for row in own if row not in generated] == []


def test_number_of_rows_is_that_of_the_page():
    counted, = re.findall(r"of (\d+)\s+rows", section())
    assert f"{counted} rows." in read("docs/comparison.md")
