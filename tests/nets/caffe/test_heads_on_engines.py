"""Nets without a softmax, or with several outputs, on each engine that is installed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.engines import ENGINES, needed, net_of
from helpers.prototxt import prototxt
from helpers.records import layer, net
from helpers.small_net import SHAPE, images

from predicdiff.algorithm import explain
from predicdiff.errors import InputWarning, SettingsError
from predicdiff.nets.caffe.caffemodel_writer import caffemodel
from predicdiff.nets.caffe.heads import find_ends, own_ends
from predicdiff.nets.caffe.records import Layer, NetSpec
from predicdiff.nets.caffe.resolved import resolve
from predicdiff.nets.zoo import load_net
from predicdiff.samplers.marginal import MarginalSampler

pytestmark = needed

CONV = layer("Convolution", "data", "conv", num_output=4, kernel_size=[3])


def fc(top: str = "fc", count: int = 3) -> Layer:
    return layer("InnerProduct", "conv", top, num_output=count)


TWO = (fc("age", 5), layer("Softmax", "age", "p_age"), fc("sex", 2), layer("Softmax", "sex", "p_sex"))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def weights_of(spec: NetSpec, seed: int = 0) -> dict[str, list[np.ndarray]]:
    draw = np.random.default_rng(seed).standard_normal
    steps = resolve(spec).steps
    return {
        step.layer.name: [(0.3 * draw(shape)).astype(np.float32) for shape in step.shapes.weights]
        for step in steps
        if step.shapes.weights
    }


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def test_an_output_that_is_a_single_number(engine: str) -> None:
    """The sum of three scores: its gradient is the sum of theirs, and so are its values wherever a window changes."""
    spec = net(SHAPE, CONV, fc(), layer("Reduction", "fc", "sum", axis=1))
    made = net_of(spec, weights_of(spec), engine=engine, ends=find_ends(resolve(spec)))
    x = images(2, *SHAPE)
    np.testing.assert_allclose(made.forward(x, ["sum"])["sum"], made.forward(x, ["fc"])["fc"].sum(1), rtol=1e-5)
    parts = [made.gradient(x[0], blob="fc", unit=i) for i in range(3)]
    np.testing.assert_allclose(made.gradient(x[0], blob="sum", unit=0), sum(parts), rtol=1e-4, atol=1e-6)
    about: Any = {"sampler": MarginalSampler(images(5, *SHAPE)), "window": 3, "stride": 3, "samples": 2}
    whole = explain(made, x[0], **about)
    assert (whole.targets[0].blob, whole.targets[0].name) == ("sum", "sum[0]")
    wanted = explain(made, x[0], blob="fc", units=[0, 1, 2], **about).relevance.sum(0)
    np.testing.assert_allclose(whole.relevance[0], wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kind", "function"), [("logits", softmax), ("sigmoid", sigmoid)])
@pytest.mark.parametrize("layers", [(CONV, fc()), (CONV,)], ids=["a vector", "maps"])
def test_what_is_put_behind(kind: str, function: Any, layers: Any, engine: str) -> None:
    """Values, a gradient by the chain rule, windows against pasted images, and a copy by pickle."""
    spec = net(SHAPE, *layers)
    own = layers[-1].tops[0]
    made = net_of(spec, weights_of(spec), engine=engine, ends=find_ends(resolve(spec), None, kind))
    x = images(2, *SHAPE)
    values = made.forward(x, [own, "prob"])
    wanted = function(values[own].astype(np.float64))
    np.testing.assert_allclose(values["prob"], wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).forward(x, ["prob"])["prob"], values["prob"])
    unit = (1,) + (1,) * (values[own].ndim - 2)
    others = [(i, *unit[1:]) for i in range(len(values[own][0]))]
    p, q = wanted[0][unit], np.array([wanted[0][other] for other in others])
    slopes = (q * 0 if kind == "sigmoid" else -p * q) + np.where(
        np.arange(len(q)) == 1, p if kind == "logits" else p * (1 - p), 0
    )
    by_hand = sum(s * made.gradient(x[0], blob=own, unit=other) for s, other in zip(slopes, others))
    np.testing.assert_allclose(made.gradient(x[0], blob="prob", unit=unit), by_hand, rtol=1e-4, atol=1e-6)
    patches, origins = images(2, 3, 3, 2, 2, seed=4), np.array([[0, 1], [4, 3]])
    asked = made.evaluate(x[0], origins, patches, blob="prob", units=[unit, (0,)], batch_size=4)
    for window, (row, column) in enumerate(origins):
        pasted = np.repeat(x[:1], 3, axis=0)
        pasted[:, :, row : row + 2, column : column + 2] = patches[window]
        dense = made.forward(pasted, ["prob"])["prob"]
        np.testing.assert_allclose(asked[window, :, 0], dense[(slice(None), *unit)], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(asked[window, :, 1], dense[:, 0].reshape(3, -1).mean(1), rtol=1e-4, atol=1e-6)


def files(folder: Path, *layers: Layer) -> dict[str, Any]:
    spec = net(SHAPE, CONV, *layers)
    (folder / "net.prototxt").write_text(prototxt(spec))
    (folder / "net.caffemodel").write_bytes(b"".join(caffemodel(resolve(spec), weights_of(spec))))
    return {"source": folder / "net.prototxt", "weights": folder / "net.caffemodel"}


@pytest.mark.parametrize("last", ["Sigmoid", None])
def test_evidence_of_one_label_against_its_absence(last: str | None, engine: str, tmp_path: Path) -> None:
    """K = 2, by a Sigmoid of the net's own or one that is put behind it: equations (2) to (4) by hand."""
    ask = files(tmp_path, fc(), *([layer("Sigmoid", "fc", "prob")] if last else []))
    made = load_net(**ask, engine=engine, output_is="sigmoid", device="cpu", training_instances=50)
    image, corpus = images(*SHAPE), images(4, *SHAPE, seed=2)
    result = explain(made, image, MarginalSampler(corpus), window=(6, 5), samples=4, stride=1, units=[2])
    assert (result.settings["classes"], result.settings["measure"], result.targets[0].blob) == (2, "evidence", "prob")
    scores = made.forward(np.concatenate([image[None], corpus]), ["fc"])["fc"][:, 2].astype(np.float64)
    base, without = (50 * sigmoid(scores[0]) + 1) / 52, (50 * sigmoid(scores[1:]).mean() + 1) / 52
    wanted = np.log2(base / (1 - base)) - np.log2(without / (1 - without))
    np.testing.assert_allclose(result.relevance[0], wanted, rtol=1e-4, atol=1e-5)


def test_each_output_has_its_evidence_and_its_labels(engine: str, tmp_path: Path) -> None:
    ask = {**files(tmp_path, *TWO), "engine": engine, "device": "cpu"}
    (tmp_path / "sex.txt").write_text("she\nhe\n")
    ages = ["a", "b", "c", "d", "e"]
    made = load_net(**ask, output="p_age", labels=[tmp_path / "sex.txt", ages])
    assert (made.scores, made.output, made.labels) == ("age", "p_age", ages)
    how = {"window": 3, "samples": 1, "stride": 3}
    draws, image = MarginalSampler(images(3, *SHAPE, seed=2)), images(*SHAPE)
    for blob, unit, label, k in (("p_age", "c", "c", 5), ("p_sex", "he", "he", 2)):
        result = explain(made, image, draws, **how, blob=blob, units=[unit])
        assert (result.targets[0].name, result.unit, result.settings["classes"]) == (label, "bits", k)
    with pytest.raises(SettingsError, match="no class of blob 'p_age' is called 'he', but one of 'p_sex' is"):
        explain(made, image, draws, **how, units=["he"])
    again = pickle.loads(pickle.dumps(made))
    assert [head.labels for head in again.class_heads] == [ages, ["she", "he"]]
    with pytest.raises(SettingsError, match=r"'p_age' \(5 classes\) and 'p_sex' \(2 classes\), and 3 labels are left"):
        load_net(**ask, output="p_age", labels=["a", "b", "c"])
    with pytest.warns(InputWarning, match=r"net.prototxt: it has 2 outputs, 'p_age' \(5\), 'p_sex' \(2\)"):
        assert load_net(**ask, labels={"sex": ["she", "he"]}).labels == ["she", "he"]


def test_a_softmax_that_is_put_behind_makes_no_other_net(engine: str) -> None:
    """Maps of its scores that were begun before go on; a sigmoid's probabilities are another's."""
    spec = net(SHAPE, CONV, fc(count=2))
    told = {}
    for kind in (None, "logits", "activation", "sigmoid"):
        found = own_ends(resolve(spec)) if kind is None else find_ends(resolve(spec), None, kind)
        told[kind] = net_of(spec, weights_of(spec), engine=engine, ends=found).provenance
    assert told[None] == told["logits"] == told["activation"]
    assert told["sigmoid"]["definition"] != told[None]["definition"]
