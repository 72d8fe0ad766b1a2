"""The nets that the contract holds: one for each door and engine, and each way in which a net evaluates."""

from __future__ import annotations

import copy
import importlib
import tempfile
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np
import pytest

from helpers.one_at_a_time import Look
from helpers.places import DATA
from helpers.rounding import float32_atol, products
from helpers.tiny_by_hand import WEIGHTS, tiny_blobs
from helpers.tiny_zoo import WEIGHTS as CAFFEMODEL
from helpers.tiny_zoo import TinyZoo
from predicdiff.algorithm import explain
from predicdiff.errors import InputWarning, without
from predicdiff.explanation import Explanation
from predicdiff.images import View
from predicdiff.nets import zoo
from predicdiff.nets.doors import Door
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.samplers.gaussian import GaussianSampler

#: N of Laplace's correction, so few that it matters.
INSTANCES = 10_000

#: All blobs for one input (C, H, W), where some of them are given.
Blobs = Callable[[np.ndarray, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Held:
    """A net and all that it is held against.

    Attributes
    ----------
    shape : (C, H, W)
    load : callable
        Loads the net, from the same source each time.
    blobs : callable
        What it should give: another way to compute the same, one input at a time, in double precision.
    encode : callable
        Pixels to inputs, by hand.
    terms : int
        How many products a score sums up.
    starts : tuple of str
        Hidden blobs, some of them beside another way, so that not all of the net sees what is changed. None of a net
        that shows none.
    units : (int, int)
        Two classes of which the net is not sure.
    how : dict
        Window and stride, of other sizes along rows and columns than the net's own steps.
    module : torch.nn.Module or None
        The caller's own.
    gradients : bool
        Whether what computes the net has any.
    """

    shape: tuple[int, int, int]
    load: Callable[[], Any]
    blobs: Blobs
    encode: Callable[[np.ndarray], np.ndarray]
    terms: int
    starts: tuple[str, ...]
    units: tuple[int, int]
    how: Mapping[str, Any]
    module: Any = None
    gradients: bool = True

    @cached_property
    def net(self) -> Any:
        """The net, loaded once."""
        return self.load()

    @cached_property
    def image(self) -> np.ndarray:
        """Pixels (C, H, W) that are not in the corpus."""
        return _pictures(self.shape, 1, seed=7)[0]

    @cached_property
    def corpus(self) -> np.ndarray:
        """Other pixels (6, C, H, W)."""
        return _pictures(self.shape, 6, seed=8)

    @cached_property
    def sampler(self) -> GaussianSampler:
        """A sampler that draws."""
        return GaussianSampler.fit(self.corpus, [side + 2 for side in self.how["window"]], patches=900, seed=0)

    @property
    def asked(self) -> dict[str, Any]:
        """Settings of `explain`."""
        return {**self.how, "samples": 2, "units": list(self.units), "training_instances": INSTANCES}

    def explained(self, sampler: Any = None, **asked: Any) -> Explanation:
        """Maps of the image."""
        return explain(self.net, self.image, sampler or self.sampler, **{**self.asked, **asked})

    @cached_property
    def result(self) -> Explanation:
        """The maps without any wishes."""
        return self.explained()

    def look(self, blob: str, units: Sequence[Any]) -> Look:
        """Units' values for pixels."""
        return lambda pixels: _at(self.blobs(self.encode(pixels), {})[blob], units)

    def look_from(self, start: str, blob: str, units: Sequence[Any]) -> Look:
        """Units' values for activations of a hidden blob."""
        inputs = self.encode(self.image)
        return lambda ground: _at(self.blobs(inputs, {start: ground})[blob], units)

    def rounding(self, blob: str) -> float:
        """By how much values, or log-odds, may be off; both move by no more than twice what the scores do."""
        blobs = self.blobs(self.encode(self.image), {})
        scores = blobs[self.net.scores if blob == self.net.output else blob]
        return 2 * float32_atol(scores, self.terms) / np.log(2)


def _at(blob: np.ndarray, units: Sequence[Any]) -> list[float]:
    return [float(np.mean(blob[unit])) for unit in units]


def _pictures(shape: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    """Whole numbers 0..255, as pixels are."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.float32)


@dataclass(frozen=True)
class NetCase:
    """How a net is made, by which door it comes and what computes it."""

    name: str
    door: Door
    engine: str
    make: Callable[[Path], Held]


# ------------------------------------------------------------------------------------------ modules


#: From a folder and a module to what `zoo.load_net` makes a net of it of.
Source = Callable[[Path, Any], Any]


def _module(kind: str, source: Source | None = None, **change: Any) -> Callable[[Path], Held]:
    def make(folder: Path) -> Held:
        from helpers import contract_modules

        module = contract_modules.learnt(kind)
        about = Preprocessing(View("warp"), "rgb", mean=[0.5, 0.4, 0.3], raw_scale=1.0, scale=[2.0, 3.0, 4.0])
        mean, scale = np.reshape([0.5, 0.4, 0.3], (3, 1, 1)), np.reshape([2.0, 3.0, 4.0], (3, 1, 1))
        given = module if source is None else source(folder, module)

        def load() -> Any:
            ask = {"input_shape": contract_modules.SHAPE, "preprocessing": about, "device": "cpu"}
            return _changed(zoo.load_net(given, **ask), change)

        return Held(
            contract_modules.SHAPE, load, contract_modules.alone(module),
            lambda pixels: (pixels / 255.0 - mean) * scale, products(contract_modules.weights_of(module)),
            starts=("left", "relu", "right"), units=(1, 2), how={"window": (4, 3), "stride": 3}, module=module,
        )  # fmt: skip

    return make


def _function(folder: Path, module: Any) -> str:
    """A file with a function that makes such a module."""
    (folder / "net.py").write_text("from helpers.contract_modules import learnt\ndef make(): return learnt('traced')\n")
    return f"{folder}/net.py:make"


def _onnx(folder: Path) -> Held:
    """An ONNX model that onnxruntime runs."""
    from helpers.onnx_models import branches
    from predicdiff.nets.onnx import door
    from predicdiff.nets.onnx.conversion import UnconvertedError

    def refuse(*_: Any) -> None:
        raise UnconvertedError("it is not wanted here")

    def write(folder: Path, module: Any) -> str:
        (folder / "net.onnx").write_bytes(branches(module).SerializeToString())
        return f"{folder}/net.onnx"

    held = _module("traced", write)(folder)

    def load() -> Any:
        with pytest.MonkeyPatch.context() as patch, without(InputWarning):
            patch.setattr(door, "converted", refuse)
            return held.load()

    return replace(held, load=load, gradients=False)


def _of_library(door: str, name: str) -> Callable[[Path], Held]:
    """A module that a door to another library takes for that library's."""

    def make(folder: Path) -> Held:
        held = _module("traced", lambda *_: name.format(folder=folder))(folder)
        (folder / "config.json").write_text('{"model_type": "resnet"}')
        module = importlib.import_module(f"predicdiff.nets.modules.sources.{door}")

        def load() -> Any:
            held.module.num_classes, held.module.pretrained_cfg = 4, {"num_classes": None}
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(module, "_module", lambda *_: held.module)
                return held.load()

        return replace(held, load=load)

    return make


# ------------------------------------------------------------------------------------------ Caffe's files

BGR = Preprocessing(View("warp"), "bgr", mean=[104.0, 117.0, 123.0])


def _tiny(load: Callable[[], Any]) -> Held:
    mean = np.reshape([104.0, 117.0, 123.0], (3, 1, 1))
    terms = products(arrays[0] for arrays in WEIGHTS.values())
    return Held(
        (3, 24, 24), load, tiny_blobs, lambda pixels: pixels[::-1] - mean, terms,
        starts=("conv2a", "norm1", "pool1"), units=(2, 3), how={"window": (7, 6), "stride": 6},
    )  # fmt: skip


def _prototxt(engine: str, **change: Any) -> Callable[[Path], Held]:
    ask = {"weights": DATA / "tiny_v1.caffemodel", "engine": engine, "preprocessing": BGR, "device": "cpu"}
    return lambda folder: _tiny(lambda: _changed(zoo.load_net(DATA / "tiny_v1.prototxt", **ask), change))


def _name(folder: Path) -> Held:
    """A net of a manifest, whose weights were fetched before."""

    def load() -> Any:
        place = Path(tempfile.mkdtemp(dir=folder))
        with pytest.MonkeyPatch.context() as patch, TinyZoo(place, patch) as here:
            here.place("tiny.caffemodel", CAFFEMODEL)
            return zoo.load_net("tiny", preprocessing=BGR, device="cpu")

    return _tiny(load)


def _changed(net: Any, attributes: Mapping[str, Any]) -> Any:
    for name, attribute in attributes.items():
        setattr(net, name, attribute)
    return net


def _exported(folder: Path) -> Held:
    """A program that torch exported for any number of images."""

    def write(folder: Path, module: Any) -> str:
        import torch

        dynamic = ({0: torch.export.Dim("N")},)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch warns its own code of
            program = torch.export.export(
                copy.deepcopy(module).eval(), (torch.zeros(2, 3, 12, 10),), dynamic_shapes=dynamic
            )
            torch.export.save(program, folder / "net.pt2")
        return f"{folder}/net.pt2"

    return replace(_module("traced", write)(folder), starts=())


NETS = (
    NetCase("a module", zoo.MODULE, "torch", _module("traced")),
    NetCase("a module, all of it computed", zoo.MODULE, "torch", _module("traced", incremental=False)),
    NetCase("a module that makes its draws", zoo.MODULE, "torch", _module("traced", _draws_on_device=True)),
    NetCase("a module without a trace", zoo.MODULE, "torch", _module("untraceable")),
    NetCase("a function's module", zoo.FUNCTION, "torch", _module("traced", _function)),
    NetCase("an ONNX file", zoo.ONNX, "onnxruntime", _onnx),
    NetCase("an exported program", zoo.EXPORTED, "torch", _exported),
    NetCase("timm's", zoo.TIMM, "timm", _of_library("timm_nets", "timm:test_resnet")),
    NetCase("torchvision's", zoo.TORCHVISION, "torchvision", _of_library("torchvision_nets", "torchvision:resnet18")),
    NetCase("Hugging Face's", zoo.HUGGING_FACE, "transformers", _of_library("hugging_face", "{folder}")),
    NetCase("Caffe's layers", zoo.PROTOTXT, "torch", _prototxt("torch")),
    NetCase("Caffe's layers, all of them computed", zoo.PROTOTXT, "torch", _prototxt("torch", incremental=False)),
    NetCase("Caffe itself", zoo.PROTOTXT, "caffe", _prototxt("caffe")),
    NetCase("a name", zoo.NAME, "torch", _name),
)
