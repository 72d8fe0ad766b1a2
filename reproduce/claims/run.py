"""The paper's claims as numbers, each with a verdict: what its section 4 says, measured on nets and photographs.

The table of claims (reproduce/claims/table.py) says what is measured and what counts. A verdict is a 95 % t
interval over photographs, after Holm's correction within each net. Windows are kept in OUT/claims: an interrupted run
goes on, and another with more claims or nets evaluates only what is missing. Writes OUT/claims.json and OUT/claims.md,
and a picture for each claim into OUT/claims.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Mapping

import click

from predicdiff.cli.console import say_text
from predicdiff.cli.options.base import option_field
from predicdiff.errors import SettingsError
from predicdiff.nets.fetching.weights import status

from .. import common
from ..nets import nets, say
from . import report
from .finding import Finding
from .line import FAST, FAST_NETS, SLOW, SMOKE, Line, Size
from .maps import NotKeptError
from .measures import MEASURES
from .photographs import LEAST_SURE, MOST_SURE, chosen
from .study import Study
from .table import LINES
from .verdicts import judged

#: Nets that are always asked, and those that are where their weights are.
NETS, WHERE_THERE = ("squeezenet1.1", "googlenet"), ("alexnet", "vgg16")

#: What the page says of a quick look, and where fewer photographs were asked for.
QUICK = "These are the sizes of a quick look (--quality smoke), of which verdicts mean nothing."
FEWER = (
    "**INTERIM**: fewer photographs were measured than the table has, and not every claim before each net. Beside each "
    "verdict stands of how many photographs it is."
)


@dataclass(frozen=True)
class Request(common.Basis):
    """What is measured."""

    images: tuple[str, ...] = option_field(
        "--image",
        multiple=True,
        help="A photograph, or a folder of them; repeat for more. Those that are not explained are drawn from. "
        "[the bundled scenes]",
    )
    claims: tuple[str, ...] = option_field(
        "--claim", type=click.Choice(sorted(MEASURES)), multiple=True, help="A claim; repeat for more. [all]"
    )
    quality: str = option_field(
        "--quality",
        type=click.Choice(["smoke", "standard"]),
        default="standard",
        help="smoke only shows that it can be done.",
    )
    most: int | None = option_field(
        "--most",
        type=click.IntRange(1),
        help="Photographs of each claim at most, where time is short; another call with more goes on.",
    )
    only_kept: bool = option_field(
        "--only-kept", is_flag=True, help="Evaluate nothing: take the photographs that earlier calls have finished."
    )


def letter(line: Line) -> str:
    """The claim that a line belongs to."""
    return line.name[0]


def size_of(claim: str, net_name: str, quality: str) -> Size:
    """How much of a claim is to be measured before a net: as its first line has it."""
    line = next(line for line in LINES if letter(line) == claim)
    return line.sizes[SMOKE if quality == "smoke" else FAST if net_name in FAST_NETS else SLOW]


def measured(study: Study, claim: str, size: Size) -> tuple[dict[str, dict[str, Finding]], bool]:
    """Findings of a claim's lines, each by photograph, and whether windows of some photograph were not there."""
    found: dict[str, dict[str, Finding]] = {}
    lacking = False
    for subject in study.subjects[: size.photographs]:
        try:
            findings = MEASURES[claim](subject, size)
        except NotKeptError:
            lacking = True
            continue
        for name, finding in findings.items():
            found.setdefault(name, {})[subject.name] = finding
    return found, lacking


def studies(request: Request) -> tuple[list[Study], str]:
    """Each net with its photographs, and a sentence where others than the usual nets had to serve."""
    there = [net.name for net in status() if not net.missing and net.name in WHERE_THERE]
    loaded, note = nets(request, (*NETS, *there))
    made = [
        Study(
            title,
            net,
            chosen(net, request.images),
            request.out / "claims",
            seed=request.seed,
            bundled=not request.images,
            only_kept=request.only_kept,
        )
        for title, net in loaded.items()
    ]
    for study in made:
        study.others.update({other.title: other for other in made if other is not study})
        if not study.photographs:
            raise SettingsError(
                f"{study.title} is sure of no photograph as it should be: want some whose first class has a "
                f"probability between {LEAST_SURE} and {MOST_SURE}. Give a folder with more: IMAGES=DIR."
            )
    return made, note


@common.figure(Request)
def main(request: Request) -> None:
    """Measure claim after claim before net after net; what is there is written after each."""
    made, note = studies(request)
    fewer = request.most is not None or bool(request.claims)
    found: dict[str, dict[str, Mapping[str, Finding]]] = {study.title: {} for study in made}
    sizes: dict[str, dict[str, Size]] = {study.title: {} for study in made}
    for study in made:
        for claim in request.claims or tuple(MEASURES):
            say(f"Claim {claim}, {study.title}")
            size = size_of(claim, study.net.name, request.quality)
            most = min(size.photographs, request.most or size.photographs)
            findings, lacking = measured(study, claim, replace(size, photographs=most))
            found[study.title].update(findings)
            fewer = fewer or lacking
            sizes[study.title][claim] = size
            results = [report.Result(one, judged(LINES, found[one.title]), sizes[one.title]) for one in made]
            said = {QUICK: request.quality == "smoke", FEWER: fewer, note: bool(note)}
            report.written(request.out, results, " ".join(text for text, holds in said.items() if holds))
    say_text((request.out / "claims.md").read_text(encoding="utf-8"))
