"""Every kind of sampler: made by its name, drawn with, saved, and read from a file that says of what kind it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, photo
from helpers.sealed import rewritten

from predicdiff.algorithm import explain
from predicdiff.errors import SamplerError, SettingsError
from predicdiff.files import Kind
from predicdiff.presets import OURS
from predicdiff.samplers import GaussianSampler, load_sampler
from predicdiff.samplers.registry import SAMPLERS, Recipe, SamplerKind, caption, find
from predicdiff.samplers.saved import Parts, SavedSampler

SHAPE = (3, 7, 9)
RECIPE = Recipe(context=4, patches=500, choice="first", names=["ä", *"bcdefgh"])
ORIGINS = np.array([(0, 0), (3, 5)])


def corpus() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (8, *SHAPE)).astype(np.float32)


class Constant(SavedSampler):
    """A kind of one's own."""

    file = Kind("constant sampler", 1, "Constant(1).save('{path}')", SamplerError)

    def __init__(self, value: float) -> None:
        self.value = value
        self.provenance = {"kind": "constant", "value": value}

    def draw(self, pixels: np.ndarray, origins: np.ndarray, *, window: int, samples: int, seed: int) -> np.ndarray:
        return np.full((len(origins), samples, len(pixels), window, window), self.value, np.float32)

    def parts(self) -> Parts:
        return {"value": np.array([self.value])}, {}

    @classmethod
    def from_parts(cls, parts: dict[str, Any]) -> Constant:
        return cls(float(parts["value"][0]))


@pytest.fixture
def constant(monkeypatch: pytest.MonkeyPatch) -> SamplerKind:
    """A line of the registry."""
    kind = SamplerKind(
        "constant", "one value", "the largest value", Constant, lambda images, recipe: Constant(float(images.max()))
    )
    monkeypatch.setitem(SAMPLERS, kind.name, kind)
    return kind


def comes_back(sampler: Any, path: Path) -> None:
    sampler.save(path)
    request: dict[str, Any] = {"window": 3, "samples": 5, "seed": 1}
    pixels = photo(SHAPE)
    loaded: Any = load_sampler(path)
    assert type(loaded) is type(sampler)
    assert loaded.provenance == sampler.provenance
    np.testing.assert_array_equal(loaded.draw(pixels, ORIGINS, **request), sampler.draw(pixels, ORIGINS, **request))


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_figures_call_a_sampler_by_what_its_record_says(name: str) -> None:
    sampler: Any = find(name).make(corpus(), RECIPE)
    assert caption(sampler.provenance["kind"]) == find(name).caption


def test_a_kind_of_ones_own_takes_a_line_of_the_registry(constant: SamplerKind, tmp_path: Path) -> None:
    images = corpus()
    sampler = OURS.sampler("constant", images, images[0])
    comes_back(sampler, tmp_path / "sampler.h5")
    net = MapNet(SHAPE)
    drawn = explain(net, images[0], load_sampler(tmp_path / "sampler.h5"), window=3, samples=2, measure="activation")
    wanted = explain(net, images[0], Constant(float(images[1:].max())), window=3, samples=2, measure="activation")
    np.testing.assert_array_equal(drawn.relevance, wanted.relevance)
    assert caption(drawn.provenance["sampler"]["kind"]) == "one value"


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sampler.h5"
    find("marginal").make(corpus(), RECIPE).save(path)
    with pytest.raises(SamplerError, match="not a whole gaussian sampler, but another file of predicdiff's"):
        GaussianSampler.load(path)
    rewritten(path, lambda file: file.attrs.__setitem__("version", 2))
    with pytest.raises(SamplerError, match="newer predicdiff"):
        load_sampler(path)
    rewritten(path, lambda file: file.attrs.__setitem__("format", "predicdiff explanation"))
    with pytest.raises(SamplerError, match="not a whole sampler, but another file of predicdiff's"):
        load_sampler(path)
    with pytest.raises(SamplerError, match=r"none\.h5: no such file.*predicdiff fit DIR -o .*none\.h5`"):
        load_sampler(tmp_path / "none.h5")


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(SettingsError, match="sampler 'both' is unknown: want conditional, marginal or grey"):
        find("both")
    with pytest.raises(SettingsError, match="want a context l >= k"):
        find("conditional").make(corpus(), Recipe())
