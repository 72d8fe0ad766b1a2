"""A folder of a paper's panels: small pictures of maps, each with what the net saw, listed in its panels.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from predicdiff.errors import FormatError
from predicdiff.images import load_image
from predicdiff.samplers.registry import names

#: What an entry says, and of which type; ``unit`` (of a vector; null is the net's first class) or ``map`` beside it.
KEYS: dict[str, type] = {
    "picture": str, "input": str, "figure": int, "k": int, "l": int, "sampler": str, "net": str, "blob": str,
}  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """One panel: a picture of a map, and what the map is of.

    Attributes
    ----------
    picture, input : Path
        The panel, and the picture that the net saw.
    figure : int
        Where it stands in the paper.
    k, l : int
        Sides of windows and of their contexts.
    sampler, net, blob : str
    index : int or None
        The class or other unit of a vector, or the channel of a map; None is the net's first class.
    """

    picture: Path
    input: Path
    figure: int
    k: int
    l: int  # noqa: E741 (the paper's letter)
    sampler: str
    net: str
    blob: str
    index: int | None

    @property
    def name(self) -> str:
        """What the panel is called: its file's name."""
        return self.picture.stem


def read_panels(folder: Path) -> list[Panel]:
    """The panels that a folder's panels.json lists, in its order.

    Raises
    ------
    FormatError
        If there is no such list, an entry lacks something, a panel stands there twice, or two inputs are called alike.
    ImageError
        If a picture is missing or none.
    """
    path = folder / "panels.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file. Give a folder whose panels.json lists its panels.") from None
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read as JSON ({error}).") from error
    if not isinstance(entries, list) or not entries:
        raise FormatError(f"{path}: want a list of panels, at least one.")
    panels = [_panel(folder, f"{path}, entry {number}", entry) for number, entry in enumerate(entries)]
    twice = {panel.name for panel in panels if [other.name for other in panels].count(panel.name) > 1}
    if twice:
        raise FormatError(f"{path}: {', '.join(sorted(twice))} stands there twice: want each panel once.")
    inputs = [one.stem for one in {panel.input for panel in panels}]
    alike = {name for name in inputs if inputs.count(name) > 1}
    if alike:  # files of maps are named after them
        raise FormatError(f"{path}: several inputs are called {', '.join(sorted(alike))}: want a name for each.")
    for panel in panels:
        load_image(panel.picture), load_image(panel.input)
    return panels


def _panel(folder: Path, where: str, entry: Any) -> Panel:
    if not isinstance(entry, dict):
        raise FormatError(f"{where}: want an object with the keys {', '.join(KEYS)}.")
    wrong = [name for name, kind in KEYS.items() if type(entry.get(name)) is not kind]
    index = entry.get("map", entry.get("unit"))
    if wrong or not (index is None or type(index) is int):  # JSON's true is none
        raise FormatError(f"{where}: {wrong[0] if wrong else 'unit or map'} is missing or of another type.")
    if entry["sampler"] not in names():
        raise FormatError(f"{where}: sampler {entry['sampler']!r} is unknown: want one of {', '.join(names())}.")
    if entry["l"] < entry["k"]:
        raise FormatError(f"{where}: l = {entry['l']} is smaller than k = {entry['k']}: want l >= k.")
    fields = {name: entry[name] for name in KEYS}
    fields.update(picture=folder / entry["picture"], input=folder / entry["input"])
    return Panel(**fields, index=index)


def enlarged(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """All of a picture, brought to a net's input size by bicubic interpolation: pixels (3, height, width) float32."""
    size = (shape[1], shape[0])
    larger = Image.fromarray(image).resize(size, Image.BICUBIC)
    return np.asarray(larger, np.float32).transpose(2, 0, 1).copy()
