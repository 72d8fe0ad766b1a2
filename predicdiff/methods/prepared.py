"""Methods ready for a study of many images: with their sampler, and checked before any work is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Mapping, Sequence, Union

import numpy as np

from ..abilities import sampler_abilities
from ..errors import SettingsError
from ..protocols import Json, Net, Sampler, Unit
from ..samplers.corpus import default_corpus
from ..samplers.gaussian import GaussianSampler
from ..windows import WindowLike, grid, recorded, spanned, usual_context, usual_stride
from .method import MapFunction
from .registry import find, make_methods, names

#: Names of methods, or functions by what they are to be called.
Methods = Union[Sequence[str], Mapping[str, MapFunction]]


@dataclass(frozen=True)
class Prepared:
    """Methods ready to be called, with the sampler and the windows that those by name were made with."""

    methods: Mapping[str, MapFunction]
    sampler: Sampler | None
    windows: Json | None

    @property
    def provenance(self) -> Any:
        """JSON-able: what identifies the sampler."""
        return None if self.sampler is None else sampler_abilities(self.sampler).identity

    def map(self, label: str, net: Net, pixels: np.ndarray, unit: Unit, seed: int) -> np.ndarray:
        """One method's map (H, W) float64; SettingsError if it is none."""
        relevance = np.asarray(self.methods[label](net, pixels.copy(), unit, seed), np.float64)
        if relevance.shape != pixels.shape[1:] or not np.isfinite(relevance).all():
            raise SettingsError(
                f"method {label!r} gave a map of shape {relevance.shape}, or NaN: want numbers {pixels.shape[1:]}."
            )
        return relevance


def check_images(images: Mapping[str, np.ndarray]) -> None:
    """Refuse what is no dict of images, and one without any."""
    if not isinstance(images, Mapping):
        raise SettingsError(f"the images are a {type(images).__name__}: want a dict, {{name: image}}.")
    if not images:
        raise SettingsError("no image came: want at least one, better dozens.")


def prepare(
    net: Net,
    methods: Methods | None,
    *,
    sampler: Sampler | None,
    window: WindowLike,
    samples: int,
    stride: int | None,
    seed: int,
    **reading: Any,
) -> Prepared:
    """Functions as they are, names through `make_methods`, which takes ``reading`` too; None for all of them.

    Where a sampler is needed and none came, it is `default_sampler`; a stride that did not come is `usual_stride`.
    """
    if isinstance(methods, Mapping):
        if not methods:
            raise SettingsError("no method came: want at least one.")
        wrong = [label for label, function in methods.items() if not callable(function)]
        if wrong:
            raise SettingsError(f"method {wrong[0]!r} is no function: want (net, pixels, unit, seed) -> map.")
        return Prepared(methods, None, None)
    if isinstance(methods, str) or not isinstance(methods, (Iterable, type(None))):
        raise SettingsError(f"methods = {methods!r}: want a list of names, or a dict {{name: function}}.")
    chosen = names() if methods is None else tuple(methods)
    window = spanned(window, net.input_shape[1:])
    stride = usual_stride(window) if stride is None else stride
    needs = {need for name in chosen for need in find(name).needs}
    if "window" in needs:
        grid(net.input_shape[1:], window=window, stride=stride)  # what does not fit, before a sampler is fitted
    if "sampler" in needs and sampler is None:
        sampler = default_sampler(net, window=window, seed=seed)
    windows: Json = {"window": recorded(window), "samples": samples, "stride": stride}
    return Prepared(make_methods(chosen, sampler=sampler, **windows, **reading), sampler, windows)


def default_sampler(
    net: Net, *, window: WindowLike, seed: int = 0, images: tuple[np.ndarray, Sequence[str]] | None = None
) -> GaussianSampler:
    """The Gaussian of images with their names, by default the bundled photographs, with a context of l = k + 4."""
    corpus, photographs = default_corpus(net.input_shape, seed=seed) if images is None else images
    context = usual_context(spanned(window, net.input_shape[1:]), net.input_shape[1:])
    return GaussianSampler.fit(corpus, context=context, seed=seed, names=photographs)
