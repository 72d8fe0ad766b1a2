"""A Gaussian sampler as one HDF5 file, sealed with a hash.

The first 512 bytes, which HDF5 leaves to the user, say what the file is and give the SHA-1 of the rest. They are
checked before HDF5 sees the file: on a damaged one its library may crash.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from ..errors import ExplanationError, SamplerError
from ..explanation import written_whole

MAGIC = b"predicdiff gaussian sampler "
VERSION = 1
HEAD = 512
ARRAYS = ("mean", "covariance")
#: Bounds of each pixel (2, C, H, W), where the sampler has them.
OPTIONAL = ("clip",)
SETTINGS = ("clip", "jitter", "fitted_on")


def write(path: Path, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> None:
    """Write arrays (``OPTIONAL`` ones if given) and ``SETTINGS``, the whole file or nothing, or raise SamplerError."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=HEAD) as file:
        for name in (*ARRAYS, *(name for name in OPTIONAL if name in arrays)):
            file.create_dataset(name, data=arrays[name])
        file.create_dataset("settings", data=json.dumps(dict(settings)), dtype=h5py.string_dtype())
    body = buffer.getvalue()[HEAD:]
    try:
        with written_whole(path) as part:
            part.write_bytes(_head(body) + body)
    except ExplanationError as error:
        raise SamplerError(str(error)) from error


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and settings of a file that `write` made; SamplerError if it is missing, damaged or something else."""
    import h5py

    content = _sealed(path)
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            there = (*ARRAYS, *(name for name in OPTIONAL if name in file))
            arrays = {name: np.asarray(file[name][()], np.float64) for name in there}
            text = file["settings"][()]
        found = json.loads(text.decode() if isinstance(text, bytes) else text)
        return arrays, {name: found[name] for name in SETTINGS}
    except Exception as error:  # h5py raises many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SamplerError(f"{path}: not a whole sampler file ({reason}). Fit the sampler again.") from error


def _sealed(path: Path) -> bytes:
    """The file's bytes, if they are those that were written."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
            _check_kind(head, path)
            content = head + file.read()
    except FileNotFoundError:
        raise SamplerError(f"{path}: no such file. Make one with `predicdiff fit DIR -o {path}`.") from None
    except (OSError, MemoryError) as error:
        raise SamplerError(f"{path}: cannot be read ({getattr(error, 'strerror', 'out of memory')}).") from error
    if head != _head(content[HEAD:]):
        raise SamplerError(f"{path}: the sampler is damaged, or not all of it is there. Copy or fit it again.")
    return content


def _check_kind(head: bytes, path: Path) -> None:
    if not head.startswith(MAGIC):
        raise SamplerError(f"{path}: not a sampler that `predicdiff fit` wrote.")
    version = head[len(MAGIC) :].split(b"\n")[0]
    if version.isdigit() and int(version) > VERSION:
        raise SamplerError(f"{path}: written by a newer predicdiff. Install that to read it.")


def _head(body: bytes) -> bytes:
    line = MAGIC + b"%d\n%s\n" % (VERSION, hashlib.sha1(body).hexdigest().encode())
    return line.ljust(HEAD, b"\0")
