"""What windows' sums are divided by: counted place by place as Caffe and torch do, and read off torch's own means."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from predicdiff.nets.engine.geometry import Reach, reaches  # noqa: E402
from predicdiff.nets.engine.pooling import divisors, largest_around  # noqa: E402


def pairs(least: int, most: int) -> Any:
    return st.tuples(st.integers(least, most), st.integers(least, most))


def outputs(length: int, kernel: int, stride: int, pad: int, *, ceil: bool) -> int:
    """Windows along one axis; rounded up, the last one may not begin in the far padding."""
    count = (length + 2 * pad - kernel) / stride + 1
    if not ceil:
        return math.floor(count)
    return math.ceil(count) - ((math.ceil(count) - 1) * stride >= length + pad)


def counted(reach: tuple[Reach, Reach], border: tuple[int, int]) -> np.ndarray:
    """Places of each window of which those count that lie in the map or in ``border`` around it, one by one."""
    wanted = np.zeros([along.size for along in reach])
    for at in np.ndindex(*wanted.shape):
        sides = [
            range(o * along.stride - along.before, o * along.stride - along.before + along.kernel)
            for o, along in zip(at, reach)
        ]
        wanted[at] = sum(
            all(-b <= i < along.length + b for i, along, b in zip(place, reach, border)) for place in product(*sides)
        )
    return wanted


@given(size=pairs(1, 9), kernel=pairs(1, 5), stride=pairs(1, 4), pad=pairs(0, 4))
def test_in_caffe_places_in_the_padding_count_and_none_beyond(size: Any, kernel: Any, stride: Any, pad: Any) -> None:
    assume(all(p < k <= n + 2 * p for p, k, n in zip(pad, kernel, size)))
    output = tuple(outputs(*of, ceil=True) for of in zip(size, kernel, stride, pad))
    reach = reaches(kernel, stride, pad, size, output)
    counts = divisors(reach)
    assert (counts.dtype, tuple(counts.shape)) == (torch.float32, (1, 1, *output))
    np.testing.assert_array_equal(counts[0, 0], counted(reach, pad))


@given(
    size=pairs(2, 9), kernel=pairs(1, 5), stride=pairs(1, 4), pad=pairs(0, 2), ceil=st.booleans(), padded=st.booleans()
)  # fmt: skip
def test_in_torch_they_count_where_they_are_to(
    size: Any, kernel: Any, stride: Any, pad: Any, ceil: bool, padded: bool
) -> None:
    assume(all(2 * p <= k <= n + 2 * p for p, k, n in zip(pad, kernel, size)))
    output = tuple(outputs(*of, ceil=ceil) for of in zip(size, kernel, stride, pad))
    reach = reaches(kernel, stride, pad, size, output)
    counts = divisors(reach, padded=padded)
    np.testing.assert_array_equal(counts[0, 0], counted(reach, pad if padded else (0, 0)))
    inputs = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0)) + 0.5
    means = functional.avg_pool2d(inputs, kernel, stride, pad, ceil, padded)
    sums = functional.avg_pool2d(inputs, kernel, stride, pad, ceil, divisor_override=1)
    torch.testing.assert_close(sums / counts, means)


@given(shape=st.tuples(*[st.integers(1, 5)] * 4), last=st.booleans(), seed=st.integers(0, 99))
def test_the_largest_around_is_what_torch_pools(shape: Any, last: bool, seed: int) -> None:
    layout = torch.channels_last if last else torch.contiguous_format
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).contiguous(memory_format=layout)
    maps[(0, *(seed % side for side in shape[1:]))] = math.nan if seed % 2 else -math.inf
    wanted = functional.max_pool2d(maps, 3, 1, 1)
    torch.testing.assert_close(largest_around(maps), wanted, rtol=0, atol=0, equal_nan=True)
