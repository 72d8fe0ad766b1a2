"""What most commands begin with: a net and an image, each from its options."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from ...abilities import net_abilities
from ...errors import ImageError, SettingsError
from ...image_files import Intensity, check_intensity
from ...images import MODES, load_image
from ...nets.caffe.transformer import caffe_preprocessing
from ...nets.fetching.door import known_preprocessing
from ...nets.fetching.manifest import entry, names
from ...nets.fetching.weights import fetch_net, status
from ...nets.preprocessing import ORDERS, Preprocessing
from ...nets.zoo import load_net
from ...presets import Like
from ...protocols import OUTPUT_KINDS, PRECISIONS, Net
from ...samplers.corpus import bundled
from ..console import FileBars
from .base import Options, option_field
from .shared import engine_field
from .values import BOX, FILE, PICK, RANGE, SHAPE, SIZE

DEFAULT_NET = "efficientnet_lite0"
CAT = "chelsea"
#: The box of a detector that is loaded before the view of the image is known.
ANYWHERE = (0, 0, 1, 1)


@dataclass(frozen=True)
class NetChoice(Options):
    """The options that say which net, and how images become its input."""

    heading = "The net"

    net: str | None = option_field(
        "--net",
        default=DEFAULT_NET,
        metavar="NAME|PROTOTXT",
        help="A net that `predicdiff nets` lists, or the prototxt of one of your own, that of training too.",
    )
    weights: Path | None = option_field(
        "--weights", type=FILE, help="The caffemodel that goes with a prototxt, or another for a listed net."
    )
    input_shape: tuple[int, int, int] | None = option_field(
        "--input-shape",
        type=SHAPE,
        help="Channels, height and width of the input, where the prototxt of a net in training does not say them.",
    )
    mean: str | None = option_field(
        "--mean",
        metavar="FILE|B,G,R",
        help="The mean that is taken away: a .binaryproto or .npy, a number a channel, or one for all; 0,0,0 if there "
        "is none.  [default: that of a prototxt for training]",
    )
    channels: str | None = option_field(
        "--channels",
        type=click.Choice(ORDERS),
        help="The order of the net's colours.  [default: bgr for a prototxt]",
    )
    raw_scale: float | None = option_field(
        "--raw-scale", type=float, help="White in the net's input: 255 or 1.  [default: 255]"
    )
    input_scale: float | None = option_field(
        "--input-scale",
        type=float,
        help="Factor after the mean was taken away.  [default: that of a prototxt for training, or 1]",
    )
    image_size: int | tuple[int, int] | None = option_field(
        "--image-size",
        type=SIZE,
        help="What images are resized to before their centre is cropped.  [default for a prototxt: 256 where the net's "
        "input is 224 to 227, else the net's input]",
    )
    view: str | None = option_field(
        "--view",
        type=click.Choice(MODES),
        help="Resize both sides, resize the short side, or only crop.  [default: warp for a prototxt]",
    )
    labels: tuple[Path, ...] = option_field(
        "--labels",
        type=FILE,
        multiple=True,
        help="Names of the classes, a line each. Of several outputs each takes a file of its own by the number of its "
        "classes, and outputs of as many take theirs in the order of the prototxt.",
    )
    output_blob: str | None = option_field(
        "--output-blob",
        metavar="BLOB",
        help="A prototxt's output: a blob of probabilities, or of the scores before them.  [default: what its last "
        "Softmax makes, else a Sigmoid, else the last layer]",
    )
    output_is: str | None = option_field(
        "--output-is",
        type=click.Choice(OUTPUT_KINDS),
        help="What that blob holds where no Softmax or Sigmoid makes it: logits, whose softmax is the probability; "
        "scores with a sigmoid each; probabilities; other numbers.  [default: logits]",
    )
    pick: int | str | None = option_field(
        "--pick",
        type=PICK,
        help="Which output of a net that returns several: its key, such as logits, or its number from 0.  [default: "
        "the only one that fits, or logits]",
    )
    box: tuple[int, int, int, int] | None = option_field(
        "--box",
        type=BOX,
        help="Of a detector: a box of the image, in its pixels. Explained is the best score of a class (--unit) among "
        "the detections, each times its overlap with this box.",
    )
    engine: str = engine_field("What runs a Caffe net: torch, by far the faster, or Caffe itself.")
    device: str | None = option_field(
        "--device", metavar="cpu|cuda", help="Where to compute.  [default: a GPU if there is one]"
    )
    gpu: int | None = option_field("--gpu", type=click.IntRange(0), metavar="N", help="The same as --device cuda:N.")
    precision: str = option_field(
        "--precision",
        type=click.Choice(PRECISIONS),
        default=PRECISIONS[0],
        help="Of products, less than float32 for speed on a GPU.",
    )
    fetch: bool = option_field(
        "--fetch",
        is_flag=True,
        envvar="PREDICDIFF_FETCH",
        help="Download first the weights that a net of the list lacks.",
    )

    def load(self, like: Like | None = None, image: np.ndarray | None = None) -> Net:
        """The net, ready to be explained; its view is ``like``'s, where none was given, and a box that of an image."""
        settle()
        if self.gpu is not None and self.device is not None:
            raise SettingsError(f"--gpu {self.gpu} and --device {self.device} both say where to compute: want one.")
        preprocessing = self._preprocessing()
        if self.fetch and self.weights is None:
            _fetch_missing(str(self.net), self.engine)
        net = load_net(
            self.net,
            weights=self.weights,
            preprocessing=preprocessing if like is None else self._as(like, preprocessing),
            input_shape=self.input_shape,
            labels=list(self.labels) or None,
            output=self.output_blob,
            output_is=self.output_is,
            engine=self.engine,
            device=self.device if self.gpu is None else f"cuda:{self.gpu}",
            precision=self.precision,
            pick=self.pick,
            box=self.box and ANYWHERE,
        )
        return net if self.box is None else _for_box(net, self.box, image)

    def _as(self, like: Like, own: Preprocessing | None) -> Preprocessing | None:
        known = known_preprocessing(entry(self.net)) if own is None and self.net in names() else own
        alike = like.preprocessing(known)
        return alike if known is None or alike is None or self.view is None else replace(alike, view=known.view)

    @property
    def files(self) -> tuple[Any, ...]:
        """What is read, and must not be overwritten."""
        return (self.net, self.weights, self.mean, *self.labels)

    @property
    def needs_net(self) -> list[str]:
        """What was given and says nothing without a net; the view and the size do."""
        fields = (
            "weights", "input_shape", "mean", "channels", "raw_scale", "input_scale", "labels", "output_blob",
            "output_is", "pick", "box", "device", "gpu",
        )  # fmt: skip
        return [f"--{name.replace('_', '-')}" for name in fields if getattr(self, name) not in (None, ())]

    def _preprocessing(self) -> Preprocessing | None:
        """Caffe's, or a known net's own, with what was given put in its place; None leaves all to the net."""
        settings = {
            "mean": self.mean,
            "channels": self.channels,
            "raw_scale": self.raw_scale,
            "scale": self.input_scale,
            "image_size": self.image_size,
            "view": self.view,
        }
        changes: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
        if self.net not in names():
            # of a file that is not there nothing is said but that
            return caffe_preprocessing(**changes, prototxt=self.net) if Path(str(self.net)).is_file() else None
        if not changes:
            return None
        known = known_preprocessing(entry(self.net), own_mean=self.mean is None)
        read = caffe_preprocessing(**{"mean": "0", **changes})
        size = changes.pop("image_size", known.view.size)
        view = replace(known.view, mode=changes.pop("view", known.view.mode), size=size)
        return replace(known, view=view, **{name: getattr(read, name) for name in changes})


def _for_box(net: Any, box: tuple[int, ...], image: np.ndarray | None) -> Net:
    """The net of a detector for a box of an image."""
    if image is None:
        raise SettingsError("--box says a place in the one image of `predicdiff explain`: leave it out here.")
    preprocessing = net_abilities(net).preprocessing
    if preprocessing is not None:
        box = preprocessing.view.frame(image.shape[:2], net.input_shape[1:]).seen_box(box)
    found: Net = net.for_box(box)
    return found


def _fetch_missing(name: str, engine: str) -> None:
    """Download what a net of the manifest lacks, if the engine can run it; other nets have their files named."""
    lacking = any(net.name == name and net.missing for net in status())
    if lacking and (engine == "torch" or entry(name).prototxt is not None):
        bars = FileBars(quiet=False)
        try:
            fetch_net(name, progress=bars)
        finally:
            bars.close()


def settle() -> None:
    """What a program may do and a library may not; without torch, `load_net` has the word."""
    with suppress(ImportError):
        from ...nets.engine.device import keep_freed_memory

        keep_freed_memory()


@dataclass(frozen=True)
class Reading(Options):
    """The options that say how image files are read, those of a corpus too."""

    heading = "Image files"

    white: float | None = option_field(
        "--white",
        type=float,
        metavar="VALUE",
        help="White in greys of more than 8 bits, such as 4095, or of floats.  [default: by the file's largest value]",
    )
    range: tuple[float, float] | None = option_field(
        "--intensity",
        type=RANGE,
        help="Black and white in such greys, where black is not 0; what lies outside is cut off. Files of 8 bits stay "
        "as they are.",
    )

    @property
    def intensity(self) -> Intensity:
        """Black and white, as `load_image` takes them."""
        if self.white is None:
            return check_intensity(self.range)
        if self.range is not None:
            raise SettingsError("--white and --intensity both say what is white: want one of them.")
        if not 0 < self.white < np.inf:
            raise SettingsError(f"--white {self.white:g}: want a number above 0, such as 4095.")
        return check_intensity((0.0, self.white))


@dataclass(frozen=True)
class NamedImage:
    """An image and what to call it; ``file`` where it has one."""

    image: np.ndarray
    name: str
    file: Path | None = None


def named_image(path: str | None, intensity: Intensity = None) -> NamedImage:
    """The image of a command, by default the cat that scikit-image brings."""
    if path is None:
        return NamedImage(bundled()[CAT], CAT)
    if not path:
        raise ImageError("the image's name is empty: give the path of an image (PNG, JPEG, ...).")
    return NamedImage(load_image(path, intensity=intensity), Path(path).stem, Path(path))
