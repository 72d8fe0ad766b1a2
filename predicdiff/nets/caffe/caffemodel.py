"""Weights and means: Caffe's binary files, its HDF5 files and NumPy's -> float32 arrays.

A caffemodel is walked field by field, and the numbers go from the file straight into the arrays that are handed out, so
that half a gigabyte is held once. What is small or rare (shapes, numbers stored one by one) is left to protobuf.
"""

from __future__ import annotations

import math
import mmap
import re
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from tokenize import TokenError
from typing import Any, Iterator, Union

import h5py
import numpy as np
from google.protobuf.message import DecodeError

from ...datasets import plain_values
from ...errors import FormatError
from ...files import open_regular, regular
from ...name_trees import Content, check_name_trees
from .records import MOST_AXES, MOST_ELEMENTS
from .schema import message_class
from .wire import LENGTH, Field, Walk, stretch, want_length

PathLike = Union[str, Path]

#: Bytes of a layer's name.
_MOST_OF_NAME = 10_000

#: What a file is, by its first bytes.
_HDF5, _NPY = "an HDF5 file", "a NumPy file"
_KINDS = (
    (b"\x89HDF\r\n\x1a\n", _HDF5),
    (b"\x93NUMPY", _NPY),
    (b"version https://git-lfs", "a Git LFS pointer, not the file that it stands for: `git lfs pull` gets that"),
    (b"PK\x03\x04", "a ZIP archive, or what PyTorch or NumPy pack into one"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"<!doctype html", "a web page: the download went wrong"),
    (b"<html", "a web page: the download went wrong"),
    (b"<?xml", "an XML file: the download went wrong"),
)

#: Bytes of a blob besides its numbers and gradients: a shape has at most 330.
_MOST_BESIDE = 10**6
_PROTOTXT = re.compile(rb"\b(layers?|input_shape)\s*{|\binput_dim\s*:")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r"))

# Field numbers: in NetParameter, in a V1 and a V2 layer, and in BlobProto.
_V1, _V2 = 2, 100
_NAME = {_V1: 4, _V2: 1}
_BLOBS = {_V1: 6, _V2: 7}
_V0_LAYER = 1
_FLOATS, _DOUBLES = 5, 8
_NUMBERS = {_FLOATS: "<f4", _DOUBLES: "<f8"}
_GRADIENTS = (6, 9)

#: More fields than that hold numbers one by one, or in bits: protobuf is faster at those.
_FEW = 64

# What the system, protobuf, h5py and NumPy raise over files that they cannot read.
_LIBRARY_ERRORS = (
    OSError,
    DecodeError,
    TokenError,
    ValueError,
    TypeError,
    OverflowError,
    KeyError,
    RuntimeError,
    SystemError,
    EOFError,
    MemoryError,
)


def read_caffemodel(path: PathLike) -> dict[str, list[np.ndarray]]:
    """Weights of a net, as Caffe saved them: binary, in the old format or the new one, or HDF5.

    Parameters
    ----------
    path : path of a ``.caffemodel`` or ``.caffemodel.h5``; told apart by content

    Returns
    -------
    dict of lists of float32 arrays
        The blobs of each layer that has any, by its name. Shapes are as stored: in old files they have four axes. Where
        a name comes twice the later layer counts, as in Caffe. A blob that an HDF5 file leaves out before others, since
        another layer shares it, is empty.

    Raises
    ------
    FormatError
        If the file cannot be read, is damaged, or is something else.
    """
    with opened(path, "a caffemodel") as (file, size, kind):
        if kind == _HDF5:
            return _read_hdf5(file)
        if kind:
            raise FormatError(f"want a caffemodel, found {kind}.")
        weights = _read_net(Walk(file), size)
        if not weights:
            raise FormatError("no layer in it has weights. Is it a caffemodel?")
        return weights


def read_mean(path: PathLike) -> np.ndarray:
    """Mean image or mean colour, as Caffe's tools store them.

    Parameters
    ----------
    path : path of a ``.binaryproto`` or ``.npy``; told apart by content

    Returns
    -------
    (C, H, W) or (C,) float32 array
        Colours in the order in which they are stored, for Caffe's files BGR, 0..255.

    Raises
    ------
    FormatError
        If the file cannot be read, is damaged, or its shape is no mean's.
    """
    with opened(path, "a mean (.binaryproto or .npy)") as (file, size, kind):
        if kind == _NPY:
            mean = _read_npy(path)
        elif kind:
            raise FormatError(f"want a mean (.binaryproto or .npy), found {kind}.")
        else:
            mean = _read_blob(Walk(file), 0, size)
        return as_mean(mean)


def as_mean(mean: np.ndarray) -> np.ndarray:
    """A mean without the axes of length 1 that Caffe's tools put around it; a FormatError if its shape is no mean's."""
    shape = mean.shape
    if len(shape) == 4 and shape[0] == 1:
        mean = mean[0]
    if mean.ndim == 3 and mean.shape[0] > 4 >= mean.shape[2]:
        raise FormatError(f"shape {shape} looks like (H, W, C), want (C, H, W): transpose it with .transpose(2, 0, 1).")
    if mean.ndim not in (1, 3) or mean.size == 0:
        raise FormatError(f"shape {shape}, want a mean image (C, H, W) or one value per channel (C,).")
    return mean.reshape(-1) if mean.shape[1:] == (1, 1) else mean


def _read_npy(path: PathLike) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # sizes whose product no number holds: an error follows
            mapped = np.load(
                str(path), mmap_mode="r", allow_pickle=False
            )  # mapped: a lie about the shape costs no memory
    except TypeError as error:  # a shape of (True,)
        raise FormatError(f"a header that numpy cannot read ({error}).") from error
    if mapped.dtype.kind not in "fiu":
        raise FormatError(f"numbers of type {mapped.dtype}, want real ones.")
    return _as_float32(np.array(mapped))


@contextmanager
def opened(path: PathLike, wanted: str) -> Iterator[tuple[BufferedReader, int, str]]:
    """An open file with its size and kind; whatever goes wrong inside becomes a FormatError that names the file."""
    path = Path(path)
    regular(path, FormatError, f"Give that of {wanted}.")
    try:
        if not path.exists():
            raise FormatError(f"want {wanted}, found no such file.")
        with open_regular(path, FormatError) as file:
            start = file.read(4096)
            if not start:
                raise FormatError(f"want {wanted}, found an empty file.")
            yield file, path.stat().st_size, _kind(start)
    except FormatError as error:
        raise type(error)(f"{path}: {error}") from None
    except PermissionError:
        raise FormatError(f"{path}: may not be read: permission denied.") from None
    except _LIBRARY_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FormatError(f"{path}: cannot be read as {wanted}: {reason.rstrip('.')}.") from error


def _kind(start: bytes) -> str:
    """What the first bytes of a file say that it is; nothing if they say nothing."""
    for signature, kind in _KINDS:
        if start.lstrip()[: len(signature)].lower() == signature.lower():
            return kind
    if start.translate(None, _CONTROL) != start:
        return ""
    return "a prototxt" if _PROTOTXT.search(start) else "a text file"


def _read_net(walk: Walk, size: int) -> dict[str, list[np.ndarray]]:
    weights: dict[str, list[np.ndarray]] = {}
    versions = set()
    for field in walk.fields(0, size):
        if field.number in (_V1, _V2):
            name, blobs = _read_layer(walk, field)
            versions.add(field.number)
            if blobs:
                weights[name] = blobs
    if len(versions) > 1:
        raise FormatError("has layers in the old format and in the new one: Caffe refuses such files, too.")
    return weights


def _read_layer(walk: Walk, layer: Field) -> tuple[str, list[np.ndarray]]:
    want_length(layer)
    name = ""
    for field in walk.fields(layer.start, layer.stop):
        if field.number == _NAME[layer.number]:
            want_length(field)
            name = _name(walk, field)
        elif field.number == _V0_LAYER and layer.number == _V1:
            raise FormatError(
                "is of Caffe's first format (V0), which is not read here: convert it with upgrade_net_proto_binary."
            )
    blobs: list[np.ndarray] = []
    for field in walk.fields(layer.start, layer.stop):
        if field.number == _BLOBS[layer.number]:
            want_length(field)
            try:
                blobs.append(_read_blob(walk, field.start, field.stop))
            except (FormatError, DecodeError) as error:
                raise FormatError(f"layer {name!r}, blob {len(blobs)}: {error}") from None
    return name, blobs


def _name(walk: Walk, field: Field) -> str:
    if field.size > _MOST_OF_NAME:
        raise FormatError(
            f"a layer's name at byte {field.start} has {field.size:,} bytes, want {_MOST_OF_NAME:,} at most."
        )
    return stretch(walk.file, field.start, field.stop).decode("utf-8", "backslashreplace")


def _read_blob(walk: Walk, start: int, stop: int) -> np.ndarray:
    """The BlobProto in a stretch of the file, as a float32 array."""
    chunks: dict[int, list[Field]] = {number: [] for number in _NUMBERS}
    rest, file = bytearray(), walk.file
    for count, field in enumerate(walk.fields(start, stop)):
        if count == _FEW or (field.number in _NUMBERS and field.wire != LENGTH):
            return _whole_blob(stretch(file, start, stop))
        if field.number in _NUMBERS:
            chunks[field.number].append(field)
        elif field.number not in _GRADIENTS:
            if len(rest) + field.size > _MOST_BESIDE:
                raise FormatError(f"it holds more than {_MOST_BESIDE:,} bytes beside its numbers: want a shape.")
            rest += stretch(file, field.begin, field.stop)
    message = message_class("BlobProto").FromString(bytes(rest))
    used = _DOUBLES if any(chunk.size for chunk in chunks[_DOUBLES]) else _FLOATS
    width = np.dtype(_NUMBERS[used]).itemsize
    if any(chunk.size % width for chunk in chunks[used]):
        raise FormatError("the file is damaged: a number is cut in two.")
    count = sum(chunk.size for chunk in chunks[used]) // width
    shape = _shape(message, count)
    values = np.empty(count, _NUMBERS[used])
    _read_into(values.view(np.uint8), file, chunks[used])
    return _as_float32(values).reshape(shape)


def _read_into(target: np.ndarray, file: BufferedReader, chunks: list[Field]) -> None:
    for chunk in chunks:
        file.seek(chunk.start)
        if file.readinto(target[: chunk.size].data) != chunk.size:
            raise FormatError("the file became shorter while it was read.")
        target = target[chunk.size :]


def _whole_blob(data: bytes) -> np.ndarray:
    message: Any = message_class("BlobProto").FromString(data)
    numbers = message.double_data or message.data
    shape = _shape(message, len(numbers))
    dtype = np.float64 if message.double_data else np.float32
    return _as_float32(np.fromiter(numbers, dtype, len(numbers))).reshape(shape)


def _as_float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def _shape(message: Any, count: int) -> tuple[int, ...]:
    """The shape that a BlobProto says it has, if that fits ``count`` numbers."""
    legacy = ("num", "channels", "height", "width")
    if any(message.HasField(name) for name in legacy):
        shape = tuple(getattr(message, name) for name in legacy)
    else:
        shape = tuple(message.shape.dim[: MOST_AXES + 1])  # of which `check_shape` refuses the last
    if not shape and not count:
        raise FormatError("it holds neither a shape nor numbers.")
    check_shape(shape)
    if math.prod(shape) != count:
        raise FormatError(f"shape {shape} wants {math.prod(shape)} values, found {count}. Is the file complete?")
    return shape


def check_shape(shape: tuple[int, ...]) -> None:
    """Refuse what Caffe does: negative sizes, more than 2^31 - 1 elements, more than 32 axes."""
    if len(shape) > MOST_AXES:
        raise FormatError(f"a shape of more axes than {MOST_AXES}, which Caffe has at most.")
    if min(shape, default=0) < 0 or math.prod(max(size, 1) for size in shape) > MOST_ELEMENTS:
        raise FormatError(f"shape {shape}, want sizes of at least 0 and at most 2^31 - 1 elements.")


def _read_hdf5(opened_file: BufferedReader) -> dict[str, list[np.ndarray]]:
    with mmap.mmap(opened_file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        blobs = _blobs(opened_file, content)
    for name, of_layer in blobs.items():
        if max(of_layer) > MOST_AXES:
            raise FormatError(f"layer {name!r}: has blobs {sorted(of_layer)}, want 0 to {MOST_AXES} at most.")
    if not blobs:
        raise FormatError("no layer in it has weights.")
    # what a layer shares with one before it is held there alone
    return {
        name: [of_layer.get(index, np.empty(0, np.float32)) for index in range(max(of_layer) + 1)]
        for name, of_layer in blobs.items()
    }


def _blobs(opened_file: BufferedReader, content: Content) -> dict[str, dict[int, np.ndarray]]:
    """Blobs by layers and numbers; of the file that is open, since at its name another may lie by now."""
    check_name_trees(content)
    blobs: dict[str, dict[int, np.ndarray]] = {}
    with h5py.File(opened_file, "r") as file:
        data = file["data"] if file.get("data", getclass=True, getlink=True) is h5py.HardLink else None
        if not isinstance(data, h5py.Group):
            raise FormatError("is HDF5, but has no group /data: it is no .caffemodel.h5.")
        for name, values in plain_values(data, content, np.dtype(np.float32).itemsize):
            layer, _, index = name.rpartition("/")
            if not index.isdecimal():
                raise FormatError(f"/data/{name}: want blobs named 0, 1, ... in a group for each layer.")
            blobs.setdefault(layer, {})[int(index)] = _blob(name, values)
    return blobs


def _blob(name: str, values: Any) -> np.ndarray:
    if not isinstance(values, (np.ndarray, np.generic)) or values.dtype.kind not in "fiu":
        raise FormatError(f"/data/{name}: want real numbers, found others or a text.")
    check_shape(values.shape)
    return _as_float32(np.asarray(values))
