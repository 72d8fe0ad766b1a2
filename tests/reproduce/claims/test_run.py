"""`make claims`, with a net of a few hundred weights on images of 24 x 24."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, Callable

import pytest
from click.testing import CliRunner
from helpers.engines import needed

from predicdiff.samplers.registry import Recipe

pytestmark = needed


@pytest.fixture
def run(tiny: Path, module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run the command with the bundled scenes and small Gaussians; gives its record."""
    monkeypatch.setattr(module("claims.study"), "Recipe", partial(Recipe, patches=1500))

    def run(*arguments: str) -> dict[str, Any]:
        command = ["--net", "tiny", "--quality", "smoke", "--out", str(tiny / "out"), *arguments]
        result = CliRunner().invoke(module("claims.run").main, command)
        assert result.exit_code == 0, (result.output, result.exception)
        record: dict[str, Any] = json.loads((tiny / "out" / "claims.json").read_text())
        return record

    return run


def none(*_: Any) -> Any:
    raise AssertionError("evaluated again")


def test_a_run_leaves_numbers_a_table_and_pictures_and_windows_for_the_next(
    run: Any, tiny: Path, module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("--claim", "a")
    monkeypatch.setattr(module("claims.maps"), "run_tiles", none)
    record = run("--claim", "a", "--claim", "b", "--most", "1")  # b is measured on the same windows
    ((net,), (before,)) = record["nets"], first["nets"]
    assert net["bundled"]
    assert net["lines"]["a"]["verdict"] == net["lines"]["b"]["verdict"] == "cannot be told"  # of one photograph
    assert [len(each["lines"]["a"]["photographs"]) for each in (before, net)] == [2, 1]
    assert before["lines"]["a"]["photographs"]["chelsea"] == net["lines"]["a"]["photographs"]["chelsea"]
    page = (tiny / "out" / "claims.md").read_text()
    assert "bundled scenes" in page
    assert "| h1 |" in page
    assert page.count("](claims/a.png)") == page.count("](claims/b.png)") == 1
    assert "(claims/c.png)" not in page
    assert sorted(path.name for path in (tiny / "out" / "claims").glob("*.png")) == ["a.png", "b.png"]


def test_an_interrupted_run_goes_on(run: Any, module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    maps, asked = module("claims.maps"), []
    evaluate = maps.run_tiles

    def interrupted(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(maps, "run_tiles", interrupted)
    with pytest.raises(AssertionError, match="the same command goes on from here"):
        run("--claim", "a")
    assert run("--claim", "a", "--only-kept")["nets"][0]["lines"] == {}  # no photograph has all four
    run("--claim", "a")
    assert len(asked) == 2 + 1 + 6  # two sets of windows are there, one was begun, and two photographs have four each
