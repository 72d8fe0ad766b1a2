"""A detector as a net of scores: how well each class is detected in one box.

Of the detections of an image that count as one class, the best counts by its score times its overlap with the box at
hand, intersection over union; 0 where there is none. So do Petsiuk et al. tell how alike a detection is to another,
but for their cosine of the classes' probabilities, in whose place the score of the class at hand stands.

References
----------
V. Petsiuk et al., "Black-box Explanation of Object Detectors via Saliency Maps" (D-RISE), CVPR 2021, arXiv:2006.03204.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import SettingsError
from ...units import real_number
from ...windows import by

#: What torchvision's detectors say of an image, and what Hugging Face's say of a batch.
OF_AN_IMAGE, OF_A_BATCH = ("boxes", "labels", "scores"), ("logits", "pred_boxes")


@dataclass(frozen=True)
class BoxScores:
    """From what a detector returns for a batch to scores (b, K) of a box; a `pick` of a module's outputs.

    Attributes
    ----------
    box : (row, column, height, width)
        In the pixels that the net sees.
    size : (height, width)
        Of these.
    classes : int or None
        K, if it is known.
    """

    box: tuple[float, ...]
    size: tuple[int, int]
    classes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no box in the picture."""
        if isinstance(self.box, str) or not isinstance(self.box, Sequence) or len(self.box) != 4:
            raise SettingsError(f"box = {self.box!r}: want (row, column, height, width).")
        row, column, height, width = (real_number("a number of the box", value) for value in self.box)
        object.__setattr__(self, "box", (row, column, height, width))
        inside = row < self.size[0] and column < self.size[1] and row + height > 0 and column + width > 0
        if not (height > 0 and width > 0 and inside):
            raise SettingsError(
                f"the box {', '.join(f'{value:g}' for value in self.box)} (row, column, height, width) has no place in "
                f"the {by(self.size)} pixels that the net sees: want one that does."
            )

    def __call__(self, returned: Any) -> Tensor:
        """Scores of the box: of torchvision's lists of dicts, or of Hugging Face's logits and pred_boxes."""
        if isinstance(returned, Mapping) and set(OF_A_BATCH) <= set(returned):
            return self._of_a_batch(*(returned[name] for name in OF_A_BATCH))
        if isinstance(returned, (list, tuple)) and returned and all(map(_is_of_an_image, returned)):
            return torch.stack([self._of_an_image(*(each[name] for name in OF_AN_IMAGE)) for each in returned])
        raise SettingsError(
            f"a box is explained of a detector, which returns a list of dicts with {', '.join(OF_AN_IMAGE)}, or a dict "
            f"with {' and '.join(OF_A_BATCH)}: this module returns a {type(returned).__name__}."
        )

    def _of_an_image(self, boxes: Tensor, labels: Tensor, scores: Tensor) -> Tensor:
        """Of boxes (n, 4) as left, top, right, bottom, with a label and a score each; without K of any label (1,)."""
        values = scores * self.overlap(boxes)
        index = torch.zeros_like(labels) if self.classes is None else labels
        if len(index) and int(index.max()) >= (self.classes or 1):
            raise SettingsError(f"the detector gives a label {int(index.max())}, and {self.classes} labels came.")
        none = values.new_zeros(self.classes or 1)
        return none.scatter_reduce(0, index, values, "amax")

    def _of_a_batch(self, logits: Tensor, boxes: Tensor) -> Tensor:
        """Of queries (b, q): boxes as parts of the picture, their middle, width and height; and logits.

        Behind the classes' these have one for "no object", and a softmax; with just as many as there are labels, none,
        and a sigmoid each.
        """
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        plain = logits.shape[-1] == self.classes
        scores = torch.sigmoid(wide) if plain else torch.softmax(wide, -1)[..., :-1]
        middle, length = boxes[..., :2], boxes[..., 2:]
        sides = boxes.new_tensor([self.size[1], self.size[0]] * 2)
        corners = torch.cat([middle - length / 2, middle + length / 2], -1) * sides
        return (scores * self.overlap(corners)[..., None]).amax(1)

    def overlap(self, boxes: Tensor) -> Tensor:
        """Intersection over union (...) of boxes (..., 4), as left, top, right, bottom, with the box at hand."""
        row, column, height, width = self.box
        mine = boxes.new_tensor([column, row, column + width, row + height])
        sides = (torch.minimum(boxes[..., 2:], mine[2:]) - torch.maximum(boxes[..., :2], mine[:2])).clamp(min=0)
        both = sides.prod(-1)
        return both / ((boxes[..., 2:] - boxes[..., :2]).prod(-1) + height * width - both)


def _is_of_an_image(value: Any) -> bool:
    return isinstance(value, Mapping) and set(OF_AN_IMAGE) <= set(value)
