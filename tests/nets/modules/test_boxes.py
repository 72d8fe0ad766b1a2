"""A detector's score of a box, against loops over its detections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

import predicdiff as pd  # noqa: E402
from predicdiff.errors import SettingsError  # noqa: E402
from predicdiff.images import View  # noqa: E402

SHAPE = (3, 20, 30)
BOX = (4, 6, 10, 12)
NAMES = ["nothing", "cat", "dog"]
RNG = np.random.default_rng


class Listing(nn.Module):
    """As torchvision's: a list of dicts, with more detections the brighter an image is, none of a dark one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: Any) -> Any:
        return [self.detected(image) for image in images]

    def detected(self, image: Tensor) -> Any:
        count = int((image.mean((0, 2)) > 0).sum())
        corner = 8 * image[:, :count, 0].abs().t()
        boxes = torch.cat([corner[:, :2], corner[:, :2] + 6 + corner[:, 1:]], 1)
        return {"boxes": boxes, "labels": 1 + torch.arange(count) % 2, "scores": image[0, :count, 1].sigmoid()}


class Queries(nn.Module):
    """As Hugging Face's: logits of classes for a number of queries, and boxes as parts of the picture."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.weight, self.classes = nn.Parameter(torch.ones(1)), classes

    def forward(self, images: Tensor) -> Any:
        numbers = images.flatten(2)[:, :, : 5 * self.classes].mean(1).unflatten(1, (5, self.classes)) * self.weight
        boxes = images[:, 0, :5, :4].sigmoid()
        return {"logits": 3 * numbers, "pred_boxes": boxes, "last_hidden_state": numbers}


def overlap(box: Any, top: float, left: float, bottom: float, right: float) -> float:
    row, column, height, width = box
    tall = max(0.0, min(row + height, bottom) - max(row, top))
    wide = max(0.0, min(column + width, right) - max(column, left))
    both = tall * wide
    return both / (height * width + (bottom - top) * (right - left) - both)


def wanted(module: nn.Module, image: np.ndarray, classes: int, box: Any = BOX) -> np.ndarray:
    """The best score times overlap of each class."""
    best = np.zeros(classes)
    with torch.no_grad():
        returned = module(torch.tensor(image[None]))
    if isinstance(module, Listing):
        found = {name: value.tolist() for name, value in returned[0].items()}
        for (left, top, right, bottom), label, score in zip(*(found[name] for name in ("boxes", "labels", "scores"))):
            label = label if classes > 1 else 0
            best[label] = max(best[label], score * overlap(box, top, left, bottom, right))
        return best
    for logits, (x, y, w, h) in zip(returned["logits"][0].tolist(), returned["pred_boxes"][0].tolist()):
        odds = np.exp(logits)
        scores = odds / (1 + odds) if len(odds) == classes else (odds / odds.sum())[:-1]
        place = ((y - h / 2) * 20, (x - w / 2) * 30, (y + h / 2) * 20, (x + w / 2) * 30)
        best = np.maximum(best, scores * overlap(box, *place))
    return best


def pixels(seed: int) -> np.ndarray:
    return RNG(seed).normal(size=SHAPE).astype(np.float32)


def load(module: nn.Module, **settings: Any) -> Any:
    return pd.load_net(module, input_shape=SHAPE, **{"box": BOX, **settings})


@pytest.mark.parametrize(
    ("module", "labels", "classes"),
    [
        (Listing(), NAMES, 3),
        (Listing(), None, 1),
        (Queries(4), None, 3),
        (Queries(4), NAMES, 3),
        (Queries(3), NAMES, 3),
    ],
)
def test_scores_of_a_box(module: nn.Module, labels: Any, classes: int) -> None:
    net = load(module, labels=labels)
    images = np.stack([pixels(seed) for seed in range(6)])
    images[5] = -1  # of which the first finds nothing
    values = net.forward(images, ["boxes"])["boxes"]
    expected = np.stack([wanted(module, image, classes) for image in images])
    assert (expected[:5, -1] > 0).any()
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-7)
    other = net.for_box((0, 0, 8, 8))
    np.testing.assert_allclose(
        other.forward(images[:1], ["boxes"])["boxes"][0], wanted(module, images[0], classes, (0, 0, 8, 8)), rtol=1e-5,
        atol=1e-7,
    )  # fmt: skip
    assert other.provenance != net.provenance


class Fixed:
    """Draws that are known beforehand."""

    def draw(self, image: Any, origins: Any, *, window: int, samples: int, seed: int) -> np.ndarray:
        return np.stack([RNG(origin).normal(size=(samples, 3, window, window)) for origin in origins])


def test_the_map_of_a_box_by_loops() -> None:
    module, image = Listing(), pixels(0)
    result = pd.explain(
        load(module, labels=NAMES), image, Fixed(), units=["dog"], window=10, stride=10, samples=4, between="none"
    )
    assert (result.unit, result.targets[0].title, result.targets[0].blob) == ("activation", "dog", "boxes")
    base = wanted(module, image, 3)[2]
    for row in (0, 10):
        for column in (0, 10, 20):
            draws, values = Fixed().draw(image, [[row, column]], window=10, samples=4, seed=0)[0], []
            for draw in draws:
                changed = image.copy()
                changed[:, row : row + 10, column : column + 10] = draw
                values.append(wanted(module, changed, 3)[2])
            at = row + 5, column + 5
            assert result.relevance[0][at] == pytest.approx(base - np.mean(values), rel=1e-4, abs=1e-6)
            assert result.stderr[0][at] == pytest.approx(np.std(values, ddof=1) / 2, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"box": (4, 6, 10)}, r"box = \(4, 6, 10\): want \(row, column, height, width\)"),
        ({"box": (30, 6, 10, 10)}, r"the box 30, 6, 10, 10 .* has no place in the 20 x 30 pixels that the net sees"),
        ({"box": (3, 6, 0, 10)}, "the box 3, 6, 0, 10 .* has no place"),
        ({"pick": 0}, "pick and box both say"),
    ],
)
def test_boxes_that_are_none(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(Queries(4), **settings)


def test_a_net_that_is_no_detector() -> None:
    with pytest.raises(SettingsError, match=r"a box is explained of a detector, which .* this module returns a Tensor"):
        load(nn.Flatten())


def test_too_few_labels() -> None:
    net = load(Listing(), labels=["nothing", "cat"])
    with pytest.raises(SettingsError, match="the detector gives a label 2, and 2 labels came"):
        net.forward(pixels(0)[None], ["boxes"])


def test_a_box_of_the_picture_where_the_net_sees_it() -> None:
    """What is red in a box of the picture lies in the same box of the view."""
    picture = np.zeros((80, 120, 1))
    picture[20:40, 60:90] = 255
    for mode in ("warp", "short"):
        view = View(mode, size=40)
        seen = view.apply(picture, (40, 40))[0] > 127
        row, column, height, width = view.frame((80, 120), (40, 40)).seen_box((20, 60, 20, 30))
        rows, columns = np.nonzero(seen)
        assert (rows.min(), columns.min()) == pytest.approx((row, column), abs=0.6)
        assert (rows.max() + 1, columns.max() + 1) == pytest.approx((row + height, min(40, column + width)), abs=0.6)
