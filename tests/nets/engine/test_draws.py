"""Draws made and encoded by torch, on the device that happens to be here, as numpy makes and encodes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.rounding import float32_atol
from helpers.small_net import SHAPE, images, make
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from predicdiff import windows  # noqa: E402
from predicdiff.algorithm import explain  # noqa: E402
from predicdiff.errors import ImageError  # noqa: E402
from predicdiff.images import View  # noqa: E402
from predicdiff.nets.engine import draws as device_draws  # noqa: E402
from predicdiff.nets.engine.device import computing  # noqa: E402
from predicdiff.nets.engine.draws import drawn, encoded  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402
from predicdiff.nets.preprocessing import Preprocessing  # noqa: E402
from predicdiff.noise import Noise  # noqa: E402
from predicdiff.samplers import GaussianSampler, MarginalSampler  # noqa: E402

HERE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
#: Of grey levels, each a mean and a row of the factor times the numbers of a window of 5 x 5 in three colours.
TO_ROUNDING: Any = {"rtol": 0, "atol": float32_atol(255.0, 76)}


def corpus(channels: int = 3, height: int = 12, width: int = 14, count: int = 40) -> np.ndarray:
    """Grey levels that go over from pixel to pixel, about half of them out of 0..255's reach once drawn."""
    steps = np.random.default_rng(0).normal(0, 15, (count, channels, height, width))
    return np.clip(steps.cumsum(2).cumsum(3) + 128, 0, 255).astype(np.float32)


KINDS = {
    "joint": {"channels": "joint"},
    "independent": {"channels": "independent"},
    "authors": {"channels": "authors", "first": 2},
    "free": {"clip": None},
    "each pixel's": {"clip": "corpus"},
}


def gaussian(kind: str, pixels: np.ndarray, context: int = 5) -> GaussianSampler:
    return GaussianSampler.fit(pixels, context, patches=4000, **{"seed": 1, **KINDS[kind]})


# draws


@pytest.mark.parametrize("window", [1, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_those_of_numpy_at_every_place(kind: str, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = corpus()
    sampler, origins = gaussian(kind, pixels), windows.grid(pixels.shape[2:], window=window)
    request: dict[str, Any] = {"window": window, "samples": 4, "seed": 2**63}
    noise = sampler.noise(pixels[0], origins, **request)
    draws = drawn(noise, HERE)
    assert (tuple(draws.shape), draws.dtype, draws.device.type) == (noise.shape, torch.float32, HERE.type)
    np.testing.assert_allclose(draws.cpu().numpy(), noise.patches(), **TO_ROUNDING)
    np.testing.assert_allclose(draws.cpu().numpy(), sampler.draw(pixels[0], origins, **request), **TO_ROUNDING)
    if kind not in ("free", "each pixel's"):
        assert (draws.min(), draws.max()) == (0, 255), "some draws are cut off, at either end"
    monkeypatch.setattr(device_draws, "CHUNK", 100)
    assert torch.equal(drawn(noise, HERE), draws), "no draw shows with how many others it was made"


def test_no_precision_touches_the_draws() -> None:
    pixels = corpus()
    noise = gaussian("joint", pixels).noise(pixels[0], np.array([[0, 0], [4, 5]]), window=3, samples=4, seed=0)
    with computing("bfloat16", HERE):
        rounded = drawn(noise, HERE)
    assert torch.equal(rounded, drawn(noise, HERE))


def test_no_windows() -> None:
    empty = Noise(np.empty((0, 4, 1, 12)), np.empty((0, 1, 12)), np.empty(0, int), (), (2, 2), (0.0, 1.0))
    assert drawn(empty, HERE).shape == (0, 4, 3, 2, 2)


# encoding


MEAN = np.random.default_rng(3).normal(110, 30, (3, 12, 14)).astype(np.float32)
LARGE = np.random.default_rng(4).normal(110, 30, (3, 16, 20))
ENCODINGS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "bgr": {"channels": "bgr"},
    "means": {"channels": "bgr", "mean": (104.0, 116.7, 122.7)},
    "0..1": {"raw_scale": 1.0, "mean": (0.485, 0.456, 0.406), "scale": (1 / 0.229, 1 / 0.224, 1 / 0.225)},
    "one scale": {"mean": (127.0, 127.0, 127.0), "scale": 1 / 128},
    "image": {"channels": "bgr", "mean": MEAN},
    "larger image": {"mean": LARGE, "scale": 0.017},
    "its end": {"channels": "bgr", "mean": LARGE, "mean_place": "end", "scale": (1.0, 2.0, 3.0), "raw_scale": 128.0},
}


@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=20)
@given(data=st.data())
def test_patches_are_encoded_as_numpy_does(name: str, data: st.DataObject) -> None:
    preprocessing, shape = Preprocessing(**ENCODINGS[name]), (3, 12, 14)
    window = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 14))
    places = st.tuples(st.integers(0, 12 - window[0]), st.integers(0, 14 - window[1]))
    origins = np.array(data.draw(st.lists(places, min_size=1, max_size=4)))
    values = np.random.default_rng(5).uniform(0, 255, (len(origins), 2, 3, *window)).astype(np.float32)
    inputs = encoded(torch.tensor(values, device=HERE), origins, preprocessing, shape)
    np.testing.assert_array_equal(inputs.cpu().numpy(), preprocessing.encode_patches(values, origins, shape))


def test_settings_that_nobody_may_write_to_are_only_read() -> None:
    mean, scale = MEAN.copy(), np.array([1.0, 2.0, 3.0], np.float32)
    mean.flags.writeable = scale.flags.writeable = False
    preprocessing = Preprocessing(mean=mean, scale=scale)
    values, origins = np.ones((2, 1, 3, 2, 2), np.float32), np.array([[0, 0], [10, 12]])
    inputs = encoded(torch.tensor(values), origins, preprocessing, MEAN.shape)
    np.testing.assert_array_equal(inputs.numpy(), preprocessing.encode_patches(values, origins, MEAN.shape))


# nets


def pair(**how: Any) -> tuple[ModuleNet, ModuleNet]:
    """A net of two layers, twice: the first with draws made by numpy, the second with those made on the device."""
    nets = []
    for on_device in (False, True):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(120, 5))
        with torch.no_grad():
            module[0].weight /= 100
        net = ModuleNet(module, input_shape=(3, 12, 14), device="cpu", preprocessing=Preprocessing(View("crop"), **how))
        net._draws_on_device = on_device
        nets.append(net)
    return nets[0], nets[1]


@pytest.mark.parametrize("kind", [*KINDS, "marginal"])
@pytest.mark.parametrize("name", ["nothing", "image", "its end"])
def test_relevance_is_the_same_to_rounding(kind: str, name: str) -> None:
    pixels = corpus()
    sampler: Any = MarginalSampler(pixels) if kind == "marginal" else gaussian(kind, pixels)
    how: dict[str, Any] = {"window": 3, "samples": 3, "stride": 2, "units": [1, 3], "blob": "logits", "seed": 5}
    here, there = (explain(net, pixels[0], sampler, **how) for net in pair(**ENCODINGS[name]))
    largest = float(np.abs(here.relevance).max())
    assert largest > 1e-3
    np.testing.assert_allclose(there.relevance, here.relevance, rtol=1e-4, atol=1e-5 * largest)
    np.testing.assert_allclose(there.stderr, here.stderr, rtol=1e-3, atol=1e-5 * largest)
    assert (there.settings, there.provenance["net"]) == (here.settings, here.provenance["net"])


@pytest.mark.parametrize("how", [{"channels_apart": True}, {"start": "0"}, {"start": "0", "channels_apart": True}])
def test_channels_apart_and_hidden_starts(how: dict[str, Any]) -> None:
    pixels = corpus()
    here, there = pair(channels="bgr", mean=(100.0, 110.0, 120.0))
    ground = pixels if "start" not in how else here.forward(here.encode(pixels), ["0"])["0"]
    sampler = GaussianSampler.fit(ground, 3, patches=4000, clip=None)
    how = {"window": 2, "samples": 3, "units": [1], "blob": "logits", **how}
    one, other = (explain(net, pixels[0], sampler, **how) for net in (here, there))
    largest = float(np.abs(one.relevance).max())
    np.testing.assert_allclose(other.relevance, one.relevance, rtol=1e-4, atol=1e-5 * largest)


def test_batches_of_other_sizes_hold_the_same_draws() -> None:
    pixels = corpus()
    _, there = pair()
    sampler = gaussian("joint", pixels)
    how: dict[str, Any] = {"window": 3, "samples": 5, "stride": 3, "units": [1], "blob": "logits"}
    one, other = (explain(there, pixels[0], sampler, batch_size=size, **how) for size in (3, 40))
    np.testing.assert_allclose(other.relevance, one.relevance, rtol=1e-4, atol=1e-5 * np.abs(one.relevance).max())


def test_a_net_on_the_cpu_takes_patches_and_one_on_a_gpu_noise() -> None:
    assert make().takes_noise is False
    if torch.cuda.is_available():
        torch_net = ModuleNet(nn.Sequential(nn.Flatten(), nn.Linear(90, 2)), input_shape=SHAPE, device="cuda")
        assert torch_net.takes_noise is True


@pytest.mark.parametrize("on_device", [False, True])
def test_noise_that_is_given_to_any_net_is_evaluated(on_device: bool) -> None:
    pixels = images(30, *SHAPE)
    noise = GaussianSampler.fit(pixels, 3, clip=None, patches=400).noise(
        pixels[0], np.array([[0, 0], [4, 2]]), window=2, samples=3, seed=0
    )
    net = make()
    net._draws_on_device = on_device
    ask: dict[str, Any] = {"blob": "fc", "units": [(0,), (2,)], "batch_size": 4}
    places = np.array([[0, 0], [4, 2]])
    wanted = make().evaluate(pixels[0], places, noise.patches(), **ask)
    np.testing.assert_allclose(net.evaluate(pixels[0], places, noise, **ask), wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(ImageError, match=r"wants an array \(1, S, 3, h, w\), not one of shape \(2, 3, 3, 2, 2\)"):
        net.evaluate(pixels[0], places[:1], noise, **ask)
