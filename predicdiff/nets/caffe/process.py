"""pycaffe in this process: imported quietly, with a device that is there, of nets that don't end the process.

Caffe checks what it is given by ending the whole process; no Python can catch that. So everything is looked at before.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import text_format

from ...errors import DependencyError, FormatError, LayerError, SettingsError
from .layer_types import TYPES, meant
from .records import Layer

#: Builds a net in a process that may end, which is how Caffe says no, then gives it one image and two: tells the blob
#: that is not twice as long. Of pycaffe the compiled part is enough.
TRIAL = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("_caffe", sys.argv[2])
caffe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(caffe)
caffe.set_mode_cpu()
net = caffe.Net(sys.argv[1], 1)
print("built", flush=True)
def shapes(count):
    for blob in (net._blobs[i] for i in net._inputs):
        blob.reshape(count, *list(blob.shape)[1:])
    net.reshape()
    return [list(blob.shape) for blob in net._blobs]
one, two = shapes(1), shapes(2)
joint = [name for name, a, b in zip(net._blob_names, one, two) if [2, *a] != [*b[:1], 1, *b[1:]]]
print("joins", *joint[:1])
"""
#: Runs a net forwards, and backwards from a layer's number, in a process that may end: for layers not known here.
PASSES = """
import sys
import caffe
path, gpu, end = sys.argv[1:]
if gpu:
    caffe.set_device(int(gpu))
    caffe.set_mode_gpu()
else:
    caffe.set_mode_cpu()
net = caffe.Net(path, caffe.TEST)
net._forward(0, len(net.layers) - 1)
if end:
    net._backward(int(end), 0)
"""
#: A function that only builds with CUDA have: caffe::caffe_gpu_memcpy(unsigned long, void const*, void*).
OF_CUDA = "_ZN5caffe15caffe_gpu_memcpyEmPKvPv"


def import_caffe() -> Any:
    """The module, its log lines below errors silenced.

    Raises
    ------
    DependencyError
        If pycaffe is not installed for this Python.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")  # read when the library is loaded
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Caffe imports, not ours to mend
            import caffe
    except ImportError as error:
        raise DependencyError(
            f"pycaffe is not installed for this Python ({error}): apt-get install python3-caffe on Debian 11, the "
            "project's Docker image or its environment.yml have it; or take --engine torch, which reads the same files."
        ) from error
    return caffe


def choose_gpu(device: str | None) -> int | None:
    """The number of the GPU asked for, None for the CPU; without a wish the first GPU, if Caffe can use one.

    Raises
    ------
    SettingsError
        If it is no name of a device, or the GPU or Caffe's support for it is not there.
    """
    if device is None:
        return 0 if has_cuda() and gpu_count() else None
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", str(device))
    if match is None:
        raise SettingsError(f"device {device!r} is unknown to Caffe: want cpu, cuda, or cuda:1 for the second GPU.")
    if device == "cpu":
        return None
    number = int(match.group(1) or 0)
    if not has_cuda():
        raise SettingsError(f"device {device!r}: this pycaffe was built for the CPU alone: want cpu, or a CUDA build.")
    if number >= gpu_count():
        raise SettingsError(f"device {device!r} is not there, of {gpu_count()} GPUs found: want cpu, or one of them.")
    return number


def has_cuda() -> bool:
    """Whether this pycaffe was built with CUDA."""
    return hasattr(ctypes.CDLL(import_caffe()._caffe.__file__), OF_CUDA)


def gpu_count() -> int:
    """Number of GPUs that the driver knows, 0 without a driver; Caffe itself would end the process there."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    well = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if well else 0


def use(gpu: int | None) -> None:
    """Compute there from now on; Caffe keeps that for each thread by itself."""
    caffe = import_caffe()
    if gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(gpu)
        caffe.set_mode_gpu()


def empty_net() -> Any:
    """An empty NetParameter in the words of this Caffe, which may be a fork."""
    import_caffe()
    from caffe.proto import caffe_pb2

    return caffe_pb2.NetParameter()


class Built(NamedTuple):
    """A `caffe.Net`, its text as Caffe read it, and why it takes one image at a time, if it does."""

    net: Any
    text: str
    alone: str | None


def build(text: str, name: str, added: Sequence[Layer] = ()) -> Built:
    """A `caffe.Net` of a prototxt's text in which gradients reach the input, without weights.

    ``name`` is for messages; ``added`` layers are put behind it.

    Raises
    ------
    FormatError
        If this Caffe can't read the text.
    LayerError
        If Caffe can't build the net, in its own words.
    """
    caffe = import_caffe()
    net = _read(text, name)
    _check_types(net.layer, name)
    _put_behind(net, added)
    net.force_backward = True
    text = text_format.MessageToString(net)
    with text_file(text) as path:
        trial = _tried(text)
        if trial.objection is not None:
            raise LayerError(f"Caffe can't build {name}: {trial.objection} Or take --engine torch.")
        return Built(caffe.Net(path, caffe.TEST), text, trial.alone)


def check_passes(text: str, name: str, gpu: int | None, end: int | None = None) -> None:
    """A LayerError if Caffe would end the process over a forward pass of a net, or one back from layer ``end``."""
    words = _passes(text, "" if gpu is None else str(gpu), "" if end is None else str(end))
    if words is not None:
        raise LayerError(f"Caffe can't run {name} {'forwards' if end is None else 'backwards'}: {words}")


@contextmanager
def text_file(text: str) -> Iterator[str]:
    """The path of a prototxt with this text, for as long as the context lasts; Caffe reads nets from files alone.

    Raises
    ------
    SettingsError
        If there is no room for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="predicdiff-") as folder:
        path = Path(folder) / "net.prototxt"
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"Caffe reads the net from a temporary file, which cannot be written ({error.strerror}): "
                f"want room in {tempfile.gettempdir()}, or another place in TMPDIR."
            ) from None
        yield str(path)


def _read(text: str, name: str) -> Any:
    """The NetParameter that a text is to this Caffe."""
    try:
        return text_format.Parse(text, empty_net())
    except text_format.ParseError as error:
        raise FormatError(
            f"{name}: this Caffe can't read it ({error}): want a prototxt for it, or --engine torch."
        ) from None


def _check_types(layers: Sequence[Any], name: str) -> None:
    """Refuse what this Caffe would end the process for, naming all of its types: a type that is none of them."""
    types = list(import_caffe().layer_type_list())
    for layer in layers:
        if layer.type not in types:
            what = f"{name}: layer {layer.name!r} is of type {layer.type!r}, which this Caffe has not"
            if layer.type in TYPES:
                raise LayerError(f"{what}: want one that has, or --engine torch.")
            raise LayerError(f"{what}, nor is it known to --engine torch.{meant(layer.type, types)}")


def _put_behind(net: Any, layers: Sequence[Layer]) -> None:
    """Add layers without parameters at the end of a NetParameter."""
    for layer in layers:
        old = len(net.layers) > 0  # Caffe's V1, which names types otherwise
        entry = net.layers.add() if old else net.layer.add()
        entry.name, entry.type = layer.name, entry.LayerType.Value(layer.type.upper()) if old else layer.type
        entry.bottom.extend(layer.bottoms)
        entry.top.extend(layer.tops)


class Trial(NamedTuple):
    """What Caffe says when it can't build a net, and when it can't give it two images; None where it can."""

    objection: str | None
    alone: str | None


@functools.lru_cache(maxsize=None)
def _tried(text: str) -> Trial:
    """What becomes of a net in a process of its own."""
    status, said, words = _apart(TRIAL, text, import_caffe()._caffe.__file__)
    if status == 0:
        joint = said[-1].partition(" ")[2]
        return Trial(None, f"blob {joint!r} joins the images of a batch." if joint else None)
    return Trial(None, words) if "built" in said else Trial(words, None)


@functools.lru_cache(maxsize=None)
def _passes(text: str, gpu: str, end: str) -> str | None:
    """What Caffe says when it can't run a net; None if it can."""
    status, _, words = _apart(PASSES, text, gpu, end)
    return words if status else None


def _apart(script: str, text: str, *arguments: str) -> tuple[int, list[str], str]:
    """Run a script in a process of its own, given the path of a prototxt with this text and further arguments.

    Returns
    -------
    status, lines, words
        How it ended, what it wrote, and what Caffe said last.
    """
    with text_file(text) as path:
        ended = subprocess.run(
            [sys.executable, "-c", script, path, *arguments],
            env={**os.environ, "GLOG_minloglevel": "2"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    wrote = ended.stderr.decode(errors="replace")
    fatal = re.search(r"^(?:F.*?\] |(?=\w*Error: ))(.*)$", wrote, re.MULTILINE)  # Caffe's last line, or Python's
    words = (
        re.sub(r" *\(\S+ vs\. 0x[0-9a-f]+\)", "", fatal.group(1)).strip()
        if fatal
        else f"its process ended with status {ended.returncode}."
    )
    return ended.returncode, ended.stdout.decode(errors="replace").splitlines(), words
