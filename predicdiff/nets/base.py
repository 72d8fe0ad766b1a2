"""What all nets have in common, whatever computes them: pixels in, named blobs out, gradients, windows' values."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import budget, windows
from ..classes import find_unit, heads_of
from ..errors import BlobError, ImageError, InputWarning, OutOfMemoryError, SettingsError, without
from ..images import as_array
from ..noise import Noise
from ..protocols import Unit, UnitLike
from ..tones import check_pixels
from ..units import as_map, check_unit, lookup
from .arrays import check_shape, inside, numbers
from .facts import TRAINING_INSTANCES, NetFacts
from .preprocessing import Preprocessing


class BlobNet(ABC):
    """A net with named blobs; its kinds say what computes them.

    What is asked is checked here, so that every engine answers alike: `forward`, `gradient` and `evaluate` hand sound
    requests on to `_forward`, `_gradient` and `_evaluate`.

    Parameters
    ----------
    facts : NetFacts
    """

    #: K of Laplace's correction, where it is not the number of probabilities.
    outcomes: int | None = None

    #: Whether a sampler's `Noise` is made patches of where the net computes; otherwise numpy does it.
    takes_noise: bool = False

    #: Whether `evaluate` takes a `units.Masked` among its units.
    takes_masks: bool = True

    #: Whether inputs are computed one at a time, since the answer for one depends on the others in its batch.
    alone: bool = False

    def __init__(self, facts: NetFacts) -> None:
        facts.check()
        if facts.preprocessing is not None:
            facts.preprocessing.warn_of_the_mean()
        self.name = facts.name
        self.input_shape = facts.input_shape
        self.class_heads = facts.labelled
        self.scores = self.class_heads[0].scores
        self.output = self.class_heads[0].output
        given = facts.preprocessing
        self.preprocessing = None if given is None else given.settled(facts.input_shape)
        self.labels: Sequence[str] | None = self.class_heads[0].labels
        n = facts.training_instances
        self.training_instances = TRAINING_INSTANCES if n is None else n
        self._blobs = dict(facts.blobs)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.name!r}: input {self.input_shape}, {len(self._blobs)} blobs, "
            f"scores {self.scores!r}, output {self.output!r}>"
        )

    @property
    def blobs(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all blobs, without the batch axis, in the order they are computed."""
        return dict(self._blobs)

    @property
    def provenance(self) -> dict[str, Any]:
        """Engine, definition, hash of the weights and preprocessing; JSON-able."""
        return {
            "name": self.name,
            **self._engine_provenance(),
            **({"alone": True} if self.alone else {}),
            "definition": self._definition(),
            "weights": self._weights_hash(),
            "preprocessing": None if self.preprocessing is None else self.preprocessing.provenance,
        }

    def view(self, image: np.ndarray) -> np.ndarray:
        """RGB image (H, W, 3), or a PIL image -> pixels (C, H, W) float32, the part the net sees.

        An ImageError, or a warning, where there is preprocessing and these are no pixels of 0 to 255.
        """
        if self.preprocessing is None:
            return Preprocessing().pixels(image, self.input_shape)
        image = as_array(image)
        check_pixels(image)
        return self.preprocessing.pixels(image, self.input_shape)

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., C, H, W) -> the net's input, same shape, float32."""
        pixels = np.asarray(pixels)
        if pixels.shape[-3:] != self.input_shape:
            raise ImageError(f"net {self.name!r} takes pixels (..., {inside(self.input_shape)}), not {pixels.shape}.")
        return self._encode(pixels, (0, 0))

    def encode_patches(self, origins: np.ndarray, patches: np.ndarray) -> np.ndarray:
        """Patches (n, S, C, h, w) in pixels -> parts of the net's input at their places ``origins`` (n, 2)."""
        if self.preprocessing is None:
            return patches
        return self.preprocessing.encode_patches(patches, origins, self.input_shape)

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        """RGB image (H, W, 3) -> the net's input (C, H, W): `view`, then `encode`."""
        return self.encode(self.view(image))

    def forward(self, inputs: np.ndarray, blobs: Sequence[str]) -> dict[str, np.ndarray]:
        """Blobs of a batch of inputs; only what they need is computed.

        Parameters
        ----------
        inputs : (b, C, H, W) array
        blobs : sequence of str

        Returns
        -------
        {blob: (b, ...) float32 array}
            Copies.

        Raises
        ------
        BlobError
            If the net has no such blob.
        ImageError
            If the inputs have another shape, are no numbers or not finite.
        OutOfMemoryError
        """
        if isinstance(blobs, (str, bytes)) or not isinstance(blobs, Iterable):
            raise BlobError(f"blobs = {blobs!r}: want a list of names, such as [{self.output or self.scores!r}].")
        self._look_up(blobs)
        checked = self._checked(inputs, ("b", *self.input_shape))
        self._check_room(self._bytes_of_pass(1 if self.alone else len(checked), list(blobs)))
        if not self.alone:
            return self._forward(checked, list(blobs))
        answers = [self._forward(one[None], list(blobs)) for one in checked]
        return {blob: np.concatenate([answer[blob] for answer in answers]) for blob in blobs}

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: UnitLike) -> np.ndarray:
        """Gradient of one unit with respect to one input.

        Parameters
        ----------
        inputs : (C, H, W) array
        blob : str
        unit : int, sequence of int, or a class's name
            An index into the blob; what it leaves over is averaged.

        Returns
        -------
        (C, H, W) float32 array

        Raises
        ------
        BlobError, ImageError, OutOfMemoryError
            As for `forward`; a BlobError too if the unit is out of range or has no gradient.
        """
        index = find_unit(self, blob, unit)
        self._check_room(self._bytes_of_gradient(blob))
        return self._gradient(self._checked(inputs, self.input_shape), blob, index)

    def evaluate(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        patches: np.ndarray | Noise,
        *,
        blob: str,
        units: Sequence[Unit],
        batch_size: int,
        start: str | None = None,
    ) -> np.ndarray:
        """Units' values with patches set into the pixels, or into a hidden blob.

        Parameters
        ----------
        pixels : (C, H, W) array
        origins : (n, 2) int array
            Top-left ``(row, column)`` of each window.
        patches : (n, S, C, h, w) array, or Noise
            In pixels; each is encoded where it will stand. With a ``start``, in that blob's activations.
        blob : str
        units : sequence of T indices
            As for `gradient`.
        batch_size : int
        start : str, optional
            The hidden blob that patches are set into, a vector as (C, 1, 1). What does not see it stays as it is.

        Returns
        -------
        (n, S, T) float64 array

        Raises
        ------
        BlobError, ImageError, OutOfMemoryError
            As for `gradient`; a BlobError too if ``blob`` does not lie downstream of ``start``.
        WindowError
            If a window reaches over the border.
        """
        shape = lookup(self._blobs, blob)
        indices = [check_unit(shape, unit, blob=blob) for unit in units]
        if batch_size < 1:
            raise SettingsError(f"batch size {batch_size}: want at least 1.")
        base = self._checked(pixels, self.input_shape)
        origins = np.asarray(origins, int).reshape(-1, 2)
        ground = self.input_shape if start is None else as_map(lookup(self._blobs, start))
        checked = self._checked_patches(patches, origins, ground)
        if start is not None:
            self.check_downstream(start, blob)
        return self._evaluate(base, origins, checked, blob, indices, 1 if self.alone else batch_size, start)

    def check_downstream(self, start: str, blob: str) -> None:
        """A BlobError if ``blob`` does not depend on ``start``, or is ``start`` itself."""
        lookup(self._blobs, start)
        lookup(self._blobs, blob)
        if start == blob or not self._downstream(start, blob):
            raise BlobError(f"blob {blob!r} does not lie downstream of {start!r}: perturbing that can't change it.")

    def one_by_one(self) -> BlobNet:
        """The same net, its inputs computed one at a time."""
        net = copy.copy(self)
        net._go_alone()
        return net

    def _go_alone(self) -> None:
        """Compute inputs one at a time from now on."""
        self.alone = True

    def with_weights(self, weights: Mapping[str, Sequence[np.ndarray]]) -> BlobNet:
        """A copy of the net with other weights in these layers."""
        return self._again(weights={**self.weights, **weights})

    def __reduce__(self) -> tuple[Any, ...]:
        """A net is pickled as what it is made of, and made again from that."""
        return made, (type(self), self._parts(), self._settings(), self.alone)

    def __deepcopy__(self, memo: dict[int, Any]) -> BlobNet:
        """A net of its own, with its own weights."""
        return self._again()

    def __copy__(self) -> BlobNet:
        """A net with the same weights, but settings of its own."""
        twin = type(self).__new__(type(self))
        vars(twin).update(vars(self))
        return twin

    @property
    @abstractmethod
    def learnt(self) -> list[str]:
        """Names of the layers that have learnt weights, in the order in which they are computed; no statistics."""

    @property
    @abstractmethod
    def weights(self) -> dict[str, list[np.ndarray]]:
        """Copies of each layer's weights, or views of them."""

    @abstractmethod
    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes on its way to ``blob``, estimated from above."""

    @abstractmethod
    def _parts(self) -> dict[str, Any]:
        """What `_of` makes the net of: what can be pickled where the layers can."""

    @classmethod
    def _of(cls, **parts: Any) -> BlobNet:
        """The net of its parts."""
        return cls(**parts)

    def _settings(self) -> dict[str, Any]:
        """Attributes that say how the net computes."""
        return {}

    def _again(self, **changed: Any) -> BlobNet:
        """The net made again, with other parts in the place of some."""
        return made(type(self), {**self._parts(), **changed}, self._settings(), self.alone)

    @abstractmethod
    def _forward(self, inputs: np.ndarray, blobs: list[str]) -> dict[str, np.ndarray]:
        """Copies of ``blobs`` of a checked batch."""

    @abstractmethod
    def _gradient(self, inputs: np.ndarray, blob: str, unit: Unit) -> np.ndarray:
        """Gradient (C, H, W) of a checked unit for one checked input."""

    @abstractmethod
    def _evaluate(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        patches: Any,
        blob: str,
        units: list[Unit],
        batch_size: int,
        start: str | None,
    ) -> np.ndarray:
        """Values (n, S, T) of checked units, patches and windows; only nets that take it are given `Noise`."""

    @abstractmethod
    def _downstream(self, start: str, blob: str) -> bool:
        """Whether ``blob`` depends on ``start``."""

    @abstractmethod
    def _engine_provenance(self) -> dict[str, Any]:
        """What computes, and how; JSON-able."""

    @abstractmethod
    def _definition(self) -> str:
        """A text that differs between nets of different layers."""

    @abstractmethod
    def _weights_hash(self) -> str:
        """SHA-1 of all weights."""

    def _about(self) -> dict[str, Any]:
        """What a copy is told besides its layers, weights and device."""
        labels = {head.blob: head.labels for head in heads_of(self) if head.labels is not None}
        return {
            "name": self.name,
            "preprocessing": self.preprocessing,
            "labels": labels if len(self.class_heads) > 1 else self.labels,
            "training_instances": self.training_instances,
        }

    def _encode(self, pixels: np.ndarray, origin: tuple[int, int]) -> np.ndarray:
        if self.preprocessing is None:
            return np.array(pixels, np.float32)
        return self.preprocessing.encode(pixels, self.input_shape, origin=origin)

    def _checked(self, values: Any, wanted: tuple[int | str, ...]) -> np.ndarray:
        return numbers(values, wanted, who=f"net {self.name!r}")

    def _checked_patches(
        self, patches: np.ndarray | Noise, origins: np.ndarray, ground: tuple[int, ...]
    ) -> np.ndarray | Noise:
        """Patches that fit windows of a ground (C, H, W); noise only for a net that takes it."""
        wanted = (len(origins), "S", ground[0], "h", "w")
        checked = patches
        if isinstance(checked, Noise):
            check_shape(checked.shape, wanted, who=f"net {self.name!r}")
            checked = checked if self.takes_noise else checked.patches()
        if not isinstance(checked, Noise):
            checked = self._checked(checked, wanted)
        windows.check_inside(origins, ground[1:], checked.shape[3:])
        return checked

    def _bytes_of_pass(self, count: int, blobs: list[str]) -> float:
        """Memory for ``blobs`` of so many inputs, as far as that is known before they are computed."""
        return float(count * max((self.bytes_per_input(blob) for blob in blobs), default=0))

    def _bytes_of_gradient(self, blob: str) -> float:
        """Memory for a gradient, as far as that is known before."""
        return self._bytes_of_pass(1, [blob])

    def _check_room(self, wanted: float) -> None:
        """Refuse what memory has no room for, before any of it is computed."""
        advice = "Allow more (--memory), or take a net of smaller inputs or blobs"
        budget.ask(wanted, f"what net {self.name!r} computes", OutOfMemoryError, advice)

    def _look_up(self, blobs: Iterable[str]) -> None:
        for blob in blobs:
            lookup(self._blobs, blob)


def made(kind: type[BlobNet], parts: Mapping[str, Any], settings: Mapping[str, Any], alone: bool) -> BlobNet:
    """A net of its parts that computes as it was told to; what there is to warn of was said when it was made first."""
    with without(InputWarning):
        return newly_made(kind, parts, settings, alone)


def newly_made(kind: type[BlobNet], parts: Mapping[str, Any], settings: Mapping[str, Any], alone: bool) -> BlobNet:
    """As `made`, of parts that may have changed since, with all that there is to warn of."""
    net = kind._of(**parts)
    for name, value in settings.items():
        setattr(net, name, value)
    return net.one_by_one() if alone and not net.alone else net
