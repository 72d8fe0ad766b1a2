"""Does a map tell the truth? Deletion and insertion curves of several methods over many images, with their areas.

References
----------
V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized input sampling for explanation of black-box models", BMVC 2018,
arXiv:1806.07421.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Mapping, Sequence

import numpy as np

from ..abilities import NetAbilities, net_abilities
from ..algorithm import LEFT
from ..assembly import versions
from ..errors import SettingsError
from ..evidence import kept
from ..methods.prepared import Methods, Prepared, check_images, prepare
from ..methods.registry import DIFFERENCE
from ..protocols import Json, Net, Progress, Sampler, Unit
from ..samplers.streams import check_seed
from ..targets import name as unit_name
from ..targets import observed, outcomes, predicted, see
from ..units import check_progress
from ..windows import WindowLike, told
from .bootstrap import RESAMPLES, interval
from .deletion import MODES, areas, curve, usual_steps
from .infills import InfillLike, find

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the others are held against, where it is among the methods.
NULL = "random"
BETTER = {"deletion": "lower", "insertion": "higher"}


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Curves of several methods over several images, and what they say of the methods.

    Attributes
    ----------
    methods, images : list of str
    targets : list of str
        The explained class of each image, and ``base``, (n,) float64, what the net gives it there.
    curves : {"deletion": (m, n, steps + 1) float64 array, "insertion": the same}
        For methods, images and steps, see `deletion.curve`.
    blob : str
        Where the values on the curves come from.
    settings, provenance : dict
        JSON-able.
    notes : list of str
        What a reader should know.
    """

    methods: list[str]
    images: list[str]
    targets: list[str]
    curves: dict[str, np.ndarray]
    blob: str
    settings: Json
    provenance: Json
    notes: list[str]

    @property
    def base(self) -> np.ndarray:
        """What the net gives each image's class, untouched."""
        return np.array(self.curves["deletion"][0, :, 0])

    def areas(self, mode: str) -> np.ndarray:
        """Areas under the curves, (m, n) for methods and images."""
        return areas(self.curves[_checked(mode)])

    def interval(self, mode: str, *, against: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean area of each method over the images, with the 95 % bootstrap interval: three arrays (m,).

        Parameters
        ----------
        mode : {"deletion", "insertion"}
        against : str, optional
            A method whose area is taken away, image by image.
        """
        values = self.areas(mode)
        if against is not None:
            if against not in self.methods:
                raise SettingsError(f"method {against!r} was not compared: want one of {', '.join(self.methods)}.")
            values = values - values[self.methods.index(against)]
        return (values.mean(axis=1), *interval(values, seed=self.settings["seed"]))

    def table(self) -> str:
        """Markdown: each method's mean areas with their intervals, and how far they are from the random map's."""
        held = NULL in self.methods and len(self.methods) > 1
        heads, columns = ["method"], [list(self.methods)]
        for mode in MODES:
            heads.append(f"{mode} area ({BETTER[mode]} is better)")
            columns.append([_told(*row) for row in zip(*self.interval(mode))])
            if held:
                heads.append(f"less {NULL}'s")
                column = [_told(*row, sign="+") for row in zip(*self.interval(mode, against=NULL))]
                column[self.methods.index(NULL)] = ""
                columns.append(column)
        rows = [heads, ["---"] * len(heads), *map(list, zip(*columns))]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)

    def caption(self) -> str:
        """What the table and the figure show, in sentences."""
        s, count = self.settings, len(self.images)
        images = "1 image" if count == 1 else f"{count} images, means with 95 % bootstrap intervals"
        text = (
            f"{self.provenance['name']}, {images}: {self.blob!r} of the predicted class while squares of "
            f"{s['block']} x {s['block']} pixels are deleted or inserted in {s['steps']} steps, most relevant first; "
            f"infill: {s['infill']}; seed {s['seed']}."
        )
        if s["windows"]:
            k, samples, stride = told(s["windows"]["window"]), s["windows"]["samples"], s["windows"]["stride"]
            text += f" Maps with k = {k}, S = {samples}, stride {stride}."
        return " ".join([text, *self.notes])

    def figure(self, title: str = "") -> Figure:
        """Mean curves with their bootstrap bands, deletion beside insertion."""
        from ..plotting.curves import Curve, Diagram, curves_figure

        diagrams = []
        for mode, what in zip(MODES, ("taken away", "put back")):
            low, high = interval(self.curves[mode].transpose(0, 2, 1), seed=self.settings["seed"])
            means = self.curves[mode].mean(axis=1)
            bands = zip(self.methods, means, low, high)
            curves = [Curve(name, mean, under, over, name == NULL) for name, mean, under, over in bands]
            diagrams.append(Diagram(mode.capitalize(), f"part of the picture {what}", self.blob, curves))
        return curves_figure(diagrams, title=title, caption=self.caption())

    def as_dict(self) -> Json:
        """JSON-able: every area, their means and intervals, mean curves, settings and provenance."""
        modes: dict[str, Json] = {}
        for mode in MODES:
            modes[mode] = {
                "areas": self.areas(mode).tolist(), **_numbers(self.interval(mode)),
                "mean_curves": self.curves[mode].mean(axis=1).tolist(),
            }  # fmt: skip
            if NULL in self.methods:
                modes[mode]["less_random"] = _numbers(self.interval(mode, against=NULL))
        return {
            "methods": self.methods, "images": self.images, "targets": self.targets, "base": self.base.tolist(),
            "blob": self.blob, **modes, "settings": self.settings, "provenance": self.provenance, "notes": self.notes,
        }  # fmt: skip


def faithfulness(
    net: Net,
    images: Mapping[str, np.ndarray],
    *,
    methods: Methods | None = None,
    sampler: Sampler | None = None,
    window: WindowLike = 10,
    samples: int = 4,
    stride: int | None = None,
    steps: int | None = None,
    block: int | None = None,
    infill: InfillLike = "blur",
    seed: int = 0,
    blob: str | None = None,
    memory: int | None = None,
    progress: Progress | None = None,
) -> Faithfulness:
    """Deletion and insertion curves of several methods for the predicted class of each image.

    Parameters
    ----------
    net : Net
    images : {name: (C, H, W) float array, (H, W, 3) array or PIL image}
        Pixels as ``net.view`` gives them, or RGB images.
    methods : sequence of str, or {name: function}, optional
        Names of the registry (`methods.registry.names`), by default all, or any functions
        (net, pixels, unit, seed) -> map (H, W).
    sampler : Sampler, optional
        Of "prediction difference"; by default the Gaussian of the bundled photographs.
    window : int or (rows, columns)
        k, "all" of a side being all of it, of "prediction difference" and "occlusion".
    samples, stride : int
        S, and the step between their windows, by default 8, or k where that is less.
    steps, block, infill
        As for `deletion.curve`.
    seed : int
        Of the draws, the random map and the bootstrap.
    blob : str, optional
        The scores or probabilities that are explained, and read while the picture goes; by default the probabilities.
    memory : int, optional
        Bytes that a map may take.
    progress : callable, optional
        Called with (maps done, maps in all).

    Returns
    -------
    Faithfulness

    Raises
    ------
    PredicdiffError
        One of its kinds, if something does not fit.
    """
    abilities = net_abilities(net)
    check_images(images)
    check_progress(progress)
    check_seed(seed)
    find(infill)
    reading = {"blob": blob, "memory": memory}
    blob = observed(net, blob)
    ready = prepare(net, methods, sampler=sampler, window=window, samples=samples, stride=stride, seed=seed, **reading)
    seen = [see(net, abilities, image)[0] for image in images.values()]
    units = [predicted(net, pixels, blob) for pixels in seen]
    steps, block = usual_steps(net.input_shape[1:], steps, block)
    how: Json = {"blob": blob, "steps": steps, "block": block, "infill": infill}
    curves = _curves(net, list(zip(seen, units)), ready, how, seed, progress)
    return Faithfulness(
        methods=list(ready.methods), images=list(images), targets=[unit_name(net, blob, unit) for unit in units],
        curves=curves, blob=blob,
        notes=_notes(net, abilities, blob, curves["deletion"][0, :, 0]) if DIFFERENCE in ready.methods else [],
        settings={
            **how, "infill": infill if isinstance(infill, str) else getattr(infill, "__name__", "a function"),
            "windows": ready.windows, "seed": seed, "resamples": RESAMPLES,
        },
        provenance={
            "name": net.name, "net": dict(net.provenance), "sampler": ready.provenance, "pixels": _digest(seen),
            "versions": versions(),
        },
    )  # fmt: skip


def _curves(
    net: Net,
    subjects: Sequence[tuple[np.ndarray, Unit]],
    ready: Prepared,
    how: Json,
    seed: int,
    progress: Progress | None,
) -> dict[str, np.ndarray]:
    """{mode: (methods, images, steps + 1)}, for the pixels and the unit of each image."""
    curves: list[list[list[np.ndarray]]] = []
    for pixels, unit in subjects:
        curves.append([])
        for label in ready.methods:
            relevance = ready.map(label, net, pixels, unit, seed)
            curves[-1].append([curve(net, pixels, relevance, unit=unit, mode=mode, **how) for mode in MODES])
            if progress is not None:
                progress(sum(map(len, curves)), len(subjects) * len(ready.methods))
    return dict(zip(MODES, np.array(curves).transpose(2, 1, 0, 3)))


def _digest(seen: Sequence[np.ndarray]) -> str:
    """SHA-1 of all images' pixels."""
    digest = hashlib.sha1()
    for pixels in seen:
        digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def _notes(net: Net, abilities: NetAbilities, blob: str, base: np.ndarray) -> list[str]:
    if blob != net.output:
        return []
    classes = outcomes(net, abilities, blob)
    sure = int((kept(base, instances=net.training_instances, classes=classes) < LEFT).sum())
    if not sure:
        return []
    return [f"Of {sure} of {len(base)} images the net is so sure that Laplace's correction flattens the evidence."]


def _checked(mode: str) -> str:
    if mode not in MODES:
        raise SettingsError(f"mode {mode!r} is unknown: want {' or '.join(MODES)}.")
    return mode


def _told(mean: float, low: float, high: float, sign: str = "") -> str:
    if np.isnan(low):
        return f"{mean:{sign}.4f}"
    return f"{mean:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"


def _numbers(rows: tuple[np.ndarray, ...]) -> dict[str, list[float | None]]:
    return {name: [_number(value) for value in row] for name, row in zip(("mean", "low", "high"), rows)}


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return float(value) if np.isfinite(value) else None
