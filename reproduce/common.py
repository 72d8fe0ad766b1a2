"""What the figures share: their command, nets before images, samplers, maps that an interrupted run takes up."""

from __future__ import annotations

import functools
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping, Protocol, Sequence, TypeVar

import click
import numpy as np
from tqdm import tqdm

from predicdiff.algorithm import run
from predicdiff.cli.console import duration, say_error
from predicdiff.cli.options.base import option_field, options_of
from predicdiff.cli.options.values import FOLDER
from predicdiff.cli.outputs import check_outputs
from predicdiff.effort import seconds_needed
from predicdiff.errors import DependencyError, ExplanationError, ImageError, PredicdiffError, SettingsError
from predicdiff.explanation import Explanation
from predicdiff.images import load_image
from predicdiff.ours import PAGE, as_record, hashed, refuse
from predicdiff.overlays import symmetric_scale
from predicdiff.palettes import find_colour_map
from predicdiff.plan import Analysis, make_plan
from predicdiff.plotting import Block, grid_figure, save_figure
from predicdiff.presets import QUALITIES, Quality
from predicdiff.protocols import Progress
from predicdiff.samplers.corpus import bundled, default_corpus
from predicdiff.samplers.registry import Recipe, find
from predicdiff.samplers.saved import SavedSampler
from predicdiff.settings import Settings
from predicdiff.texts import name_of
from predicdiff.windows import usual_context
from predicdiff.written import written_whole

from .nets import PAPER_NETS, TITLES, Choice, check, nets, say

#: "smoke" only shows that a figure can be made; its maps say little.
CHOICES = {"smoke": Quality(10, 2), **QUALITIES}
#: Dots an inch of pages: the pixels of a net that sees 224 x 224 are two dots wide in a map, and three in the input.
DPI = 250
#: What captions call the colours of all maps.
POSITIVE, NEGATIVE = find_colour_map().positive, find_colour_map().negative


@dataclass(frozen=True)
class Basis(Choice):
    """What everything takes that draws and writes results."""

    seed: int = option_field("--seed", type=int, default=0, help="Of all that is drawn.")
    out: Path = option_field("--out", type=FOLDER, default="out", help="The folder that results go to.")


@dataclass(frozen=True)
class Request(Basis):
    """What every figure takes; the options of its own are fields of a class made from this one."""

    images: tuple[str, ...] = option_field(
        "--image", multiple=True, help="An image file, or a folder of them; repeat for more. [the bundled cat]"
    )
    quality: str = option_field(
        "--quality",
        type=click.Choice(list(CHOICES)),
        default="preview",
        help="How close windows lie and how often each is drawn, as in `predicdiff explain --help`.",
    )


@dataclass(frozen=True)
class WindowRequest(Request):
    """Of a figure with windows of one size."""

    window: int = option_field("--window", type=int, default=10, help="Side k of the windows.")


AnyRequest = TypeVar("AnyRequest", bound=Basis)
Item = TypeVar("Item")
Made = TypeVar("Made", covariant=True)


def figure(kind: type[AnyRequest], *outputs: str) -> Callable[[Callable[..., None]], click.Command]:
    """Decorator: a command with the options of ``kind``, which says what is wrong in a sentence, not a traceback.

    ``outputs`` are the files below OUT that it writes, by default a picture and a record named as the module; what is
    there already and is not ours is refused at once. What the function takes besides the request are the command's
    arguments.
    """

    def decorate(draw: Callable[..., None]) -> click.Command:
        stem = Path(draw.__code__.co_filename).stem
        names = outputs or (f"{stem}.png", f"{stem}.json")

        @functools.wraps(draw)
        def guarded(request: AnyRequest, **arguments: Any) -> None:
            warnings.showwarning = lambda message, *_args, **_kwargs: say(f"Warning: {message}")
            try:
                check(request)
                check_outputs([request.out / name for name in names], [])
                draw(request, **arguments)
            except PredicdiffError as error:
                say_error(error)
                sys.exit(2)
            except KeyboardInterrupt:
                say("Interrupted: the same command goes on from here.")
                sys.exit(130)

        return click.command(help=sys.modules[draw.__module__].__doc__)(options_of(kind, "request")(guarded))

    return decorate


def images(paths: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Images by name; without any, the bundled cat."""
    if not paths:
        return {"chelsea": bundled()["chelsea"]}
    return dict(pictures(paths))


def pictures(paths: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Names and images of files, and of all that are in folders, by name.

    Raises
    ------
    ImageError
        If a file is no image, or a folder has none; other files in a folder are named in the log and left out.
    SettingsError
        If two are called alike, since what is made of them is called after them.
    """
    names = set()
    for path in map(Path, paths):
        inside = _inside(path) if path.is_dir() else [(path.stem, load_image(path))]
        for name, image in inside:
            if name in names:
                raise SettingsError(f"{path}: two images are called {name!r}: want a name for each.")
            names.add(name)
            yield name, image


def _inside(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Each image of a folder, by name."""
    none = True
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        try:
            image = load_image(path)
        except (DependencyError, ImageError) as error:
            say(f"Left out: {error}")
            continue
        none = False
        yield path.stem, image
    if none:
        raise ImageError(f"{folder}: no image in this folder. Give another, or image files.")


@dataclass(frozen=True)
class Case:
    """One net before one image, each with its name."""

    title: str
    net: Any
    name: str
    image: np.ndarray

    def path(self, out: Path, figure: int, *words: str) -> Path:
        """Where a map is kept."""
        return out / f"figure{figure}" / f"{name_of(self.name, self.net.name, *words)}.h5"


def cases(request: Request, wanted: tuple[str, ...] = PAPER_NETS) -> tuple[list[Case], str]:
    """Every net before every image, and the caption's sentence of `nets`."""
    loaded, note = nets(request, wanted)
    return [Case(*net, *image) for image in images(request.images).items() for net in loaded.items()], note


def sampler(case: Case, window: int, seed: int, kind: str = "conditional") -> SavedSampler:
    """A sampler of this kind over the bundled photographs, the explained one left out; its context is the paper's."""
    corpus, names = default_corpus(case.net.input_shape, exclude=case.image)
    return find(kind).make(corpus, Recipe(usual_context(window), seed=seed, names=names))


@dataclass
class Job:
    """One map to make, kept in ``path``."""

    analysis: Analysis
    path: Path

    @property
    def done(self) -> Explanation | None:
        """The map, where an earlier run with the same settings made it."""
        held = self.analysis.held(self.path)
        if held is None:
            refuse(self.path, ExplanationError)
        return held

    def make(self) -> Explanation:
        """Make and keep it, from where an interrupted run stopped."""
        tiles = self.path.with_name(self.path.name + ".tiles")
        with windows_bar(self.analysis, self.path.stem) as progress:
            result = run(self.analysis, checkpoint=tiles, progress=progress)
        result.save(self.path)
        tiles.unlink()
        return result


@contextmanager
def windows_bar(analysis: Analysis, name: str) -> Iterator[Progress]:
    """A progress bar over an analysis' windows."""
    with tqdm(total=len(analysis.origins), unit="window", desc=name) as bar:
        yield lambda done, _total: bar.update(done - bar.n)


class Task(Protocol[Made]):
    """What `work` works through: a `Job`, or another that makes something else of its analysis."""

    analysis: Analysis

    @property
    def done(self) -> Made | None:
        """What an earlier run with the same settings made."""

    def make(self) -> Made:
        """Make and keep it."""


def job(path: Path, net: Any, image: np.ndarray, sampler: Any, quality: str, *, window: int = 10, **how: Any) -> Job:
    """A map at a quality's stride and number of samples.

    No stride is above the window: where windows must lie closer than the quality has them, fewer samples make up for
    their number.
    """
    preset = CHOICES[quality]
    stride = min(preset.stride, window)
    samples = max(1, round(preset.samples * (stride / preset.stride) ** 2))
    asked = Settings(window=window, samples=samples, stride=stride, **how)
    return Job(make_plan(net, image, asked).with_sampler(sampler), path)


def work(title: str, jobs: Sequence[Task[Made]]) -> list[Made]:
    """Say how long it will take, then make the maps that are not there yet."""
    held = [item.done for item in jobs]
    open_jobs = [item for item, map_ in zip(jobs, held) if map_ is None]
    seconds = _seconds([item.analysis for item in open_jobs])
    effort = f", {duration(seconds)} on this machine" if open_jobs else ""
    say(f"{title}: {len(open_jobs)} of {len(jobs)} maps to make{effort}")
    return [item.make() if map_ is None else map_ for item, map_ in zip(jobs, held)]


def _seconds(analyses: Sequence[Analysis]) -> float:
    """Projected seconds of all; of those alike one is tried, and the others are told by the number of their windows."""
    total, each = 0.0, {}
    for analysis in analyses:
        asked = analysis.settings
        alike = (id(analysis.net), analysis.blob, asked.window, asked.samples, analysis.drawing.name)
        if alike not in each:
            each[alike] = seconds_needed(analysis) / len(analysis.origins)
        total += each[alike] * len(analysis.origins)
    return total


def settings(results: Sequence[Explanation], quality: str) -> str:
    """Nets, k, l, S, stride, quality and seed as a sentence; of several values each once, in the maps' order."""
    records = [facts(result) for result in results]
    told = {key: _listed(record[key] for record in records if record[key] is not None) for key in records[0]}
    words = [f"k = {told['window']}", f"S = {told['samples']}", f"stride {told['stride']}"]
    if told["context"]:
        words.insert(1, f"l = {told['context']}")
    return f"{told['net']}; {'; '.join(words)} (quality {quality}); seed {told['seed']}."


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values))


def facts(result: Explanation) -> dict[str, Any]:
    """JSON-able: the settings of maps, and the numbers of each."""
    asked, sampler = result.settings, result.provenance["sampler"]
    net = result.provenance["net"]["name"]
    return {
        "net": TITLES.get(net, net),
        "engine": result.provenance["net"].get("engine"),
        **{key: asked[key] for key in ("blob", "window", "samples", "stride", "seed", "measure")},
        "context": sampler.get("context"),
        "sampler": sampler["kind"],
        "unit": result.unit,
        "pixels_sha1": result.provenance["pixels"],
        "notes": result.notes,
        "maps": [_numbers(result, number) for number in range(len(result))],
    }


def grouped(items: Sequence[Item], size: int) -> list[list[Item]]:
    """Groups of ``size`` in the items' order, such as the maps of each case."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def facts_of(cases: Sequence[Case], groups: Sequence[Sequence[Explanation]]) -> list[dict[str, Any]]:
    """JSON-able: `facts` of all maps, each with its image's name."""
    return [{"image": case.name, **facts(result)} for case, group in zip(cases, groups) for result in group]


def _numbers(result: Explanation, number: int) -> dict[str, Any]:
    target, relevance = result.targets[number], result.relevance[number]
    stderr = float(np.median(result.stderr[number]))
    return {
        "target": target.title,
        "index": target.unit,
        "value": float(result.base[number]),
        "lowest": float(relevance.min()),
        "highest": float(relevance.max()),
        "mean": float(relevance.mean()),
        "full_colour": symmetric_scale(relevance),
        "median_stderr": stderr if np.isfinite(stderr) else None,
    }


def full_colour(relevance: np.ndarray, unit: str) -> str:
    """What a map's strongest colour stands for."""
    return f"full colour: ±{symmetric_scale(relevance):.2g}{' bits' if unit == 'bits' else ''}"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a record, whole or not at all; no number but finite ones may be in it."""
    written = as_record(content, allow_nan=False, ensure_ascii=False)
    with written_whole(path) as part:
        part.write_bytes(written)


def write_markdown(path: Path, text: str) -> None:
    """Write a page, whole or not at all."""
    with written_whole(path) as part:
        part.write_bytes(hashed((PAGE + text).encode(), "md"))


def plain(value: Any) -> Any:
    """The same for JSON: None for what is no finite number."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def page(
    out: Path, number: int, blocks: Sequence[Block], rows: Sequence[str], caption: str, numbers: Any, **how: Any
) -> None:
    """Write figureN.png, and the numbers drawn beside it as figureN.json."""
    caption = caption.strip()
    path = save_figure(grid_figure(blocks, rows, caption=caption, **how), out / f"figure{number}.png", dpi=DPI)
    write_json(path.with_suffix(".json"), {"figure": number, "caption": caption, "panels": numbers})
    say(f"Figure {number}: {path} and {path.with_suffix('.json').name}")
