"""What a user hands over by a slip ends in an error of ours, at every door of the public interface."""

from __future__ import annotations

import inspect
import io
import warnings
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.engines import ENGINES
from helpers.oracle_nets import LinearNet, photo
from helpers.places import DATA

import predicdiff as pd
from predicdiff.errors import PredicdiffError
from predicdiff.judging.deletion import curve
from predicdiff.judging.faithfulness import faithfulness
from predicdiff.judging.randomisation import randomisation


def halves(rows: np.ndarray) -> np.ndarray:
    return np.full((len(rows), 2), 0.5)


TINY = DATA / "tiny_v1.prototxt"
SHAPE = (1, 6, 7)


class Linear(LinearNet):
    def gradient(self, inputs: np.ndarray, *, blob: str, unit: Any) -> np.ndarray:
        return np.ones_like(inputs)


NET = Linear(np.stack([photo(SHAPE, seed) for seed in (1, 2)]) / 25500)
IMAGE = photo(SHAPE, 3)
CORPUS = np.stack([photo(SHAPE, seed) for seed in range(4, 10)])
SAMPLER = pd.MarginalSampler(CORPUS)
WINDOWS = {"window": 3, "samples": 2, "stride": 3}
RESULT = pd.explain(NET, IMAGE, SAMPLER, units=[0], **WINDOWS)
#: What is easily given in the place of something else.
SLIPS = (None, 3, 2.5, "x", b"x", [], {}, {1}, (1, 2), [None], Path("nowhere.png"), io.BytesIO(), object())
STUDY = {"net": NET, "images": {"a": IMAGE}, "sampler": SAMPLER, **WINDOWS, "seed": 0}
#: Each door with arguments that go through.
DOORS: dict[Callable[..., Any], dict[str, Any]] = {
    pd.explain: {"net": NET, "image": IMAGE, "sampler": SAMPLER, **WINDOWS},
    pd.occlusion: {"net": NET, "image": IMAGE, "window": 3, "stride": 3, "value": 9.0},
    pd.sensitivity: {"net": NET, "image": IMAGE},
    pd.MarginalSampler: {"images": CORPUS},
    pd.GaussianSampler.fit: {"images": CORPUS, "context": 3, "patches": 60},
    pd.load_net: {"source": TINY, "weights": TINY.with_suffix(".caffemodel"), "engine": (*ENGINES, "torch")[0]},
    pd.load_image: {"path": np.zeros((4, 5, 3), np.uint8)},
    pd.default_corpus: {"shape": (1, 6, 7)},
    pd.check_net: {"net": NET},
    pd.check_sampler: {"sampler": SAMPLER, "shape": SHAPE, "window": 3},
    pd.compare: {"a": RESULT, "b": RESULT},
    pd.Explanation.load: {"path": "nowhere.h5"},
    pd.MarginalSampler.load: {"path": "nowhere.h5"},
    pd.univariate: {
        "predict_proba": lambda rows: np.full((len(rows), 2), 0.5),
        "x": np.zeros(2),
        "background": np.eye(2),
    },
    curve: {"net": NET, "image": IMAGE, "relevance": np.ones((6, 7)), "steps": 2, "block": 3},
    faithfulness: {**STUDY, "methods": ["random"], "steps": 2, "block": 3},
    randomisation: {**STUDY, "method": "random", "depths": [1]},
}
#: Left out: a plain yes or no, where anything will do; a user's own function; and settings that are handed on.
OTHERS = {"channels_apart", "whole", "how", "view"}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__qualname__)
def test_slips_end_in_a_sentence(door: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names = [name for name in inspect.signature(door).parameters if name not in OTHERS]
    for name in names:
        for slip in SLIPS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    door(**{**DOORS[door], name: slip})
                except PredicdiffError as error:
                    assert str(error).strip(), f"{name}={slip!r}"  # noqa: PT017
