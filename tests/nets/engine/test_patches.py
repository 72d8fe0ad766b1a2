"""Cutting out and pasting in, against loops over windows and places."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers.logical_gpu import KINDS, gpu  # noqa: E402

from predicdiff.nets.engine.patches import add, alike, cut_out, less, narrowed, paste, trimmed  # noqa: E402

LAYOUTS = st.sampled_from([torch.contiguous_format, torch.channels_last])
SMALL = st.integers(1, 4)


def numbers(*shape: int, start: int = 0) -> Any:
    """All different."""
    return torch.arange(start, start + int(np.prod(shape))).reshape(shape).float()


@st.composite
def corners(draw: st.DrawFn, least: int, most: int) -> np.ndarray:
    """Of up to four windows, often all the same."""
    count = draw(SMALL)
    if draw(st.booleans()):
        return np.full((count, 2), draw(st.integers(least, most)))
    return np.array(draw(st.lists(st.tuples(*[st.integers(least, most)] * 2), min_size=count, max_size=count)))


@pytest.fixture(scope="module", params=["cpu", *KINDS])
def place(request: pytest.FixtureRequest) -> Any:
    """The CPU, and a GPU, on which all windows are done at once."""
    with gpu() if request.param == "logical" else nullcontext():
        yield "cpu" if request.param == "cpu" else "cuda"


@given(where=corners(0, 3), size=st.tuples(SMALL, SMALL), samples=SMALL, layout=LAYOUTS, channels=SMALL)
def test_each_window_is_cut_out_for_each_of_its_draws(
    place: str, where: np.ndarray, size: tuple[int, int], samples: int, layout: Any, channels: int
) -> None:
    base = numbers(1, channels, 7, 7).contiguous(memory_format=layout).to(place)
    before = base.clone()
    batch = cut_out(base, *where.T, size, samples, layout)
    assert batch.shape == (len(where) * samples, channels, *size)
    assert batch.is_contiguous(memory_format=layout)
    assert channels > 1 or batch.stride() == torch.empty(batch.shape).stride(), "of one channel convolutions go wrong"
    for i, (row, column) in enumerate(where):
        for draw in batch[i * samples : (i + 1) * samples]:
            for r, c in np.ndindex(*size):
                assert draw[:, r, c].tolist() == base[0, :, row + r, column + c].tolist()
    batch.zero_()
    assert torch.equal(base, before), "the batch has memory of its own"


@given(where=corners(-5, 6), size=st.tuples(SMALL, SMALL), samples=SMALL, layout=LAYOUTS)
def test_what_is_pasted_over_the_border_is_lost(
    place: str, where: np.ndarray, size: tuple[int, int], samples: int, layout: Any
) -> None:
    batch = numbers(len(where) * samples, 2, 4, 5).contiguous(memory_format=layout).to(place)
    values = -1 - numbers(len(where) * samples, 2, *size).contiguous(memory_format=layout).to(place)
    wanted = batch.clone()
    for number in range(len(batch)):
        row, column = where[number // samples]
        for r, c in np.ndindex(*size):
            if 0 <= row + r < 4 and 0 <= column + c < 5:
                wanted[number, :, row + r, column + c] = values[number, :, r, c]
    paste(batch, values, *where.T)
    assert torch.equal(batch, wanted)


@given(where=corners(-1, 4), size=st.tuples(SMALL, SMALL), samples=SMALL)
def test_a_part_inside_is_a_view_and_only_if_all_have_the_same(
    where: np.ndarray, size: tuple[int, int], samples: int
) -> None:
    values = numbers(len(where) * samples, 2, 5, 6)
    part = narrowed(values, *where.T, size)
    (row, column), same = where[0], bool((where == where[0]).all())
    if not same or row < 0 or column < 0 or row + size[0] > 5 or column + size[1] > 6:
        assert part is None
        return
    assert part is not None
    for r, c in np.ndindex(*size):
        assert torch.equal(part[:, :, r, c], values[:, :, row + r, column + c])
    part.zero_()
    assert values.sum() < numbers(*values.shape).sum(), "it shares the memory"


@given(where=corners(0, 3), size=st.tuples(SMALL, SMALL), samples=SMALL, layout=LAYOUTS, channels=SMALL)
def test_what_is_trimmed_begins_at_each_windows_corner(
    place: str, where: np.ndarray, size: tuple[int, int], samples: int, layout: Any, channels: int
) -> None:
    values = numbers(len(where) * samples, channels, 7, 7).contiguous(memory_format=layout).to(place)
    batch = trimmed(values, *where.T, size, layout)
    assert batch.shape == (len(values), channels, *size)
    assert batch.untyped_storage().nbytes() == 4 * batch.numel()
    for number, draw in enumerate(batch):
        row, column = where[number // samples]
        assert torch.equal(draw, values[number, :, row : row + size[0], column : column + size[1]])


@pytest.mark.parametrize(("given_", "wanted"), [([3], True), ([2, 2, 2], True), ([2, 2, 1], False), ([-1, 0], False)])
def test_alike(given_: list[int], wanted: bool) -> None:
    assert alike(np.array(given_)) is wanted


def test_what_is_pasted_into_some_channels_leaves_the_others(place: str) -> None:
    """As branches are, into what will be one after the other; of another type of numbers, as in half precision."""
    batch = numbers(4, 5, 4, 5).to(place, torch.float64)
    wanted, values = batch.clone(), -1 - numbers(4, 2, 3, 3).to(place)
    for number, (row, column) in enumerate([(0, 1), (0, 1), (-1, 3), (-1, 3)]):
        for r, c in np.ndindex(3, 3):
            if row + r >= 0 and column + c < 5:
                wanted[number, 1:3, row + r, column + c] = values[number, :, r, c].double()
    paste(batch[:, 1:3], values, np.array([0, -1]), np.array([1, 3]))
    assert torch.equal(batch, wanted)


@given(where=corners(-5, 6), size=st.tuples(SMALL, SMALL), samples=SMALL, layout=LAYOUTS)
def test_what_is_added_over_the_border_is_lost(
    where: np.ndarray, size: tuple[int, int], samples: int, layout: Any
) -> None:
    values = numbers(len(where) * samples, 2, *size).contiguous(memory_format=layout)
    batch = numbers(len(where) * samples, 2, 4, 5).contiguous(memory_format=layout)
    pasted = torch.zeros_like(batch)
    paste(pasted, values, *where.T)
    wanted = batch + pasted
    add(batch, values, *where.T)
    assert torch.equal(batch, wanted)


@given(where=corners(0, 3), size=st.tuples(SMALL, SMALL), samples=SMALL, layout=LAYOUTS, channels=SMALL)
def test_a_difference_is_from_what_stands_in_the_map(
    where: np.ndarray, size: tuple[int, int], samples: int, layout: Any, channels: int
) -> None:
    base = numbers(1, channels, 7, 7).contiguous(memory_format=layout)
    wanted = numbers(len(where) * samples, channels, *size, start=-3)
    values = (wanted + cut_out(base, *where.T, size, samples, layout)).contiguous(memory_format=layout)
    difference = less(values, base, *where.T, layout)
    assert torch.equal(difference, wanted)
    assert channels > 1 or difference.is_contiguous(), "of one channel convolutions go wrong"
