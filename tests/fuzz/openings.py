"""What users do with a file of each format: a function (path, folder, seldom) that opens it and looks at what comes.

``seldom`` is said of one file in several, with which more is done, such as drawing.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from helpers.places import DATA
from PIL import Image

from predicdiff import Explanation, load_image, load_net
from predicdiff.cli import main
from predicdiff.errors import PredicdiffError
from predicdiff.journal import Journal
from predicdiff.masks import load_mask
from predicdiff.nets.caffe.transformer import caffe_preprocessing
from predicdiff.nets.fetching.archive import extract
from predicdiff.nets.fetching.manifest import parse
from predicdiff.nets.fetching.part_file import Hash
from predicdiff.samplers import load_sampler
from predicdiff.shapes.labels import read_segments

PICTURE = np.arange(24 * 30 * 3, dtype=np.uint8).reshape(24, 30, 3)
MODULE = "import torch\n\ndef make():\n    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))\n"


def command_line(*arguments: object) -> str:
    """What a command prints; a PredicdiffError of what it says where it ends in status 2."""
    said, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            status = ended.code
    if status == 2:
        raise PredicdiffError(wrong.getvalue().strip())
    assert status in (None, 0), (status, wrong.getvalue())
    assert said.getvalue().replace("\n", "").isprintable(), said.getvalue()[:500]
    assert len(said.getvalue()) < 20_000, "a page that nobody reads"
    return said.getvalue()


def _tiny(**other: Any) -> Any:
    settings = {"weights": DATA / "tiny_v1.caffemodel", "preprocessing": _preprocessing(), **other}
    return load_net(settings.pop("source", DATA / "tiny_v1.prototxt"), **settings)


@functools.lru_cache(maxsize=1)
def _preprocessing() -> Any:
    return caffe_preprocessing(mean="104,117,123", image_size=24)


def _answer(net: Any) -> Any:
    """What a net gives for a picture, of numbers where it gives any."""
    last = list(net.blobs)[-1]
    values = net.forward(net.encode(net.view(PICTURE))[None], [last])[last]
    assert values.shape[0] == 1
    return values.shape


def prototxt(path: Path, folder: Path, seldom: bool) -> Any:
    if seldom:
        return command_line("blobs", "--net", path, "--weights", DATA / "tiny_v1.caffemodel")
    return _answer(_tiny(source=path))


def caffemodel(path: Path, folder: Path, seldom: bool) -> Any:
    return _answer(_tiny(weights=path))


def mean(path: Path, folder: Path, seldom: bool) -> Any:
    net = _tiny(preprocessing=caffe_preprocessing(mean=path, image_size=24))
    assert np.isfinite(net.encode(net.view(PICTURE))).all()
    return _answer(net)


def result(path: Path, folder: Path, seldom: bool) -> Any:
    explanation = Explanation.load(path)
    repr(explanation)
    if not seldom:
        return command_line("show", path)
    drawn = folder / "out" / "drawn.svg"
    said = command_line("show", path, "-o", drawn, "--html", folder / "out" / "page.html")
    ElementTree.parse(drawn)
    return said


def sampler(path: Path, folder: Path, seldom: bool) -> Any:
    law = load_sampler(path)
    pixels = np.full((3, 9, 8), 100, np.float32)
    drawn = law.draw(pixels, np.array([[0, 0], [4, 3]]), window=3, samples=2, seed=0)
    assert drawn.shape in ((2, 2, 3, 3, 3), (2, 1, 3, 3, 3))
    assert np.isfinite(drawn).all(), "no numbers are drawn"
    return drawn.shape


@functools.lru_cache(maxsize=None)
def _heads() -> Any:
    heads = [file.read_bytes().split(b"\n")[1] for file in sorted((DATA / "first_wave").glob("*.tiles"))]
    return [json.loads(head) for head in heads]


def tiles(path: Path, folder: Path, seldom: bool) -> Any:
    """Each of the runs that there are takes its own tiles, and the others refuse them."""
    refused: list[PredicdiffError] = []
    for head in _heads():
        journal = Journal(path, head["run"], dict(head["state"]))
        try:
            journal.look()
            with journal:
                journal.add(10**6, np.zeros(1))
            return sorted(journal.tiles)
        except PredicdiffError as error:
            refused.append(error)
    raise refused[0]


def image(path: Path, folder: Path, seldom: bool) -> Any:
    pixels = load_image(path)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    if seldom:
        net = ("--net", DATA / "tiny_v1.prototxt", "--weights", DATA / "tiny_v1.caffemodel")
        return command_line("predict", path, *net, "--mean", "104,117,123", "--image-size", 24)
    return pixels.shape


def labels(path: Path, folder: Path, seldom: bool) -> Any:
    net = _tiny(labels=path)
    assert len(net.labels) == 5
    if not seldom:
        return net.labels[0]
    picture = folder / "picture.bmp"
    Image.fromarray(PICTURE).save(picture)
    return command_line(
        "explain", picture, "--net", DATA / "tiny_v1.prototxt", "--weights", DATA / "tiny_v1.caffemodel", "--mean",
        "104,117,123", "--image-size", 24, "--labels", path, "--sampler", "grey", "--window", 12, "--stride", 12,
        "--output", folder / "out" / "map.h5",
    )  # fmt: skip


def mask(path: Path, folder: Path, seldom: bool) -> Any:
    white = load_mask(path)
    assert white.dtype == bool
    assert white.any()
    return white.shape


def segments(path: Path, folder: Path, seldom: bool) -> Any:
    numbers = read_segments(path)
    assert numbers.dtype == np.int64
    assert numbers.ndim == 2
    return numbers.shape


def onnx(path: Path, folder: Path, seldom: bool) -> Any:
    net = load_net(path)
    last = list(net.blobs)[-1]
    return net.forward(np.zeros((1, *net.input_shape), np.float32), [last])[last].shape


def weights(path: Path, folder: Path, seldom: bool) -> Any:
    """Of a module: by the door that a user takes once in several, else the last step of it."""
    import torch

    from predicdiff.nets.modules.weight_files import load_state

    if seldom:
        (folder / "net.py").write_text(MODULE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a stranger's module
            net = load_net(f"{folder / 'net.py'}:make", weights=path, input_shape=(3, 6, 6), output_is="activation")
        return list(net.blobs)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    load_state(module, path)
    return float(module[0].weight.sum())


def archive(path: Path, folder: Path, seldom: bool) -> Any:
    target = folder / "out" / "wanted"
    extract(path, "wanted", target, wanted=Hash("sha1", hashlib.sha1(b"12345").hexdigest()))
    assert target.read_bytes() == b"12345"
    return True


def manifest(path: Path, folder: Path, seldom: bool) -> Any:
    text = path.read_bytes().decode("utf-8", "replace")
    return sorted(parse(text, path.name))
