"""The mean over a mask: of maps of classes, in three frames, against explicit loops."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predicdiff.errors import SettingsError
from predicdiff.images import View
from predicdiff.masks import load_mask, places_of
from predicdiff.units import Masked, check_unit, read

torch = pytest.importorskip("torch")

from helpers.rounding import float32_atol  # noqa: E402
from torch import nn  # noqa: E402

import predicdiff as pd  # noqa: E402

SHAPE = (3, 12, 10)
LABELS = ["sky", "road", "tree"]
MASK = np.zeros((6, 5), bool)
MASK[1:4, 2:] = True
MASK[5, 0] = True


def test_a_masked_unit_is_the_mean_over_its_places() -> None:
    values = np.random.default_rng(0).normal(size=(4, 3, 6, 5))
    unit = check_unit((3, 6, 5), Masked((2,), np.flatnonzero(MASK)), blob="maps")
    wanted = [np.mean([one[2, r, c] for r in range(6) for c in range(5) if MASK[r, c]]) for one in values]
    np.testing.assert_allclose(read(values, [unit, (1,)])[:, 0], wanted)
    assert pickle.loads(pickle.dumps(unit)).places.tolist() == unit.places.tolist()


def test_a_mask_of_the_picture_goes_through_the_view() -> None:
    """What is True where a picture is red is where the net sees red."""
    mask = np.zeros((40, 61), bool)
    mask[12:26, 20:41] = True
    for mode in ("warp", "short", "crop"):
        view = View(mode, size=None if mode == "crop" else 24)
        seen = view.apply((255.0 * mask)[..., None], (24, 20))[0]
        places = places_of(mask, (3, 24, 20), "maps", (24, 20), view.frame((40, 61), (24, 20)))
        found = np.zeros((24, 20), bool)
        found.flat[places] = True
        sure = (seen > 250) | (seen < 5)
        assert sure.mean() > 0.7
        assert np.array_equal(found[sure], seen[sure] > 250)


def test_frames_of_a_mask() -> None:
    frame = View().frame((36, 30), SHAPE[1:])
    places = np.flatnonzero(MASK)
    for factor in (1, 2, 6):  # the map's, the net's and the picture's
        mask = np.kron(MASK, np.ones((factor, factor))).astype(bool)
        assert np.array_equal(places_of(mask, (3, 6, 5), "maps", SHAPE[1:], frame), places)


@pytest.mark.parametrize(
    ("mask", "shape", "words"),
    [
        (
            np.ones((7, 5)),
            (3, 6, 5),
            r"the mask is 7 x 5 .*: want the picture's 36 x 30, what the net sees, 12 x 10, or",
        ),
        (np.ones((6, 5)), (3,), r"'maps' is \(3,\): want a blob of .* \(blob=, --blob; `predicdiff blobs` lists"),
        (np.eye(36, 30) * (np.arange(30) == 0), (3, 6, 5), "the mask touches none of the 6 x 5 places of 'maps'"),
    ],
)
def test_masks_that_do_not_fit(mask: np.ndarray, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        places_of(mask.astype(bool), shape, "maps", SHAPE[1:], View().frame((36, 30), SHAPE[1:]))


def net(output: str = "logits") -> Any:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, 2, padding=1))
    return pd.load_net(module, input_shape=SHAPE, output=output, labels=LABELS, training_instances=1000)


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


class Fixed:
    """Draws that are known beforehand."""

    def draw(self, image: Any, origins: Any, *, window: int, samples: int, seed: int) -> np.ndarray:
        return np.stack([np.random.default_rng(origin).normal(size=(samples, 3, window, window)) for origin in origins])


@pytest.mark.parametrize(("output", "against"), [("logits", None), ("logits", "tree"), ("activation", None)])
def test_the_map_of_a_mean_over_a_mask_by_loops(output: str, against: str | None, tmp_path: Path) -> None:
    model, image, k, S = net(output), pixels(1), 4, 5
    asked: dict[str, Any] = {
        "window": k,
        "samples": S,
        "stride": 4,
        "between": "none",
        "mask": MASK,
        "against": against,
    }
    result = pd.explain(model, image, Fixed(), units=["road"] if output == "logits" else [1], **asked)

    def means(picture: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            maps = model.module(torch.tensor(picture[None]))[0]
        maps = torch.softmax(maps.double(), 0) if output == "logits" else maps.double()
        return maps.numpy()[:, MASK].mean(1)

    def strength(p: np.ndarray) -> float:
        if output == "activation":
            return p[1]
        corrected = (p * 1000 + 1) / (1000 + 3)
        odds = corrected[1] / (1 - corrected[1] if against is None else corrected[2])
        return float(np.log2(odds))

    total, count, spread = np.zeros(SHAPE[1:]), np.zeros(SHAPE[1:]), np.zeros(SHAPE[1:])
    for row in (0, 4, 8):
        for column in (0, 4, 6):
            draws = Fixed().draw(image, [[row, column]], window=k, samples=S, seed=0)[0]
            values = []
            for draw in draws:
                changed = image.copy()
                changed[:, row : row + k, column : column + k] = draw
                values.append(means(changed))
            where = slice(row, row + k), slice(column, column + k)
            total[where] += strength(means(image)) - strength(np.mean(values, 0))
            count[where] += 1
            # the delta method, by differences: how the strength follows a small change of the draws' mean
            slope = np.array(
                [strength(np.mean(values, 0) + d) - strength(np.mean(values, 0) - d) for d in 1e-6 * np.eye(3)]
            )
            spread[where] += np.var(np.array(values) @ slope / 2e-6, ddof=1) / S
    atol = 100 * float32_atol(1.0, 36)
    np.testing.assert_allclose(result.relevance[0], total / count, atol=atol)
    np.testing.assert_allclose(result.stderr[0], np.sqrt(spread) / count, rtol=1e-3)
    assert result.unit == ("bits" if output == "logits" else "activation")
    assert result.targets[0].title == {
        ("logits", None): "road in the mask", ("logits", "tree"): "road in the mask rather than tree",
        ("activation", None): "output[1] in the mask",
    }[output, against]  # fmt: skip
    result.save(tmp_path / "a.h5")
    assert pd.Explanation.load(tmp_path / "a.h5").settings["mask"] == result.settings["mask"]
    assert result.settings["mask"]["places"] == MASK.sum()
    other = pd.explain(model, image, Fixed(), units=[1], **{**asked, "mask": ~MASK})
    assert other.provenance["settings"] != result.provenance["settings"]


def test_the_predicted_class_is_that_of_the_mask() -> None:
    model, image = net(), pixels(1)
    maps = model.forward(image[None], ["prob"])["prob"][0]
    for mask in (MASK, ~MASK):
        result = pd.explain(model, image, Fixed(), window=4, samples=2, stride=4, mask=mask)
        assert result.targets[0].unit == [int(maps[:, mask].mean(1).argmax())]
        assert result.base[0] == pytest.approx(maps[:, mask].mean(1).max())


@pytest.mark.parametrize(
    ("mask", "more", "words"),
    [
        (np.zeros((6, 5)), {}, "the mask is empty"),
        (np.full((6, 5), 0.5), {}, r"mask is an array \(6, 5\) of float64: want \(height, width\) of bool"),
        ("road.png", {}, r"mask is an array \(\) of <U8: want"),
        (MASK, {"units": [(1, 2, 3)]}, r"unit \[1, 2, 3\] of 'prob' and the mask both say a place"),
    ],
)
def test_masks_that_are_none(mask: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        pd.explain(net(), pixels(1), Fixed(), window=4, samples=2, mask=mask, **more)


def test_files_of_masks(tmp_path: Path) -> None:
    from PIL import Image

    for white in (1, 255):
        Image.fromarray((white * MASK).astype(np.uint8)).save(tmp_path / "mask.png")
        assert np.array_equal(load_mask(tmp_path / "mask.png"), MASK)
    for name, picture, words in (
        ("black", 0 * MASK, "black throughout"),
        ("grey", np.arange(30).reshape(6, 5), "neither"),
    ):
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / f"{name}.png")
        with pytest.raises(SettingsError, match=words):
            load_mask(tmp_path / f"{name}.png")
