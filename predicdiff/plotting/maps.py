"""The figure of an explanation: the input, and each target's map over it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from .. import budget, windows
from ..errors import ExplanationError, SettingsError
from ..explanation import Explanation, finite, told_value
from ..images import Frame, enlarge
from ..overlays import DEFAULT, MOST_DRAWN, overlay, picture, symmetric_scale
from ..precision import UNKNOWN, told_reliability
from ..samplers.registry import caption
from ..texts import one_line
from ..validation import MOST_SHOWN, SIDES, told
from .sheet import FAINT, Sheet, Slot, render, styled, tall, wrap

#: Inches: longer side of a map, narrowest column, lowest row, margin, gap, colour bar, room for its labels.
SIDE, NARROW, LOW, MARGIN, GAP, BAR, LABELS = 3.2, 1.7, 1.0, 0.2, 0.25, 0.12, 0.6
ACROSS = 4
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
class Panel:
    """Colours with a title, a line in grey under it, and where they are a map its scale."""

    colours: np.ndarray
    title: str
    value: str = ""
    scale: float | None = None


class _Common(NamedTuple):
    """What all panels of a figure have in common: where the net looked, the unit and the colours of their bars."""

    frame: Frame | None
    unit: str
    colour_map: str


def figure(
    explanation: Explanation,
    *,
    targets: Sequence[int] | None = None,
    shared: bool = False,
    sure: bool = False,
    on_image: bool = False,
    title: str = "",
    colour_map: str = DEFAULT,
) -> Figure:
    """The input, and beside it each target's map over it, with a colour bar.

    Parameters
    ----------
    explanation : Explanation
    targets : sequence of int, optional
        Which of them, by their place in ``explanation.targets``; by default all. Of more than `MOST_DRAWN` the first.
    shared : bool
        One scale for all maps instead of one each.
    sure : bool
        Leave clear what lies within two standard errors of zero, the interpolation's included.
    on_image : bool
        Draw on the original image, an outline around what the net saw of it, instead of on that part alone. One that is
        larger than the figure can show, or memory has room for, is made smaller by a whole number.
    title : str
    colour_map : str
        A name of `overlays.COLOUR_MAPS`.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`, or to go on drawing.

    Raises
    ------
    SettingsError
        If a target is out of range, or ``sure`` was asked of a run whose standard error is unknown.
    ExplanationError
        If ``on_image`` was asked and the explanation holds no image.
    """
    if not isinstance(explanation, Explanation):
        raise SettingsError(f"the explanation is a {type(explanation).__name__}: want what `explain` gives.")
    chosen = range(len(explanation)) if targets is None else [targets] if isinstance(targets, int) else targets
    if not isinstance(chosen, Iterable):
        raise SettingsError(f"targets = {targets!r}: want a list of their numbers, from 0.")
    asked = list(chosen)
    picked = [explanation.pick(target) for target in asked]
    left_out = "" if len(asked) <= MOST_DRAWN else f"the first {MOST_DRAWN} of {len(asked)} maps, "
    picked = picked[:MOST_DRAWN]
    if not picked:
        raise SettingsError("no target to draw: want at least one.")
    size = explanation.pixels.shape[1:]
    seen, frame = _seen(explanation, on_image, len(picked))
    maps = np.stack([_at(frame, finite(one.relevance), size)[0] for one in picked])
    hidden = [_unsure(one, relevance, frame) if sure else None for one, relevance in zip(picked, maps)]
    one_scale = symmetric_scale(maps) if shared else None
    panels = [Panel(seen, "input")]
    for one, relevance, hide in zip(picked, maps, hidden):
        scale = one_scale or symmetric_scale(relevance)
        colours = overlay(relevance, seen, scale=scale, hide=hide, colour_map=colour_map)
        panels.append(Panel(colours, one.targets[0].title, told_value(one), scale))
    unit = "evidence in bits" if explanation.unit == "bits" else "activation difference"
    with styled():
        return _lay_out(panels, _Common(frame, unit, colour_map), title, left_out + _settings(explanation, sure))


def beside(
    ground: np.ndarray,
    colours: np.ndarray,
    title: str,
    *,
    scale: float | None = None,
    unit: str = "",
    caption: str = "",
    colour_map: str = DEFAULT,
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
    colour_map : str
        The colour bar's: a name of `overlays.COLOUR_MAPS`.
    """
    panels = [Panel(picture(ground), "input"), Panel(colours, title, "", scale)]
    with styled():
        return _lay_out(panels, _Common(None, unit, colour_map), "", caption)


def png(explanation: Explanation, *, dpi: float = 100) -> bytes:
    """The figure of the first target as a PNG file."""
    return render(figure(explanation, targets=[0]), "png", dpi)


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


def _lay_out(panels: Sequence[Panel], common: _Common, title: str, settings: str) -> Figure:
    height, width = panels[0].colours.shape[:2]
    size = (SIDE * min(1.0, width / height), SIDE * min(1.0, height / width))
    broad, deep = max(size[0], NARROW), max(size[1], LOW)  # room for titles and ticks, however narrow or low the map
    rows, across = _rows(panels)
    single = len(rows) == 1
    # a column is as wide as its map and bar; the input needs no bar where nothing with one stands below it
    bar = 0.0 if all(panel.scale is None for panel in panels) else BAR + 0.08 + LABELS
    steps = [broad + GAP + (0.0 if single and column == 0 else bar) for column in range(across)]
    wide = 2 * MARGIN + sum(steps) - GAP
    heading = wrap(title, wide - 2 * MARGIN, 12, "bold")
    settings = wrap(settings, wide - 2 * MARGIN, 7.5)
    heads = [max(tall(wrap(p.title, broad, 9.5, "bold"), 9.5) + tall(p.value, 8.5) for p in row) for row in rows]
    top = MARGIN + tall(heading, 12) + (0.1 if heading else 0.0)
    high = top + sum(heads) + len(rows) * (deep + GAP + 0.03) + tall(settings, 7.5) + MARGIN - 0.05
    sheet = Sheet(wide, high)
    sheet.text(MARGIN, MARGIN, heading, 12, weight="bold")
    for row, head in zip(rows, heads):
        top += head + 0.03
        for column, panel in enumerate(row):
            _place(sheet, panel, (MARGIN + sum(steps[:column]), top, *size), broad, common)
        top += deep + GAP
    sheet.text(MARGIN, top, settings, 7.5, color=FAINT)
    return sheet.figure


def _rows(panels: Sequence[Panel]) -> tuple[list[Sequence[Panel]], int]:
    """Panels in as few rows as may be, about equally long."""
    count = -(-len(panels) // ACROSS)
    across = -(-len(panels) // count)
    return [panels[start : start + across] for start in range(0, len(panels), across)], across


def _place(sheet: Sheet, panel: Panel, slot: Slot, broad: float, common: _Common) -> None:
    left, top, _width, height = slot
    title = wrap(panel.title, broad, 9.5, "bold")
    value = top - 0.03 - tall(panel.value, 8.5)
    sheet.text(left, value - tall(title, 9.5), title, 9.5, weight="bold")
    sheet.text(left, value, panel.value, 8.5, color=FAINT)
    axes = sheet.image(panel.colours, slot)
    if common.frame is not None:
        _outline(axes, common.frame)
    if panel.scale is not None:
        bar = (left + broad + 0.08, top, BAR, max(height, LOW))
        sheet.bar(panel.scale, common.unit, bar, common.colour_map)


def _outline(axes: Axes, frame: Frame) -> None:
    """Around what the net saw of the image, where that is not all of it."""
    (top, left), (height, width) = frame.corner, frame.size
    if frame.size == frame.resized:
        return
    down, along = frame.original[0] / frame.resized[0], frame.original[1] / frame.resized[1]
    place = ((left * along - 0.5, top * down - 0.5), width * along, height * down)
    for colour, dashes in (("black", "solid"), ("white", (0, (4, 4)))):  # seen on any ground
        axes.add_patch(Rectangle(*place, fill=False, linewidth=0.8, linestyle=dashes, edgecolor=colour))
