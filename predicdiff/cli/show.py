"""`predicdiff show`: what a result file holds, in words and as a picture."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Iterator

import click
import numpy as np

from ..errors import SettingsError
from ..explanation import Explanation
from ..windows import by
from .console import duration
from .options.base import Command, option
from .options.values import FIGURE, FILE
from .outputs import check_outputs

HELP = """Say what a result of `predicdiff explain` holds, and draw it.

\b
Examples:
  predicdiff show out/cat.h5
  predicdiff show out/cat.h5 -o cat.pdf --on-image --sure
  predicdiff show out/cat.h5 -o top.png --target 0 --target 2 --shared-scale
"""


@click.command("show", cls=Command, help=HELP, short_help="Say what a result holds, and draw it.")
@click.argument("result", type=FILE, metavar="RESULT.h5")
@option("-o", "--output", type=FIGURE, help="Draw a picture into this file.")
@option("--target", type=int, multiple=True, metavar="N", help="Draw this target only, from 0; may be repeated.")
@option("--on-image", is_flag=True, help="Draw on the whole image, not only on what the net saw of it.")
@option("--sure", is_flag=True, help="Leave clear what lies within two standard errors of zero.")
@option("--shared-scale", is_flag=True, help="One colour scale for all targets instead of one each.")
@option("--title", default="", help="A line above the picture.")
def show(
    result: Path,
    output: Path | None,
    target: tuple[int, ...],
    on_image: bool,
    sure: bool,
    shared_scale: bool,
    title: str,
) -> None:
    """Print a summary; draw where ``output`` says."""
    explanation = Explanation.load(result)
    if output is None:
        if target or on_image or sure or shared_scale or title:
            raise SettingsError("say which file to draw into with -o FILE.png.")
        click.echo("\n".join([*target_lines(explanation), *setting_lines(explanation), *note_lines(explanation)]))
        return
    from ..plotting import figure, save_figure

    check_outputs([output], [result])
    drawn = figure(
        explanation, targets=list(target) or None, on_image=on_image, sure=sure, shared=shared_scale, title=title
    )
    save_figure(drawn, output)
    click.echo("\n".join([*target_lines(explanation), *setting_lines(explanation), *note_lines(explanation)]))
    click.echo(f"Wrote {output}.")


def target_lines(explanation: Explanation) -> list[str]:
    """A line for each target: its value, its map's range, its standard error."""
    unit = "bits" if explanation.unit == "bits" else "in activation"
    name = "p" if explanation.unit == "bits" else "value"
    lines = []
    for number, target in enumerate(explanation.targets):
        values = explanation.relevance[number]
        title = addressed(target.title, f"{target.blob}{target.unit}")
        lines.append(
            f"{number}: {title}, {name} = {explanation.base[number]:.4g}: "
            f"from {np.nanmin(values):.3g} to {np.nanmax(values):.3g} {unit}, "
            f"standard error {_typical(explanation.stderr[number])}"
        )
    return lines


def addressed(name: str, where: str) -> str:
    """A unit's name and, where that is another thing, its place in the net."""
    return name if name == where else f"{name} ({where})"


def note_lines(explanation: Explanation) -> list[str]:
    """What a reader should know before trusting the maps."""
    return [f"Note: {note}" for note in explanation.notes]


def setting_lines(explanation: Explanation) -> list[str]:
    """How the result was made, as lines of name and value."""
    found = list(_settings(explanation.settings, explanation.provenance))
    width = max(len(name) for name, _ in found)
    return [f"{name:<{width}}  {value}" for name, value in found]


def _settings(asked: dict[str, Any], made: dict[str, Any]) -> Iterator[tuple[str, str]]:
    net, sampler = made.get("net", {}), made.get("sampler", {})
    window = by(asked["window"]) if "window" in asked else None
    yield "windows", f"{window}, stride {asked.get('stride')}"
    yield "draws", f"{asked.get('samples')} each, seed {asked.get('seed')}"
    yield "measure", f"{asked.get('measure')}{_laplace(asked)}"
    yield "net", _told(net, "name", "engine", "weights")
    yield "preprocessing", _told(net.get("preprocessing") or {}, "view", "channels", "mean", "raw_scale", "scale")
    yield "sampler", _told(sampler, "kind", "context", "channels", "count", "images", "patches", "fingerprint")
    if "seconds" in made:
        before = made.get("windows_before")
        continued = f" after {before:,} windows of an interrupted run" if before else ""
        yield "took", f"{duration(made['seconds'])}{continued}, batches of {made.get('batch_size')}"
    yield "versions", _told(made.get("versions", {}), *made.get("versions", {}))


def _laplace(asked: dict[str, Any]) -> str:
    if asked.get("measure") != "evidence":
        return ""
    return f", Laplace's correction with N = {asked.get('training_instances')}, K = {asked.get('classes')}"


def _told(fields: Any, *names: str) -> str:
    """The fields that are there, hashes cut to what tells them apart."""
    if not isinstance(fields, dict):
        return str(fields)
    told = [f"{name} {_short(fields[name])}" for name in names if fields.get(name) is not None]
    return ", ".join(told) or "-"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_short(part)}" for name, part in value.items() if part is not None) + ")"
    text = str(value)
    return text[:12] + "..." if len(text) >= 40 and " " not in text else text


def _typical(stderr: np.ndarray) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all of it is NaN after a single draw
        middle = float(np.nanmedian(stderr))
    return "unknown" if np.isnan(middle) else f"{middle:.2g}"
