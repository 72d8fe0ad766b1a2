"""Many images are explained as each would be alone, in whatever way they come and whatever happens to some of them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from helpers.engines import needed, tiny_net
from helpers.oracle_nets import NormalSampler
from helpers.peak import peak
from helpers.pictured import QUICK, Fails, Greedy, Pictured, RefusesRed, picture, pictures
from helpers.places import ROOT
from PIL import Image

import predicdiff as pd
from predicdiff.errors import InputWarning, OutOfMemoryError, SettingsError, warn
from predicdiff.studies import outcomes
from predicdiff.workers.processes import Processes

WAYS = ("here", "images", "tiles")
#: Settings that take ways of their own through the code.
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "top": {"top": 3},
    "scores": {"blob": "scores", "units": [0, 2], "against": 1},
    "region": {"region": (2, 3, 8, 9)},
    "repeat": {"repeat": 2},
    "until": {"stride": 1, "samples": 8, "until": 0.9},
    "channels apart": {"channels_apart": True, "units": [1, 3]},
    "segments": {"segments": "slic:6", "stride": 1},
}


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    workers = Processes(2)
    yield workers
    workers.close()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How workers get the images: not at all, each whole, or their tiles."""
    if request.param == "here":
        return {}
    monkeypatch.setattr(outcomes, "MANY_TILES", 0 if request.param == "tiles" else 10**6)
    return {"workers": request.getfixturevalue("processes")}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return pictures(tmp_path_factory.mktemp("photos"), 6)


def by_number(net: Any, images: Any, sampler: Any, **how: Any) -> list[pd.studies.many.Explained]:  # type: ignore[name-defined]
    """All results, in the order of the images."""
    found = sorted(pd.explain_many(net, images, sampler, **how))
    assert [done.number for done in found] == list(range(len(found)))
    return found


def alike(found: pd.Explanation | None, wanted: pd.Explanation) -> None:
    assert found is not None
    for name in ("relevance", "stderr", "base", "pixels", "reliability", "image"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert (found.targets, found.unit, found.settings) == (wanted.targets, wanted.unit, wanted.settings)
    assert found.notes == wanted.notes
    assert found.frame == wanted.frame


@pytest.mark.parametrize("asked", SETTINGS.values(), ids=SETTINGS)
def test_each_map_is_to_the_bit_what_explain_gives(asked: Any, way: Any, photos: list[Path]) -> None:
    settings, sampler = {**QUICK, **asked}, NormalSampler()
    if "segments" in asked:
        pytest.importorskip("skimage")
        sampler = pd.MarginalSampler(np.random.default_rng(0).uniform(0, 255, (9, 3, 9, 10)).astype(np.float32))  # type: ignore[assignment]
    found = by_number(Pictured(), photos, sampler, **settings, **way)
    assert [done.name for done in found] == list(map(str, photos))
    for done, path in zip(found, photos):
        assert not done.error
        alike(done.explanation, pd.explain(Pictured(), pd.load_image(path), sampler, **settings))


@needed
@pytest.mark.parametrize("workers", [None, pytest.param("processes", marks=pytest.mark.whole)])
def test_hidden_starts_of_a_real_net(photos: list[Path], request: pytest.FixtureRequest, workers: str | None) -> None:
    net = tiny_net(preprocessing=pd.Preprocessing(), device="cpu")
    how = {"start": "pool1", "window": 2, "samples": 3, "stride": 2, "units": [1]}
    there = None if workers is None else request.getfixturevalue(workers)
    for done, path in zip(by_number(net, photos, NormalSampler(), workers=there, **how), photos):
        assert not done.error
        alike(done.explanation, pd.explain(net, pd.load_image(path), NormalSampler(), **how))


def test_paths_arrays_and_pillows_images_mixed(way: Any, photos: list[Path], tmp_path: Path) -> None:
    rgb = [pd.load_image(path) for path in photos]
    given = [rgb[0], str(photos[1]), photos[2], Image.fromarray(rgb[3]), Pictured().view(rgb[4]), rgb[5]]
    found = by_number(Pictured(), given, NormalSampler(), **QUICK, **way)
    names = ["image 0", str(photos[1]), str(photos[2]), "image 3", "image 4", "image 5"]
    assert [(done.name, done.error) for done in found] == [(name, "") for name in names]
    for done, image in zip(found, rgb):
        np.testing.assert_array_equal(
            done.explanation.relevance, pd.explain(Pictured(), image, NormalSampler(), **QUICK).relevance
        )


def test_what_gives_images_may_use_one_array_for_all_and_close_its_files(way: Any, photos: list[Path]) -> None:
    rgb = [pd.load_image(path) for path in photos]

    def given() -> Iterator[Any]:
        reused = np.empty_like(rgb[0])
        for image, path in zip(rgb, photos):
            reused[...] = image
            yield reused
            with Image.open(path) as opened:
                yield opened

    found = by_number(Pictured(), given(), NormalSampler(), **QUICK, **way)
    for done, image in zip(found, np.repeat(rgb, 2, axis=0)):
        assert not done.error
        alike(done.explanation, pd.explain(Pictured(), image, NormalSampler(), **QUICK))


def test_what_goes_wrong_with_some_is_theirs_alone(way: Any, tmp_path: Path) -> None:
    paths = pictures(tmp_path, 5)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    cut = tmp_path / "cut.png"
    cut.write_bytes(paths[0].read_bytes()[:100])
    with open(paths[0], "rb") as opened:
        given = [
            tmp_path / "absent.png", tmp_path / "text.png", paths[0], tmp_path, tmp_path / "empty.png", cut,
            np.zeros((4, 4, 7), np.uint8), object(), opened, *paths[1:], "", "http://a.b/c.png",
            np.full((9, 9, 3), np.nan),
        ]  # fmt: skip
        found = by_number(Pictured(), given, NormalSampler(), **QUICK, **way)
    good = {2, 9, 10, 11, 12}
    assert {done.number for done in found if not done.error} == good
    assert all((done.explanation is None) == bool(done.error) for done in found)
    errors = [done.error for done in found]
    assert "absent.png: no such file" in errors[0]
    assert "text.png: not an image" in errors[1]
    assert "a folder, want the path of a file" in errors[3]
    assert "empty.png" in errors[4]
    assert "cut.png" in errors[5]
    assert "the image has the shape (4, 4, 7)" in errors[6]
    for number in (7, 8):
        assert "the image" in errors[number]
    for error in filter(None, errors):
        assert error.endswith("."), error
        assert "\n" not in error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("my own\ntrouble"), "the net or the sampler failed (ValueError: my own)."),
        (KeyError("maps"), "the net or the sampler failed (KeyError: 'maps')."),
        (MemoryError(), "memory ran out with a single image in the batch: free some, or use a smaller net."),
        (OutOfMemoryError("no"), "memory ran out with a single image in the batch: free some, or use a smaller net."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_net_that_fails_at_an_image_is_that_images_error(error: Any, told: str, way: Any, tmp_path: Path) -> None:
    paths = pictures(tmp_path, 6, red=[2, 4])
    found = by_number(Fails(error), paths, NormalSampler(), **QUICK, **way)
    assert [done.error for done in found] == ["", "", told, "", told, ""]


def test_a_sampler_that_fails_at_an_image_is_that_images_error(way: Any, tmp_path: Path) -> None:
    paths = pictures(tmp_path, 6, red=[4])
    found = by_number(Pictured(), paths, RefusesRed(), **QUICK, **way)
    assert [done.number for done in found if done.error] == [4]
    assert found[4].error == "the net or the sampler failed (ZeroDivisionError: no red)."


@pytest.mark.whole
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("tiles", [0, 10**6])
def test_an_image_with_which_workers_are_lost_gets_smaller_batches(
    tiles: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MANY_TILES", tiles)
    paths = pictures(tmp_path, 6, red=[4])
    how = {**QUICK, "stride": 1, "samples": 20}
    found = by_number(Greedy(), paths, NormalSampler(), workers=2, **how)
    assert not any(done.error for done in found)
    for done, path in zip(found, paths):
        wanted = pd.explain(Pictured(), pd.load_image(path), NormalSampler(), **how)
        np.testing.assert_allclose(done.explanation.relevance, wanted.relevance, atol=1e-4)
        assert (done.explanation.provenance["batch_size"] < 100) == (done.number == 4)


def test_a_net_that_fails_at_the_first_image_is_nobodys_image(tmp_path: Path) -> None:
    paths = pictures(tmp_path, 2, red=[0])
    with pytest.raises(ValueError, match="my own"):
        list(pd.explain_many(Fails(ValueError("my own")), [tmp_path / "absent.png", *paths], NormalSampler(), **QUICK))


class Counted(Pictured):
    """Counts how often it was asked for an image."""

    count = 0

    def forward(self, *arguments: Any) -> Any:
        type(self).count += 1
        return super().forward(*arguments)


@pytest.mark.parametrize("wrong", [{"blob": "absent"}, {"units": [99]}, {"window": 50}, {"region": (0, 0, 99, 99)}])
def test_settings_that_do_not_fit_are_refused_once_whatever_the_first_images_are(wrong: Any, tmp_path: Path) -> None:
    Counted.count = 0
    (tmp_path / "broken.png").write_text("no image")
    paths = [tmp_path / "absent.png", tmp_path / "broken.png", *pictures(tmp_path, 3)]
    found = pd.explain_many(Counted(), paths, NormalSampler(), **{**QUICK, **wrong})
    assert [next(found).number, next(found).number] == [0, 1]
    with pytest.raises(pd.PredicdiffError, match=r"absent|99|50"):
        next(found)
    assert Counted.count <= 2
    assert list(found) == []


@pytest.mark.parametrize(
    ("images", "asked", "match"),
    [
        (["a.png"], {"windows": 3}, "windows: explain_many has no such setting. They are those of explain."),
        (["a.png"], {"checkpoint": "a"}, "checkpoint: explain_many has no such setting"),
        (["a.png"], {"samples": 0}, "samples S = 0"),
        (["a.png"], {"memory": "much"}, "memory = 'much'"),
        (["a.png"], {"batch_size": 0}, "batch size 0"),
        (["a.png"], {"progress": 3}, "progress = 3"),
        ("a.png", {}, r"images is 'a.png': want several, such as a list of paths or of arrays"),
        (Path("a.png"), {}, "want several"),
        (None, {}, "images is None: want several"),
    ],
)
def test_what_is_wrong_with_the_call_is_said_by_the_call(images: Any, asked: Any, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        pd.explain_many(Pictured(), images, NormalSampler(), **asked)


@pytest.mark.parametrize("workers", [0, -1, True, "two", 1.5, 5000, object()])
def test_workers_that_are_none(workers: Any, photos: list[Path]) -> None:
    with pytest.raises(SettingsError, match="workers"):
        next(pd.explain_many(Pictured(), photos, NormalSampler(), workers=workers, **QUICK))


def test_images_come_one_by_one_as_they_are_worked_on(way: Any, photos: list[Path]) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Any]:
        while True:
            taken.append(len(taken))
            yield "absent.png" if len(taken) > 7 else photos[0]

    found = pd.explain_many(Pictured(), endless(), NormalSampler(), **QUICK, **way)
    assert taken == []
    next(found)
    assert len(taken) == 1
    for count in range(2, 30):
        next(found)
        assert len(taken) <= count + 8
    found.close()  # type: ignore[attr-defined]


def test_of_no_image_nothing_comes(way: Any) -> None:
    told: list[Any] = []
    assert list(pd.explain_many(Pictured(), [], NormalSampler(), progress=told.append, **QUICK, **way)) == []
    assert told == []


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("tiles", [0, 10**6])
def test_closed_early_it_leaves_no_process_and_no_thread(
    tiles: int, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MANY_TILES", tiles)
    before = threads(), set(multiprocessing.active_children())
    for done in pd.explain_many(Pictured(), photos * 20, NormalSampler(), workers=2, **QUICK):
        assert not done.error
        if done.number == 4:
            assert len(set(multiprocessing.active_children()) - before[1]) >= 1
            break
    del done
    gc.collect()
    assert (threads(), set(multiprocessing.active_children())) == before


def test_progress_never_goes_back_and_ends_with_all(way: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("no image")
    paths = [*pictures(tmp_path, 5, red=[3]), tmp_path / "broken.png"]
    at_once, told = [0], []

    def progress(done: float, total: int | None) -> None:
        at_once[0] += 1
        assert at_once[0] == 1
        told.append((done, total))
        time.sleep(0.001)
        at_once[0] -= 1

    asked = {**QUICK, "until": 0.95, "stride": 1, "samples": 8}
    list(pd.explain_many(Fails(ValueError("no")), paths, NormalSampler(), progress=progress, **asked, **way))
    assert told == sorted(told)
    assert told[-1] == (6, 6)
    assert 0 < told[0][0] < 1
    told.clear()
    list(pd.explain_many(Pictured(), iter(paths), NormalSampler(), progress=progress, **QUICK, **way))
    assert {total for _, total in told} == {None}


def test_what_progress_raises_ends_all(way: Any, photos: list[Path]) -> None:
    def progress(done: float, total: int | None) -> None:
        if done > 2:
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        list(pd.explain_many(Pictured(), photos, NormalSampler(), progress=progress, **QUICK, **way))


class Warns(Pictured):
    """Warns of each image when it looks at it."""

    def view(self, image: np.ndarray) -> np.ndarray:
        warn(f"its brightest pixel is {image.max()}.", InputWarning)
        return super().view(image)


def test_warnings_name_their_image(way: Any, photos: list[Path]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(pd.explain_many(Warns(), photos, NormalSampler(), **QUICK, **way))
    ours = [warning for warning in caught if warning.category is InputWarning]
    said = [str(warning.message) for warning in ours]
    wanted = [f"{path}: its brightest pixel is {pd.load_image(path).max()}." for path in photos]
    assert sorted(said) == sorted(wanted)
    assert {Path(str(warning.filename)).name for warning in ours} == {"test_many.py"}


def test_a_study_over_images_and_net_are_left_as_they_were(way: Any, photos: list[Path]) -> None:
    images = [pd.load_image(path) for path in photos]
    before = [image.copy() for image in images]
    for image in images:
        image.setflags(write=False)
    by_number(Pictured(), images, NormalSampler(), **QUICK, **way)
    for image, kept in zip(images, before):
        np.testing.assert_array_equal(image, kept)


@pytest.mark.whole
@pytest.mark.parametrize("workers", [1, 2])
def test_memory_does_not_grow_with_the_number_of_images(workers: int, tmp_path: Path) -> None:
    imports = f"sys.path.insert(0, {str(ROOT / 'tests')!r})\nfrom helpers.pictured import studied"
    work = "studied(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))"
    few, more = (peak(imports, work, count, tmp_path, workers) for count in (30, 300))
    assert (few[1], more[1]) == ("", "")
    assert more[0] < few[0] + 8 * 2**20  # an image alone, its map and its picture are 3 MB


@pytest.mark.parametrize(
    ("workers", "tiles", "images"),
    [(2, 1486, 2), (2, 10, 2), (2, 1, 5), (10, 10, 3), (100, 1486, 2), (1000, 1486, 3), (1000, 10, 16), (1, 0, 3)],
)
def test_so_many_images_are_under_way_that_all_but_one_have_two_tiles_for_each_worker(
    workers: int, tiles: int, images: int
) -> None:
    assert outcomes.lanes_for(workers, tiles) == images


def test_files_are_known_by_what_they_hold_at_their_turn(photos: list[Path], tmp_path: Path) -> None:
    first, second = picture(tmp_path / "a.png", 1), picture(tmp_path / "b.png", 2)
    found = pd.explain_many(Pictured(), [first, second], NormalSampler(), **QUICK)
    assert next(found).name == str(first)
    os.unlink(second)
    assert "no such file" in next(found).error


@needed
@pytest.mark.whole
def test_the_example_of_the_documents_runs(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skimage")
    page = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(import .*?explain_many.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps").mkdir()
    net = tiny_net(preprocessing=pd.Preprocessing(), device="cpu")
    exec(example.replace('pd.load_net("googlenet")', "net"), {"net": net, "paths": photos})
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [f"{number}.h5" for number in range(6)]
