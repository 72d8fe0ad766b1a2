"""Figures of studies: which maps are drawn, and in what words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...comparing.comparison import NAMES, called
from ...explanation import Explanation, finite
from ...images import enlarge
from ...overlays import heat, overlay, picture, saliency, symmetric_scale
from ...palettes import DEFAULT, find_colour_map
from ...plotting.comparison import RANGES
from ...plotting.layout import Bar, Panel
from ...plotting.sheet import MINUS
from ...plotting.study import ACROSS, Bars, Counts, Diagram, Places, Strip, study_figure
from ...texts import one_line
from .agreed import Agreement, Pair
from .findings import Summary
from .numbers import counted
from .results import named

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Classes that are drawn.
MOST_BARS = 10
#: Letters of a class over a map.
MOST_OF_CLASS = 60
#: Images whose two maps are drawn in a row.
EXAMPLES = ACROSS // 2


def summary_figure(summary: Summary, title: str = "", cmap: str = DEFAULT) -> Figure:
    """Mean, spread and signs; the most unlike images; the classes' evidence as bars, and how like maps are."""
    unlike = [one for one in summary.unlike(ACROSS) if one.image.path.exists()]
    strips = [_maps(summary, cmap)]
    if unlike:
        words = "correlation r with the mean of all other maps; full colour at each map's largest magnitude"
        panels = [
            _drawn(Explanation.load(one.image.path), summary.target, one.image.stem, _told(one.correlation), cmap)
            for one in unlike
        ]
        strips.append(Strip("Images whose maps are most unlike the others", words, panels))
    height, width = summary.mean.shape
    maps = f"{counted(len(summary.seen), 'map')} of {height} x {width}, target {summary.target} of each image"
    caption = f"{summary.made and summary.made + ': '}{maps}, whatever its class."
    unit = _unit(summary.unit)
    return study_figure(strips, _diagrams(summary, cmap), unit=unit, title=title, caption=caption, cmap=cmap)


def _maps(summary: Summary, cmap: str) -> Strip:
    colours = find_colour_map(cmap)
    size = summary.ground.shape[:2]
    mean = enlarge(summary.mean, size)
    scale = symmetric_scale(mean)
    over = overlay(mean, summary.ground, scale=scale, cmap=cmap)
    panels = [
        Panel(summary.ground, "mean picture", "of what the net saw"),
        Panel(over, "mean map", "over the mean picture, in grey", Bar(scale, _unit(summary.unit), cmap)),
    ]
    spread = summary.spread[np.isfinite(summary.spread)]
    if spread.size:
        most = symmetric_scale(spread)
        told = f"black: 0, white: {float(spread.max()):.3g}{' bits' if summary.unit == 'bits' else ''}"
        panels.append(Panel(_shades(enlarge(summary.spread, size), most), "standard deviation", told))
        signs = 2.0 * enlarge(summary.above, size) - 1.0
        told = f"{colours.positive}: all, white: half, {colours.negative}: none"
        panels.append(Panel(heat(signs, scale=1.0, cmap=cmap), "part of maps above zero", told))
    return Strip("All maps together", "", panels)


def _shades(values: np.ndarray, most: float) -> np.ndarray:
    """From black at 0 to white at ``most``, and the colour of what is not known where nothing is."""
    return np.where(np.isfinite(values)[..., None], saliency(values, scale=most), heat(np.full(values.shape, np.nan)))


def _drawn(explanation: Explanation, target: int, title: str, words: str, cmap: str) -> Panel:
    """A map over what the net saw."""
    seen = picture(explanation.pixels, tones=explanation.tones)
    relevance = enlarge(finite(explanation.relevance[target]), explanation.pixels.shape[1:])
    words = f"{words}; {one_line(explanation.targets[target].title, MOST_OF_CLASS)}"
    return Panel(overlay(relevance, seen, cmap=cmap), title, words)


def _diagrams(summary: Summary, cmap: str) -> list[Diagram]:
    colours, shown = find_colour_map(cmap), summary.classes[:MOST_BARS]
    more = f", the first {MOST_BARS} of {len(summary.classes)}" if len(summary.classes) > MOST_BARS else ""
    bars = Bars(
        "Classes with most evidence",
        f"by their share of all; means over their maps, in brackets how many{more}; "
        f"{colours.positive} for, {colours.negative} against",
        [f"{one.name} ({one.maps})" for one in shown],
        np.array([one.evidence_for for one in shown]),
        np.array([one.evidence_against for one in shown]),
    )
    words = f"shares of all, {colours.positive} for, {colours.negative} against"
    places = Places("Evidence by place", words, summary.places_for, summary.places_against)
    values = np.array([one.correlation for one in summary.unlike(len(summary.seen))])
    if not values.size:
        return [bars, places]
    words = f"correlation of each with the mean of all others; mean {values.mean():.2f}".replace("-", MINUS)
    return [bars, places, Counts("How alike maps are", words, values, np.array([]))]


def _told(correlation: float) -> str:
    return f"r = {correlation:.3f}".replace("-", MINUS)


def _unit(unit: str) -> str:
    return "evidence in bits a pixel" if unit == "bits" else "activation difference a pixel"


def agreement_figure(agreement: Agreement, title: str = "", cmap: str = DEFAULT) -> Figure:
    """How the figures of all images are distributed, with their nulls, and the maps that agree least and most."""
    least = [pair for pair in agreement.least(len(agreement.pairs)) if all(one.path.exists() for one in pair.match)]
    worst, best = least[:EXAMPLES], least[EXAMPLES:][-EXAMPLES:][::-1]
    words = "correlation r of the two maps, of the first study and of the second beside it"
    strips = [
        Strip(heading, words, [panel for pair in pairs for panel in _both(pair, cmap)])
        for heading, pairs in (("Where they agree least", worst), ("Where they agree most", best))
        if pairs
    ]
    names = [named(Path(side.folder.name), side.made) for side in (agreement.first, agreement.second)]
    colour = find_colour_map(cmap).positive
    caption = (
        f"{names[0]} against {names[1]}: {counted(len(agreement.pairs), 'image')}. In {colour} maps of the same image; "
        "grey: the second study's maps held against the first's of other images; lines: means."
    )
    diagrams = [_counts(agreement, name) for name in NAMES]
    return study_figure(strips, diagrams, title=title, caption=" ".join([caption, *agreement.notes]), cmap=cmap)


def _counts(agreement: Agreement, name: str) -> Diagram:
    values, nulls = agreement.values(name), agreement.nulls(name)
    null = agreement.mean(name, null=True)
    words = f"mean {agreement.mean(name).value:.2f}" + (f", other images {null.value:.2f}" if null.images else "")
    heading = called(name, agreement.top)
    known, others = values[np.isfinite(values)], nulls[np.isfinite(nulls)]
    low = RANGES[name][0]
    return Counts(heading[0].upper() + heading[1:], words.replace("-", MINUS), known, others, low)


def _both(pair: Pair, cmap: str) -> list[Panel]:
    """The two maps of an image, each over what its net saw."""
    words = [_told(pair.similarity.pearson), "second study"]
    numbers = (pair.targets.first, pair.targets.second)
    return [
        _drawn(Explanation.load(image.path), number, image.stem, text, cmap)
        for image, number, text in zip(pair.match, numbers, words)
    ]
