"""The result of an analysis: maps, settings, provenance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import budget
from .errors import ExplanationError, FormatError, SettingsError
from .files import Kind, as_path, content_of, read, write
from .images import Frame, enlarge
from .protocols import Json
from .texts import one_line
from .tones import Tones, tones_of
from .units import whole_number
from .validation import (
    DICT,
    INDEX,
    LENGTHS,
    LIST,
    MOST_SHOWN,
    PLACE,
    TEXT,
    TEXTS,
    Want,
    array,
    check,
    floats,
    optional,
)

KIND = Kind("explanation", 1, "predicdiff explain IMAGE -o {path}", ExplanationError)
ARRAYS = ("relevance", "stderr", "base", "pixels", "image", "interpolation_error", "reliability", "segments")
#: Bytes that are made of each pixel's value, at most, where a map is brought to the original image.
MADE = 48
FEWER = "Ask for one target after the other (pick), or allow more memory (--memory)"
SHOWN = ("window", "samples", "stride")
#: What is read later of a file's parts, and must be of its kind then; newer releases may add others. What settings and
#: provenance hold is anybody's: who reads of it looks first at what it is.
TARGET = {"blob": TEXT, "unit": INDEX, "name": TEXT, "against": optional(TEXT), "source": optional(TEXT)}
FRAME = {"original": LENGTHS, "resized": LENGTHS, "corner": PLACE, "size": LENGTHS}
UNIT = Want("bits or activation", lambda value: isinstance(value, str) and value in ("bits", "activation"))
TEXT_PARTS = {
    "unit": UNIT,
    "settings": DICT,
    "provenance": DICT,
    "notes": TEXTS,
    "targets": LIST,
    "frame": optional(DICT),
}


@dataclass(frozen=True)
class Target:
    """What a map explains.

    Attributes
    ----------
    blob : str
    unit : list of int
        Index into the blob; what it leaves over is averaged.
    name : str
        Class label or ``blob[index]``.
    against : str or None
        The class it is held against, where it is.
    source : str or None
        The hidden blob or channel whose share in it the map shows; None for the image's.
    """

    blob: str
    unit: list[int]
    name: str
    against: str | None = None
    source: str | None = None

    @property
    def title(self) -> str:
        """The name, the class it is held against, and whose share it is."""
        other = "" if self.against is None else f" rather than {self.against}"
        return self.name + other + ("" if self.source is None else f", from {self.source}")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Signed maps of what in an image speaks for (positive) and against (negative) each target.

    Attributes
    ----------
    relevance : (T, H, W) float64 array
        H and W are those of the pixels, or of the hidden blob that the analysis started from. In bits where ``unit`` is
        "bits", otherwise in the blob's activation.
    stderr : (T, H, W) float64 array
        Standard error of the draws (Monte Carlo), carried through the weights with which windows count; NaN where one
        draw a window leaves it unknown, 0 where a corpus was used up.
    targets : list of Target
    base : (T,) float64 array
        The targets' values for the untouched image.
    pixels : (C, H, W) float32 array
        What the net saw.
    unit : {"bits", "activation"}
    settings, provenance : dict
        JSON-able: k, l, S, stride, seed, ...; the net, weights, sampler and versions, seconds.
    notes : list of str
        What a reader should know before trusting the maps.
    image : (H, W, 3) uint8 array or None
        The original image, and ``frame``, where in it the pixels lie.
    interpolation_error : (T, H, W) float64 array or None
        Standard deviation of what interpolation between windows leaves out, estimated from what the map loses without
        every second window, over the surroundings; NaN where the grid is too small to tell, or some pixels are in no
        window. None where nothing is interpolated.
    reliability : (T,) float64 array or None
        Estimated correlation with the true map, that of stride 1 and infinitely many draws; NaN where one of the two
        errors is unknown, or some pixels are in no window. None where nothing is interpolated between windows that lie
        apart, and where a sampler always gives the same draws.
    segments : (H, W) int64 array or None
        The number of each pixel's segment, where segments were taken away and not windows.

    Examples
    --------
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> corpus = np.random.default_rng(0).uniform(0, 255, (20, 3, 8, 8))
    >>> result = pd.explain(net, corpus[0], pd.MarginalSampler(corpus[1:]), window=3, samples=4, units=[0, 1])
    >>> result.pick(1).relevance.shape, result.targets[1].name, result.unit
    ((1, 8, 8), 'prob[1]', 'bits')
    """

    relevance: np.ndarray
    stderr: np.ndarray
    targets: list[Target]
    base: np.ndarray
    pixels: np.ndarray
    unit: str
    settings: Json = field(default_factory=dict)
    provenance: Json = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    image: np.ndarray | None = None
    frame: Frame | None = None
    interpolation_error: np.ndarray | None = None
    reliability: np.ndarray | None = None
    segments: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        names = ", ".join(target.title for target in self.targets[:3]) + (", ..." if len(self) > 3 else "")
        low, high = extent(self.relevance)
        told = {name: one_line(self.settings[name], MOST_SHOWN) for name in SHOWN if name in self.settings}
        asked = ", ".join(f"{name} {value}" for name, value in told.items())
        return (
            f"<Explanation of {names}: relevance {self.relevance.shape} in {self.unit}, from "
            f"{low:.3g} to {high:.3g}{asked and '; ' + asked}>"
        )

    @property
    def tones(self) -> Tones:
        """Which of the pixels' values are black, grey and white, by the net's preprocessing or else by the values."""
        net = self.provenance.get("net")
        return tones_of(self.pixels, pixels=isinstance(net, dict) and net.get("preprocessing") is not None)

    def pick(self, target: int) -> Explanation:
        """The explanation of one target alone."""
        if not -len(self) <= whole_number("target", target) < len(self):
            raise SettingsError(f"target {target} is out of range: the explanation has {len(self)}, numbered from 0.")
        one = slice(target, target + 1 or None)
        names = ("relevance", "stderr", "targets", "base", "interpolation_error", "reliability")
        parts = {name: getattr(self, name) for name in names}
        return replace(self, **{name: part[one] for name, part in parts.items() if part is not None})

    def on_image(self) -> np.ndarray:
        """Relevance (T, H, W) at the original image's pixels, a hidden blob's enlarged.

        NaN where nothing was seen, and where infinite relevance has a say.
        """
        if self.frame is None:
            raise ExplanationError(
                "the explanation was made from pixels, not from an image: there is no way back to one."
            )
        wanted = MADE * len(self) * math.prod(self.frame.original)
        budget.ask(wanted, f"the map of {len(self)} target(s) at all pixels of the image", ExplanationError, FEWER)
        return self.frame.back(enlarge(finite(self.relevance), self.pixels.shape[1:]))

    def save(self, path: str | Path) -> None:
        """Write one HDF5 file, whole or not at all.

        Raises
        ------
        ExplanationError
            If it cannot be written (read-only, disk full), or holds what `load` would refuse, such as maps and targets
            of other numbers, or settings that are no JSON.
        """
        write(*self._parts(as_path(path, "the result's file")))

    def content(self, name: str | Path) -> bytes:
        """What `save` writes, as bytes; errors call it ``name``."""
        return content_of(*self._parts(Path(name)))

    def _parts(self, path: Path) -> tuple[Any, ...]:
        arrays = {name: np.asarray(getattr(self, name)) for name in ARRAYS if getattr(self, name) is not None}
        texts = {name: getattr(self, name) for name in ("unit", "settings", "provenance", "notes")}
        texts["targets"] = [vars(target) for target in self.targets]
        texts["frame"] = None if self.frame is None else self.frame.as_dict()
        return path, KIND, arrays, texts, _check

    @classmethod
    def load(cls, path: str | Path) -> Explanation:
        """Read a file that `save` wrote.

        Raises
        ------
        ExplanationError
            If it is missing, damaged or not an explanation.
        """
        return read(as_path(path, "the result's file"), KIND, cls._from)

    @classmethod
    def _from(cls, parts: dict[str, Any]) -> Explanation:
        _check(parts)
        targets, frame = parts.pop("targets"), parts.pop("frame")
        known = {name.name for name in fields(cls)}
        return cls(
            targets=[Target(**{name: target[name] for name in TARGET if name in target}) for target in targets],
            frame=None if frame is None else Frame.from_dict({name: frame[name] for name in FRAME}),
            **{name: value for name, value in parts.items() if name in known},
        )

    def _repr_png_(self) -> bytes:
        """The overlay of the first target, for notebooks."""
        from .plotting import png

        return png(self)

    def _repr_html_(self) -> str | None:
        """The page of all targets, for notebooks; None where it would be too large for one."""
        from .page.notebook import framed

        return framed(self)


def told_value(explanation: Explanation) -> str:
    """What the net gives the untouched image, of the first target: a probability, or another blob's value."""
    base = float(explanation.base[0])
    if explanation.unit != "bits":
        return f"{explanation.targets[0].blob} = {base:.4g}"
    if base > 0.999995:
        return "p > 0.99999"
    return f"p = {base:.1e}" if base < 0.0005 else f"p = {base:.5f}" if base > 0.9995 else f"p = {base:.3f}"


def extent(values: np.ndarray) -> tuple[float, float]:
    """The least and the largest of values; NaN where they are nothing else."""
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)


def finite(values: np.ndarray) -> np.ndarray:
    """Values, with NaN for infinity, which cannot be averaged."""
    known = np.isfinite(values)
    return values if known.all() else np.where(known, values, np.nan)


def _check(parts: dict[str, Any]) -> None:
    """Hold what a file holds against what is read of it; a FormatError that names what is wrong."""
    _check_texts(parts)
    _check_arrays(parts)


def _check_texts(parts: dict[str, Any]) -> None:
    check(parts, TEXT_PARTS)
    for number, target in enumerate(parts["targets"]):
        check({"": target}, {"": DICT}, f"target {number}")
        check(target, TARGET, f"target {number}: ")
    if not parts["targets"]:
        raise FormatError("it has no targets.")
    check(parts["frame"] or {}, FRAME, "frame: ")


def _check_arrays(parts: dict[str, Any]) -> None:
    """Hold a file's arrays against each other: which numbers, and of what shapes."""
    count = len(parts["targets"])
    # a net that gives infinity is taken, and noted
    floats(parts["relevance"], "relevance", (count, -1, -1), infinite=True)
    floats(parts["pixels"], "pixels", (-1, -1, -1))
    floats(parts["base"], "base", (count,), infinite=True)
    shape = parts["relevance"].shape
    for name, of_shape in (("stderr", shape), ("interpolation_error", shape), ("reliability", (count,))):
        if name == "stderr" or name in parts:
            of_maps = name != "reliability"
            floats(parts[name], name, of_shape, least=0.0 if of_maps else -1.0, infinite=of_maps)
    if "segments" in parts:
        array(parts["segments"], "segments", "iu", shape[1:])
    if parts["frame"] is not None:
        _check_frame(Frame.from_dict({name: parts["frame"][name] for name in FRAME}), parts)


def _check_frame(frame: Frame, parts: dict[str, Any]) -> None:
    image = parts.get("image")
    if image is not None:
        array(image, "image", "u", (*frame.original, 3))
    inside = all(at + size <= whole for at, size, whole in zip(frame.corner, frame.size, frame.resized))
    bytes_ = image is None or image.dtype == np.uint8
    if not bytes_ or frame.size != parts["pixels"].shape[1:] or not inside:
        raise FormatError("the frame does not lie in the image, or is not of the pixels' size.")
