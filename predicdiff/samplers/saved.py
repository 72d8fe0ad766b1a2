"""Samplers that are kept in a file, which says of what kind they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Mapping, Tuple, TypeVar

import numpy as np

from ..files import Kind, as_path, read, write
from ..windows import Sides, SidesLike

#: Arrays and JSON-able texts by name: all that a sampler is made of.
Parts = Tuple[Mapping[str, np.ndarray], Mapping[str, Any]]
S = TypeVar("S", bound="SavedSampler")


class SavedSampler(ABC):
    """A sampler with ``save`` and ``load``; a subclass says what its parts are and how they make one again.

    Attributes
    ----------
    file : Kind
        What its files are called.
    context : int, (rows, columns) or None
        Sides l of the context that it draws from, where it looks at one.
    """

    file: ClassVar[Kind]

    @property
    def context(self) -> int | Sides | None:
        """None: what surrounds a window has no influence."""
        return None

    @abstractmethod
    def draw(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
    ) -> np.ndarray:
        """As `protocols.Sampler` has it."""

    @abstractmethod
    def parts(self) -> Parts:
        """What is written."""

    @classmethod
    @abstractmethod
    def from_parts(cls: type[S], parts: dict[str, Any]) -> S:
        """The sampler of all that `parts` gave, arrays and texts in one."""

    def save(self, path: str | Path) -> None:
        """Write one HDF5 file, with what the sampler was made of, whole or not at all.

        Raises
        ------
        SamplerError
            If it cannot be written (read-only, disk full), as where the record of a fit is no JSON.
        """
        write(as_path(path, "the sampler's file"), self.file, *self.parts())

    @classmethod
    def load(cls: type[S], path: str | Path) -> S:
        """Read a file that `save` wrote.

        Raises
        ------
        SamplerError
            If it is missing, damaged or not a sampler of this kind.
        """
        return read(as_path(path, "the sampler's file"), cls.file, cls.from_parts)
