"""What `save` takes, `load` takes, and what is loaded can be told: results and samplers of whatever anybody put in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from helpers.oracle_nets import NumpyNet, photo, softmax
from hypothesis import given, settings
from hypothesis import strategies as st

from predicdiff.algorithm import explain
from predicdiff.cli.show import setting_lines
from predicdiff.cli.summaries import effort_lines, target_lines
from predicdiff.errors import ExplanationError, InputWarning, SamplerError
from predicdiff.explanation import Explanation, Target
from predicdiff.plotting import png
from predicdiff.samplers import GaussianSampler, GreyPatch, MarginalSampler, load_sampler

#: With halves of letters, as names of files have them, and control characters.
TEXTS = st.text(st.characters(), max_size=5)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just(10**300) | st.just([3, 4])
ANYTHING = st.recursive(PLAIN, lambda some: st.lists(some, max_size=2) | st.dictionaries(TEXTS, some, max_size=2))
#: NaN and infinity, and no number that is finite and beyond what is taken.
NUMBERS = st.floats(-1e30, 1e30) | st.sampled_from([np.nan, np.inf, -np.inf])


def some_of(*names: str, other: Any = ANYTHING) -> Any:
    """Dicts of a few of these names, and of others."""
    return st.dictionaries(st.sampled_from(names) | TEXTS, other, max_size=6)


SETTINGS = some_of("window", "stride", "samples", "region", "segments", "until", "budget", "between", "measure", "seed")
NETS = some_of("name", "preprocessing", "engine", "weights") | ANYTHING
SAMPLERS = some_of("kind", "context", "channels", "count") | ANYTHING
PROVENANCES = st.fixed_dictionaries(
    {},
    optional={"net": NETS, "sampler": SAMPLERS, **dict.fromkeys(
        ["versions", "stages", "finished", "seconds", "windows_before", "work_share", "evaluation", "batch_size"],
        ANYTHING)},
)  # fmt: skip


def text(value: Any) -> str:
    """JSON: NaN is not itself, and a tuple comes back as a list."""
    return json.dumps(value)


@pytest.fixture(scope="module")
def path(tmp_path_factory: Any) -> Path:
    made: Path = tmp_path_factory.mktemp("there") / "back.h5"
    return made


class Masking(NumpyNet):
    """A net that rules out its last class, as language models do."""

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        scores = np.stack([inputs.mean((1, 2, 3)) / 100, inputs.max((1, 2, 3)) / 100, np.full(len(inputs), -np.inf)], 1)
        return {"scores": scores, "prob": softmax(scores)}


class Covered(GreyPatch):
    """A sampler of somebody's own, whose record is as they like it."""

    provenance: ClassVar[Any] = {"kind": 3, "context": "wide", "channels": None}


def test_a_result_of_a_net_that_gives_infinity_and_of_a_sampler_with_a_record_of_its_own(path: Path) -> None:
    with pytest.warns(InputWarning, match="gave NaN or infinity"):
        made = explain(Masking((3, 8, 8)), photo((3, 8, 8)), Covered(), window=4, stride=2, blob="scores", units=[0, 2])
    assert made.base[1] == -np.inf
    made.save(path)
    loaded = Explanation.load(path)
    np.testing.assert_array_equal(loaded.base, made.base)
    np.testing.assert_array_equal(loaded.relevance, made.relevance)
    lines = [" ".join(line.split()) for line in setting_lines(loaded)]
    assert "sampler kind 3, context wide" in lines
    assert png(loaded) == png(made)


@settings(max_examples=40)
@given(SETTINGS, PROVENANCES, st.lists(TEXTS, max_size=2), TEXTS, st.lists(NUMBERS, min_size=5, max_size=5))
def test_results(path: Path, asked: Any, provenance: Any, notes: Any, name: str, numbers: list[float]) -> None:
    maps = np.array(numbers[:4]).reshape(1, 2, 2)
    whole = Explanation(
        maps, np.abs(maps), [Target("prob", [1], name)], np.array(numbers[4:]), np.zeros((3, 2, 2), np.float32), "bits",
        asked, provenance, notes,
    )  # fmt: skip
    whole.save(path)
    loaded = Explanation.load(path)
    np.testing.assert_array_equal(loaded.relevance, maps)
    np.testing.assert_array_equal(loaded.base, whole.base)
    assert text([loaded.settings, loaded.provenance, loaded.notes]) == text([asked, provenance, notes])
    assert loaded.targets == whole.targets
    assert repr(loaded)
    assert all([*setting_lines(loaded), *target_lines(loaded), *effort_lines(loaded)])
    assert loaded.tones


@settings(max_examples=40)
@given(
    some_of("images", "skipped", "names", "patches", "channels", "first", "kind", "context", "clip"),
    st.none() | st.tuples(st.just(-np.inf) | st.floats(-1e300, 0), st.just(np.inf) | st.floats(1, 1e300)),
    st.sampled_from([0.0, 1e-9, 1e50, 5]),
)
def test_gaussian_samplers(path: Path, fitted_on: Any, clip: Any, jitter: float) -> None:
    whole = GaussianSampler(np.ones((1, 2, 2)), np.eye(4), clip=clip, jitter=jitter, fitted_on=fitted_on)
    whole.save(path)
    loaded = load_sampler(path)
    assert text(loaded.provenance) == text(whole.provenance)
    assert (loaded.clip, loaded.jitter, loaded.notes) == (whole.clip, whole.jitter, whole.notes)
    assert repr(loaded)


@pytest.mark.parametrize(
    "whole",
    [
        GreyPatch(), GreyPatch(3), GreyPatch([1e38, -2]),
        MarginalSampler(np.full((2, 1, 2, 2), 3e38), names=["caf\udce9", "a\nb"]),
    ],
)  # fmt: skip
def test_other_samplers(path: Path, whole: Any) -> None:
    whole.save(path)
    assert load_sampler(path).provenance == whole.provenance


def test_brackets_in_texts_are_no_lists(path: Path) -> None:
    record = {"[" * 300 + '"[' * 300 + '\\"[' * 300: "\\" + "{" * 300, "names": ["\\", "[" * 300]}
    GaussianSampler(np.ones((1, 2, 2)), np.eye(4), fitted_on=record).save(path)
    assert GaussianSampler.load(path).fitted_on == record


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"x": np.float32(1)}}, "settings is no JSON .*: want plain numbers, texts, lists and dicts"),
        ({"settings": {"x": 10**4000}}, "settings: a text in it is no JSON"),
        ({"provenance": {"x": json.loads("[" * 200 + "]" * 200)}}, "provenance: .* more than 100 deep"),
        ({"relevance": np.zeros((2, 2, 2))}, r"relevance is float64 \(2, 2, 2\)"),
        ({"base": ["x"]}, "base is <U1"),
        ({"targets": []}, "it has no targets"),
        ({"unit": "grams"}, "unit is grams, want bits or activation"),
        ({"notes": [3]}, "notes is"),
    ],
)
def test_what_cannot_be_loaded_is_not_saved(tmp_path: Path, changes: Any, said: str) -> None:
    maps = np.zeros((1, 2, 2))
    parts = {"relevance": maps, "stderr": maps, "targets": [Target("prob", [1], "cat")], "base": np.zeros(1)}
    whole = Explanation(**{**parts, "pixels": np.zeros((3, 2, 2), np.float32), "unit": "bits", **changes})
    with pytest.raises(ExplanationError, match=rf"r\.h5: not written, since it could not be read again: {said}"):
        whole.save(tmp_path / "r.h5")
    assert list(tmp_path.iterdir()) == []


def test_nor_is_a_sampler_whose_record_is_no_json(tmp_path: Path) -> None:
    whole = GaussianSampler(np.ones((1, 2, 2)), np.eye(4), fitted_on={"images": {1, 2}})
    with pytest.raises(SamplerError, match=r"s\.h5: not written, .*: fitted_on is no JSON .*: want plain numbers"):
        whole.save(tmp_path / "s.h5")
    assert list(tmp_path.iterdir()) == []
