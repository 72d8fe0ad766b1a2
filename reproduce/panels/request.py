"""What is asked of the comparison with a paper's panels, and the nets that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

import click

from predicdiff.cli.options.base import option_field
from predicdiff.cli.options.shared import samples_field, stride_field
from predicdiff.cli.options.values import FOLDER
from predicdiff.errors import DownloadError, SettingsError, WeightsError
from predicdiff.nets.fetching.manifest import names
from predicdiff.nets.fetching.weights import fetch_net, status

from .. import common
from .folder import Panel


@dataclass(frozen=True)
class MapsRequest(common.Basis):
    """How maps of the panels' pictures are made."""

    corpus: Path | None = option_field(
        "--corpus", type=FOLDER, help="Photographs to draw from or to fit on.  [default: the bundled ones]"
    )
    stride: int = stride_field(default=2)
    samples: int = samples_field(default=4)


@dataclass(frozen=True)
class Request(MapsRequest):
    """The same, and what the maps are held against."""

    null_stride: int = option_field(
        "--null-stride",
        type=int,
        default=4,
        help="Step between windows of maps by random weights and of those that the ceiling is found with.",
    )
    ceiling: int = option_field(
        "--ceiling",
        type=click.IntRange(0),
        default=3,
        help="Photographs by which it is found how much a panel can agree at most; 0 leaves that out.",
    )
    photographs: Path | None = option_field(
        "--photographs", type=FOLDER, help="The folder that these are taken from.  [default: the corpus]"
    )


def nets_of(request: Request, panels: Sequence[Panel]) -> tuple[dict[str, Any], dict[str, str]]:
    """Nets by name, and why the panels' others are not there.

    Named nets must be there. Otherwise those of the panels whose weights are there or can be fetched.
    """
    nets: dict[str, Any] = {name: request.load(name) for name in request.names}
    away: dict[str, str] = {}
    unreachable: dict[str, str] = {}
    lacking = {net.name: net.command for net in status() if net.missing}
    for name in dict.fromkeys(panel.net for panel in panels if panel.net not in nets):
        if request.names:
            hint = f"its weights are not there: `{lacking[name]}` brings them" if name in lacking else "not asked for"
            away[name] = f"{hint}."
            continue
        if name not in names():
            away[name] = "no net is known by this name."
            continue
        try:
            fetch_net(name, unreachable=unreachable)
            nets[name] = request.load(name)
        except (DownloadError, WeightsError) as error:
            away[name] = str(error).splitlines()[0]
    if not any(panel.net in nets for panel in panels):
        reasons = " ".join(f"{name}: {reason}" for name, reason in away.items())
        raise SettingsError(
            f"no panel's net is there. {reasons} Get one with `predicdiff fetch`, or give its weights: --net googlenet "
            "--weights its.caffemodel."
        )
    return nets, away
