"""The result of an analysis: maps, settings, provenance; one HDF5 file, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Iterator, Union

import numpy as np

from .errors import ExplanationError, SettingsError
from .images import Frame, enlarge

FORMAT = "predicdiff explanation"
VERSION = 1
ARRAYS = ("relevance", "stderr", "base", "pixels", "image")
SHOWN = ("window", "samples", "stride")
SEAL = b"\npredicdiff sha256 "
PathLike = Union[str, Path]


@dataclass(frozen=True)
class Target:
    """What a map explains.

    Attributes
    ----------
    blob : str
    unit : list of int
        Index into the blob; what it leaves over is averaged.
    name : str
        Class label or ``blob[index]``.
    against : str or None
        The class it is held against, where it is.
    source : str or None
        The hidden blob or channel whose share in it the map shows; None for the image's.
    """

    blob: str
    unit: list[int]
    name: str
    against: str | None = None
    source: str | None = None

    @property
    def title(self) -> str:
        """The name, the class it is held against, and whose share it is."""
        other = "" if self.against is None else f" rather than {self.against}"
        return self.name + other + ("" if self.source is None else f", from {self.source}")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Signed maps of what in an image speaks for (positive) and against (negative) each target.

    Attributes
    ----------
    relevance : (T, H, W) float64 array
        H and W are those of the pixels, or of the hidden blob that the analysis started from. In bits where ``unit`` is
        "bits", otherwise in the blob's activation.
    stderr : (T, H, W) float64 array
        Monte-Carlo standard error; NaN where one draw a window leaves it unknown, 0 where a corpus was used up.
    targets : list of Target
    base : (T,) float64 array
        The targets' values for the untouched image.
    pixels : (C, H, W) float32 array
        What the net saw.
    unit : {"bits", "activation"}
    settings, provenance : dict
        JSON-able: k, l, S, stride, seed, ...; the net, weights, sampler and versions, seconds.
    notes : list of str
        What a reader should know before trusting the maps.
    image : (H, W, 3) uint8 array or None
        The original image, and ``frame``, where in it the pixels lie.
    """

    relevance: np.ndarray
    stderr: np.ndarray
    targets: list[Target]
    base: np.ndarray
    pixels: np.ndarray
    unit: str
    settings: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    image: np.ndarray | None = None
    frame: Frame | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        names = ", ".join(target.title for target in self.targets[:3]) + (", ..." if len(self) > 3 else "")
        asked = ", ".join(f"{name} {self.settings[name]}" for name in SHOWN if name in self.settings)
        return (
            f"<Explanation of {names}: relevance {self.relevance.shape} in {self.unit}, from "
            f"{np.nanmin(self.relevance):.3g} to {np.nanmax(self.relevance):.3g}{asked and '; ' + asked}>"
        )

    def pick(self, target: int) -> Explanation:
        """The explanation of one target alone."""
        if not -len(self) <= target < len(self):
            raise SettingsError(f"target {target} is out of range: the explanation has {len(self)}, numbered from 0.")
        one = slice(target, target + 1 or None)
        return replace(
            self, relevance=self.relevance[one], stderr=self.stderr[one], targets=self.targets[one], base=self.base[one]
        )

    def on_image(self) -> np.ndarray:
        """Relevance (T, H, W) at the original image's pixels, a hidden blob's enlarged; NaN where nothing was seen."""
        if self.frame is None:
            raise ExplanationError(
                "the explanation was made from pixels, not from an image: there is no way back to one."
            )
        return self.frame.back(enlarge(self.relevance, self.pixels.shape[1:]))

    def save(self, path: PathLike) -> None:
        """Write one HDF5 file, beside its place first, so that a killed run leaves no half file.

        Behind what HDF5 reads stands a SHA-256 of it, by which `load` knows a damaged file.

        Raises
        ------
        ExplanationError
            If it cannot be written (read-only, disk full).
        """
        import h5py

        # made in memory: when the disk is full, HDF5 prints pages of its own and may take the process down
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
            for name in ARRAYS:
                values = getattr(self, name)
                if values is not None:
                    file.create_dataset(name, data=values, compression="gzip", shuffle=True)
            for name, value in self._plain().items():
                file.create_dataset(name, data=json.dumps(value), dtype=h5py.string_dtype())
        with written_whole(Path(path)) as part:
            part.write_bytes(_sealed(content.getvalue()))

    def _plain(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("unit", "settings", "provenance", "notes")}
        plain["targets"] = [vars(target) for target in self.targets]
        plain["frame"] = None if self.frame is None else self.frame.as_dict()
        return plain

    @classmethod
    def load(cls, path: PathLike) -> Explanation:
        """Read a file that `save` wrote.

        Raises
        ------
        ExplanationError
            If it is missing, damaged or not an explanation.
        """
        import h5py

        path = Path(path)
        try:
            with h5py.File(io.BytesIO(_unsealed(path)), "r") as file:
                if file.attrs.get("format") != FORMAT:
                    raise ExplanationError(f"{path}: not an explanation, but another file of predicdiff's.")
                if int(file.attrs["version"]) > VERSION:
                    raise ExplanationError(f"{path}: written by a newer predicdiff. Install that to read it.")
                read = {name: file[name][()] for name in ARRAYS if name in file}
                read.update({name: _text(file[name][()]) for name in file if name not in ARRAYS})
            return cls._from(read)
        except ExplanationError:
            raise
        except OSError as error:
            raise ExplanationError(f"{path}: cannot be read ({error.strerror or error}).") from error
        except Exception as error:  # h5py raises many kinds for files that are put together otherwise
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ExplanationError(f"{path}: an explanation file without all its parts ({reason}).") from error

    @classmethod
    def _from(cls, read: dict[str, Any]) -> Explanation:
        targets, frame = read.pop("targets"), read.pop("frame")
        known = {name.name for name in fields(cls)}
        return cls(
            targets=[Target(**target) for target in targets],
            frame=None if frame is None else Frame.from_dict(frame),
            **{name: value for name, value in read.items() if name in known},
        )

    def _repr_png_(self) -> bytes:
        """The overlay of the first target, for notebooks."""
        from .plotting import png

        return png(self)


def _sealed(content: bytes) -> bytes:
    return content + SEAL + hashlib.sha256(content).digest()


def _unsealed(path: Path) -> bytes:
    """The content of a file whose seal is whole: the HDF5 library hangs, or crashes, on many a damaged one."""
    if not path.exists():
        raise ExplanationError(f"{path}: no such file. Make one with `predicdiff explain IMAGE -o {path}`.")
    length = len(_sealed(b""))
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - length))
        ours = file.read(len(SEAL)) == SEAL
        file.seek(0)
        # a foreign file may be larger than memory
        content = file.read(size - length) if ours else b""
        if not ours or _sealed(content)[-length:] != file.read():
            raise ExplanationError(
                f"{path}: not a whole explanation. `predicdiff explain` did not write it, or it was cut or changed."
            )
    return content


def _text(value: Any) -> Any:
    return json.loads(value.decode() if isinstance(value, bytes) else value)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it gets the real name only when all went well.

    Raises
    ------
    ExplanationError
        If the folder cannot be made or written to, or the disk is full.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f".part{path.suffix}", dir=path.parent)
        os.close(handle)
        part = Path(name)
        yield part
        part.chmod(0o666 & ~_umask())
        _to_disk(part)
        os.replace(part, path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or (str(error) or type(error).__name__).splitlines()[0]
        raise ExplanationError(f"{path}: cannot be written ({reason}). Choose another place or make room.") from error
    finally:
        if part is not None and part.exists():
            part.unlink()


def _to_disk(path: Path) -> None:
    """Some file systems report a full disk only now; and the name must not be there before the content."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
