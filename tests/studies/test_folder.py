"""A study's folder: what is written, what is taken up, what stays, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable

import numpy as np
import pytest
from helpers.oracle_nets import NormalSampler
from helpers.pictured import QUICK, Fails, Pictured, picture, pictures
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import predicdiff as pd
from predicdiff.abilities import sampler_abilities
from predicdiff.errors import ExplanationError, InputWarning
from predicdiff.locks import InUseError
from predicdiff.ours import PROGRAM, hashed
from predicdiff.settings import Settings
from predicdiff.studies import folder as folders
from predicdiff.studies.folder import Files, Maker, Study, asked, settings_of
from predicdiff.studies.index import Row, read_index, rows_of
from predicdiff.studies.one import Item, Wish
from predicdiff.studies.outcomes import outcomes


def dot() -> bytes:
    content, about = io.BytesIO(), PngInfo()
    about.add_text("Software", PROGRAM)
    Image.new("L", (1, 1)).save(content, "PNG", pnginfo=about)
    return content.getvalue()


#: A PNG of one pixel, made by this program.
DOT = dot()
IDENTITY = {"settings": {"seed": 0}, "net": {"engine": "numpy"}}
posix = pytest.mark.skipif(sys.platform == "win32", reason="such names and files are POSIX's")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def items_of(paths: Iterable[object]) -> list[Item]:
    return [Item(number, str(path), Path(str(path))) for number, path in enumerate(paths)]


@dataclass(frozen=True)
class Small(Maker):
    """Draws a picture of one pixel, to save time."""

    def __call__(self, item: Item, sha256: str, explanation: pd.Explanation) -> Files:
        explanation.provenance["image"] = {"file": item.name, "sha256": sha256}
        rows = rows_of(explanation, file=item.name, sha256=sha256)
        return Files(explanation.content(item.name), hashed(DOT, "png"), rows)


def run(
    paths: Iterable[object],
    *,
    net: Any = None,
    identity: Any = None,
    stop: Callable[[int], object] = lambda count: None,
    restart: bool = False,
    drawn: bool = False,
    **settings: Any,
) -> list[str]:
    """A run of the study "study"; gives the images that it computed. ``stop`` is called when so many are written."""
    items, computed = items_of(paths), []
    wish = Wish(Settings(**{**QUICK, **settings}), 10**9, then=Maker() if drawn else Small())
    with Study(Path("study"), IDENTITY if identity is None else identity, restart=restart) as study:
        missing = study.missing(items)
        for done in outcomes(net or Pictured(), missing, NormalSampler(), wish, checkpoint=study.tiles):
            study.add(done)
            computed.append(done.item.name)
            stop(len(computed))
        study.finish()
    return computed


def there() -> list[str]:
    return sorted(path.name for path in Path("study").iterdir())


def whole(*stems: str) -> list[str]:
    """All that a study of such images holds."""
    table = ["index.parquet"] if folders.as_parquet([]) is not None else []
    return sorted(
        [*(f"{stem}{end}" for stem in stems for end in (".h5", ".png")), "index.csv", "settings.json", *table]
    )


def rows() -> dict[str, Row]:
    found = read_index(Path("study"))
    assert len({(row.file, row.target) for row in found}) == len(found)
    return {row.file: row for row in found}


def held(result: str) -> pd.Explanation:
    return pd.Explanation.load(Path("study", result))


def holds(result: str, path: Path, **settings: Any) -> None:
    """The map of a result is that of the image."""
    wanted = pd.explain(Pictured(), pd.load_image(path), NormalSampler(), **{**QUICK, **settings})
    np.testing.assert_array_equal(held(result).relevance, wanted.relevance)


def test_all_that_is_written_of_a_study(here: Path) -> None:
    paths = pictures(Path("p"), 3)
    assert run(paths, drawn=True, top=2) == list(map(str, paths))
    assert there() == whole("00", "01", "02")
    found = read_index(Path("study"))
    assert [(row.file, row.target, row.targets, row.result) for row in found] == [
        (str(path), target, 2, f"{path.stem}.h5") for path in paths for target in (0, 1)
    ]
    for path in paths:
        holds(f"{path.stem}.h5", path, top=2)
        assert held(f"{path.stem}.h5").provenance["image"] == {"file": str(path), "sha256": rows_sha(path)}
        with Image.open(Path("study", f"{path.stem}.png")) as drawn:
            assert drawn.size[0] > 100
    record = json.loads(Path("study/settings.json").read_text())
    assert list(record)[:3] == ["made by", "sha256", "kind"]
    assert record["kind"] == "study"
    assert settings_of(Path("study")) == IDENTITY


def rows_sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_finished_is_not_computed_again_and_what_has_changed_is() -> None:
    paths = pictures(Path("p"), 4)
    assert len(run(paths[:3])) == 3
    before = {name: Path("study", name).stat().st_mtime_ns for name in there() if name.endswith((".h5", ".png"))}
    assert run(paths[:3]) == []
    assert run(reversed(paths)) == ["p/03.png"]
    assert {name: Path("study", name).stat().st_mtime_ns for name in before} == before
    picture(paths[1], 99)
    assert run(paths) == ["p/01.png"]
    assert there() == whole("00", "01", "02", "03")
    assert rows()["p/01.png"].sha256 == rows_sha(paths[1])
    holds("01.h5", paths[1])
    assert run(paths) == []


def test_a_result_that_was_deleted_is_computed_again() -> None:
    paths = pictures(Path("p"), 2)
    run(paths)
    Path("study/00.h5").unlink()
    assert run(paths) == ["p/00.png"]
    assert set(rows()) == set(map(str, paths))
    Path("study/index.csv").unlink()
    assert run(paths) == list(map(str, paths))
    assert there() == whole("00", "01")


def test_images_of_one_name_and_names_like_the_studys_own() -> None:
    paths = [Path(name) for name in (
        "a/x.png", "b/x.png", "b/x.jpg.png", "b/x-2.png", "c/index.png", "c/settings.png", "c/.lock.png",
        "c/index.csv.png",
    )]  # fmt: skip
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        picture(path, number)
    assert len(run(paths)) == len(paths)
    names = {file: row.result for file, row in rows().items()}
    assert names == {
        "a/x.png": "x.h5", "b/x.png": "x-2.h5", "b/x.jpg.png": "x.jpg.h5", "b/x-2.png": "x-2-2.h5",
        "c/index.png": "index.h5", "c/settings.png": "settings.h5", "c/.lock.png": "lock.h5",
        "c/index.csv.png": "index.csv.h5",
    }  # fmt: skip
    for path in paths:
        holds(names[str(path)], path)
    assert run(paths) == []
    picture(paths[1], 77)
    assert run(paths) == ["b/x.png"]
    assert rows()["b/x.png"].result == "x-2.h5"
    holds("x-2.h5", paths[1])


@posix
def test_names_of_every_kind_become_names_of_files() -> None:
    paths = [Path("p", name) for name in (
        "a, b.png", 'q"u.png', "two\nlines.png", "\N{CAT}.png", os.fsdecode(b"latin\xe4.png"), "..png", "-.png",
        "l" * 240,
    )]  # fmt: skip
    Path("p").mkdir()
    try:
        for number, path in enumerate(paths):
            picture(path, number)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such names")
    assert len(run(paths)) == len(paths)
    assert set(rows()) == set(map(str, paths))
    for path in paths:
        holds(rows()[str(path)].result, path)
    assert run(paths) == []


@pytest.mark.parametrize("which", ["00.h5", "00.png"])
@pytest.mark.parametrize("what", ["changed", "foreign", "folder"])
def test_what_somebody_has_put_or_changed_there_stays(which: str, what: str) -> None:
    paths = pictures(Path("p"), 2)
    run(paths)
    path = Path("study", which)
    if what == "changed":
        path.write_bytes(path.read_bytes() + b"mine")
    else:
        path.unlink()
        path.write_text("mine") if what == "foreign" else path.mkdir()
    kept = path.read_bytes() if path.is_file() else None
    picture(paths[0], 5)
    assert run(paths) == ["p/00.png"]
    assert rows()["p/00.png"].result == "00-2.h5"
    holds("00-2.h5", paths[0])
    assert (path.read_bytes() if path.is_file() else None) == kept
    assert run(paths) == []


def test_another_ones_result_of_the_same_name_stays() -> None:
    paths = pictures(Path("p"), 1)
    run(paths)
    Path("study/index.csv").unlink()
    explained = held("00.h5")
    explained.provenance["image"] = {"file": "another.png"}
    explained.save(Path("study/00.h5"))
    before = Path("study/00.h5").read_bytes()
    run(paths)
    assert rows()["p/00.png"].result == "00-2.h5"
    assert Path("study/00.h5").read_bytes() == before


def test_an_index_that_is_gone_is_made_anew_from_the_results_that_are_this_studys() -> None:
    paths = pictures(Path("p"), 5)
    same = {**IDENTITY, "net": Pictured().provenance, "sampler": sampler_abilities(NormalSampler()).identity}
    run(paths, identity=same, top=2)
    before = {row[:4]: row for row in read_index(Path("study"))}
    Path("study/index.csv").unlink()
    with pytest.raises(ExplanationError, match=r"a study with other settings \(seed was 0, is 1\)"):
        run(paths, identity={**same, "settings": {"seed": 1}}, top=2, seed=1)
    Path("study/00.png").unlink()
    other = held("01.h5")
    other.provenance["net"] = {"name": "another"}
    other.save(Path("study/01.h5"))
    Path("study/02.h5").write_bytes(b"changed")
    with pytest.warns(InputWarning, match=r"^study: index\.csv is not there; 2 results with the same net and sampler"):
        assert run(paths, identity=same, top=2) == ["p/00.png", "p/01.png", "p/02.png"]
    found = {row[:4]: row for row in read_index(Path("study"))}
    assert {key: row for key, row in found.items() if key[0] in ("p/03.png", "p/04.png")} == {
        key: row for key, row in before.items() if key[0] in ("p/03.png", "p/04.png")
    }
    assert Path("study/02.h5").read_bytes() == b"changed"
    assert len(found) == 10
    assert run(paths, identity=same, top=2) == []


def test_failures_are_rows_that_the_next_run_tries_again() -> None:
    paths = [*pictures(Path("p"), 3, red=[1]), Path("p/absent.png")]
    net = Fails(ValueError("no"))
    assert len(run(paths, net=net)) == 4
    found = rows()
    assert found["p/01.png"].error == "the net or the sampler failed (ValueError: no)."
    assert found["p/01.png"].sha256 == rows_sha(paths[1])
    assert "no such file" in found["p/absent.png"].error
    for file in ("p/01.png", "p/absent.png"):
        assert not any([found[file].result, found[file].target, found[file].highest, found[file].seconds])
    assert there() == whole("00", "02")
    assert run(paths) == ["p/01.png", "p/absent.png"]
    assert [row.error for row in rows().values() if row.error] == [found["p/absent.png"].error]


def test_of_a_finished_file_that_is_broken_now_the_result_stays() -> None:
    paths = pictures(Path("p"), 2)
    run(paths)
    kept = paths[0].read_bytes()
    paths[0].write_bytes(b"broken")
    assert run(paths) == ["p/00.png"]
    assert [(row.file, bool(row.error)) for row in read_index(Path("study"))] == [
        ("p/00.png", False), ("p/01.png", False), ("p/00.png", True),
    ]  # fmt: skip
    paths[0].write_bytes(kept)
    assert run(paths) == []
    assert [row.file for row in read_index(Path("study"))] == ["p/00.png", "p/01.png"]


def interrupted(count: int) -> Callable[[int], None]:
    def stop(written: int) -> None:
        if written == count:
            raise KeyboardInterrupt

    return stop


def test_interrupted_it_goes_on_and_leaves_nothing_behind() -> None:
    paths = pictures(Path("p"), 5)
    with pytest.raises(KeyboardInterrupt):
        run(paths, stop=interrupted(2))
    assert {*rows()} == {"p/00.png", "p/01.png"}
    assert run(paths) == ["p/02.png", "p/03.png", "p/04.png"]
    assert there() == whole(*(path.stem for path in paths))


class Stops(Pictured):
    """Is interrupted in the third tile."""

    def evaluate(self, *arguments: Any, **how: Any) -> np.ndarray:
        if len(self.calls) == 3:
            raise KeyboardInterrupt
        return super().evaluate(*arguments, **how)


def test_tiles_of_the_image_at_work_are_taken_up() -> None:
    paths, how = pictures(Path("p"), 2), {"stride": 1, "samples": 80}
    with pytest.raises(KeyboardInterrupt):
        run(paths, net=Stops(), **how)
    assert [name for name in there() if name.endswith(".tiles")]
    assert "settings.json" in there()
    assert run(paths, **how) == list(map(str, paths))
    assert held("00.h5").provenance["windows_before"] > 0
    assert held("01.h5").provenance["windows_before"] == 0
    holds("00.h5", paths[0], **how)
    assert there() == whole("00", "01")


def test_tiles_of_a_file_that_has_changed_or_is_restarted_are_not_taken_up() -> None:
    paths, how = pictures(Path("p"), 1), {"stride": 1, "samples": 80}
    for changed in (True, False):
        with pytest.raises(KeyboardInterrupt):
            run(paths, net=Stops(), restart=True, **how)
        if changed:
            picture(paths[0], 8)
        assert run(paths, restart=not changed, **how) == ["p/00.png"]
        assert held("00.h5").provenance["windows_before"] == 0
        holds("00.h5", paths[0], **how)
        assert there() == whole("00")


def test_what_kills_leave_at_any_moment_is_swept() -> None:
    paths = pictures(Path("p"), 2)
    run(paths)
    study = Study(Path("study"), IDENTITY)
    for item in items_of(paths):  # between the row and their deletion
        study.tiles(item).write_bytes(b"predicdiff tiles")
    for name in (".index.csv.0a1b2c3d.part.csv", ".index.parquet.0a1b2c3d.part.parquet"):
        Path("study", name).write_bytes(b"half")
    assert run(paths) == []
    assert there() == whole("00", "01")
    rest = Path("study/index.csv").read_bytes()
    last = rest.rindex(b"\r\n", 0, -2) + 2
    Path("study/index.csv").write_bytes(rest[: last + 20])  # between the result and its row, or in the row
    Path("study/.01.h5.0a1b2c3d.part.h5").write_bytes(b"half")
    assert run(paths) == ["p/01.png"]
    assert there() == whole("00", "01")


def test_images_that_are_called_alike_have_the_same_names_in_whichever_order_they_are_done_again() -> None:
    paths = [pictures(Path("p", str(number)), 1)[0] for number in range(4)]
    run(paths)
    names = {file: row.result for file, row in rows().items()}
    assert sorted(names.values()) == ["00-2.h5", "00-3.h5", "00-4.h5", "00.h5"]
    Path("study/index.csv").unlink()  # or a kill before the rows of some
    run([paths[0], *paths[:0:-1]])
    assert {file: row.result for file, row in rows().items()} == names
    assert there() == whole("00", "00-2", "00-3", "00-4")


def test_what_a_kill_leaves_at_the_very_beginning_and_what_systems_hide_is_no_other_file() -> None:
    Path("study").mkdir()
    for name in (".lock", ".settings.json.0a1b2c3d.part.json", ".DS_Store"):
        Path("study", name).write_bytes(b'{"made by"')
    assert run(pictures(Path("p"), 1)) == ["p/00.png"]
    assert there() == [".DS_Store", *whole("00")]


def test_restart_computes_the_given_ones_anew_and_no_others() -> None:
    paths = pictures(Path("p"), 3)
    run(paths)
    before = Path("study/00.h5").stat().st_mtime_ns
    with pytest.raises(KeyboardInterrupt):
        run(paths[1:], restart=True, stop=interrupted(1))
    assert set(rows()) == {"p/00.png", "p/01.png"}
    assert run(paths) == ["p/02.png"]
    assert Path("study/00.h5").stat().st_mtime_ns == before
    assert there() == whole("00", "01", "02")


@pytest.mark.parametrize(
    ("identity", "match"),
    [
        ({**IDENTITY, "settings": {"seed": 1}}, r"study: a study with other settings \(seed was 0, is 1\)"),
        ({**IDENTITY, "net": {"engine": "torch"}}, 'engine was "numpy", is "torch"'),
        ({**IDENTITY, "sampler": "Grey"}, "sampler"),
    ],
)
def test_other_settings_are_refused_with_what_differs_once_there_is_a_result(identity: Any, match: str) -> None:
    paths = pictures(Path("p"), 1)
    run([Path("p/absent.png")])
    run(paths, identity={"settings": {"seed": 5}})
    Path("study/00.h5").unlink()
    run(paths)  # of the other settings there is no result any more
    before = {name: Path("study", name).read_bytes() for name in there()}
    for restart in (False, True):
        with pytest.raises(ExplanationError, match=match):
            run(paths, identity=identity, restart=restart)
    assert {name: Path("study", name).read_bytes() for name in there()} == before


def test_a_study_of_which_nothing_came_leaves_nothing() -> None:
    with pytest.raises(pd.PredicdiffError, match="absent"):
        run(pictures(Path("p"), 1), blob="absent")
    assert not Path("study").exists()
    Path("study").mkdir()
    with pytest.raises(KeyboardInterrupt):
        run(pictures(Path("p"), 1), net=Stops(), stop=interrupted(1))
    assert whole() == there() or there() == [] or Path("study/00.h5").exists()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "should hold the settings of a study, but is damaged"),
        ('{"made by": "predicdiff 1", "sh', "is damaged or something else"),
        ('{"kind": "table"}', "is damaged or something else"),
        ("[1]", "is damaged or something else"),
        ("[" * 10**5, "is damaged or something else"),
        ('{"kind": "study", "settings": {"seed": 0}, "net": {"engine": "caffe"}}', 'engine was "caffe", is "numpy"'),
    ],
)
def test_settings_that_are_none_are_refused_and_stay(content: str, match: str) -> None:
    paths = pictures(Path("p"), 1)
    run(paths)
    Path("study/settings.json").write_text(content)
    with pytest.raises(ExplanationError, match=match):
        run(paths)
    assert Path("study/settings.json").read_text() == content
    assert "index.csv" in there()


def test_a_damaged_index_is_refused_and_stays() -> None:
    paths = pictures(Path("p"), 1)
    run(paths)
    content = Path("study/index.csv").read_bytes().replace(b",", b";")
    Path("study/index.csv").write_bytes(content)
    with pytest.raises(ExplanationError, match="with commas between, and this one has others"):
        run(paths)
    assert Path("study/index.csv").read_bytes() == content


def test_places_that_are_no_studys() -> None:
    paths = pictures(Path("p"), 1)
    Path("study").write_text("mine")
    with pytest.raises(ExplanationError, match="study: a file, want a folder"):
        run(paths)
    Path("study").unlink()
    Path("study").mkdir()
    Path("study/thesis.txt").write_text("mine")
    with pytest.raises(ExplanationError, match="study: holds other files, and no study"):
        run(paths)
    assert there() == ["thesis.txt"]


def test_files_of_somebody_in_a_study_stay() -> None:
    paths = pictures(Path("p"), 1)
    run(paths)
    Path("study/thesis.txt").write_text("mine")
    Path("study/more").mkdir()
    picture(paths[0], 4)
    run(paths)
    assert there() == sorted([*whole("00"), "thesis.txt", "more"])


@posix
def test_a_link_to_a_folder_is_a_folder_and_one_to_nowhere_is_none() -> None:
    paths = pictures(Path("p"), 1)
    os.symlink("real", "study")
    with pytest.raises(ExplanationError, match="want a folder"):
        run(paths)
    Path("real").mkdir()
    run(paths)
    assert sorted(path.name for path in Path("real").iterdir()) == whole("00")
    assert Path("study").is_symlink()


@posix
@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_a_lock_that_is_no_file(what: str) -> None:
    paths = pictures(Path("p"), 1)
    run(paths)
    make = {"link": lambda p: os.symlink("p", p), "pipe": os.mkfifo, "folder": os.mkdir}
    make[what]("study/.lock")
    with pytest.raises(ExplanationError, match="lock"):
        run(paths)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="everything may be written")
def test_a_folder_that_may_not_be_written() -> None:
    paths = pictures(Path("p"), 1)
    run(paths)
    os.chmod("study", 0o555)
    picture(paths[0], 4)
    with pytest.raises(ExplanationError, match="study: cannot be written"):
        run(paths)


@posix
def test_two_runs_at_once_do_not_meet() -> None:
    paths = pictures(Path("p"), 2)

    def second(count: int) -> None:
        with pytest.raises(InUseError, match=r"study: another run writes this study\. Wait for its end"):
            run(paths)

    assert run(paths, stop=second) == list(map(str, paths))
    assert there() == whole("00", "01")


@posix
def test_where_tiles_cannot_be_kept_all_ends_at_once_and_not_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    paths, seen = pictures(Path("p"), 4), []
    run(paths[:1])
    monkeypatch.setattr(Study, "tiles", lambda study, item: seen.append(item) or Path("p/00.png/tiles"))
    with pytest.raises(ExplanationError, match=r"p/00\.png/tiles: finished tiles cannot be kept"):
        run(paths)
    assert len(seen) <= 3
    assert set(rows()) == {"p/00.png"}


def test_settings_are_told_as_they_were_asked_for() -> None:
    told = asked(Settings(window=(3, 4), samples=np.int64(5), stride=1, units=[np.int64(3), "cat"], top=None))
    assert (told["window"], told["samples"], told["units"]) == ([3, 4], 5, [3, "cat"])
    assert asked(Settings(window=3, samples=1, stride=1, segments=np.zeros((2, 2), int)))["segments"] == [
        [0, 0],
        [0, 0],
    ]
