"""Published nets with their real weights: what others got from Caffe, and what windows change."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from helpers.engines import ENGINES, needed
from helpers.patched import read, set_in
from helpers.rounding import float32_atol, products

from predicdiff.nets.zoo import load_net

pytestmark = needed

WEIGHTS = {"googlenet": "bvlc_googlenet.caffemodel", "squeezenet1.1": "squeezenet_v1.1.caffemodel"}
#: Caffe's answers for photographs of ILSVRC 2012's validation set (itlab-vision/dl-benchmark, Apache 2.0), likeliest
#: first. One is listed under a name whose probability is another: of that only the number is compared.
PUBLISHED = {
    "googlenet": {
        "00000023": {
            "Granny Smith": 0.9976688,
            "bell pepper": 0.0008829,
            "candle": 0.0007544,
            "": 0.0001104,
            "cucumber": 0.0000760,
        },
        "00000247": {
            "junco": 0.9999763,
            "chickadee": 0.0000186,
            "brambling": 0.0000017,
            "water ouzel": 0.0000014,
            "house finch": 0.0000013,
        },
        "00018592": {
            "lifeboat": 0.4912079,
            "drilling platform": 0.1853296,
            "container ship": 0.0932138,
            "liner": 0.0756837,
            "beacon": 0.0567754,
        },
    },
    "squeezenet1.1": {
        "00000023": {"Granny Smith": 0.9995995},
        "00000247": {"junco": 0.9902445},
        "00018592": {
            "lifeboat": 0.6992818,
            "drilling platform": 0.1367242,
            "liner": 0.0986508,
            "container ship": 0.0202084,
        },
    },
}
#: GoogLeNet's layers in the paper's figure 5, and what each is made by last.
LAYERS = {
    "conv1/7x7_s2": "conv1/7x7_s2",
    "inception_3a/output": "inception_3a/pool_proj",
    "inception_5b/output": "inception_5b/pool_proj",
    "prob": "loss3/classifier",
}


@functools.lru_cache(maxsize=None)
def real_net(name: str, engine: str, shared: Path) -> Any:
    """A net of the manifest with weights that were given."""
    return load_net(name, weights=shared / "nets" / WEIGHTS[name], engine=engine, device="cpu")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_probabilities(name: str, engine: str, shared: Path) -> None:
    net = real_net(name, engine, shared)
    inputs = np.load(shared / "val" / "inputs.npz")
    for photograph, answers in PUBLISHED[name].items():
        seen = inputs[f"{photograph}_{net.input_shape[1]}"].astype(np.float32)
        probabilities = net.forward(seen[None], ["prob"])["prob"].ravel()
        best = np.argsort(-probabilities)[: len(answers)]
        np.testing.assert_allclose(probabilities[best], list(answers.values()), rtol=0, atol=1e-5)
        assert all(net.labels[unit] == label for unit, label in zip(best, answers) if label)


@pytest.mark.skipif("torch" not in ENGINES, reason="incremental evaluation is torch's")
def test_what_windows_change_in_googlenet(shared: Path) -> None:
    net = real_net("googlenet", "torch", shared)
    pixels = net.view(skimage.data.chelsea())
    origins = np.array([(0, 0), (0, 214), (214, 0), (214, 214), (0, 99), (107, 214), (107, 107), (100, 61)])
    patches = np.random.default_rng(0).uniform(0, 255, (len(origins), 2, 3, 10, 10)).astype(np.float32)
    whole = net.forward(net.encode(set_in(pixels, origins, patches)), [*LAYERS, net.scores])
    for blob, last in LAYERS.items():
        middle = tuple(side // 2 for side in net.blobs[blob][1:])
        units = [(3,), (17,), (3, *middle), (17, *middle), tuple(side - 1 for side in net.blobs[blob])]
        wanted = read(whole[blob], units, patches)
        found = net.evaluate(pixels, origins, patches, blob=blob, units=units, batch_size=5)
        atol = off(net, last) * np.abs(whole[net.scores if blob == "prob" else blob]).max()
        if blob == "prob":  # a probability is off by as much of itself as its score is in all
            atol = atol * wanted
        assert np.all(np.abs(found - wanted) <= atol), blob
        assert np.any(np.ptp(wanted, axis=0) > 20 * atol), blob


def off(net: Any, last: str) -> float:
    """By how much of its largest value a blob may be off, whose last weights are those of a layer."""
    names = list(net.weights)
    return float32_atol(1.0, products(net.weights[name][0] for name in names[: names.index(last) + 1]))
