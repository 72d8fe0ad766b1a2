"""The folder of a study: results and pictures, the index of them, and the settings that all of them have."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, fields
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Mapping, NamedTuple

import numpy as np

from ..errors import ExplanationError, PredicdiffError
from ..explanation import Explanation
from ..image_files import content_of
from ..journal import changes
from ..locks import InUseError, let_go, open_locked
from ..ours import MADE_BY, SHA256, as_record, refuse
from ..presets import Like
from ..protocols import Json
from ..settings import Settings
from ..texts import name_of, one_line
from ..written import sweep, written_whole
from .index import INDEX, MOST, TABLE, Index, Row, as_parquet, noted, read_index, replaced, rows_of, whole_images
from .one import Item, Outcome
from .recovery import rows_of_results

SETTINGS, LOCK = "settings.json", ".lock"
TILES = ".tiles"
#: Of the files that are written whole, the record of settings apart.
ENDINGS = (".h5", ".png", ".csv", ".parquet")
#: Bytes of the record of settings.
MOST_SETTINGS = 2**26
#: What tells a study's record from others.
KIND = "study"
#: Dots an inch of a picture.
DPI = 150


def asked(settings: Settings) -> Json:
    """JSON-able: the settings of each analysis, as they were asked for, the image's own share apart."""
    told = {one.name: getattr(settings, one.name) for one in fields(settings)}
    plain: Json = json.loads(json.dumps(told, default=_plain))
    return plain


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


class Files(NamedTuple):
    """What is written of an image, as bytes, and its rows in the index."""

    result: bytes
    picture: bytes
    rows: list[Row]


@dataclass(frozen=True)
class Maker:
    """Makes of an explanation what a study keeps of it; called where the explanation was computed.

    Attributes
    ----------
    like : Like or None
        What finishes explanations that repeat another program's settings.
    drawing : dict
        How the picture is drawn, in the words of `plotting.figure`.
    """

    like: Like | None = None
    drawing: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, item: Item, sha256: str, explanation: Explanation) -> Files:
        """The bytes of the result and of the picture, and the rows."""
        from ..plotting import figure
        from ..plotting.sheet import render

        if self.like is not None:
            explanation = self.like.finish(explanation)
        explanation.provenance["image"] = {"file": item.name, SHA256: sha256}
        drawn = render(figure(explanation, **self.drawing), "png", DPI)
        return Files(explanation.content(item.name), drawn, rows_of(explanation, file=item.name, sha256=sha256))


class Study:
    """A folder that one run writes, and whose finished images it takes up.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    identity : dict
        JSON-able: the settings, net and sampler of all its maps.
    restart : bool
        Compute anew what is finished.

    Raises
    ------
    InUseError
        If another run writes there.
    ExplanationError
        If the folder holds something else, a study of other settings, or cannot be written.
    """

    def __init__(self, folder: Path, identity: Json, *, restart: bool = False) -> None:
        self.folder, self._restart = folder, restart
        self._identity: Json = json.loads(json.dumps(identity))
        self._index = Index(folder, lambda: rows_of_results(folder, self._identity))
        #: The names of results by their files, and the files by these names.
        self._own: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._begun = False
        self._stack = ExitStack()

    def __enter__(self) -> Study:
        with ExitStack() as stack:
            check_folder(self.folder)
            try:
                new = not self.folder.exists()
                self.folder.mkdir(parents=True, exist_ok=True)
                stack.callback(self._leave, self._lock(), new=new)
                self._begin()
            except OSError as error:
                raise ExplanationError(
                    f"{self.folder}: cannot be written ({error.strerror}). Choose another place for the output."
                ) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _begin(self) -> None:
        check_settings(self.folder, self._identity)
        if settings_of(self.folder) != self._identity:
            with written_whole(self.folder / SETTINGS) as part:
                part.write_bytes(as_record({"kind": KIND, **self._identity}))
        sweep(self.folder, *ENDINGS)  # once, since it looks at all files
        self._index.take_up(self._is_there)
        self._own = {file: result for file, (_, result) in self._index.finished.items()}
        self._names = {result: file for file, result in self._own.items()}
        self._begun = True

    def missing(self, items: list[Item]) -> list[Item]:
        """The images that are not finished: files are known by their names and what they hold.

        Nothing stays of those that are to be computed anew, nor of others the tiles that a kill has left.
        """
        missing = self._missing(items)
        if self._restart:
            self._index.forget({item.name for item in items})
        kept = set() if self._restart else {item.number for item in missing}
        for item in items:
            if item.number not in kept:
                self._drop_tiles(item)
        return missing

    def look(self, items: list[Item]) -> list[Item]:
        """As `missing`, of a study that is not entered: nothing is written."""
        check_folder(self.folder)
        check_settings(self.folder, self._identity)
        self._index.look(self._is_there)
        return self._missing(items)

    def _missing(self, items: list[Item]) -> list[Item]:
        return [item for item in items if self._restart or not self._is_finished(item)]

    def tiles(self, item: Item) -> Path:
        """Where the tiles of an image are kept until it is finished; the same name in each run."""
        mark = hashlib.sha256(os.fsencode(item.name)).hexdigest()[:8]
        return self.folder / f".{name_of(Path(item.name).stem)}-{mark}{TILES}"

    def add(self, outcome: Outcome) -> str:
        """Write an image's result, picture and rows, in this order; gives the result's name, empty where it failed."""
        notes = [text for text, _ in outcome.warned]
        if outcome.made is None:
            self._index.add(
                [Row(outcome.item.name, outcome.sha256, error=one_line(outcome.error, MOST), notes=noted(notes))]
            )
            return ""
        files: Files = outcome.made
        name = self._name(outcome)
        for path, content in ((self.folder / name, files.result), (self._picture(name), files.picture)):
            with written_whole(path, swept=True) as part:
                part.write_bytes(content)
        self._index.add(
            [
                row._replace(result=name, notes=noted([row.notes, *(note for note in notes if note not in row.notes)]))
                for row in files.rows
            ]
        )
        self._drop_tiles(outcome.item)
        return name

    def holds(self, items: list[Item]) -> int:
        """Of how many images there are rows on the disk by now, whatever an interruption kept from being counted."""
        there = {row.file for row in whole_images(read_index(self.folder))}
        return sum(item.name in there for item in items)

    def finish(self) -> None:
        """Write the index as a Parquet file too, where pyarrow is installed."""
        self._index.tidy()
        content = as_parquet(read_index(self.folder))
        if content is not None:
            replaced(self.folder / TABLE, content)

    def _lock(self) -> BinaryIO:
        try:
            return open_locked(self.folder / LOCK).file
        except InUseError:
            raise InUseError(
                f"{self.folder}: another run writes this study. Wait for its end, or give another output."
            ) from None

    def _leave(self, lock: BinaryIO, *, new: bool) -> None:
        """Let go of the folder, and leave nothing where nothing has come of it."""
        with suppress(OSError, ExplanationError):
            empty = self._begun and set(os.listdir(self.folder)) <= {SETTINGS, LOCK, INDEX}
            if empty and not read_index(self.folder):
                (self.folder / SETTINGS).unlink()
                (self.folder / INDEX).unlink()
        with suppress(OSError):  # an open file of Windows
            (self.folder / LOCK).unlink()
        let_go(lock)
        if new:
            with suppress(OSError):  # it is empty no more
                self.folder.rmdir()

    def _drop_tiles(self, item: Item) -> None:
        with suppress(OSError):
            self.tiles(item).unlink()

    def _is_there(self, row: Row) -> bool:
        return (self.folder / row.result).is_file()

    def _is_finished(self, item: Item) -> bool:
        held, _ = self._index.finished.get(item.name, (None, None))
        if held is None:
            return False
        try:
            return content_of(item.source).sha256 == held
        except PredicdiffError:  # which is said where it is explained
            return False

    def _name(self, outcome: Outcome) -> str:
        """The name of an image's result: the one it has, or the file's, with a number where it is taken."""
        file = outcome.item.name
        stem = name_of(Path(file).stem)
        own = [self._own[file]] if file in self._own else []
        numbered = (f"{stem}-{number}.h5" for number in count(2))
        for name in chain(own, [f"{stem}.h5"], numbered):
            if self._names.get(name, file) == file and self._is_free(name, outcome):
                break
        self._names[name] = file
        return name

    def _is_free(self, name: str, outcome: Outcome) -> bool:
        """Whether a result may have a name: nothing lies there, or what an earlier run made of the same file."""
        path = self.folder / name
        try:
            refuse(path, ExplanationError)
            refuse(self._picture(name), ExplanationError)
            if self._picture(name).is_dir():
                return False
            return not os.path.lexists(path) or self._is_of(path, outcome)
        except ExplanationError:
            return False

    def _is_of(self, path: Path, outcome: Outcome) -> bool:
        image = Explanation.load(path).provenance.get("image")
        return isinstance(image, dict) and image.get("file") == outcome.item.name

    def _picture(self, name: str) -> Path:
        return (self.folder / name).with_suffix(".png")


def check_folder(folder: Path) -> None:
    """Refuse a place that is no folder, or one that holds something else than a study."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise ExplanationError(f"{folder}: a file, want a folder for the results of several images.")
    try:
        # hidden are a lock and a part of the settings, which a kill may leave, and what systems put into folders
        is_study = (folder / SETTINGS).exists()
        others = folder.is_dir() and not is_study and any(not name.startswith(".") for name in os.listdir(folder))
    except OSError as error:
        raise ExplanationError(f"{folder}: cannot be read ({error.strerror}).") from error
    if others:
        raise ExplanationError(f"{folder}: holds other files, and no study. Give the name of a new folder.")


def check_settings(folder: Path, identity: Json) -> None:
    """Refuse a study of other settings, if any image of it is finished.

    Raises
    ------
    ExplanationError
    """
    there = settings_of(folder)
    wanted = json.loads(json.dumps(identity))
    if there is None or there == wanted or not _has_results(folder):
        return
    raise ExplanationError(
        f"{folder}: a study with other settings ({changes(there, wanted)}). Give another output, or repeat those "
        "settings."
    )


def _has_results(folder: Path) -> bool:
    if not os.path.lexists(folder / INDEX):
        return any(folder.glob("*.h5"))
    rows = read_index(folder)
    return any((folder / row.result).is_file() for row in rows if row.result)


def settings_of(folder: Path) -> Json | None:
    """What a study's maps have in common, as its folder says; None where it does not say so yet.

    Raises
    ------
    ExplanationError
        If what is there is no study's.
    """
    path = folder / SETTINGS
    try:
        if path.stat().st_size > MOST_SETTINGS:
            raise ValueError
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.pop("kind") != KIND:
            raise ValueError
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ExplanationError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise ExplanationError(
            f"{path}: should hold the settings of a study, but is damaged or something else. Give another output."
        ) from None
    return {name: value for name, value in record.items() if name not in (MADE_BY, SHA256)}
