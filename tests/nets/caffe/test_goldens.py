"""Whole nets against what Caffe 1.0 gave: every blob, the probabilities and the input gradients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from helpers import seeded
from helpers.engines import ENGINES, needed, net_of
from helpers.rounding import float32_atol, products

from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.resolved import resolve

pytestmark = needed
SEEDED = ["googlenet", *(pytest.param(name, marks=pytest.mark.whole) for name in ("alexnet", "vgg16"))]


def seeded_net(definition: Path, engine: str) -> Any:
    """A net with the weights that the recorded pass had."""
    spec = read_prototxt(definition)
    steps = [step for step in resolve(spec).steps if step.shapes.weights]
    weights = {step.layer.name: seeded.weights(step.layer.name, step.shapes.weights) for step in steps}
    return net_of(spec, weights, engine=engine)


def check_against(recorded: Any, net: Any) -> None:
    """To rounding, gradients as near as they can be: where two values are nearly equal, another is the largest.

    Caffe on two BLAS builds differs from itself by 1e-6 of a blob's largest value, and by 2e-5 in its probabilities.
    """
    meta = json.loads(str(recorded["meta"]))
    photographs = (skimage.data.chelsea(), skimage.data.coffee())
    inputs = np.stack([seeded.crop(photograph, net.input_shape[1]) for photograph in photographs])
    names = [key[5:] for key in recorded.files if key.startswith("blob:")]
    values = net.forward(inputs, names)
    off = rounding(recorded, net)
    assert set(names) == set(net.blobs) - {"data"}
    for name in names:
        blob = values[name].astype(np.float64)
        assert blob.shape == tuple(recorded[f"shape:{name}"])
        wanted = recorded[f"blob:{name}"]
        probed = blob.ravel()[seeded.probe(name, blob.size)]
        np.testing.assert_allclose(probed, wanted, rtol=0, atol=off[name] * np.abs(wanted).max(), err_msg=name)
        assert np.linalg.norm(blob) == pytest.approx(float(recorded[f"norm:{name}"]), rel=off[name]), name
    np.testing.assert_allclose(values["prob"], recorded["prob"], rtol=0, atol=off["prob"] * recorded["prob"].max())
    assert net.scores == meta["last"]
    gradient = np.stack([net.gradient(x, blob=meta["last"], unit=meta["target"]) for x in inputs])
    probed, wanted = gradient.ravel()[seeded.probe("grad", gradient.size, 4096)], recorded["grad"]
    assert np.linalg.norm(probed - wanted) <= 2e-2 * np.linalg.norm(wanted)
    assert probed @ wanted >= 0.9995 * np.linalg.norm(probed) * np.linalg.norm(wanted)
    assert np.linalg.norm(gradient) == pytest.approx(float(recorded["grad_norm"]), rel=2e-2)


def rounding(recorded: Any, net: Any) -> dict[str, float]:
    """By blob, as a part of its largest value; a probability is off by as much of itself as its score is in all."""
    terms = products(weight for weight, *_ in net.weights.values())
    off = dict.fromkeys(net.blobs, float32_atol(1.0, terms))
    off[net.output] = float32_atol(recorded[f"blob:{net.scores}"], terms)
    return off


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SEEDED)
def test_seeded_weights(name: str, engine: str, data: Path, models: Path) -> None:
    check_against(np.load(data / f"{name}_caffe.npz"), seeded_net(models / f"{name}.prototxt", engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_squeezenet_with_its_real_weights(engine: str, data: Path, shared: Path) -> None:
    weights = shared / "nets" / "squeezenet_v1.0.caffemodel"
    spec = squeezenet(shared / "nets" / "squeezenet_v1.0.layers.json")
    net = net_of(spec, read_caffemodel(weights), engine=engine)
    recorded = np.load(data / "squeezenet_caffe.npz")
    check_against(recorded, net)
    assert recorded["prob"][0].argmax() == 281


def squeezenet(path: Path) -> Any:
    """The net's layers from its list of facts."""
    from predicdiff.nets.caffe.records import Layer, NetSpec

    facts = json.loads(path.read_text())
    layers = tuple(
        Layer(
            fact["name"], fact["type"], tuple(fact["bottom"]), tuple(fact["top"]),
            {key: value for key, value in fact.items() if key.endswith("_param")},
        )
        for fact in facts["layers"]
    )  # fmt: skip
    return NetSpec("squeezenet", {name: tuple(shape) for name, shape in facts["input"].items()}, layers)


@pytest.mark.parametrize("weights", ["tiny_v1.caffemodel", "tiny_v2.caffemodel", "tiny.caffemodel.h5"])
def test_tiny_net_to_the_last_digits(weights: str, data: Path) -> None:
    net = net_of(read_prototxt(data / "tiny_v1.prototxt"), read_caffemodel(data / weights))
    recorded = np.load(data / "tiny_caffe.npz")
    names = [key[5:] for key in recorded.files if key.startswith("blob:") and "_split_" not in key]
    values = net.forward(recorded["images"][:2], names)
    assert list(net.blobs) == names
    off = rounding(recorded, net)
    for name in names:
        wanted = recorded[f"blob:{name}"]
        np.testing.assert_allclose(values[name], wanted, rtol=0, atol=off[name] * np.abs(wanted).max(), err_msg=name)
    gradient = np.stack([net.gradient(x, blob="fc", unit=2) for x in recorded["images"][:2]])
    wanted = recorded["grad_fc2"]
    np.testing.assert_allclose(gradient, wanted, rtol=0, atol=off["fc"] * np.abs(wanted).max())
