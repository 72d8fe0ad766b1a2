"""`predicdiff show`: what result files hold, in words and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Sequence

import click

from .. import windows
from ..budget import size
from ..errors import SettingsError
from ..explanation import Explanation
from ..overlays import Scale
from ..page.maps import Look, save_page
from ..shapes.region import told as told_region
from ..texts import one_line
from ..validation import BOX, COUNT, LIST, MOST_SHOWN, NUMBER, SIDES, told
from .console import duration, say
from .options.base import Command, Options, option_field, options_of
from .options.shared import cmap_field, memory_option, scale_field
from .options.values import FIGURE, FILE, PAGE
from .outputs import check_outputs
from .summaries import note_lines, target_lines

HELP = """Say what results of `predicdiff explain` hold, and draw them, several beside each other.

A page (--html) is a file for any browser, on which maps are read pixel by pixel.

\b
Examples:
  predicdiff show out/cat.h5
  predicdiff show out/cat.h5 --html cat.html
  predicdiff show out/cat.h5 -o cat.pdf --on-image --sure
  predicdiff show out/cat.h5 -o top.png --target 0 --target 2 --scale 2.5
  predicdiff show out/cat_alexnet.h5 out/cat_googlenet.h5 -o both.png \\
      --scale shared --cmap okabe
"""


@dataclass(frozen=True)
class Drawing(Options):
    """The options that say how results are drawn; none of them has a say without ``output`` or ``html``."""

    output: Path | None = option_field("-o", "--output", type=FIGURE, help="Draw a picture into this file.")
    html: Path | None = option_field("--html", type=PAGE, help="Write a page for a browser into this file.")
    target: tuple[int, ...] = option_field(
        "--target",
        type=click.IntRange(0),
        multiple=True,
        metavar="N",
        help="Draw this target of each result only, from 0; may be repeated.",
    )
    on_image: bool = option_field(
        "--on-image", is_flag=True, help="Draw on the whole image, not only on what the net saw of it."
    )
    sure: bool = option_field(
        "--sure", is_flag=True, help="Leave clear what lies within two errors of zero, interpolation's included."
    )
    cmap: str = cmap_field()
    scale: Scale = scale_field("all maps of all results")
    title: str = option_field("--title", default="", help="A line above the picture.")


@click.command("show", cls=Command, help=HELP, short_help="Say what results hold, and draw them.")
@click.argument("results", type=FILE, nargs=-1, required=True, metavar="RESULT.h5...")
@options_of(Drawing, "drawing")
@memory_option()
def command(results: tuple[Path, ...], drawing: Drawing) -> None:
    """Print a summary; draw where ``drawing`` says."""
    _check(results, drawing)
    explanations = [Explanation.load(result) for result in results]
    outputs = [path for path in (drawing.output, drawing.html) if path is not None]
    check_outputs(outputs, results)
    if drawing.output is not None:
        _draw(results, explanations, drawing, drawing.output)
    if drawing.html is not None:
        look = Look(sure=drawing.sure, scale=drawing.scale, cmap=drawing.cmap)
        named = list(zip(_names(results) or [result.stem for result in results], explanations))
        targets = list(drawing.target) or None
        save_page(named, drawing.html, targets=targets, title=drawing.title, look=look)
    _say(results, explanations)
    for path in outputs:
        say(f"Wrote {path}" + (f" ({size(path.stat().st_size)})." if path == drawing.html else "."))


def _check(results: Sequence[Path], drawing: Drawing) -> None:
    if drawing.output is None and drawing.html is None and drawing != Drawing():
        raise SettingsError("say which file to draw into with -o FILE.png, or with --html FILE.html.")
    if drawing.output is None and drawing.on_image:
        raise SettingsError("--on-image goes with -o: a page shows what the net saw of the image. Leave it out.")


def _draw(results: Sequence[Path], explanations: list[Explanation], drawing: Drawing, output: Path) -> None:
    from ..plotting import figure, save_figure

    drawn = figure(
        explanations, targets=list(drawing.target) or None, scale=drawing.scale, sure=drawing.sure,
        on_image=drawing.on_image, title=drawing.title, cmap=drawing.cmap, names=_names(results),
    )  # fmt: skip
    save_figure(drawn, output)


def _names(results: Sequence[Path]) -> list[str]:
    """What tells several results apart: the names of their files, with the folders where these are alike."""
    if len(results) == 1:
        return []
    stems = [result.stem for result in results]
    return stems if len(set(stems)) == len(stems) else [str(result) for result in results]


def _say(results: Sequence[Path], explanations: list[Explanation]) -> None:
    for result, explanation in zip(results, explanations):
        say(*([f"{result}:"] if len(results) > 1 else []), *_lines(explanation))


def _lines(explanation: Explanation) -> list[str]:
    return [*target_lines(explanation), *setting_lines(explanation), *note_lines(explanation)]


def setting_lines(explanation: Explanation) -> list[str]:
    """How the result was made, as lines of name and value."""
    lines = list(_settings(explanation.settings, explanation.provenance))
    width = max(len(name) for name, _ in lines)
    return [f"{name:<{width}}  {value}" for name, value in lines]


def _settings(asked: dict[str, Any], provenance: dict[str, Any]) -> Iterator[tuple[str, str]]:
    net, sampler = provenance.get("net", {}), provenance.get("sampler", {})
    if "segments" in asked:
        yield "segments", _told(asked["segments"], "count", "sha1")
    else:
        window, stride = told(asked.get("window"), SIDES, windows.by), told(asked.get("stride"), SIDES, windows.told)
        yield "windows", f"{window}, stride {stride}{', linear between' if asked.get('between') == 'linear' else ''}"
    if "region" in asked:
        yield "region", told(asked["region"], BOX, told_region)
    yield "draws", f"{asked.get('samples')} each, seed {asked.get('seed')}"
    if "stages" in provenance:
        yield "refined", _refined(asked, provenance)
    yield "measure", f"{asked.get('measure')}{_laplace(asked)}"
    yield "net", _told(net, "name", "engine", "weights")
    preprocessing = net.get("preprocessing") if isinstance(net, dict) else None
    yield "preprocessing", _told(preprocessing or {}, "view", "channels", "mean", "raw_scale", "scale")
    yield "sampler", _told(sampler, "kind", "context", "channels", "count", "images", "patches", "fingerprint")
    if "seconds" in provenance:
        yield "took", f"{_took(provenance)}, batches of {provenance.get('batch_size')}"
    versions = provenance.get("versions", {})
    yield "versions", _told(versions, *(versions if isinstance(versions, dict) else ()))


def _refined(asked: dict[str, Any], provenance: dict[str, Any]) -> str:
    goals = [f"{name} {told(asked[name], NUMBER, '{:g}'.format)}" for name in ("until", "budget") if name in asked]
    stages = told(provenance["stages"], LIST, lambda stages: str(len(stages)))
    return f"{', '.join(goals)}: {stages} stages{'' if provenance.get('finished', True) else ', interrupted'}"


def _took(provenance: dict[str, Any]) -> str:
    before = provenance.get("windows_before")
    continued = f" after {told(before, COUNT, '{:,}'.format)} windows of an interrupted run" if before else ""
    return f"{told(provenance['seconds'], NUMBER, duration)}{continued}"


def _laplace(asked: dict[str, Any]) -> str:
    if asked.get("measure") != "evidence":
        return ""
    return f", Laplace's correction with N = {asked.get('training_instances')}, K = {asked.get('classes')}"


def _told(fields: Any, *names: str) -> str:
    """The fields that are there, hashes cut to what tells them apart."""
    if not isinstance(fields, dict):
        return one_line(fields, MOST_SHOWN)
    parts = [f"{name} {_short(fields[name])}" for name in names if fields.get(name) is not None]
    return ", ".join(parts) or "-"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_short(part)}" for name, part in value.items() if part is not None) + ")"
    text = str(value)
    return text[:12] + "..." if len(text) >= 40 and " " not in text else text
