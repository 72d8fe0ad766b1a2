"""Which photographs are explained, and what is drawn from for each: never what shows the same."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from predicdiff.samplers.corpus import PHOTOGRAPHS, bundled, default_corpus
from predicdiff.targets import highest, observed

from .. import common
from .study import Photograph

#: Explained photographs are the first by name whose class has a probability between these.
MOST, LEAST_SURE, MOST_SURE = 20, 0.05, 0.999
#: Other photographs are drawn from where there are so many, up to `DRAWN_FROM`; else the bundled scenes are.
ENOUGH, DRAWN_FROM = 16, 100


def chosen(net: Any, paths: Sequence[str]) -> list[Photograph]:
    """The photographs of files and folders that a net explains; without any path the bundled scenes'."""
    return _of_files(net, paths) if paths else _of_scenes(net)


def _of_files(net: Any, paths: Sequence[str]) -> list[Photograph]:
    taken: list[tuple[str, np.ndarray, int, float]] = []
    others: list[np.ndarray] = []
    places: list[int] = []  # of what is drawn from, among all photographs, which is the same for each net
    for place, (name, image) in enumerate(common.pictures(paths)):
        pixels = net.view(image)
        unit, probability = _first(net, pixels)
        if len(taken) < MOST and LEAST_SURE < probability < MOST_SURE:
            taken.append((name, pixels, unit, probability))
        else:
            others.append(pixels)
            places.append(place)
        if len(taken) == MOST and len(others) >= DRAWN_FROM:
            break
    if len(others) >= ENOUGH:
        drawn_from, second = np.stack(others), np.array(places) % 2 == 1
        return [Photograph(*one, drawn_from, second) for one in taken]
    scenes: dict[tuple[str, ...], np.ndarray] = {}  # by what is left: photographs that are no scene share their corpus
    found = []
    for name, pixels, unit, probability in taken:
        left = tuple(bundled(pixels, view=net.view))
        if left not in scenes:
            scenes[left] = default_corpus(net.input_shape, pixels, view=net.view)[0]
        found.append(Photograph(name, pixels, unit, probability, scenes[left], _odd(len(scenes[left]))))
    return found


def _of_scenes(net: Any) -> list[Photograph]:
    found = []
    crops, names = default_corpus(net.input_shape)
    scenes = np.array([PHOTOGRAPHS[name.split()[0]][1] for name in names])
    for name, image in bundled().items():
        pixels = net.view(image)
        unit, probability = _first(net, pixels)
        # the right half of a stereo pair shows the same as the left one
        if LEAST_SURE < probability < MOST_SURE and name != "motorcycle_right":
            others = crops[scenes != PHOTOGRAPHS[name][1]]
            found.append(Photograph(name, pixels, unit, probability, others, _odd(len(others))))
    return found


def _odd(count: int) -> np.ndarray:
    """Every second one: scenes have an even number of crops each, so that it is the same crops of each."""
    return np.arange(count) % 2 == 1


def _first(net: Any, pixels: np.ndarray) -> tuple[int, float]:
    blob = observed(net)
    ((unit, probability),) = highest(net.forward(net.encode(pixels)[None], [blob])[blob][0], 1)
    return unit, probability
