"""The site, as far as can be told without building it: pages are found, links lead somewhere, nothing is missing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from helpers.places import PACKAGE, ROOT

import predicdiff
from predicdiff import plotting

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SCRIPTS = sorted((DOCS / "gallery").glob("*.py"))
#: What Sphinx makes while it builds, and what stands there.
MADE = {"generated/gallery/index": DOCS / "gallery" / "GALLERY_HEADER.rst"}
#: What a page shows of a file that lies elsewhere.
INCLUDED = re.compile(r"```\{include\} (\S+)\n")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def bare(page: Path) -> str:
    """Its text without blocks and pieces of code."""
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text(page), flags=re.DOTALL | re.MULTILINE))


def listed() -> list[str]:
    """What the tables of contents name."""
    trees = re.findall(r"```\{toctree\}\n(.*?)```", "".join(map(text, PAGES)), re.DOTALL)
    return [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]


def anchor(heading: str) -> str:
    """As GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_each_page_is_in_one_table_of_contents() -> None:
    pages = {page.stem for page in PAGES} - {"index"}
    assert len(listed()) == len(set(listed()))
    assert set(listed()) == pages | set(MADE)
    assert [place for place in MADE.values() if not place.is_file()] == []


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("*.md"))], ids=lambda page: page.name)
def test_its_links_lead_to_files_and_headings_that_there_are(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", bare(page)):
        if re.match(r"https?:", link):
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        if heading:
            assert heading in map(anchor, re.findall(r"^#+ (.*)", text(target), re.MULTILINE)), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_it_shows_of_other_files_is_there(page: Path) -> None:
    for name in INCLUDED.findall(text(page)):
        assert (DOCS / name).is_file()
    if not INCLUDED.search(text(page)):
        assert re.match(r"# \S", text(page))  # else the included file has the heading


def test_each_public_name_has_a_page() -> None:
    pages: dict[str, set[str]] = {}
    module = ""
    for line in text(DOCS / "reference.md").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.match(r"   [A-Za-z]", line):
            pages.setdefault(module, set()).add(line.strip())
    assert pages["predicdiff"] >= {*predicdiff.__all__} - {"__version__"}
    assert pages["predicdiff.plotting"] == {*plotting.__all__}
    for module, names in pages.items():
        for name in names:
            *inner, last = f"{module}.{name}".split(".")[1:]
            place = PACKAGE.joinpath(*inner)
            found = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            assert re.search(rf"\b{last}\b", text(found)), f"{module}.{name}"


@pytest.mark.parametrize("name", sorted({*predicdiff.__all__} - {"__version__"}) + sorted(plotting.__all__))
def test_each_public_name_has_an_example(name: str) -> None:
    one = getattr(predicdiff, name, None) or getattr(plotting, name)
    assert ">>> " in (one.__doc__ or "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_of_the_gallery_says_what_it_shows_and_shows_it(script: Path) -> None:
    tree = ast.parse(text(script), feature_version=(3, 8))
    title, line, empty, *words = (ast.get_docstring(tree) or "").splitlines()
    assert line == "=" * len(title)
    assert not empty
    assert words
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    assert any("figure" in ast.dump(node.value.func) for node in assigned)  # which the site shows


def test_there_is_a_gallery() -> None:
    assert 5 <= len(SCRIPTS) <= 10
