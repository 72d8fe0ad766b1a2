"""What most commands begin with: a net and an image, each from its options."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from ...errors import ImageError, SettingsError
from ...images import MODES, load_image
from ...nets.preprocessing import ORDERS, Preprocessing
from ...presets import Like
from ...protocols import ENGINES, PRECISIONS, Net
from ...samplers.corpus import bundled
from ..listing import fetch_missing
from .base import Decorator, gather, option
from .values import FILE, SIZE

DEFAULT_NET = "efficientnet_lite0"
CAT = "chelsea"


@dataclass(frozen=True)
class NetChoice:
    """The options that say which net, and how images become its input."""

    net: str | None
    weights: Path | None
    mean: str | None
    channels: str | None
    raw_scale: float | None
    input_scale: float | None
    image_size: int | tuple[int, int] | None
    view: str | None
    labels: Path | None
    device: str | None
    gpu: int | None = None
    engine: str = ENGINES[0]
    precision: str = "float32"
    fetch: bool = False

    def load(self, like: Like | None = None) -> Net:
        """The net, ready to be explained; its view is ``like``'s, where none was given."""
        from ...nets.zoo import load_net

        settle()
        if self.gpu is not None and self.device is not None:
            raise SettingsError(f"--gpu {self.gpu} and --device {self.device} both say where to compute: want one.")
        preprocessing = self._preprocessing()
        if self.fetch and self.weights is None:
            fetch_missing(str(self.net), self.engine)
        return load_net(
            self.net,
            weights=self.weights,
            preprocessing=preprocessing if like is None else self._as(like, preprocessing),
            labels=self.labels,
            engine=self.engine,
            device=self.device if self.gpu is None else f"cuda:{self.gpu}",
            precision=self.precision,
        )

    def _as(self, like: Like, given: Preprocessing | None) -> Preprocessing | None:
        from ...nets.fetching.door import known_preprocessing
        from ...nets.fetching.manifest import entry, names

        known = known_preprocessing(entry(self.net)) if given is None and self.net in names() else given
        made = like.preprocessing(known)
        return made if known is None or made is None or self.view is None else replace(made, view=known.view)

    @property
    def files(self) -> tuple[Any, ...]:
        """What is read, and must not be overwritten."""
        return (self.net, self.weights, self.mean, self.labels)

    @property
    def needs_net(self) -> list[str]:
        """What was given and says nothing without a net; the view and the size do."""
        fields = ("weights", "mean", "channels", "raw_scale", "input_scale", "labels", "device", "gpu")
        return [f"--{name.replace('_', '-')}" for name in fields if getattr(self, name) is not None]

    def _preprocessing(self) -> Preprocessing | None:
        """Caffe's, or a known net's own, with what was given put in its place; None leaves all to the net."""
        from ...nets.caffe.transformer import caffe_preprocessing
        from ...nets.fetching.door import known_preprocessing
        from ...nets.fetching.manifest import entry, names

        settings = {
            "mean": self.mean,
            "channels": self.channels,
            "raw_scale": self.raw_scale,
            "scale": self.input_scale,
            "image_size": self.image_size,
            "view": self.view,
        }
        given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
        if self.net not in names():
            # of a file that is not there nothing is said but that
            return caffe_preprocessing(**given) if Path(str(self.net)).is_file() else None
        if not given:
            return None
        known = known_preprocessing(entry(self.net))
        made = caffe_preprocessing(**{"mean": "0", **given})
        size = given.get("image_size", known.view.size)
        view = replace(known.view, mode=given.get("view", known.view.mode), size=size)
        changed = {name: getattr(made, name) for name in given if name not in ("image_size", "view")}
        return replace(known, view=view, **changed)


def settle() -> None:
    """What a program may do and a library may not; without torch, `load_net` has the word."""
    with suppress(ImportError):
        from ...nets.engine.device import keep_freed_memory

        keep_freed_memory()


NET = "The net"


def net_options(default: str | None = DEFAULT_NET) -> Decorator:
    """Adds the options of `NetChoice`, handed over as ``net``."""
    return gather(
        "net",
        NetChoice,
        option(
            "--net",
            default=default,
            show_default=default is not None,
            metavar="NAME|PROTOTXT",
            group=NET,
            help="A net that `predicdiff nets` lists, or the deploy prototxt of one of your own.",
        ),
        option("--weights", type=FILE, group=NET, help="The caffemodel that goes with a prototxt."),
        option(
            "--mean",
            metavar="FILE|B,G,R",
            group=NET,
            help="The mean that is taken away: a .binaryproto or .npy, or a number a channel; 0,0,0 if there is none.",
        ),
        option(
            "--channels",
            type=click.Choice(ORDERS),
            group=NET,
            help="The order of the net's colours.  [default: bgr for a prototxt]",
        ),
        option("--raw-scale", type=float, group=NET, help="White in the net's input: 255 or 1.  [default: 255]"),
        option("--input-scale", type=float, group=NET, help="Factor after the mean was taken away.  [default: 1]"),
        option(
            "--image-size",
            type=SIZE,
            group=NET,
            help="What images are resized to before their centre is cropped.  [default: 256 for a prototxt]",
        ),
        option(
            "--view",
            type=click.Choice(MODES),
            group=NET,
            help="Resize both sides, resize the short side, or only crop.  [default: warp for a prototxt]",
        ),
        option("--labels", type=FILE, group=NET, help="Names of the classes, a line each."),
        option(
            "--engine",
            type=click.Choice(ENGINES),
            default=ENGINES[0],
            show_default=True,
            envvar="PREDICDIFF_ENGINE",
            group=NET,
            help="What runs a Caffe net: torch, by far the faster, or Caffe itself.",
        ),
        option("--device", metavar="cpu|cuda", group=NET, help="Where to compute.  [default: a GPU if there is one]"),
        option("--gpu", type=click.IntRange(0), metavar="N", group=NET, help="The same as --device cuda:N."),
        option(
            "--precision",
            type=click.Choice(PRECISIONS),
            default=PRECISIONS[0],
            show_default=True,
            group=NET,
            help="Of products, less than float32 for speed on a GPU.",
        ),
        option(
            "--fetch",
            is_flag=True,
            envvar="PREDICDIFF_FETCH",
            group=NET,
            help="Download first the weights that a net of the list lacks.",
        ),
    )


@dataclass(frozen=True)
class Subject:
    """An image and what to call it; ``file`` where it has one."""

    image: np.ndarray
    name: str
    file: Path | None = None


def subject(path: str | None) -> Subject:
    """The image of a command, by default the cat that scikit-image brings."""
    if path is None:
        return Subject(bundled()[CAT], CAT)
    if not path:
        raise ImageError("the image's name is empty: give the path of an image (PNG, JPEG, ...).")
    return Subject(load_image(path), Path(path).stem, Path(path))
