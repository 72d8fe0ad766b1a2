"""Deletion and insertion on nets where the right pixels are known."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, MapNet, photo
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import BlobError, ImageError, OutOfMemoryError, SettingsError
from predicdiff.judging.deletion import areas, curve, turns_of, usual_steps

SHAPE = (2, 6, 7)


def black(pixels: np.ndarray) -> Any:
    """An infill that makes the sums below short."""
    return lambda gone: np.zeros_like(pixels)


def by_loops(
    net: Any, image: np.ndarray, relevance: np.ndarray, blob: str, unit: int, *, mode: str, steps: int, block: int,
    infill: Any,
) -> list[float]:  # fmt: skip
    """Block after block, pixel by pixel."""
    _, height, width = image.shape
    blocks = []
    for top in range(0, height, block):
        for left in range(0, width, block):
            inside = [
                (r, c) for r in range(top, min(top + block, height)) for c in range(left, min(left + block, width))
            ]
            mean = sum(float(relevance[at]) for at in inside) / len(inside)
            blocks.append((-mean, len(blocks), inside))
    blocks.sort()
    values = []
    for step in range(steps + 1):
        first = [at for _, _, inside in blocks[: round(step * len(blocks) / steps)] for at in inside]
        gone = np.zeros((height, width), bool)
        for r, c in [(r, c) for r in range(height) for c in range(width)]:
            gone[r, c] = ((r, c) in first) == (mode == "deletion")
        filled, picture = infill(image)(gone), image.copy()
        for r in range(height):
            for c in range(width):
                if gone[r, c]:
                    picture[:, r, c] = filled[:, r, c]
        values.append(float(net.forward(picture[None], [blob])[blob][0, unit]))
    return values


@pytest.mark.parametrize("mode", ["deletion", "insertion"])
@pytest.mark.parametrize(("block", "steps"), [(1, 42), (1, 6), (2, 12), (3, 5), (4, 1), (7, 1)])
@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_block_after_block(mode: str, block: int, steps: int, batch_size: Any) -> None:
    net, image = MapNet(SHAPE, seed=1), photo(SHAPE, 2)
    relevance = np.random.default_rng(3).normal(size=SHAPE[1:])
    how: dict[str, Any] = {"mode": mode, "steps": steps, "block": block}
    scores = curve(net, image, relevance, unit=2, infill=black, batch_size=batch_size, **how)
    wanted = by_loops(net, image, relevance, "prob", 2, infill=black, **how)
    np.testing.assert_allclose(scores, wanted, atol=1e-6)
    assert scores.dtype == np.float64


@pytest.mark.parametrize("infill", ["blur", "inpaint"])
def test_both_ends_are_the_picture_and_its_infill(infill: str) -> None:
    from predicdiff.judging.infills import INFILLS

    net, image = MapNet(SHAPE, seed=1), photo(SHAPE, 2)
    relevance = np.random.default_rng(3).normal(size=SHAPE[1:])
    ends = [image, INFILLS[infill](image)(np.ones(SHAPE[1:], bool))]
    whole, nothing = (net.forward(end[None], ["scores"])["scores"][0, 1] for end in ends)
    how: dict[str, Any] = {"blob": "scores", "unit": 1, "block": 1, "steps": 4, "infill": infill}
    deleted = curve(net, image, relevance, mode="deletion", **how)
    inserted = curve(net, image, relevance, mode="insertion", **how)
    np.testing.assert_allclose([deleted[0], deleted[-1]], [whole, nothing], atol=1e-4)
    np.testing.assert_allclose([inserted[0], inserted[-1]], [nothing, whole], atol=1e-4)


def test_the_best_order_is_best_at_every_step_and_the_worst_worst() -> None:
    """Of a linear score each pixel's contribution is known, and no order can lose more than the sorted one."""
    random = np.random.default_rng(0)
    net, image = LinearNet(random.normal(size=(3, *SHAPE))), photo(SHAPE)
    truth = (net.weights[1] * image).sum(axis=0)
    for mode, sign in (("deletion", 1), ("insertion", -1)):
        how: dict[str, Any] = {"blob": "scores", "unit": 1, "mode": mode, "steps": 42, "block": 1, "infill": black}
        best, worst = (sign * curve(net, image, one, **how) for one in (truth, -truth))
        for _ in range(10):
            other = sign * curve(net, image, random.random(SHAPE[1:]), **how)
            assert (best <= other + 1e-3).all()
            assert (other <= worst + 1e-3).all()
            assert areas(best) < areas(other) < areas(worst)


def test_a_net_that_looks_at_one_square_loses_its_class_at_once() -> None:
    """The probability hangs on a bright square alone; the map that marks it deletes it at the first of nine steps."""
    weights = np.zeros((2, 1, 9, 9))
    weights[1, 0, 3:6, 6:9] = 0.05
    net, image = LinearNet(weights, bias=[0.0, -20.0]), np.zeros((1, 9, 9), np.float32)
    image[0, 3:6, 6:9] = 200.0
    marked = np.zeros((9, 9))
    marked[3:6, 6:9] = 1.0
    how: dict[str, Any] = {"unit": 1, "steps": 9, "block": 3, "infill": black}
    np.testing.assert_allclose(curve(net, image, marked, **how), [1] + [0] * 9, atol=1e-6)
    np.testing.assert_allclose(curve(net, image, marked, mode="insertion", **how), [0] + [1] * 9, atol=1e-6)
    last = curve(net, image, -marked, **how)
    np.testing.assert_allclose(last, [1] * 9 + [0], atol=1e-6)
    assert areas(last) == pytest.approx(8.5 / 9)


@pytest.mark.parametrize(
    ("shape", "given", "wanted"),
    [
        ((224, 224), {}, (28, 8)),
        ((28, 28), {}, (28, 5)),  # 6 x 6 blocks, and of 6 pixels 5 x 5
        ((5, 4), {}, (20, 1)),
        ((28, 28), {"block": 8}, (16, 8)),
        ((28, 28), {"steps": 16}, (16, 8)),
        ((28, 28), {"steps": 17}, (17, 6)),
    ],
)
def test_steps_and_blocks_that_fit(shape: Any, given: dict[str, int], wanted: tuple[int, int]) -> None:
    assert usual_steps(shape, **given) == wanted


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_every_block_has_a_turn_of_its_own(height: int, width: int, block: int, seed: int) -> None:
    block = min(block, max(height, width))
    relevance = np.random.default_rng(seed).normal(size=(height, width))
    turns = turns_of(relevance, block=block)
    means = []
    for turn in range(turns.max() + 1):
        rows, columns = np.nonzero(turns == turn)
        assert len({(r // block, c // block) for r, c in zip(rows, columns)}) == 1
        means.append(relevance[rows, columns].mean())
    assert means == sorted(means, reverse=True)
    assert len(means) == -(-height // block) * -(-width // block)


def test_equal_blocks_go_from_the_upper_left() -> None:
    assert turns_of(np.zeros((2, 3)), block=1).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert turns_of(np.array([[0, 0, 1], [0, 0, 1]]), block=2).tolist() == [[1, 1, 0], [1, 1, 0]]


def test_areas_by_hand() -> None:
    assert areas(np.array([1.0, 0.0])) == 0.5
    assert areas(np.array([0.0, 1.0, 0.0])) == 0.5
    assert areas(np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(0.5)
    np.testing.assert_allclose(areas(np.array([[3, 3, 3], [0, 1, 2]])), [3, 1])
    np.testing.assert_allclose(areas(np.linspace(0, 1, 101) ** 2), 1 / 3, atol=1e-4)
    for curves in (np.zeros(1), np.zeros((3, 0)), np.array(1.0)):
        with pytest.raises(SettingsError, match=r"want .* at least one step"):
            areas(curves)


def test_by_default_the_predicted_class_of_the_probabilities() -> None:
    net, image = MapNet(SHAPE, seed=4), photo(SHAPE, 5)
    best = int(net.forward(image[None], ["prob"])["prob"].argmax())
    relevance = np.random.default_rng(0).random(SHAPE[1:])
    how: dict[str, Any] = {"block": 2, "steps": 3}
    np.testing.assert_array_equal(curve(net, image, relevance, **how), curve(net, image, relevance, unit=best, **how))
    net.output, net.scores = None, None
    with pytest.raises(SettingsError, match="names neither probabilities nor scores: load the net with"):
        curve(net, image, relevance, **how)


class Small(MapNet):
    """Has room for a few inputs at a time."""

    sizes: Sequence[int] = ()

    def forward(self, inputs: np.ndarray, blobs: Sequence[str]) -> dict[str, np.ndarray]:
        self.sizes = [*self.sizes, len(inputs)]
        if len(inputs) > self.room:
            raise OutOfMemoryError("full")
        return super().forward(inputs, blobs)


def test_where_memory_runs_out_the_batch_is_halved() -> None:
    net, image = Small(SHAPE, seed=1), photo(SHAPE, 2)
    net.room = 3
    relevance = np.random.default_rng(3).normal(size=SHAPE[1:])
    scores = curve(net, image, relevance, unit=0, steps=10, block=2, batch_size=8)
    assert net.sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    wanted = curve(MapNet(SHAPE, seed=1), image, relevance, unit=0, steps=10, block=2)
    np.testing.assert_allclose(scores, wanted, atol=1e-6)
    net.room = 0
    with pytest.raises(OutOfMemoryError, match="memory ran out with a single image"):
        curve(net, image, relevance, unit=0, steps=10, block=2)


def test_neither_picture_nor_map_is_changed() -> None:
    image, relevance = photo(SHAPE), np.random.default_rng(0).random(SHAPE[1:])
    before = image.copy(), relevance.copy()
    curve(MapNet(SHAPE), image, relevance, block=2, steps=2)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(relevance, before[1])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"mode": "removal"}, SettingsError, "mode 'removal' is unknown: want deletion or insertion"),
        ({"relevance": np.zeros((7, 6))}, SettingsError, r"shape \(7, 6\): want \(6, 7\), what the net sees"),
        ({"relevance": np.full((6, 7), np.nan)}, SettingsError, r"shape \(6, 7\), or NaN: want finite numbers"),
        ({"steps": 0}, SettingsError, r"--steps 0 \(steps=\): want 1 to 12, the number of blocks"),
        ({"steps": 13}, SettingsError, r"1 to 12, .* of 2 x 2 pixels; smaller ones \(--block"),
        ({"block": 0}, SettingsError, r"--block 0 \(block=\): want 1 to 7, the longer side"),
        ({"block": 8}, SettingsError, "--block 8 .* want 1 to 7"),
        ({"infill": "grey"}, SettingsError, "infill 'grey' is unknown"),
        ({"batch_size": 0}, SettingsError, "batch size 0: want at least 1"),
        ({"blob": "fc9"}, BlobError, "no blob 'fc9'"),
        ({"unit": 4}, BlobError, "unit 4 is out of range"),
        ({"image": np.zeros((3, 6, 7))}, ImageError, r"shape \(3, 6, 7\)"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], error: Any, message: str) -> None:
    settings: dict[str, Any] = {"image": photo(SHAPE), "relevance": np.zeros((6, 7)), "block": 2, "steps": 3, **changes}
    with pytest.raises(error, match=message):
        curve(MapNet(SHAPE), settings.pop("image"), settings.pop("relevance"), **settings)
