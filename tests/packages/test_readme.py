"""The README quotes the generated pages; all links in the documents have targets."""

import re

import pytest

from contents import ROOT

PAGES = sorted(path.relative_to(ROOT) for pattern in
               ("*.md", "docs/*.md", "examples/*.md", "tests/*.md")
               for path in ROOT.glob(pattern))


def rows(text):
    """The rows of tables, without the numbers of notes."""
    return [re.sub(r" \(\d+\)(?= \|)", "", line) for line in text.splitlines()
            if line.startswith("| ")]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def section():
    return re.search(r"^## Compared with other inits\n(.*?)^## ", read("README.md"),
                     re.M | re.S)[1]


def test_rows_are_those_of_the_generated_pages():
    generated = rows(read("docs/comparison.md") + read("docs/benchmarks.md"))
    own = rows(section())
    assert len(own) > 10
    assert [row for row in own if row not in generated] == []


def test_number_of_rows_is_that_of_the_page():
    counted, = re.findall(r"of (\d+)\s+rows", section())
    assert f"{counted} rows." in read("docs/comparison.md")


def anchor(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_of_a_page_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", read(page)):
        path, _, fragment = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {link}, which does not exist"
        if fragment:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            assert fragment in map(anchor, headings), \
                f"{page} links to {link}, but {target.name} has no such heading"
