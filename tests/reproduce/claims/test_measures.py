"""Each measure gives what its lines of the table name, of a net of a few hundred weights on images of 24 x 24."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.claims import study
from helpers.engines import ENGINES

import predicdiff as pd
from predicdiff.samplers.registry import Recipe

pytestmark = pytest.mark.skipif("torch" not in ENGINES, reason="the net is run by torch")


@pytest.fixture
def findings(tiny: Path, module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Measure a claim of a photograph before the net, beside another net; gives its findings and its lines."""
    studies, table = module("claims.study"), module("claims.table")
    monkeypatch.setattr(studies, "Recipe", partial(Recipe, patches=1500))
    # the net's five classes are taken for ILSVRC's first: two of bony fish, three of elasmobranch
    monkeypatch.setattr(module("claims.classes"), "ILSVRC", 5)
    for name in ("pixels", "patches", "classes"):  # 1500 patches are too few for larger windows
        monkeypatch.setattr(module(f"claims.{name}"), "WINDOW", 4)
    # behind its ReLU, and nowhere below zero afterwards
    monkeypatch.setattr(module("claims.sparseness"), "layers", lambda _: ("conv1", "norm1", "pool1"))
    net = pd.load_net("tiny")
    pair = [study(studies, net, tiny, title) for title in ("one", "other")]
    pair[0].others["other"], pair[1].others["one"] = pair[1], pair[0]

    def measure(claim: str) -> Any:
        lines = {line.name: line for line in table.LINES if line.name[0] == claim}
        size = next(iter(lines.values())).sizes["smoke"]
        return module("claims.measures").MEASURES[claim](pair[0].subjects[0], size), lines

    return measure


@pytest.mark.parametrize("claim", ["c", "d", "e", "f", "g", "h", "i", "j"])
def test_findings_are_those_of_the_table(findings: Callable[[str], Any], claim: str) -> None:
    found, lines = findings(claim)
    assert list(found) == list(lines)
    for name, finding in found.items():
        assert set(finding.nulls) == set(lines[name].nulls)
        assert np.isfinite(finding.statistic)


def test_the_same_net_decides_alike(findings: Callable[[str], Any]) -> None:
    found, _ = findings("j")
    assert found["j"].statistic == pytest.approx(1, abs=1e-6)


def test_layers_that_go_below_zero_are_behind_no_relu(
    findings: Callable[[str], Any], module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module("claims.sparseness"), "layers", lambda _: ("conv1", "norm1", "conv2a"))
    assert findings("g")[0] == {}


def test_a_net_of_other_classes_is_not_asked_which_are_near(
    findings: Callable[[str], Any], module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module("claims.classes"), "ILSVRC", 1000)
    assert findings("f")[0] == {}
