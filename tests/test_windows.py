"""Windows against explicit loops over every window and pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predicdiff import windows
from predicdiff.errors import PredicdiffError, SettingsError, WindowError


@st.composite
def layouts(draw: st.DrawFn) -> tuple:
    """A shape with a window that fits and a stride that leaves nothing out."""
    shape = (draw(st.integers(1, 17)), draw(st.integers(1, 17)))
    window = (draw(st.integers(1, shape[0])), draw(st.integers(1, shape[1])))
    return shape, window, draw(st.integers(1, min(window)))


def covered_by(shape: tuple, origins: np.ndarray, window: tuple) -> list:
    """(row, column, indices of the windows that contain it) of every pixel."""
    high, wide = window
    return [
        (r, c, [i for i, (top, left) in enumerate(origins) if top <= r < top + high and left <= c < left + wide])
        for r in range(shape[0])
        for c in range(shape[1])
    ]


def random_values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# where windows lie


@given(layouts())
def test_every_pixel_is_covered_and_the_last_windows_touch_the_border(layout: tuple) -> None:
    shape, window, stride = layout
    origins = windows.grid(shape, window=window, stride=stride)
    covered = np.zeros(shape, int)
    for row, column in origins:
        assert row >= 0
        assert row + window[0] <= shape[0]
        assert column >= 0
        assert column + window[1] <= shape[1]
        covered[row : row + window[0], column : column + window[1]] += 1
    assert covered.min() >= 1
    assert tuple(origins[0]) == (0, 0)
    assert tuple(origins[-1]) == (shape[0] - window[0], shape[1] - window[1])


@given(layouts())
def test_grid_goes_row_by_row_without_repetition_and_never_steps_over_the_stride(layout: tuple) -> None:
    shape, window, stride = layout
    origins = [tuple(origin) for origin in windows.grid(shape, window=window, stride=stride)]
    assert origins == sorted(set(origins))
    for axis in (0, 1):
        starts = np.unique([origin[axis] for origin in origins])
        assert np.all(np.diff(starts) <= stride)
        assert np.all(starts[:-1] % stride == 0)


def test_stride_one_has_every_position() -> None:
    assert len(windows.grid((227, 227), window=10)) == 218 * 218
    np.testing.assert_array_equal(windows.grid((2, 4), window=2), [(0, 0), (0, 1), (0, 2)])


def test_the_last_window_is_added_where_the_stride_does_not_end_there() -> None:
    np.testing.assert_array_equal(windows.positions(10, 4, 4), [0, 4, 6])
    np.testing.assert_array_equal(windows.positions(12, 4, 4), [0, 4, 8])


@pytest.mark.parametrize(
    ("window", "stride", "message"),
    [
        (0, 1, r"window k = 0 does not fit: want 1 <= k <= 8"),
        (-3, 1, r"window k = -3 does not fit"),
        (9, 1, r"window k = 9 does not fit: want 1 <= k <= 8"),
        (
            4,
            5,
            r"stride = 5 with window k = 4: want 1 <= stride <= k, .* with between='linear'",
        ),
        (4, 0, r"stride = 0 with window k = 4"),
        (4, -1, r"stride = -1 with window k = 4"),
    ],
)
def test_windows_and_strides_that_do_not_fit_are_refused(window: int, stride: int, message: str) -> None:
    with pytest.raises(WindowError, match=message):
        windows.grid((20, 8), window=window, stride=stride)


def test_rectangles_that_do_not_fit_are_refused() -> None:
    with pytest.raises(WindowError, match="window k = 5 x 9 does not fit: want 1 <= k <= 20 x 8"):
        windows.grid((20, 8), window=(5, 9))
    with pytest.raises(WindowError, match="stride = 4 with window k = 5 x 3: want 1 <= stride <= 5 x 3"):
        windows.grid((20, 8), window=(5, 3), stride=4)
    with pytest.raises(WindowError, match="context l = 7 x 9 does not fit: want l <= 20 x 8"):
        windows.contexts(np.zeros((1, 2), int), (20, 8), window=4, context=(7, 9))
    with pytest.raises(WindowError, match="context l = 4 x 6 is smaller than window k = 5"):
        windows.contexts(np.zeros((1, 2), int), (20, 8), window=5, context=(4, 6))
    with pytest.raises(
        WindowError, match="the 2 x 4 window at row 0, column 3 reaches over the border of an image of 5 x"
    ):
        windows.cut(np.zeros((3, 5, 6)), np.array([(0, 3)]), window=(2, 4))


def test_sides_are_a_tuple_inside_and_one_number_outside_where_they_are_equal() -> None:
    for window in (5, np.int64(5), (5, 5), [5, 5], np.array([5, 5])):
        assert windows.sides(window) == (5, 5)
        assert windows.as_asked(window) == windows.recorded(window) == 5
        assert (windows.told(window), windows.by(window)) == ("5", "5 x 5")
    assert windows.sides([6, 10]) == windows.as_asked([6, 10]) == (6, 10)
    assert windows.recorded((6, 10)) == [6, 10]
    assert windows.told((6, 10)) == windows.by((6, 10)) == "6 x 10"
    assert (windows.grown(6, 4), windows.grown((6, 10), 4)) == ((10, 10), (10, 14))
    wrong: Any
    for wrong in (2.0, "5", (3,), (1, 2, 3), (2.5, 3), None):
        with pytest.raises(WindowError, match=r"window k = .*: want a whole number, at least 1, or 2 of them"):
            windows.sides(wrong)


def test_pasting_is_the_way_back_of_cutting() -> None:
    images, origins = random_values(4, 3, 6, 7), np.array([(0, 0), (3, 1), (4, 3), (1, 2)])
    patches = random_values(4, 3, 2, 4)
    pasted = images.copy()
    windows.paste(pasted, patches, origins)
    for before, after, patch, (r, c) in zip(images, pasted, patches, origins):
        wanted = before.copy()
        wanted[:, r : r + 2, c : c + 4] = patch
        np.testing.assert_array_equal(after, wanted)


def test_a_window_error_is_one_of_ours_and_a_value_error() -> None:
    assert issubclass(WindowError, SettingsError)
    assert issubclass(WindowError, PredicdiffError)
    assert issubclass(WindowError, ValueError)


@given(st.integers(0, 50), st.integers(1, 60))
def test_tiles_cut_the_windows_into_runs_without_gap_or_overlap(count: int, size: int) -> None:
    runs = windows.tiles(count, size)
    assert [i for run in runs for i in range(count)[run]] == list(range(count))
    assert all(1 <= run.stop - run.start <= size for run in runs)
    assert all(run.stop - run.start == size for run in runs[:-1])


# contexts


@given(layouts(), st.data())
def test_contexts_lie_inside_contain_their_window_and_are_as_centred_as_the_border_allows(
    layout: tuple, data: st.DataObject
) -> None:
    shape, window, stride = layout
    context = tuple(data.draw(st.integers(side, size)) for side, size in zip(window, shape))
    origins = windows.grid(shape, window=window, stride=stride)
    corners = windows.contexts(origins, shape, window=window, context=context)
    for origin, corner in zip(origins, corners):
        for axis in (0, 1):
            allowed = [
                start
                for start in range(shape[axis] - context[axis] + 1)
                if start <= origin[axis] and origin[axis] + window[axis] <= start + context[axis]
            ]
            # twice the distance of the centres; of two equally centred contexts, the one further down or right
            off = {start: abs(2 * start + context[axis] - 2 * origin[axis] - window[axis]) for start in allowed}
            best = [start for start in allowed if off[start] == min(off.values())]
            assert corner[axis] == max(best)


def test_the_odd_pixel_of_a_context_lies_below_and_to_the_right() -> None:
    middle = np.array([[10, 20]])
    np.testing.assert_array_equal(windows.contexts(middle, (40, 40), window=4, context=7), [(9, 19)])
    np.testing.assert_array_equal(windows.contexts(middle, (40, 40), window=4, context=8), [(8, 18)])
    np.testing.assert_array_equal(windows.contexts(middle, (40, 40), window=1, context=2), [(10, 20)])


def test_contexts_at_the_borders() -> None:
    corners = [(0, 0), (0, 10), (5, 0), (5, 10), (3, 4)]
    contexts = windows.contexts(np.array(corners), (9, 14), window=4, context=6)
    np.testing.assert_array_equal(contexts, [(0, 0), (0, 8), (3, 0), (3, 8), (2, 3)])


@pytest.mark.parametrize(
    ("context", "message"),
    [(3, r"context l = 3 is smaller than window k = 4: want l >= k"), (9, r"context l = 9 does not fit: want l <= 8")],
)
def test_contexts_that_do_not_fit_are_refused(context: int, message: str) -> None:
    with pytest.raises(WindowError, match=message):
        windows.contexts(np.zeros((1, 2), int), (20, 8), window=4, context=context)


# cutting out


@given(layouts(), st.sampled_from([(3,), (1,), (2, 3), (2, 1, 4)]))
def test_cut_gives_what_slicing_gives(layout: tuple, leading: tuple) -> None:
    shape, window, stride = layout
    images = random_values(*leading, *shape)
    origins = windows.grid(shape, window=window, stride=stride)
    patches = windows.cut(images, origins, window=window)
    assert patches.shape == (len(origins), *leading, *window)
    for patch, (r, c) in zip(patches, origins):
        np.testing.assert_array_equal(patch, images[..., r : r + window[0], c : c + window[1]])


def test_cut_copies_and_keeps_the_type() -> None:
    image = np.zeros((3, 5, 6), np.float32)
    patches = windows.cut(image, np.array([[0, 0], [1, 2]]), window=3)
    assert patches.dtype == np.float32
    patches[...] = 7
    assert not image.any()


def test_sliding_is_a_view_of_all_windows_that_cannot_be_written_to() -> None:
    images = random_values(2, 3, 5, 7).transpose(0, 1, 3, 2)
    views = windows.sliding(images, window=3)
    assert views.shape == (2, 3, 5, 3, 3, 3)
    assert np.shares_memory(views, images)
    for row, column in windows.grid((7, 5), window=3):
        np.testing.assert_array_equal(views[:, :, row, column], images[..., row : row + 3, column : column + 3])
    with pytest.raises(ValueError, match="read-only"):
        views[:] = 0


def test_cut_of_no_windows() -> None:
    patches = windows.cut(np.zeros((2, 3, 5, 6), np.float32), np.empty((0, 2), int), window=4)
    assert patches.shape == (0, 2, 3, 4, 4)
    assert patches.dtype == np.float32


@pytest.mark.parametrize("origin", [(-1, 0), (0, -1), (3, 0), (0, 4)])
def test_windows_over_the_border_are_named(origin: tuple) -> None:
    message = rf"the 3 x 3 window at row {origin[0]}, column {origin[1]} reaches over the border of an image of 5 x 6"
    with pytest.raises(WindowError, match=message):
        windows.cut(np.zeros((3, 5, 6)), np.array([(0, 0), origin]), window=3)
    with pytest.raises(WindowError, match=message):
        windows.spread(np.zeros(2), np.array([(0, 0), origin]), window=3, shape=(5, 6))


# back to pixels


@given(layouts(), st.integers(0, 1000))
def test_spread_is_the_mean_over_the_windows_that_cover_a_pixel(layout: tuple, seed: int) -> None:
    shape, window, stride = layout
    origins = windows.grid(shape, window=window, stride=stride)
    values = random_values(len(origins), seed=seed)
    relevance = windows.spread(values, origins, window=window, shape=shape)
    wanted = np.empty(shape)
    for r, c, over in covered_by(shape, origins, window):
        wanted[r, c] = sum(values[i] for i in over) / len(over)
    np.testing.assert_allclose(relevance, wanted, rtol=0, atol=1e-12)


@given(layouts(), st.integers(0, 1000))
def test_the_standard_error_is_that_of_a_mean_of_independent_windows(layout: tuple, seed: int) -> None:
    shape, window, stride = layout
    origins = windows.grid(shape, window=window, stride=stride)
    variances = random_values(len(origins), seed=seed) ** 2
    error = windows.spread_error(variances, origins, window=window, shape=shape)
    wanted = np.empty(shape)
    for r, c, over in covered_by(shape, origins, window):
        wanted[r, c] = sum(variances[i] for i in over) ** 0.5 / len(over)
    np.testing.assert_allclose(error, wanted, rtol=1e-6, atol=1e-7)


def test_the_standard_error_is_borne_out_by_repetition() -> None:
    origins = windows.grid((6, 7), window=3, stride=2)
    variances = np.linspace(0.1, 3.0, len(origins))
    noise = random_values(4000, len(origins)) * np.sqrt(variances)
    maps = np.stack([windows.spread(values, origins, window=3, shape=(6, 7)) for values in noise])
    claimed = windows.spread_error(variances, origins, window=3, shape=(6, 7))
    np.testing.assert_allclose(maps.std(axis=0), claimed, rtol=0.08)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_disjoint_windows_add_up_to_the_whole(rows: int, columns: int, side: int) -> None:
    shape, window = (rows * side, 2 * columns * side), (side, 2 * side)
    origins = windows.grid(shape, window=window, stride=side)
    origins = origins[origins[:, 1] % window[1] == 0]
    values = random_values(len(origins))
    relevance = windows.spread(values, origins, window=window, shape=shape)
    assert relevance.sum() == pytest.approx(values.sum() * 2 * side**2, abs=1e-9)
    np.testing.assert_allclose(relevance[:: window[0], :: window[1]].ravel(), values, atol=1e-12)


def test_several_targets_are_spread_each_by_itself() -> None:
    origins = windows.grid((5, 6), window=2, stride=2)
    values = random_values(len(origins), 3)
    both = windows.spread(values, origins, window=2, shape=(5, 6))
    assert both.shape == (3, 5, 6)
    for target in range(3):
        alone = windows.spread(values[:, target], origins, window=2, shape=(5, 6))
        np.testing.assert_array_equal(both[target], alone)


def test_uncovered_pixels_are_nan() -> None:
    relevance = windows.spread(np.array([2.0]), np.array([[1, 0]]), window=2, shape=(4, 3))
    nan = np.nan
    np.testing.assert_array_equal(relevance, [[nan, nan, nan], [2, 2, nan], [2, 2, nan], [nan, nan, nan]])
    error = windows.spread_error(np.array([9.0]), np.array([[1, 0]]), window=2, shape=(4, 3))
    np.testing.assert_array_equal(error, [[nan, nan, nan], [3, 3, nan], [3, 3, nan], [nan, nan, nan]])


@given(layouts(), st.data(), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_what_is_not_finite_stays_in_its_own_window(layout: tuple, data: st.DataObject, bad: float) -> None:
    shape, window, stride = layout
    origins = windows.grid(shape, window=window, stride=stride)
    where = data.draw(st.integers(0, len(origins) - 1))
    values = random_values(len(origins))
    clean = windows.spread(values, origins, window=window, shape=shape)
    values[where] = bad
    relevance = windows.spread(values, origins, window=window, shape=shape)
    inside = np.zeros(shape, bool)
    r, c = origins[where]
    inside[r : r + window[0], c : c + window[1]] = True
    assert np.isnan(relevance[inside]).all()
    np.testing.assert_allclose(relevance[~inside], clean[~inside], atol=1e-12)


def test_variances_of_zero_beside_large_ones_give_errors_of_zero_not_nan() -> None:
    shape = (30, 30)
    origins = windows.grid(shape, window=1)
    variances = random_values(len(origins)) ** 2 * 1e3
    quiet = origins[:, 1] > 14
    variances[quiet] = 0.0
    error = windows.spread_error(variances, origins, window=1, shape=shape)
    np.testing.assert_allclose(error[:, 15:], 0.0, atol=1e-5)


def test_no_windows_and_no_targets() -> None:
    none = np.empty((0, 2), int)
    assert np.isnan(windows.spread(np.empty(0), none, window=2, shape=(3, 4))).all()
    assert windows.spread(np.empty((0, 2)), none, window=2, shape=(3, 4)).shape == (2, 3, 4)
    assert windows.spread(np.empty((1, 0)), np.zeros((1, 2), int), window=2, shape=(3, 4)).shape == (0, 3, 4)


@pytest.mark.parametrize("shape", [(3,), (8,), (3, 2), ()])
def test_values_must_be_as_many_as_windows(shape: tuple) -> None:
    with pytest.raises(WindowError, match=r"values have the shape \(.*\): want one row for each of 4 windows"):
        windows.spread(np.zeros(shape), windows.grid((2, 2), window=1), window=1, shape=(2, 2))


def test_nothing_given_is_changed() -> None:
    origins = windows.grid((5, 5), window=2)
    values = random_values(len(origins))
    values[3] = np.nan
    before = origins.copy(), values.copy()
    windows.spread(values, origins, window=2, shape=(5, 5))
    windows.contexts(origins, (5, 5), window=2, context=4)
    np.testing.assert_array_equal(origins, before[0])
    np.testing.assert_array_equal(values, before[1])
