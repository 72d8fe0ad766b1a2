"""The index of a study: what stands in it, that it is read back as it was, and that nothing damages it."""

from __future__ import annotations

import csv
import io
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import NormalSampler
from helpers.pictured import QUICK, Pictured, picture

import predicdiff as pd
from predicdiff.errors import ExplanationError
from predicdiff.studies import index
from predicdiff.studies.index import COLUMNS, Index, Row, as_csv, as_parquet, read_index, rows_of, whole_images

NAMES = [
    "plain.png", "with, comma.png", 'with "quotes".png', "two\nlines.png", "two\r\nlines.png", " spaces \t.png",
    "\N{CAT}.png", "häß.png", os.fsdecode(b"latin\xe4.png"), "=1+1.png", "'.png", "x" * 200 + ".png", "a;b.png",
]  # fmt: skip
HEADER = (
    "file,sha256,result,target,targets,class,unit,probability,measure,highest,highest_row,highest_column,"
    "lowest,lowest_row,lowest_column,stderr,reliability,seconds,notes,error\r\n"
)


def row(file: str, target: int = 0, targets: int = 1, sha256: str = "ab", **parts: Any) -> Row:
    result = file.partition(".")[0].replace("\n", "-") + ".h5"
    numbers: dict[str, Any] = {"highest": 0.1 + target, "highest_row": 3, "highest_column": 4, "lowest": -1e-17}
    return Row(file, sha256, result, target, targets, "a cat", "281", 1 / 3, "bits", **{**numbers, **parts})


def written(folder: Path, rows: list[Row]) -> Path:
    made = Index(folder)
    made.take_up(lambda kept: True)
    for one in rows:
        made.add([one])
    return folder / "index.csv"


def taken_up(folder: Path) -> Index:
    made = Index(folder)
    made.take_up(lambda kept: True)
    return made


@pytest.mark.parametrize("asked", [{"top": 3}, {"blob": "maps", "units": [(1, 2, 3)]}, {"until": 0.5, "stride": 1}])
def test_rows_say_what_the_maps_say(asked: Any, tmp_path: Path) -> None:
    image = pd.load_image(picture(tmp_path / "a.png", 3))
    explained = pd.explain(Pictured(), image, NormalSampler(), **{**QUICK, **asked})
    rows = rows_of(explained, file="a.png", sha256="12", result="a.h5")
    assert [one.target for one in rows] == list(range(len(explained.targets)))
    for number, one in enumerate(rows):
        relevance = explained.relevance[number]
        assert (one.file, one.sha256, one.result, one.error) == ("a.png", "12", "a.h5", "")
        assert one.targets == len(explained.targets)
        assert one.class_ == explained.targets[number].name
        assert one.unit == " ".join(map(str, explained.targets[number].unit))
        assert one.probability == explained.base[number]
        assert one.measure == ("activation" if "blob" in asked else "bits")
        assert one.highest == max(map(max, relevance.tolist()))
        assert one.lowest == min(map(min, relevance.tolist()))
        assert relevance[one.highest_row, one.highest_column] == one.highest
        assert relevance[one.lowest_row, one.lowest_column] == one.lowest
        assert one.stderr == pytest.approx(sorted(explained.stderr[number].ravel())[44], rel=0.1)
        known = explained.reliability is not None and not np.isnan(explained.reliability[number])
        assert one.reliability == (explained.reliability[number] if known else None)
        assert one.seconds > 0


def test_places_of_maps_with_holes_and_of_those_of_nothing_else(tmp_path: Path) -> None:
    image = pd.load_image(picture(tmp_path / "a.png", 3))
    explained = pd.explain(Pictured(), image, NormalSampler(), region=(3, 3, 6, 6), **QUICK)
    (one,) = rows_of(explained, file="a", sha256="")
    assert np.isnan(explained.relevance).any()
    assert one.highest == np.nanmax(explained.relevance)
    explained.relevance[:] = np.nan
    explained.stderr[:] = np.nan
    (none,) = rows_of(explained, file="a", sha256="")
    assert (none.highest_row, none.highest_column, none.lowest_row, none.lowest_column) == (None,) * 4
    assert none.stderr is None
    path = written(tmp_path / "", [none])
    (read,) = read_index(path.parent)
    assert (read.highest, read.lowest) == (None, None)


def test_any_name_is_read_back_by_us_and_by_others(tmp_path: Path) -> None:
    rows = [row(name, notes=f"note on {name!r}", seconds=1e-300, reliability=0.1 + 0.2) for name in NAMES]
    path = written(tmp_path, rows)
    assert path.read_bytes().startswith(HEADER.encode())
    assert read_index(tmp_path) == rows
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        told = list(csv.DictReader(file))
    assert [one["file"] for one in told] == NAMES
    assert {float(one["reliability"]) for one in told} == {0.1 + 0.2}
    assert taken_up(tmp_path).finished == {name: ("ab", one.result) for name, one in zip(NAMES, rows)}


def test_cut_anywhere_only_the_row_that_was_cut_is_missing(tmp_path: Path) -> None:
    rows = [row(name) for name in NAMES if "\r" not in name]
    path = written(tmp_path, rows)
    whole = path.read_bytes()
    ends = [len(HEADER) + len(as_csv(rows[:count])) for count in range(len(rows) + 1)]
    cuts = {end + near for end in ends for near in (-3, -2, -1, 0, 1, 2)} | {whole.index(b"two") + 4, 0, 1, 50}
    for cut in sorted(cuts | set(range(len(HEADER), len(whole), 61))):
        path.write_bytes(whole[:cut])
        kept = [one for one, end in zip(rows, ends[1:]) if end <= cut]
        if cut >= len(HEADER):
            assert read_index(tmp_path) == kept
        assert list(taken_up(tmp_path).finished) == [one.file for one in kept]
        assert path.read_bytes() == HEADER.encode() + as_csv(kept)


def test_images_of_which_a_kill_has_left_some_rows_are_computed_again(tmp_path: Path) -> None:
    rows = [row("a", 0, 3), row("a", 1, 3), row("b", 0, 2), row("b", 1, 2), row("a", 2, 3), row("c", 1, 2)]
    written(tmp_path, rows)
    assert list(taken_up(tmp_path).finished) == ["a", "b"]
    assert {one.file for one in read_index(tmp_path)} == {"a", "b"}


def test_one_file_has_rows_of_what_it_holds_now(tmp_path: Path) -> None:
    old, failed = [row("a", 0, 2), row("a", 1, 2), row("b")], Row("b", error="gone.")
    new = [row("a", 0, 1, sha256="cd")]
    assert whole_images([*old, *new, failed]) == [old[2], *new]
    assert whole_images([*old, row("a", 0, 2, sha256="cd")]) == old  # whose other row a kill has taken
    made = taken_up(tmp_path)
    for rows in (old[:2], old[2:], [failed], new):
        made.add(rows)
    assert made.finished == {"a": ("cd", "a.h5"), "b": ("ab", "b.h5")}
    made.tidy()
    assert read_index(tmp_path) == [old[2], failed, *new]
    made.forget({"a"})
    assert read_index(tmp_path) == [old[2], failed]
    assert list(taken_up(tmp_path).finished) == ["b"]
    assert read_index(tmp_path) == [old[2]]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\r\n", "\n"),
        lambda text: text + "\r\n\r\n",
        lambda text: "\ufeff" + text.replace("\r\n", "\n"),
        lambda text: "".join(f'"{cell}",' for cell in COLUMNS)[:-1] + text[len(HEADER) - 2 :],
    ],
    ids=["mark", "line ends", "blank lines", "both", "quotes"],
)
def test_what_other_programs_change_in_saving_does_no_harm(tmp_path: Path, change: Any) -> None:
    rows = [row(name) for name in NAMES if "\n" not in name]
    path = written(tmp_path, rows)
    path.write_bytes(change(path.read_bytes().decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"))
    assert read_index(tmp_path) == rows
    made = taken_up(tmp_path)
    made.add([row("more.png")])
    assert read_index(tmp_path) == [*rows, row("more.png")]
    assert path.read_bytes() == HEADER.encode() + as_csv([*rows, row("more.png")])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (HEADER.replace(",", ";") + "a;b\r\n", "has the columns file, sha256, result, ... error"),
        (HEADER.replace("sha256", "hash"), "this one has others. Move it away"),
        ("Dear diary\n", "this one has others"),
        (HEADER + "a,b\r\n", "line 2 is no row of a study's index"),
        (HEADER + "," * 19 + "\r\n" + "a,,,x" + "," * 16 + "\r\n", "line 3 is no row"),
        (HEADER + "a,,../../etc/passwd" + "," * 17 + "\r\n", "line 2 is no row"),
        (HEADER + 'a"b,"c"d' + "," * 18 + "\r\n", "line 2 is damaged"),
        (HEADER + '"' + "," * 19 + "\r\n" + "a" * 200_000 + "\r\n", "is damaged"),
        (HEADER + "a\0b\r\n", "line 2 is"),
    ],
)
def test_what_is_no_index_is_refused_and_stays(tmp_path: Path, content: str, match: str) -> None:
    path = tmp_path / "index.csv"
    path.write_bytes(content.encode())
    for read in (read_index, taken_up):
        with pytest.raises(ExplanationError, match=match):
            read(tmp_path)
    assert path.read_bytes() == content.encode()


def test_where_there_is_none_or_something_else(tmp_path: Path) -> None:
    with pytest.raises(ExplanationError, match=r"no such file\. Want the folder of a study"):
        read_index(tmp_path)
    (tmp_path / "index.csv").mkdir()
    with pytest.raises(ExplanationError, match="a folder, want the path of a file"):
        read_index(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, [row("a")])
    made = taken_up(tmp_path)
    kept = (tmp_path / "index.csv").read_bytes()
    monkeypatch.setattr(made, "_path", Path("/dev/full"))
    with pytest.raises(ExplanationError, match=r"/dev/full: cannot be written \(No space left on device\). Make room"):
        made.add([row("b")])
    assert list(made.finished) == ["a"]
    assert (tmp_path / "index.csv").read_bytes() == kept


def test_the_table_holds_the_same_with_types(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    rows = [row(name) for name in NAMES] + [Row("broken.png", error="no image.")]
    table = parquet.read_table(io.BytesIO(as_parquet(rows) or b""))
    assert tuple(table.column_names) == COLUMNS
    kinds = {name: str(table.schema.field(name).type) for name in COLUMNS}
    assert {name for name, kind in kinds.items() if kind == "int64"} == {
        "target", "targets", "highest_row", "highest_column", "lowest_row", "lowest_column",
    }  # fmt: skip
    assert {name for name, kind in kinds.items() if kind == "double"} == {
        "probability", "highest", "lowest", "stderr", "reliability", "seconds",
    }  # fmt: skip
    assert {kinds[name] for name in ("file", "sha256", "class", "unit", "measure", "notes", "error")} == {"string"}
    path = written(tmp_path, rows)
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        told = list(csv.DictReader(file))
    for one, read in zip(table.to_pylist(), told):
        for name in COLUMNS:
            text = read[name].encode("utf-8", "replace").decode("utf-8")
            assert (one[name] is None and text == "") or one[name] == type(one[name])(text), name
    assert parquet.read_table(io.BytesIO(as_parquet([]) or b"")).num_rows == 0


def test_without_pyarrow_there_is_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(index.__dict__, "absent", lambda package: package == "pyarrow")
    assert as_parquet([row("a")]) is None


def test_infinite_relevance_is_kept(tmp_path: Path) -> None:
    written(tmp_path, [row("a", highest=math.inf, lowest=-math.inf)])
    (read,) = read_index(tmp_path)
    assert (read.highest, read.lowest) == (math.inf, -math.inf)
