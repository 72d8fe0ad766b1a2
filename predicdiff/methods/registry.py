"""The ways to make a map that are compared with each other, by name, all called alike."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence, Union

import numpy as np

from ..abilities import sampler_abilities
from ..algorithm import explain
from ..errors import ConfidenceWarning, SettingsError
from ..protocols import Net, Sampler, Unit
from ..samplers.corpus import default_corpus
from ..samplers.gaussian import GaussianSampler
from ..windows import grid
from .occlusion import occlusion
from .sensitivity import sensitivity

#: (net, pixels (C, H, W), unit, seed) -> map (H, W), the larger the more relevant.
Method = Callable[[Net, np.ndarray, Unit, int], np.ndarray]

#: Names of `METHODS`, or functions by what they are to be called.
Methods = Union[Sequence[str], Mapping[str, Method]]

DIFFERENCE = "prediction difference"
METHODS = (DIFFERENCE, "occlusion", "sensitivity", "random")


def make_methods(
    names: Sequence[str] = METHODS,
    *,
    sampler: Sampler | None = None,
    window: int = 10,
    samples: int = 4,
    stride: int = 8,
) -> dict[str, Method]:
    """Methods by name.

    "prediction difference" is `explain` and "occlusion" `baselines.occlusion`, of the net's probabilities and with the
    same windows; "sensitivity" is `sensitivity.sensitivity` of its scores; "random" a map of uniform noise, another one
    for each picture and seed.

    Parameters
    ----------
    names : sequence of str
        Out of `METHODS`.
    sampler : Sampler
        Of "prediction difference", which alone wants one.
    window, samples, stride : int
        k, S and the step between windows.

    Raises
    ------
    SettingsError
        If a name is unknown, or the sampler missing.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise SettingsError(f"method {unknown[0] if unknown else ''!r} is unknown: want some of {', '.join(METHODS)}.")
    made: dict[str, Method] = {}
    for name in names:
        if name == DIFFERENCE:
            made[name] = _difference(sampler, {"window": window, "samples": samples, "stride": stride})
        elif name == "occlusion":
            made[name] = _occlusion({"window": window, "stride": stride})
        else:
            made[name] = noise if name == "random" else _gradient
    return made


@dataclass(frozen=True)
class Prepared:
    """Methods ready to be called, with the sampler and the windows that those by name were made with."""

    methods: Mapping[str, Method]
    sampler: Sampler | None
    windows: dict[str, int] | None

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


def prepare(
    net: Net,
    methods: Methods,
    *,
    sampler: Sampler | None,
    window: int,
    samples: int,
    stride: int,
    seed: int,
) -> Prepared:
    """Functions as they are, names through `make_methods`, with `default_sampler` where none came and one is needed."""
    if isinstance(methods, Mapping):
        if not methods:
            raise SettingsError("no method came: want at least one.")
        return Prepared(methods, None, None)
    if {DIFFERENCE, "occlusion"} & set(methods):
        grid(net.input_shape[1:], window=window, stride=stride)  # what does not fit, before a sampler is fitted
    if DIFFERENCE in methods and sampler is None:
        sampler = default_sampler(net, window=window, seed=seed)
    windows = {"window": window, "samples": samples, "stride": stride}
    return Prepared(make_methods(methods, sampler=sampler, **windows), sampler, windows)


def default_sampler(net: Net, *, window: int, seed: int = 0) -> GaussianSampler:
    """The Gaussian of the bundled photographs, with a context of l = k + 4 as in the paper."""
    corpus, names = default_corpus(net.input_shape, seed=seed)
    context = max(1, min(window + 4, *net.input_shape[1:]))
    return GaussianSampler.fit(corpus, context=context, seed=seed, names=names)


def noise(net: Net, pixels: np.ndarray, unit: Unit, seed: int) -> np.ndarray:
    """A map (H, W) of uniform noise, another one for each picture and seed."""
    digest = hashlib.sha1(np.ascontiguousarray(pixels).tobytes()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")]).random(pixels.shape[1:])


def _difference(sampler: Sampler | None, settings: dict[str, Any]) -> Method:
    if sampler is None:
        raise SettingsError(f"{DIFFERENCE!r} wants a sampler: give a GaussianSampler or a MarginalSampler.")
    draws: Sampler = sampler

    def difference(net: Net, pixels: np.ndarray, unit: Unit, seed: int) -> np.ndarray:
        with warnings.catch_warnings():
            # where the net is sure, Laplace's correction flattens the evidence but leaves its order
            warnings.simplefilter("ignore", ConfidenceWarning)
            return explain(net, pixels, draws, units=[unit], seed=seed, **settings).relevance[0]

    return difference


def _occlusion(settings: dict[str, Any]) -> Method:
    def covered(net: Net, pixels: np.ndarray, unit: Unit, seed: int) -> np.ndarray:
        return occlusion(net, pixels, units=[unit], **settings).relevance[0]

    return covered


def _gradient(net: Net, pixels: np.ndarray, unit: Unit, seed: int) -> np.ndarray:
    return sensitivity(net, pixels, unit=unit)
