"""The nets known by name, as `models/manifest.toml` describes them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Mapping, TypeVar

from ...errors import FormatError, SettingsError
from ...texts import near

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")
KINDS = ("caffe", "torch")


@dataclass(frozen=True)
class Archive:
    """A tar file that holds a file as a member."""

    file: str
    sha256: str
    size: int
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Package:
    """A PyPI package that brings a file: in ``folder`` of ``module``, once pip has installed ``requirement``."""

    requirement: str
    module: str
    folder: str


@dataclass(frozen=True)
class Parts:
    """A file for each blob of a Caffe net, in ``folder`` below each of ``urls``, which are mirrors.

    `models/parts.tsv` lists them; put together they are the caffemodel.
    """

    folder: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A file and where it comes from.

    Attributes
    ----------
    size, about : int or None
        Bytes, exactly or by magnitude.
    urls : tuple of str
        Mirrors, the best first.
    archive, package
        What it is a part of, where it does not come alone.
    parts
        What it is put together of, where it does not come whole.
    """

    file: str
    sha1: str
    size: int | None = None
    about: int | None = None
    urls: tuple[str, ...] = ()
    archive: Archive | None = None
    package: Package | None = None
    parts: Parts | None = None


@dataclass(frozen=True)
class Entry:
    """A net of the manifest; the fields are explained at the head of `models/manifest.toml`.

    ``weights`` and ``mean`` are alternatives, the best first; there are always weights.
    """

    name: str
    title: str
    kind: str
    weights: tuple[Source, ...]
    labels: str
    training_instances: int
    scores: str
    output: str
    licence: str
    citation: str
    preprocessing: Mapping[str, Any]
    mean: tuple[Source, ...] = ()
    prototxt: str | None = None
    module: str | None = None
    input_shape: tuple[int, int, int] | None = None


def names() -> list[str]:
    """Names of the nets, in the manifest's order."""
    return list(manifest())


@lru_cache(maxsize=1)
def manifest() -> Mapping[str, Entry]:
    """All nets by name."""
    path = models_dir() / "manifest.toml"
    return MappingProxyType(parse(path.read_text(encoding="utf-8"), path.name))


def entry(name: str) -> Entry:
    """One net of the manifest.

    Raises
    ------
    SettingsError
        If it has no such net; lists those it has.
    """
    if name in manifest():
        return manifest()[name]
    similar = near(name.lower(), names(), 1)
    hint = f"Do you mean {similar[0]!r}? " if similar else ""
    raise SettingsError(
        f"no net is called {name!r}. {hint}Known: {', '.join(names())}. A net of your own is the path of its prototxt, "
        "those of other libraries are called timm:NAME, torchvision:NAME or hf:NAME."
    )


def models_dir() -> Path:
    """The folder of prototxts, labels and the manifest: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "models", package.parent / "models"):
        if (folder / "manifest.toml").is_file():
            return folder
    raise FormatError(
        f"models/manifest.toml is missing from {package}: the installation is incomplete, install it again."
    )


def parse(text: str, name: str) -> dict[str, Entry]:
    """Entries from TOML; ``name`` is what errors call the text.

    Raises
    ------
    FormatError
        If it is not TOML, or a field is missing or unknown.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{name} is not TOML: {error}.") from error
    entries = {}
    for net, table in tables.items():
        try:
            entries[net] = _entry(net, table)
        except (TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{name}: the net [{net}] cannot be read: {error}.") from error
    return entries


def _entry(name: str, table: dict[str, Any]) -> Entry:
    fields = dict(table, name=name)
    for key in ("weights", "mean"):
        fields[key] = tuple(_source(alternative) for alternative in table.get(key, ()))
    if not fields["weights"]:
        raise ValueError(f"want [[{name}.weights]]")
    if "input_shape" in fields:
        fields["input_shape"] = tuple(fields["input_shape"])
    net = Entry(**fields)
    if (net.prototxt if net.kind == "caffe" else net.module) is None or net.kind not in KINDS:
        raise ValueError("want kind = 'caffe' with a prototxt, or kind = 'torch' with a module")
    return net


def _source(table: dict[str, Any]) -> Source:
    fields: dict[str, Any] = dict(table)
    for key, kind in (("archive", Archive), ("package", Package), ("parts", Parts)):
        if key in fields:
            fields[key] = _build(kind, fields[key])
    return _build(Source, fields)


def _build(kind: type[T], table: dict[str, Any]) -> T:
    """A dataclass from a table of its fields; missing and unknown ones are a TypeError that names them."""
    fields = dict(table)
    if "urls" in fields:
        fields["urls"] = tuple(fields["urls"])
    return kind(**fields)
