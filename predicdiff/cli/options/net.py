"""What most commands begin with: a net and an image, each from its options."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from ...abilities import net_abilities
from ...errors import ImageError, InputWarning, SettingsError, warn
from ...files import regular
from ...image_files import Content, Intensity, check_intensity
from ...images import MODES, load_image
from ...nets.caffe.transformer import caffe_preprocessing
from ...nets.doors import Altered
from ...nets.fetching.door import known_preprocessing
from ...nets.fetching.manifest import entry, names
from ...nets.fetching.weights import fetch_net, status
from ...nets.preprocessing import ORDERS, Preprocessing
from ...nets.zoo import is_prototxt, load_net
from ...presets import Like
from ...protocols import OUTPUT_KINDS, PRECISIONS, Net
from ...samplers.corpus import bundled
from ..console import FileBars
from .base import Options, option_field
from .shared import engine_field
from .values import DEVIATIONS, FILE, PICK, RANGE, REGION, SHAPE, SIZE, TEXT

DEFAULT_NET = "efficientnet_lite0"
CAT = "chelsea"
#: The name of standard input.
PIPED = "-"
#: Bytes that are read of it; what gives more may never end.
MOST_PIPED = 10**9
#: The box of a detector that is loaded before the view of the image is known.
ANYWHERE = (0, 0, 1, 1)


@dataclass(frozen=True)
class NetChoice(Options):
    """The options that say which net, and how images become its input."""

    heading = "The net"

    net: str | None = option_field(
        "--net",
        default=DEFAULT_NET,
        type=TEXT,
        metavar="NAME|FILE|FOLDER",
        help="A net that `predicdiff nets` lists; the prototxt of one of your own, that of training too; timm:NAME, "
        "torchvision:NAME, hf:NAME or a folder of save_pretrained; net.py:FUNCTION, whose code is run and makes a "
        "module; an .onnx or .pt2 file. docs/nets.md says more.",
    )
    weights: Path | None = option_field(
        "--weights",
        type=FILE,
        help="The caffemodel that goes with a prototxt; for other nets a file in place of their own weights, of "
        "modules a .safetensors or .pth, of which tensors alone are read.",
    )
    input_shape: tuple[int, int, int] | None = option_field(
        "--input-shape",
        type=SHAPE,
        help="Channels, height and width of the input, where the net does not say them: a module, an ONNX file that "
        "leaves them open, the prototxt of a net in training.",
    )
    mean: str | None = option_field(
        "--mean",
        type=TEXT,
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
    std: tuple[float, ...] | None = option_field(
        "--std",
        type=DEVIATIONS,
        help="In place of such a factor: the deviations that inputs are divided by, in the order of the net's colours, "
        "such as 0.229,0.224,0.225 with --raw-scale 1 --mean 0.485,0.456,0.406.",
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
        help="Resize both sides, resize the short side, only crop, or resize to cover the size.  [default: warp for a "
        "prototxt]",
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
        type=TEXT,
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
        type=REGION,
        help="Of a detector: a box of the image, in its pixels. Explained is the best score of a class (--unit) among "
        "the detections, each times its overlap with this box.",
    )
    engine: str = engine_field("What runs a Caffe net: torch, by far the faster, or Caffe itself.")
    device: str | None = option_field(
        "--device", type=TEXT, metavar="cpu|cuda", help="Where to compute.  [default: a GPU if there is one]"
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
        preprocessing = self._preprocessing(like)
        if self.fetch and self.weights is None:
            _fetch_missing(str(self.net), self.engine)
        net = load_net(
            self.net,
            weights=self.weights,
            preprocessing=preprocessing,
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
        if preprocessing is None and net_abilities(net).preprocessing is None:
            warn(
                f"{self.net} does not say how images become its inputs, so these are pixels of 0 to 255: give what it "
                "was trained with, such as --raw-scale 1 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225; if it was "
                "trained with pixels, --raw-scale 255.",
                InputWarning,
            )
        return net if self.box is None else _for_box(net, self.box, image)

    @property
    def files(self) -> tuple[Any, ...]:
        """What is read, and must not be overwritten."""
        return (self.net, self.weights, self.mean, *self.labels)

    @property
    def needs_net(self) -> list[str]:
        """What was given and says nothing without a net; the view and the size do."""
        fields = (
            "weights", "input_shape", "mean", "channels", "raw_scale", "input_scale", "std", "labels",
            "output_blob", "output_is", "pick", "box", "device", "gpu",
        )  # fmt: skip
        return [f"--{name.replace('_', '-')}" for name in fields if getattr(self, name) not in (None, ())]

    def _preprocessing(self, like: Like | None) -> Preprocessing | Altered | None:
        """What takes the place of the net's own, where that is known by now, or makes it of that; None leaves it."""
        settings = {
            "mean": self.mean,
            "channels": self.channels,
            "raw_scale": self.raw_scale,
            "scale": self.input_scale,
            "image_size": self.image_size,
            "view": self.view,
        }
        changes: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
        if is_prototxt(self.net):
            # of a file that is not there nothing is said but that
            there = Path(str(self.net)).is_file()
            read = self._over_std(caffe_preprocessing(**changes, prototxt=self.net)) if there else None
            return read if like is None else self._as(like, read)
        if not changes and like is None and self.std is None:
            return None
        if self.net in names():
            return self._altered(known_preprocessing(entry(self.net), own_mean=self.mean is None), changes, like)
        return lambda own: self._altered(own, changes, like)

    def _altered(self, own: Preprocessing | None, changes: dict[str, Any], like: Like | None) -> Preprocessing | None:
        """A net's own preprocessing with what was given put in its place, and then ``like``'s view."""
        altered = own
        if changes:
            known, read = own or Preprocessing(), caffe_preprocessing(**{"mean": "0", **changes})
            size = changes.get("image_size", known.view.size)
            view = replace(known.view, mode=changes.get("view", known.view.mode), size=size)
            same = {name: getattr(read, name) for name in changes if name not in ("image_size", "view")}
            altered = replace(known, view=view, **same)
        if self.std is not None:
            altered = self._over_std(altered or Preprocessing())
        return altered if like is None else self._as(like, altered)

    def _over_std(self, own: Preprocessing) -> Preprocessing:
        """With the deviations that were given as the scale, if any were."""
        if self.std is None:
            return own
        if self.input_scale is not None:
            raise SettingsError("--input-scale and --std both say what inputs are multiplied by: want one of them.")
        scale = 1 / np.array(self.std)
        return replace(own, scale=scale if len(scale) > 1 else float(scale[0]))

    def _as(self, like: Like, own: Preprocessing | None) -> Preprocessing | None:
        alike = like.preprocessing(own)
        return alike if own is None or alike is None or self.view is None else replace(alike, view=own.view)


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
        "as they are. In greys of DICOM it takes the place of the file's window.",
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
class ImageReading(Reading):
    """The same of a command that is given an image."""

    page: int | None = option_field(
        "--page",
        type=click.IntRange(1),
        metavar="N",
        help="Which picture of a file that holds several (TIFF, GIF, DICOM, ...), counted from 1.  "
        "[default: the first; the files of a corpus give theirs]",
    )


@dataclass(frozen=True)
class NamedImage:
    """An image, what to call it in file names and in sentences, and its ``file`` where it has one."""

    image: np.ndarray
    name: str
    said: str
    file: Path | None = None


def named_image(path: str | None, intensity: Intensity = None, page: int | None = None) -> NamedImage:
    """The image of a command: a file's, standard input's, or by default the cat that scikit-image brings."""
    if path is None:
        if page is not None:
            raise SettingsError(f"--page {page} without an image: give the path of one, or leave it out.")
        return NamedImage(bundled()[CAT], CAT, f"{CAT}, a cat that scikit-image brings")
    if not path:
        raise ImageError("the image's name is empty: give the path of an image (PNG, JPEG, ...).")
    of_page = "" if page is None else f", page {page}"
    if path == PIPED:
        return NamedImage(load_image(_piped(), intensity=intensity, page=page), "stdin", f"standard input{of_page}")
    regular(path, ImageError, f"An image that comes by a pipe is {PIPED}, standard input.")
    image = load_image(path, intensity=intensity, page=page)
    return NamedImage(image, Path(path).stem, f"{Path(path)}{of_page}", Path(path))


def _piped() -> Content:
    """What comes by standard input."""
    content = bytearray()
    if sys.stdin is not None and not sys.stdin.isatty():
        while len(content) <= MOST_PIPED and (chunk := sys.stdin.buffer.read(2**20)):
            content += chunk
    if len(content) > MOST_PIPED:
        raise ImageError(f"standard input: more than {MOST_PIPED / 1e9:g} GB, want one image. Give its file instead.")
    if not content:
        raise ImageError(f"{PIPED} is standard input, by which nothing comes: want an image, as by `cat x.jpg | ...`.")
    return Content(bytes(content), "standard input")
