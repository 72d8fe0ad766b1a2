"""Analyses that start at a hidden blob, equation (6): held against explicit loops over whole passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.engines import needed, tiny_net
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
