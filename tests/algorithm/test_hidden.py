"""Analyses that start at a hidden blob, equation (6): held against explicit loops over whole passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.engines import needed, tiny_net
from helpers.places import DATA
from helpers.rounding import float32_atol, products

from predicdiff.algorithm import explain
from predicdiff.errors import BlobError, SamplerError, WindowError
from predicdiff.nets.zoo import load_net
from predicdiff.samplers.hidden import activations_of, hidden_gaussian, hidden_marginal

pytestmark = needed


@pytest.fixture(scope="module")
def tiny():
    return tiny_net()


@pytest.fixture(scope="module")
def images(data: Path) -> np.ndarray:
    return np.load(data / "tiny_caffe.npz")["images"]


@pytest.fixture(scope="module")
def rounding(tiny, images):
    """What rounding may make of a difference of the tiny net's scores."""
    scores = tiny.forward(images[:1], ["fc"])["fc"]
    return float32_atol(scores, products(weight for weight, *_ in tiny.weights.values()))


def branches():
    """Two branches that meet again; one of them is perturbed."""
    torch = pytest.importorskip("torch")

    class Branches(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.left = torch.nn.Conv2d(3, 4, 3, padding=1)
            self.right = torch.nn.Conv2d(3, 4, 5, padding=2)
            self.relu = torch.nn.ReLU(inplace=True)
            self.last = torch.nn.Linear(4 * 6 * 6, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last((self.relu(self.left(x)) * self.right(x)).flatten(1))

    return Branches()


def by_hand(finish, ground, draws, origins, window, unit):
    """Activation difference of every window: the ground with each draw set in, one at a time."""
    base = finish(ground)[unit]
    differences = []
    for (row, column), patches in zip(origins, draws):
        values = []
        for patch in patches:
            changed = ground.copy()
            changed[:, row : row + window, column : column + window] = patch
            values.append(finish(changed)[unit])
        differences.append(base - np.mean(values))
    return np.array(differences)


class Replay:
    """Gives the same patches to whoever asks."""

    def __init__(self, patches: np.ndarray) -> None:
        self.patches = patches

    def draw(self, pixels, origins, *, window, samples, seed):
        columns = pixels.shape[2] - window + 1
        return self.patches[[row * columns + column for row, column in origins]]


def spread_by_loops(values, origins, window, shape):
    total, count = np.zeros(shape), np.zeros(shape)
    for value, (row, column) in zip(values, origins):
        total[row : row + window, column : column + window] += value
        count[row : row + window, column : column + window] += 1
    return total / count


@pytest.mark.parametrize("start", ["pool1", "norm1", "conv2a"])
def test_caffe_net_from_a_hidden_blob_equals_explicit_loops(tiny, images, rounding, start):
    ground = tiny.forward(images[:1], [start])[start][0]
    window = 2
    origins = [(r, c) for r in range(ground.shape[1] - 1) for c in range(ground.shape[2] - 1)]
    draws = np.random.default_rng(0).normal(size=(len(origins), 3, len(ground), 2, 2)).astype(np.float32)

    def finish(values):
        return torch_tail(tiny, images[0], start, values)

    result = explain(
        tiny, images[0], Replay(draws), start=start, blob="fc", units=[1], window=window, samples=3, stride=1
    )
    expected = spread_by_loops(by_hand(finish, ground, draws, origins, window, 1), origins, window, ground.shape[1:])
    assert result.relevance.shape == (1, *ground.shape[1:])
    np.testing.assert_allclose(result.relevance[0], expected, rtol=0, atol=rounding)
    assert result.targets[0].title == f"fc[1], from {start}"


def torch_tail(net, image, start, values):
    """fc of the tiny net with one blob given, layer by layer in plain torch."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    weights = {name: [torch.tensor(np.array(blob)) for blob in blobs] for name, blobs in raw_weights(net).items()}
    known = {start: torch.tensor(values)[None]}
    x = torch.tensor(image)[None]
    if start == "norm1":
        known["pool1"] = functional.max_pool2d(known["norm1"], 3, 2, ceil_mode=True)
    elif start == "conv2a":
        known["pool1"] = torch.tensor(net.forward(x.numpy(), ["pool1"])["pool1"])
    if "conv2a" not in known:
        known["conv2a"] = functional.conv2d(known["pool1"], *weights["conv2a"], padding=1, groups=2)
    conv2b = functional.conv2d(known["pool1"], *weights["conv2b"])
    pooled = functional.avg_pool2d(torch.cat([known["conv2a"], conv2b], 1), 3, 2, padding=1, ceil_mode=True)
    weight, bias = weights["fc"]
    return (pooled.flatten(1) @ weight.T + bias)[0].numpy()


def raw_weights(net):
    from predicdiff.nets.caffe.caffemodel import read_caffemodel

    blobs = read_caffemodel(DATA / "tiny_v2.caffemodel")
    return {name: [blob.reshape(w.shape) for blob, w in zip(blobs[name], net.weights[name])] for name in blobs}


@pytest.mark.parametrize("start", ["left", "relu", "right"])
def test_module_from_a_hidden_blob_equals_explicit_loops(start):
    torch = pytest.importorskip("torch")
    module = branches().eval()
    net = load_net(module, input_shape=(3, 6, 6), output="logits")
    image = np.random.default_rng(1).normal(size=(3, 6, 6)).astype(np.float32)
    x = torch.tensor(image)[None]
    with torch.no_grad():
        left, right = module.left(x), module.right(x)
    ground = {"left": left, "relu": left.relu(), "right": right}[start][0].numpy()

    def finish(values):
        start_values = torch.tensor(values)[None]
        with torch.no_grad():
            one = {"left": start_values.relu(), "relu": start_values, "right": left.relu()}[start]
            return module.last((one * (start_values if start == "right" else right)).flatten(1))[0].numpy()

    origins = [(r, c) for r in range(4) for c in range(4)]
    draws = np.random.default_rng(2).normal(size=(16, 2, 4, 3, 3)).astype(np.float32)
    result = explain(net, image, Replay(draws), start=start, blob="logits", units=[2], window=3, samples=2)
    expected = spread_by_loops(by_hand(finish, ground, draws, origins, 3, 2), origins, 3, (6, 6))
    terms = products(part.weight for part in (module.left, module.right, module.last))
    scores = net.forward(image[None], ["logits"])["logits"]
    np.testing.assert_allclose(result.relevance[0], expected, rtol=0, atol=float32_atol(scores, terms))


def test_channels_apart_equal_each_channel_taken_alone(tiny, images, rounding):
    sampler = hidden_marginal(tiny, images, "pool1")
    apart = explain(
        tiny, images[0], sampler, start="pool1", blob="fc", units=[0, 3], window=1, samples=4, channels_apart=True
    )
    channels = tiny.blobs["pool1"][0]
    assert apart.relevance.shape[0] == 2 * channels == len(apart.targets)
    assert apart.targets[channels + 2].title == "fc[3], from pool1[2]"

    class Only(type(sampler)):
        def draw(self, pixels, origins, **how):
            patches = super().draw(pixels, origins, **how)
            kept = np.stack([pixels[:, r : r + 1, c : c + 1] for r, c in origins])[:, None].repeat(patches.shape[1], 1)
            kept[:, :, 2] = patches[:, :, 2]
            return kept

    alone = explain(
        tiny, images[0], Only(activations_of(tiny, images, "pool1")), start="pool1", blob="fc", units=[3], window=1,
        samples=4,
    )  # fmt: skip
    np.testing.assert_allclose(apart.relevance[channels + 2], alone.relevance[0], rtol=0, atol=rounding)


def test_mean_of_a_maps_units_is_the_relevance_of_its_mean(tiny, images, rounding):
    sampler = hidden_marginal(tiny, images, "pool1")
    how = {"start": "pool1", "blob": "cat", "window": 2, "samples": 3}
    _, height, width = tiny.blobs["cat"]
    units = [(1, row, column) for row in range(height) for column in range(width)]
    each = explain(tiny, images[0], sampler, units=units, **how)
    mean = explain(tiny, images[0], sampler, channels=[1], **how)
    np.testing.assert_allclose(each.relevance.mean(axis=0), mean.relevance[0], rtol=0, atol=rounding)


def test_a_vector_is_taken_apart_unit_by_unit(tiny, images):
    sampler = hidden_marginal(tiny, images, "fc")
    result = explain(tiny, images[0], sampler, start="fc", window=1, samples=5, units=[0], channels_apart=True)
    assert result.relevance.shape == (5, 1, 1)
    assert result.unit == "bits"
    scores = activations_of(tiny, images, "fc")[..., 0, 0].astype(np.float64)
    own, n, k = scores[0], 1_281_167, 5

    def bits(p: float) -> float:
        p = (p * n + 1) / (n + k)
        return np.log2(p / (1 - p))

    for unit in range(5):
        draws = sampler.draw(scores[0].astype(np.float32)[:, None, None], [(0, 0)], window=1, samples=5, seed=0)
        changed = np.repeat(own[None], 5, axis=0)
        changed[:, unit] = draws[0, :, unit, 0, 0]
        likely = np.exp(changed) / np.exp(changed).sum(axis=1, keepdims=True)
        expected = bits(np.exp(own[0]) / np.exp(own).sum()) - bits(likely[:, 0].mean())
        np.testing.assert_allclose(result.relevance[unit, 0, 0], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("start", "blob"), [("fc", "pool1"), ("conv2a", "conv2b"), ("fc", "fc")])
def test_a_blob_that_does_not_see_the_start_is_refused(tiny, images, start, blob):
    sampler = hidden_marginal(tiny, images, start)
    with pytest.raises(BlobError, match="does not lie downstream"):
        explain(tiny, images[0], sampler, start=start, blob=blob, units=[0], window=1, samples=2)


def test_a_modules_branch_that_does_not_see_the_start_is_refused():
    net = load_net(branches(), input_shape=(3, 6, 6), output="logits")
    with pytest.raises(BlobError, match="does not lie downstream"):
        net.check_downstream("left", "right")
    net.check_downstream("left", "prob")


def test_windows_that_do_not_fit_the_hidden_blob_are_refused(tiny, images):
    sampler = hidden_marginal(tiny, images, "fc")
    with pytest.raises(WindowError, match="does not fit"):
        explain(tiny, images[0], sampler, start="fc", window=2, samples=2)


def test_a_gaussian_with_too_few_activations_is_refused(tiny, images):
    with pytest.raises(SamplerError, match="marginal"):
        hidden_gaussian(tiny, images, "pool1", 4)


def test_a_gaussian_over_few_dimensions_draws_activations_unclipped(tiny, images):
    sampler = hidden_gaussian(tiny, images, "conv2b", 1)
    ground = activations_of(tiny, images[:1], "conv2b")[0]
    draws = sampler.draw(ground, np.array([[0, 0]]), window=1, samples=200, seed=0)
    corpus = activations_of(tiny, images, "conv2b").transpose(1, 0, 2, 3).reshape(4, -1)
    np.testing.assert_allclose(draws[0, :, :, 0, 0].mean(axis=0), corpus.mean(axis=1), atol=0.5 * corpus.std())
