"""Occlusion by a grey patch, against explicit loops and Captum."""

from __future__ import annotations

import math
import statistics
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from helpers.engines import tiny_net
from helpers.oracle_nets import LinearNet, MapNet, photo

from predicdiff.errors import InputWarning, SettingsError, WindowError
from predicdiff.methods.occlusion import occlusion
from predicdiff.nets.preprocessing import Preprocessing


def starts(size: int, window: int, stride: int) -> list[int]:
    return [i for i in range(size - window + 1) if i % stride == 0 or i == size - window]


def by_loops(net: Any, image: np.ndarray, unit: int, window: int, stride: int, grey: list[float]) -> np.ndarray:
    """Mean over the windows on each pixel of the fall of a probability."""
    _, height, width = image.shape
    held: dict[tuple[int, int], list[float]] = {(r, c): [] for r in range(height) for c in range(width)}
    before = net.forward(image[None], ["prob"])["prob"][0, unit]
    for row in starts(height, window, stride):
        for column in starts(width, window, stride):
            covered = image.copy()
            for r in range(row, row + window):
                for c in range(column, column + window):
                    covered[:, r, c] = grey
            after = net.forward(covered[None], ["prob"])["prob"][0, unit]
            for r in range(row, row + window):
                for c in range(column, column + window):
                    held[r, c].append(float(before) - float(after))
    return np.array([[statistics.fmean(held[r, c]) for c in range(width)] for r in range(height)])


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 2), (3, 3), (6, 1)])
@pytest.mark.parametrize("value", [127.5, [10.0, 200.0]])
def test_occlusion_window_by_window(window: int, stride: int, value: Any) -> None:
    net, image = MapNet((2, 6, 8), seed=1), photo((2, 6, 8), 2)
    result = occlusion(net, image, window=window, stride=stride, value=value, units=[3])
    wanted = by_loops(net, image, 3, window, stride, list(np.broadcast_to(value, 2)))
    np.testing.assert_allclose(result.relevance[0], wanted, atol=1e-6)
    assert result.unit == "activation"
    assert not result.stderr.any()
    assert result.settings["samples"] == 1


def test_the_patch_is_evaluated_once_a_window() -> None:
    net = LinearNet(np.ones((2, 1, 4, 4)))
    occlusion(net, photo((1, 4, 4)), window=2, stride=2)
    trial = [1] * 4  # of the net: for each of two windows its own contents and the patch
    assert net.batches == [*trial, 4]


def test_evidence_on_request_of_the_probability_behind_the_patch() -> None:
    net, image = MapNet((1, 4, 4), seed=2), photo((1, 4, 4))
    relevance = occlusion(net, image, window=4, measure="evidence", units=[0]).relevance[0]

    def odds(pixels: np.ndarray) -> float:
        p = (float(net.forward(pixels[None], ["prob"])["prob"][0, 0]) * 10_000 + 1) / (10_000 + 4)
        return math.log2(p / (1 - p))

    np.testing.assert_allclose(relevance, odds(image) - odds(np.full_like(image, 127.5)), rtol=1e-4)


def test_a_grey_picture_loses_nothing_behind_a_patch_of_its_own_grey() -> None:
    result = occlusion(MapNet((3, 5, 5)), np.full((3, 5, 5), 90.0, np.float32), window=2, value=90.0)
    np.testing.assert_allclose(result.relevance, 0, atol=1e-6)


@pytest.mark.parametrize("measure", ["activation", "evidence"])
def test_what_a_result_says_of_chance(measure: str) -> None:
    result = occlusion(MapNet((1, 3, 3)), photo((1, 3, 3)), window=1, measure=measure)
    assert result.notes == [
        "Every window was covered with one grey patch of 127.5: nothing is drawn, and the standard error is 0."
    ]
    assert not result.stderr.any()


@pytest.mark.parametrize("value", ["grey", [[1.0]], math.nan, math.inf, 1e300])
def test_what_is_no_colour_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match="want a number, or one for each channel"):
        occlusion(MapNet((1, 3, 3)), photo((1, 3, 3)), window=1, value=value)


@pytest.mark.parametrize(
    ("factor", "shift", "preprocessing", "grey"),
    [
        (1.0, 0.0, None, 127.5),
        (1 / 255, 0.0, None, 0.5),
        (7 / 255, -4.0, None, 0.0),
        (2 / 255, -1.0, None, 0.0),
        (1.0, 0.0, Preprocessing(), 127.5),
        (2 / 255, 0.4, Preprocessing(), 127.5),  # as dark as it is, pixels are 0 to 255
        (1.0, -3.0, Preprocessing(), 127.5),
    ],
)
def test_the_grey_is_that_of_the_net_or_of_the_image(
    factor: float, shift: float, preprocessing: Any, grey: Any
) -> None:
    net: Any = MapNet((3, 6, 6), seed=3)
    net.preprocessing = preprocessing
    image = np.clip(photo((3, 6, 6)) * factor + shift, shift, None)
    how: dict[str, Any] = {"window": 3, "stride": 3, "units": [0]}
    with pytest.warns(InputWarning) if shift == -3.0 else nullcontext():
        result = occlusion(net, image, **how)
    np.testing.assert_allclose(result.relevance[0], by_loops(net, image, 0, 3, 3, [grey] * 3), atol=1e-6)
    assert result.provenance["sampler"] == {"kind": "grey", "value": grey}


def test_the_grey_of_a_hidden_blob_is_zero() -> None:
    net = tiny_net(device="cpu")
    how: dict[str, Any] = {"start": "pool1", "window": 3, "stride": 3, "blob": "fc", "units": [1]}
    image = photo(net.input_shape)
    np.testing.assert_array_equal(
        occlusion(net, image, **how).relevance, occlusion(net, image, value=0.0, **how).relevance
    )
    with pytest.warns(InputWarning, match=r"the grey of 127\.5 lies far outside .* none, which is then 0"):
        occlusion(net, image, value=127.5, **how)


def test_a_grey_far_outside_of_the_images_values_is_warned_of() -> None:
    net, image = MapNet((3, 6, 6)), photo((3, 6, 6)) / 36 - 4
    occlusion(net, image, window=3, value=[-5.0, 0.0, 6.0])
    with pytest.warns(InputWarning, match=r"the grey of 127\.5 lies far outside of the values .* from -3\.9"):
        occlusion(net, image, window=3, value=127.5)


def test_settings_of_occlusion_that_do_not_fit_are_refused() -> None:
    net, image = MapNet((3, 4, 4)), photo((3, 4, 4))
    with pytest.raises(SettingsError, match="grey has 2 values: want one, or one for each of 3 channels"):
        occlusion(net, image, window=2, value=[1.0, 2.0])
    with pytest.raises(WindowError, match="window k = 5 does not fit"):
        occlusion(net, image, window=5)


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 1), (2, 2), (4, 2), (6, 3), (3, 3)])
def test_occlusion_is_captums(window: int, stride: int) -> None:
    """Where windows cover the image without a rest: 12 x 9 pixels here, or stride 1."""
    torch = pytest.importorskip("torch")
    captum = pytest.importorskip("captum.attr")
    from predicdiff.nets.modules.net import ModuleNet

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(4 * 10 * 7, 5)
    )
    height, width = 12, 9
    if (height - window) % stride or (width - window) % stride:
        height, width = 12, 12
        module[3] = torch.nn.Linear(4 * 10 * 10, 5)
    net = ModuleNet(module, input_shape=(3, height, width), device="cpu")
    image, grey = photo((3, height, width)) / 255, [0.2, 0.5, 0.7]
    result = occlusion(net, image, window=window, stride=stride, value=grey, blob="logits", units=[2])
    wanted = captum.Occlusion(module).attribute(
        torch.tensor(image[None]),
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=torch.tensor(grey, dtype=torch.float32).reshape(1, 3, 1, 1).expand(1, 3, height, width),
        target=2,
        perturbations_per_eval=4,
    )
    for channel in range(3):  # one value a pixel, repeated
        np.testing.assert_allclose(result.relevance[0], wanted[0, channel].detach().numpy(), atol=1e-5)
