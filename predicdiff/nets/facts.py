"""What is known of a net before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import SettingsError
from ..protocols import Head
from ..units import real_number
from .labels import Labels, labelled
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
    heads : sequence of Head
        Its outputs of classes, first the one that is looked at by default; without labels.
    preprocessing : Preprocessing or None
        Without one, pixels are inputs.
    labels : sequence of str, or several, or {blob: sequence of str}, optional
        One for each class, see `labels.labelled`.
    training_instances : int or None
        N of Laplace's correction; by default `TRAINING_INSTANCES`.
    """

    name: str
    input_shape: tuple[int, int, int]
    blobs: Mapping[str, tuple[int, ...]]
    heads: Sequence[Head]
    preprocessing: Preprocessing | None = None
    labels: Labels | None = None
    training_instances: int | None = None

    def check(self) -> None:
        """Refuse facts that contradict each other."""
        if self.preprocessing is not None:
            self.preprocessing.check(self.input_shape)
        if self.training_instances is not None and real_number("training_instances", self.training_instances) < 1:
            raise SettingsError(f"training_instances = {self.training_instances}: want at least 1.")

    @property
    def labelled(self) -> tuple[Head, ...]:
        """The heads with their labels; a SettingsError if these do not fit."""
        heads = tuple(self.heads)
        return heads if self.labels is None else labelled(self.name, heads, self.blobs, self.labels)
