"""The figure of an explanation, or of several: the input, and each target's map over it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .. import budget, windows
from ..errors import ExplanationError, SettingsError
from ..explanation import Explanation, finite, told_value
from ..images import Frame, enlarge
from ..overlays import MOST_DRAWN, OWN, SHARED, Scale, beyond, overlay, picture, scales_of
from ..palettes import DEFAULT
from ..precision import UNKNOWN, told_reliability
from ..samplers.registry import caption
from ..texts import one_line
from ..validation import MOST_SHOWN, SIDES, told
from .layout import Bar, Panel, lay_out
from .sheet import render

#: Letters of a net's name below a figure.
MOST_NAMED = 200
#: Bytes that are made of each pixel: at most for the colours of one map, and what is kept of every map.
COLOURS, MAPS = 150, 11
#: Pixels along an image's longer side on which maps are drawn: of a larger one no dot of a figure would show more; and
#: how few they may become where memory has no room.
MOST_SIDE, LEAST_SIDE = 4096, 512
#: Rows of the smaller image that are made at a time.
BAND = 64


@dataclass(frozen=True)
class _Result:
    """What is drawn of one explanation: its targets, each picked, over what lies below them."""

    explanation: Explanation
    name: str
    picked: Sequence[Explanation]
    seen: np.ndarray
    frame: Frame | None
    maps: np.ndarray

    @property
    def unit(self) -> str:
        return "evidence in bits" if self.explanation.unit == "bits" else "activation difference"

    def called(self, title: str) -> str:
        return f"{self.name}: {title}" if self.name else title

    def looks_as(self, other: _Result) -> bool:
        """Whether the input is the same, and where in it the net looked."""
        return self.frame == other.frame and np.array_equal(self.seen, other.seen)

    def panels(self, scales: Iterator[float], *, sure: bool, cmap: str) -> Iterator[Panel]:
        """A panel of each map."""
        for one, relevance, scale in zip(self.picked, self.maps, scales):
            hide = _unsure(one, relevance, self.frame) if sure else None
            colours = overlay(relevance, self.seen, scale=scale, hide=hide, cmap=cmap)
            bar = Bar(scale, self.unit, cmap, beyond(relevance, scale))
            yield Panel(colours, self.called(one.targets[0].title), told_value(one), bar, self.frame)


def figure(
    explanation: Explanation | Sequence[Explanation],
    *,
    targets: Sequence[int] | None = None,
    scale: Scale = OWN,
    sure: bool = False,
    on_image: bool = False,
    title: str = "",
    cmap: str = DEFAULT,
    names: Sequence[str] = (),
) -> Figure:
    """The input, and beside it each target's map over it, with a colour bar; of several explanations one after another.

    Parameters
    ----------
    explanation : Explanation, or a sequence of them
        An input that is the same as the one before is not repeated.
    targets : sequence of int, optional
        Which of them, by their place in ``explanation.targets``; by default all. Of more than `MOST_DRAWN` maps the
        first are drawn.
    scale : {"own", "shared"} or float
        The magnitude that gets the full colour: each map's largest, the largest of all, or a number of the maps' unit,
        so that figures can have one in common. Where values lie beyond it, the colour bar ends in an arrow.
    sure : bool
        Leave clear what lies within two standard errors of zero, the interpolation's included.
    on_image : bool
        Draw on the original image, an outline around what the net saw of it, instead of on that part alone. One that is
        larger than the figure can show, or memory has room for, is made smaller by a whole number.
    title : str
    cmap : str
        A name of `palettes.COLOUR_MAPS`.
    names : sequence of str, optional
        What each of several explanations is called, in the titles of its maps.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`, or to go on drawing.

    Raises
    ------
    SettingsError
        If a target is out of range, ``scale`` is none of these or shared by maps of different units, or ``sure`` was
        asked of a run whose standard error is unknown.
    ExplanationError
        If ``on_image`` was asked and the explanation holds no image.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> result = pd.occlusion(net, np.eye(8, dtype=np.uint8)[..., None] * np.full(3, 255, np.uint8), window=4, stride=2)
    >>> from predicdiff.plotting import figure
    >>> type(figure(result, scale="shared", cmap="okabe")).__name__
    'Figure'
    """
    given = list(explanation) if isinstance(explanation, Iterable) else [explanation]
    if not all(isinstance(one, Explanation) for one in given):
        raise SettingsError(f"the explanation is a {type(explanation).__name__}: want what `explain` gives.")
    results, left_out = _results(given, targets, names, on_image=on_image)
    if scale == SHARED and len({result.unit for result in results}) > 1:
        raise SettingsError("maps in bits and of activations have no scale in common: draw them apart.")
    scales = iter(scales_of([relevance for result in results for relevance in result.maps], scale))
    panels: list[Panel] = []
    alike = all(result.looks_as(results[0]) for result in results)
    for before, result in zip([None, *results], results):
        if before is None or not result.looks_as(before):
            panels.append(Panel(result.seen, "input" if alike else result.called("input"), frame=result.frame))
        panels.extend(result.panels(scales, sure=sure, cmap=cmap))
    captions = [result.called(_settings(result.explanation, sure)) for result in results]
    return lay_out(panels, title, [left_out + captions[0], *captions[1:]])


def _results(
    given: Sequence[Explanation], targets: Sequence[int] | None, names: Sequence[str], *, on_image: bool
) -> tuple[list[_Result], str]:
    """What is to be drawn, and in words what is left out."""
    if names and len(names) != len(given):
        raise SettingsError(f"{len(names)} names for {len(given)} explanations: want one for each.")
    picked = [[one.pick(target) for target in _asked(one, targets)] for one in given]
    count = sum(map(len, picked))
    if not count:
        raise SettingsError("no target to draw: want at least one.")
    results: list[_Result] = []
    room = MOST_DRAWN
    for one, some, name in zip(given, picked, names or [""] * len(given)):
        drawn = some[:room]
        room -= len(drawn)
        if drawn:
            seen, frame = _seen(one, on_image, min(count, MOST_DRAWN))
            maps = [_at(frame, finite(each.relevance), one.pixels.shape[1:])[0] for each in drawn]
            results.append(_Result(one, name, drawn, seen, frame, np.stack(maps)))
    return results, "" if count <= MOST_DRAWN else f"the first {MOST_DRAWN} of {count} maps, "


def _asked(explanation: Explanation, targets: Sequence[int] | None) -> list[int]:
    """The numbers of the targets to draw."""
    chosen = range(len(explanation)) if targets is None else [targets] if isinstance(targets, int) else targets
    if not isinstance(chosen, Iterable):
        raise SettingsError(f"targets = {targets!r}: want a list of their numbers, from 0.")
    return list(chosen)


def beside(
    ground: np.ndarray,
    colours: np.ndarray,
    title: str,
    *,
    scale: float | None = None,
    unit: str = "",
    caption: str = "",
    cmap: str = DEFAULT,
    beyond: tuple[bool, bool] = (False, False),
) -> Figure:
    """The input, and as large beside it a map that is colours already.

    Parameters
    ----------
    ground : (C, H, W) array or (H, W, 3) uint8 array
        Pixels, which are drawn by their own values, or what `picture` makes of them.
    colours : (H, W, 3) uint8 array
    title : str
        Of the map.
    scale : float, optional
        Magnitude of the full colours, for a colour bar from for to against with its ``unit``.
    caption : str
    cmap : str
        The colour bar's: a name of `palettes.COLOUR_MAPS`.
    beyond : (bool, bool)
        Whether values lie below and above the scale, as `overlays.beyond` tells.

    Examples
    --------
    >>> import numpy as np
    >>> from predicdiff.plotting import beside, saliency
    >>> drawn = beside(np.zeros((3, 8, 8)), saliency(np.eye(8)), "a gradient")
    >>> type(drawn).__name__
    'Figure'
    """
    bar = None if scale is None else Bar(scale, unit, cmap, beyond)
    return lay_out([Panel(picture(ground), "input"), Panel(colours, title, "", bar)], "", [caption])


def png(explanation: Explanation, *, dpi: float = 100, scale: Scale = OWN, cmap: str = DEFAULT) -> bytes:
    """The figure of the first target as a PNG file; ``scale`` and ``cmap`` are those of `figure`.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> from predicdiff.plotting import png
    >>> png(pd.occlusion(net, np.full((8, 8, 3), 200, np.uint8), window=4, stride=2))[1:4]
    b'PNG'
    """
    return render(figure(explanation, targets=[0], scale=scale, cmap=cmap), "png", dpi)


def _seen(explanation: Explanation, on_image: bool, maps: int) -> tuple[np.ndarray, Frame | None]:
    """What lies below the maps (H, W, 3) uint8: what the net saw, or the image, and where in it that lies.

    An image that is larger than a figure can show, or than memory has room for so many maps of, is made smaller.
    """
    if not on_image:
        _ask(explanation.pixels.shape[1:], maps)
        return picture(explanation.pixels, tones=explanation.tones), None
    image, frame = explanation.image, explanation.frame
    if image is None or frame is None:
        raise ExplanationError("the explanation holds no image, only what the net saw of it: draw on that instead.")
    most = max(1, max(frame.original) // LEAST_SIDE)
    factor = next((factor for factor in range(1, most) if _fits(_divided(frame, factor), maps)), most)
    frame = replace(frame, original=_divided(frame, factor))
    _ask(frame.original, maps)
    return (image if factor == 1 else _reduced(image, factor)), frame


def _divided(frame: Frame, factor: int) -> tuple[int, int]:
    """The sides of a frame's image that is made so many times smaller, to whole pixels."""
    return (-(-frame.original[0] // factor), -(-frame.original[1] // factor))


def _fits(size: tuple[int, int], maps: int) -> bool:
    return max(size) <= MOST_SIDE and _bytes(size, maps) <= budget.room()


def _bytes(size: tuple[int, ...], maps: int) -> int:
    return math.prod(size) * (COLOURS + MAPS * maps)


def _ask(size: tuple[int, ...], maps: int) -> None:
    budget.ask(_bytes(size, maps), f"a picture of {maps} map(s) of {windows.by(size)} pixels", SettingsError)


def _reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """The means of squares of so many pixels a side, (H, W, 3) uint8, some rows after the others."""
    height = -(-len(image) // factor)
    rows = (slice(top * factor, (top + BAND) * factor) for top in range(0, height, BAND))
    return np.concatenate([np.asarray(Image.fromarray(image[some]).reduce(factor)) for some in rows])


def _at(frame: Frame | None, maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Maps at the pixels of the net's view of ``size``, a hidden blob's enlarged to it, or of the original image."""
    maps = enlarge(maps, size)
    return maps if frame is None else frame.back(maps)


def _unsure(one: Explanation, relevance: np.ndarray, frame: Frame | None) -> np.ndarray:
    """Where the relevance, at the pixels that are drawn, lies within two standard errors of zero.

    What interpolation leaves out counts with it, and for nothing where it is not known.
    """
    if np.isnan(one.stderr).all():
        raise SettingsError("the standard error is unknown, since each window had one draw: want at least two samples.")
    lost = one.interpolation_error
    left_out = 0.0 if lost is None else np.where(np.isnan(lost), 0.0, lost)
    error = finite(np.hypot(one.stderr, left_out))
    unsure: np.ndarray = ~(np.abs(relevance) >= 2.0 * _at(frame, error, one.pixels.shape[1:])[0])
    return unsure


def _settings(explanation: Explanation, sure: bool) -> str:
    """The net, what drew, k, l, S and the stride: what tells pictures side by side apart."""
    net, sampler = (explanation.provenance.get(name) for name in ("net", "sampler"))
    asked = explanation.settings
    parts = [one_line(net["name"], MOST_NAMED)] if isinstance(net, dict) and "name" in net else []
    segments = asked.get("segments")
    parts += [f"{one_line(segments.get('count'), MOST_SHOWN)} segments"] if isinstance(segments, dict) else []
    numbers = {"k": asked.get("window")}
    if isinstance(sampler, dict):
        parts += [caption(one_line(kind, MOST_SHOWN)) for kind in (sampler.get("kind"),) if kind]
        numbers["l"] = sampler.get("context")
    numbers.update({"S": asked.get("samples"), "stride": asked.get("stride")})
    parts += [f"{name} = {told(value, SIDES, windows.told)}" for name, value in numbers.items() if value is not None]
    parts += ["linear between"] if asked.get("between") == "linear" else []
    reliability = told_reliability(explanation.reliability)
    parts += [] if reliability == UNKNOWN else [f"reliability {reliability}"]
    return ", ".join(parts + (["clear below two standard errors"] if sure else []))
