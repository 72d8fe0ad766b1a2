"""The ways to make a map that are compared with each other, by name: a file and a line for each."""

from __future__ import annotations

from typing import Sequence

from ..errors import SettingsError
from ..protocols import Sampler
from ..windows import SidesLike
from . import occlusion, prediction_difference, random_map, sensitivity
from .method import MapFunction, Method

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        prediction_difference.METHOD,
        occlusion.METHOD,
        sensitivity.METHOD,
        random_map.METHOD,
    )
}
DIFFERENCE = prediction_difference.METHOD.name


def names() -> tuple[str, ...]:
    """Names of all methods, in the order of tables and figures."""
    return tuple(METHODS)


def find(name: str) -> Method:
    """The method of this name; a SettingsError that lists all if there is none."""
    if name not in METHODS:
        raise SettingsError(f"method {name!r} is unknown: want some of {', '.join(METHODS)}.")
    return METHODS[name]


def make_methods(
    chosen: Sequence[str] | None = None,
    *,
    sampler: Sampler | None = None,
    window: SidesLike = 10,
    samples: int = 4,
    stride: int = 8,
    blob: str | None = None,
    memory: int | None = None,
) -> dict[str, MapFunction]:
    """Methods by name, ready to be called.

    Parameters
    ----------
    chosen : sequence of str, optional
        Some of `names`, by default all.
    sampler : Sampler, optional
        For the methods that draw.
    window : int or (rows, columns)
        k.
    samples, stride : int
        S and the step between windows.
    blob : str, optional
        The scores or the probabilities that are explained, by default as each method has it.
    memory : int, optional
        Bytes that a map may take, as for `algorithm.explain`.

    Raises
    ------
    SettingsError
        If a name is unknown, none came, or the sampler is missing.
    """
    chosen = names() if chosen is None else chosen
    if not chosen:
        raise SettingsError(f"no method came: want some of {', '.join(METHODS)}.")
    settings = {
        "sampler": sampler, "window": window, "samples": samples, "stride": stride, "blob": blob, "memory": memory,
    }  # fmt: skip
    return {name: find(name).ready(settings) for name in chosen}
