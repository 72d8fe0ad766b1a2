"""A browser for all tests of pages, and results to make pages of."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from helpers.browser import Browser, executable

from predicdiff.explanation import Explanation
from predicdiff.page import save_page


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium, started once."""
    if executable() is None:
        pytest.skip("no Chromium is installed: .ci/browser says how")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(one_browser: Browser) -> Iterator[Browser]:
    """The browser with a wide window; no page may have had anything to complain of, or asked for any network."""
    one_browser.size(1400, 1000)
    yield one_browser
    assert one_browser.complaints == []
    assert [url for url in one_browser.asked if not url.startswith(("file:", "data:"))] == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The program of axe-core, https://github.com/dequelabs/axe-core."""
    spec = find_spec("axe_playwright_python")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("axe-core is not installed: .ci/browser says how")
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def violations(browser: Browser, axe: str) -> Callable[[], list[Any]]:
    """What axe-core finds wrong with the page that is open, or can't decide, but for colours that it can't see."""

    def found() -> list[Any]:
        browser.run(f"{axe}; undefined")
        wrong: list[Any] = browser.run(
            "axe.run().then(({violations, incomplete}) => [...violations, ...incomplete]"
            ".flatMap(({id, nodes}) => nodes.map((node) => [id, node.html, node.failureSummary])))"
        )
        return [one for one in wrong if "could not be determined" not in one[2] and "too short" not in one[2]]

    return found


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Callable[..., Browser]:
    """Save results, read them as anybody does, make their page and open it from its file."""

    def call(*results: Explanation, **how: Any) -> Browser:
        named = []
        for number, result in enumerate(results):
            result.save(tmp_path / f"{number}.h5")
            named.append((f"{number}", Explanation.load(tmp_path / f"{number}.h5")))
        save_page(named, tmp_path / "page.html", **how)
        browser.open(tmp_path / "page.html")
        return browser

    return call
