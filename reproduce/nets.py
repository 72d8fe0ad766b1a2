"""Which nets the figures show: those that are named, or the paper's with what stands in for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

from predicdiff.cli.console import say_text
from predicdiff.cli.options.base import Options, option_field
from predicdiff.cli.options.net import NetChoice
from predicdiff.cli.options.shared import engine_field
from predicdiff.cli.options.values import FILE
from predicdiff.errors import DownloadError, SettingsError, WeightsError
from predicdiff.nets.fetching.manifest import models_dir, names
from predicdiff.nets.fetching.weights import fetch_net
from predicdiff.nets.labels import load_labels

PAPER_NETS = ("alexnet", "googlenet", "vgg16")
#: What serves where a net's weights can't be had, and what serves where no weights of any net can, a torch module.
STAND_INS = {"alexnet": "squeezenet1.1"}
STAND_IN = "efficientnet_lite0"
TITLES = {
    "alexnet": "AlexNet",
    "googlenet": "GoogLeNet",
    "vgg16": "VGG16",
    "squeezenet1.1": "SqueezeNet 1.1",
    STAND_IN: "EfficientNet-Lite0",
}


def say(text: str) -> None:
    """A line of the log, on standard error like the progress bars."""
    say_text(text, err=True)


@dataclass(frozen=True)
class Choice(Options):
    """The options that say which nets, and what runs them."""

    names: tuple[str, ...] = option_field(
        "--net", multiple=True, help="A net's name; repeat for more. With --weights also a deploy prototxt."
    )
    engine: str = engine_field("What runs Caffe nets.")
    device: str | None = option_field(
        "--device", metavar="cpu|cuda", help="Where to compute.  [default: a GPU if there is one]"
    )
    weights: Path | None = option_field("--weights", type=FILE, help="Weights of the one --net, in place of its own.")
    mean: str | None = option_field("--mean", help="Its mean, in place of its own: a file, or b,g,r.")

    def load(self, name: str) -> Any:
        """A net as the command line gives it; of a prototxt a thousand classes are taken for ILSVRC's."""
        net = NetChoice(net=name, weights=self.weights, mean=self.mean, engine=self.engine, device=self.device).load()
        if name not in names() and net.output is not None and net.blobs[net.output][0] == 1000:
            net.labels = load_labels(models_dir() / "ilsvrc12_labels.tsv")
        return net


def check(choice: Choice) -> None:
    """Refuse weights or a mean that do not belong to one net."""
    given = [f"--{name}" for name, value in (("weights", choice.weights), ("mean", choice.mean)) if value is not None]
    if given and len(choice.names) != 1:
        raise SettingsError(
            f"{' and '.join(given)} belong to one net: want one --net with them, not {len(choice.names)}."
        )


def nets(choice: Choice, wanted: tuple[str, ...] = PAPER_NETS) -> tuple[dict[str, Any], str]:
    """Nets by title, and sentences for the caption where others than ``wanted`` had to serve.

    Named nets must be there. Otherwise those of ``wanted``, or what stands in for one of them, whose weights are there
    or can be fetched; where there are none, EfficientNet-Lite0, which with Caffe can't serve: a WeightsError there.
    """
    if choice.names:
        return {TITLES.get(name, Path(name).stem): choice.load(name) for name in choice.names}, ""
    loaded: dict[str, Any] = {}
    notes: list[str] = []
    missing: list[str] = []
    away: dict[str, str] = {}
    for name in wanted:
        serving = _first_had((name, *([STAND_INS[name]] if name in STAND_INS else [])), away)
        if serving is None:
            missing.append(TITLES[name])
            continue
        loaded[TITLES[serving]] = choice.load(serving)
        if serving != name:
            notes.append(_stands_in(serving, [name]))
    if not loaded:
        return _last_resort(choice, wanted)
    if missing:
        notes.append(f"Without {' and '.join(missing)}, whose weights could not be had.")
    return loaded, " ".join(notes)


def _first_had(candidates: Sequence[str], away: dict[str, str]) -> str | None:
    """The first net whose weights are there or can be fetched; hosts found ``away`` are not asked again."""
    for name in candidates:
        try:
            fetch_net(name, unreachable=away)
        except (DownloadError, WeightsError) as error:
            say(f"{TITLES[name]} can't be had: {str(error).splitlines()[0]}")
        else:
            return name
    return None


def _last_resort(choice: Choice, wanted: Sequence[str]) -> tuple[dict[str, Any], str]:
    if choice.engine != "torch":
        raise WeightsError(
            f"the weights of {_titles(wanted)} are not there, and {TITLES[STAND_IN]}, which "
            f"stands in for them with torch, is no Caffe net. Get them with `predicdiff fetch {' '.join(wanted)}`, or "
            "give a net of your own: NETS=deploy.prototxt WEIGHTS=its.caffemodel MEAN=104,117,123."
        )
    note = _stands_in(STAND_IN, wanted)
    say(note)
    return {TITLES[STAND_IN]: choice.load(STAND_IN)}, note


def _stands_in(serving: str, wanted: Sequence[str]) -> str:
    return f"{TITLES[serving]} stands in for {_titles(wanted)}, whose weights could not be had."


def _titles(wanted: Sequence[str]) -> str:
    return ", ".join(TITLES[name] for name in wanted)
