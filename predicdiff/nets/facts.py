"""What is known of a net before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import SettingsError
from ..units import real_number
from .preprocessing import Preprocessing

#: Laplace's N where nothing else is said: the training images of ILSVRC 2012.
TRAINING_INSTANCES = 1_281_167


@dataclass(frozen=True)
class NetFacts:
    """What is known of a net before anything is computed.

    Attributes
    ----------
    name : str
    input_shape : (C, H, W)
    blobs : {name: shape without the batch axis}, in the order in which they are computed
    scores, output : str or None
        Names of the pre-softmax blob and of the probabilities.
    preprocessing : Preprocessing or None
        Without one, pixels are inputs.
    labels : sequence of str or None
        One for each class.
    training_instances : int or None
        N of Laplace's correction; by default `TRAINING_INSTANCES`.
    """

    name: str
    input_shape: tuple[int, int, int]
    blobs: Mapping[str, tuple[int, ...]]
    scores: str | None
    output: str | None
    preprocessing: Preprocessing | None = None
    labels: Sequence[str] | None = None
    training_instances: int | None = None

    def check(self) -> None:
        """Refuse facts that contradict each other."""
        if self.preprocessing is not None:
            self.preprocessing.check(self.input_shape)
        classes = self.blobs[self.output][0] if self.output is not None else None
        if self.labels is not None and classes is not None and len(self.labels) != classes:
            raise SettingsError(
                f"net {self.name!r} has {classes} classes, but {len(self.labels)} labels came: want one for each."
            )
        if self.training_instances is not None and real_number("training_instances", self.training_instances) < 1:
            raise SettingsError(f"training_instances = {self.training_instances}: want at least 1.")
