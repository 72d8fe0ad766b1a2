"""A Gaussian sampler as one HDF5 file.

Files of the first format have no seal behind what HDF5 reads, but the SHA-1 of the rest in their first 512 bytes, which
HDF5 leaves to the user.
"""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, TypeVar

from ..errors import SamplerError
from ..files import Kind
from ..files import read as read_sealed

KIND = Kind("gaussian sampler", 1, "predicdiff fit DIR", SamplerError)
MAGIC, HEAD = b"predicdiff gaussian sampler 1\n", 512
T = TypeVar("T")


def read(path: Path, make: Callable[[dict[str, Any]], T]) -> T:
    """What ``make`` makes of all that is in a sampler's file, by name; SamplerError if it is not as it was written."""
    with suppress(OSError), open(path, "rb") as file:  # of what cannot be opened `files` has the word
        if file.read(len(MAGIC)) == MAGIC:
            file.seek(0)
            return make(_first_format(path, file.read(HEAD), file.read()))
    return read_sealed(path, KIND, make)


def _first_format(path: Path, head: bytes, body: bytes) -> dict[str, Any]:
    import h5py

    if head != (MAGIC + hashlib.sha1(body).hexdigest().encode() + b"\n").ljust(HEAD, b"\0"):
        raise SamplerError(f"{path}: the sampler is damaged, or not all of it is there. Copy or fit it again.")
    with h5py.File(io.BytesIO(head + body), "r") as file:
        arrays = {name: file[name][()] for name in ("mean", "covariance", "clip") if name in file}
        return {**json.loads(file["settings"][()]), **arrays}
