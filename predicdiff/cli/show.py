"""`predicdiff show`: what a result file holds, in words and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import click

from .. import windows
from ..errors import SettingsError
from ..explanation import Explanation
from ..shapes.region import told as told_region
from ..texts import one_line
from ..validation import BOX, COUNT, LIST, MOST_SHOWN, NUMBER, SIDES, told
from .console import duration, say
from .options.base import Command, Options, option_field, options_of
from .options.shared import memory_option
from .options.values import FIGURE, FILE
from .outputs import check_outputs
from .summaries import note_lines, target_lines

HELP = """Say what a result of `predicdiff explain` holds, and draw it.

\b
Examples:
  predicdiff show out/cat.h5
  predicdiff show out/cat.h5 -o cat.pdf --on-image --sure
  predicdiff show out/cat.h5 -o top.png --target 0 --target 2 --shared-scale
"""


@dataclass(frozen=True)
class Drawing(Options):
    """The options that say how a result is drawn; none of them has a say without ``output``."""

    output: Path | None = option_field("-o", "--output", type=FIGURE, help="Draw a picture into this file.")
    target: tuple[int, ...] = option_field(
        "--target",
        type=click.IntRange(0),
        multiple=True,
        metavar="N",
        help="Draw this target only, from 0; may be repeated.",
    )
    on_image: bool = option_field(
        "--on-image", is_flag=True, help="Draw on the whole image, not only on what the net saw of it."
    )
    sure: bool = option_field(
        "--sure", is_flag=True, help="Leave clear what lies within two errors of zero, interpolation's included."
    )
    shared_scale: bool = option_field(
        "--shared-scale", is_flag=True, help="One colour scale for all targets instead of one each."
    )
    title: str = option_field("--title", default="", help="A line above the picture.")


@click.command("show", cls=Command, help=HELP, short_help="Say what a result holds, and draw it.")
@click.argument("result", type=FILE, metavar="RESULT.h5")
@options_of(Drawing, "drawing")
@memory_option()
def command(result: Path, drawing: Drawing) -> None:
    """Print a summary; draw where ``drawing`` says."""
    explanation = Explanation.load(result)
    if drawing.output is None:
        if drawing != Drawing():
            raise SettingsError("say which file to draw into with -o FILE.png.")
        say(*_lines(explanation))
        return
    check_outputs([drawing.output], [result])
    _draw(explanation, drawing, drawing.output)
    say(*_lines(explanation), f"Wrote {drawing.output}.")


def _draw(explanation: Explanation, drawing: Drawing, output: Path) -> None:
    from ..plotting import figure, save_figure

    drawn = figure(
        explanation, targets=list(drawing.target) or None, on_image=drawing.on_image, sure=drawing.sure,
        shared=drawing.shared_scale, title=drawing.title,
    )  # fmt: skip
    save_figure(drawn, output)


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
