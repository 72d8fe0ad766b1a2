"""Convolutions whose products are added in parts, against float64 and sums one after the other."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.rounding import float32_atol  # noqa: E402
from torch.nn import functional  # noqa: E402

from predicdiff.nets.engine.convolution import convolutions, in_parts  # noqa: E402

CHANNELS = 256
HOW = {"stride": (1, 1), "pad": (1, 1), "dilation": (1, 1), "group": 1}
LAST = torch.channels_last


def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Maps as a rectifier leaves them, and weights."""
    generator = np.random.default_rng(0)
    maps = np.maximum(generator.standard_normal((2, CHANNELS, 7, 6)), 0).astype(np.float32)
    return maps, generator.standard_normal((8, CHANNELS, 3, 3)).astype(np.float32)


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="oneDNN has no such sums here")
def test_rounding_is_less_than_half_that_of_a_sum_one_after_the_other() -> None:
    maps, weights = arrays()
    assert in_parts(torch.tensor(weights))
    windows = np.lib.stride_tricks.sliding_window_view(maps[0], (3, 3), (1, 2))
    products = np.einsum("crsij,ocij->orscij", windows, weights).reshape(*(len(weights), 5, 4), -1)
    wanted = np.einsum("crsij,ocij->ors", windows.astype(float), weights.astype(float))
    run = convolutions(torch.tensor(weights), None, **{**HOW, "pad": (0, 0)}, parts=True).run
    found = run([torch.tensor(maps).contiguous(memory_format=LAST)])[0].numpy()
    ours, in_turn = (np.square(values - wanted).mean() ** 0.5 for values in (found, products.cumsum(-1)[..., -1]))
    assert 0 < ours < in_turn / 2


def test_of_maps_pieces_and_differences() -> None:
    maps, weights = (torch.tensor(array) for array in arrays())
    bias = torch.arange(8.0)
    functions = convolutions(weights, bias, **HOW, parts=True)
    maps = maps.contiguous(memory_format=LAST)
    for function, pad, shift in ((functions.run, 1, bias), (functions.cut, 0, bias), (functions.spread, 2, None)):
        found = function([maps])
        wanted = functional.conv2d(
            maps.double(), weights.double(), None if shift is None else shift.double(), 1, pad
        ).numpy()
        assert found.is_contiguous(memory_format=LAST)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=float32_atol(wanted, 9 * CHANNELS))


def test_not_of_few_products_nor_of_single_places() -> None:
    assert not in_parts(torch.zeros(4, 32, 3, 3))
    assert not in_parts(torch.zeros(4, 4096, 1, 1))
