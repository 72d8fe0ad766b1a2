"""Explanations on disk: whole or not at all, and as they were."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from helpers.same import assert_same
from helpers.sealed import rewritten

from predicdiff.errors import ExplanationError, SettingsError
from predicdiff.explanation import ARRAYS, Explanation, Target
from predicdiff.images import Frame, View

TARGETS = [
    Target("prob", [281], "tabby, tabby cat"),
    Target("prob", [0], "鲤鱼 (tench) “é” 🐟", against="tiger cat"),
    Target("inception_3a/output", [3, 10, 12], "inception_3a/output[3, 10, 12]"),
]


def example(**changes: Any) -> Explanation:
    rng = np.random.default_rng(0)
    stderr = rng.uniform(size=(3, 16, 20))
    stderr[1] = np.nan
    whole = Explanation(
        relevance=rng.normal(size=(3, 16, 20)),
        stderr=stderr,
        targets=TARGETS,
        base=np.array([0.7, 0.1, 12.5]),
        pixels=rng.uniform(0, 255, size=(3, 16, 20)).astype(np.float32),
        unit="bits",
        settings={"window": 10, "stride": 1, "units": [[281], [0]], "against": None, "seed": 2**64 - 1},
        provenance={"net": {"name": "gößnet", "sha1": "ab" * 20}, "seconds": 1.25, "versions": {"numpy": "1.19"}},
        notes=["Each of the 3 other images …", "zweite\nZeile"],
        image=rng.integers(0, 256, size=(30, 50, 3)).astype(np.uint8),
        frame=View("crop").frame((30, 50), (16, 20)),
    )
    return dataclasses.replace(whole, **changes)


def fill(path: Path) -> bytes:
    """A file that was there before."""
    path.write_bytes(b"the earlier result")
    return path.read_bytes()


# there and back


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    wanted = example()
    wanted.save(tmp_path / "cat.h5")
    assert_same(Explanation.load(tmp_path / "cat.h5"), wanted)


@pytest.mark.parametrize(
    "changes",
    [
        {"frame": None, "image": None},
        {"frame": None},
        {"notes": [], "settings": {}, "provenance": {}},
        {"unit": "activation"},
        {"pixels": np.zeros((1, 16, 20), np.float32)},
        {"pixels": np.zeros((7, 16, 20), np.float64)},
        {"relevance": np.full((3, 16, 20), np.nan)},
        {"relevance": np.full((3, 16, 20), -np.inf), "base": np.array([np.inf, -np.inf, np.nan])},
        {"stderr": np.full((3, 16, 20), np.inf), "interpolation_error": np.full((3, 16, 20), np.inf)},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_what_may_be_missing_or_other(tmp_path: Path, changes: dict) -> None:
    wanted = example(**changes)
    wanted.save(tmp_path / "cat.h5")
    assert_same(Explanation.load(tmp_path / "cat.h5"), wanted)


def test_it_is_told_in_a_line() -> None:
    one = example(settings={"window": 4, "stride": 2})
    low, high = np.nanmin(one.relevance), np.nanmax(one.relevance)
    told = f"relevance {one.relevance.shape} in {one.unit}, from {low:.3g} to {high:.3g}; window 4, stride 2>"
    assert repr(one) == f"<Explanation of {', '.join(target.title for target in one.targets)}: {told}"


def test_one_target_alone(tmp_path: Path) -> None:
    wanted = example().pick(1)
    wanted.save(str(tmp_path / "one.h5"))
    assert_same(Explanation.load(str(tmp_path / "one.h5")), wanted)


def test_a_file_in_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b ü" / "cat.h5"
    example().save(path)
    assert os.listdir(path.parent) == ["cat.h5"]
    assert_same(Explanation.load(path), example())


def test_other_programs_read_the_file(tmp_path: Path) -> None:
    example().save(tmp_path / "cat.h5")
    with h5py.File(str(tmp_path / "cat.h5"), "r") as file:
        np.testing.assert_array_equal(file["relevance"][()], example().relevance)
        assert set(ARRAYS) - {"interpolation_error", "reliability", "segments"} <= set(file)


# whole or not at all


def test_a_new_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "cat.h5"
    example().save(path)
    example(unit="activation").save(path)
    assert Explanation.load(path).unit == "activation"
    assert os.listdir(tmp_path) == ["cat.h5"]


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "cat.h5"
    example(unit="activation").save(path)
    before = path.read_bytes()
    with open(path, "rb") as file:
        example().save(path)
        assert file.read() == before
    assert_same(Explanation.load(path), example())


def test_a_place_under_a_file_cannot_be_written(tmp_path: Path) -> None:
    fill(tmp_path / "file")
    with pytest.raises(
        ExplanationError, match=r"cat\.h5: cannot be written \(.+\)\. Choose another place or make room"
    ):
        example().save(tmp_path / "file" / "cat.h5")
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_cannot_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "cat.h5").mkdir()
    with pytest.raises(ExplanationError, match=r"cat\.h5: cannot be written \(Is a directory\)"):
        example().save(tmp_path / "cat.h5")
    assert os.listdir(tmp_path) == ["cat.h5"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ExplanationError, match=r"cat\.h5: cannot be written \(Permission denied\)"):
        example().save(tmp_path / "cat.h5")


FULL_DISK = """
import resource, sys
import numpy as np
from predicdiff.errors import ExplanationError
from predicdiff.explanation import Explanation, Target

maps = np.random.default_rng(0).normal(size=(1, 64, 64))
explanation = Explanation(maps, abs(maps), [Target("prob", [1], "cat")], np.zeros(1), maps.astype("f"), "bits")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    explanation.save(sys.argv[1])
except ExplanationError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [0, 40_000])
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, room: int) -> None:
    pytest.importorskip("resource")
    path = tmp_path / "cat.h5"
    before = fill(path)
    command = [sys.executable, "-c", FULL_DISK, str(path), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: cannot be written (File too large). Choose another place or make room.\n"
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["cat.h5"]


# files that are not ours


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ExplanationError, match=r"none\.h5: no such file\. Make one with `predicdiff explain IMAGE -o"):
        Explanation.load(tmp_path / "none.h5")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ExplanationError, match=r"a folder, want the path of a file"):
        Explanation.load(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"a text\n" * 100, b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\0" * 900]
)
def test_what_is_no_explanation(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cat.h5").write_bytes(content)
    with pytest.raises(
        ExplanationError, match=r"cat\.h5: not a whole explanation\. .* did not write it, or it was cut"
    ):
        Explanation.load(tmp_path / "cat.h5")


def test_an_hdf5_file_of_somebody_else(tmp_path: Path) -> None:
    with h5py.File(str(tmp_path / "cat.h5"), "w") as file:
        file["relevance"] = np.zeros((1, 4, 4))
    with pytest.raises(ExplanationError, match="not a whole explanation"):
        Explanation.load(tmp_path / "cat.h5")


def test_a_file_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "cat.h5"
    example(image=None, frame=None).save(path)
    whole = path.read_bytes()
    for end in [*range(0, len(whole), 997), *range(len(whole) - 60, len(whole))]:
        path.write_bytes(whole[:end])
        with pytest.raises(ExplanationError, match="not a whole explanation"):
            Explanation.load(path)


def test_a_file_with_any_byte_changed(tmp_path: Path) -> None:
    path = tmp_path / "cat.h5"
    example().save(path)
    whole = path.read_bytes()
    for where in np.random.default_rng(0).integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[where] ^= 1 << int(where % 8)
        path.write_bytes(bytes(damaged))
        with pytest.raises(ExplanationError, match="not a whole explanation"):
            Explanation.load(path)


def test_a_file_of_a_later_version(tmp_path: Path) -> None:
    example().save(tmp_path / "cat.h5")
    rewritten(tmp_path / "cat.h5", lambda file: file.attrs.__setitem__("version", 2))
    with pytest.raises(ExplanationError, match="written by a newer predicdiff"):
        Explanation.load(tmp_path / "cat.h5")


def test_another_sealed_file(tmp_path: Path) -> None:
    example().save(tmp_path / "cat.h5")
    rewritten(tmp_path / "cat.h5", lambda file: file.attrs.__setitem__("format", "predicdiff gaussian sampler"))
    with pytest.raises(ExplanationError, match=r"not a whole explanation, but another file of predicdiff's"):
        Explanation.load(tmp_path / "cat.h5")


@pytest.mark.parametrize("part", ["relevance", "stderr", "base", "pixels", "targets", "frame", "unit"])
def test_a_file_without_a_part(tmp_path: Path, part: str) -> None:
    example().save(tmp_path / "cat.h5")
    rewritten(tmp_path / "cat.h5", lambda file: file.__delitem__(part))
    with pytest.raises(ExplanationError, match=r"cat\.h5: explanation without all its parts \("):
        Explanation.load(tmp_path / "cat.h5")


def test_what_a_later_writer_added_is_passed_over(tmp_path: Path) -> None:
    example().save(tmp_path / "cat.h5")
    rewritten(tmp_path / "cat.h5", lambda file: file.__setitem__("more", '{"a": 1}'))
    assert_same(Explanation.load(tmp_path / "cat.h5"), example())


# in memory


def test_pick() -> None:
    whole = example()
    assert len(whole) == 3
    for target in range(-3, 3):
        one = whole.pick(target)
        assert len(one) == 1
        assert one.targets == [TARGETS[target]]
        np.testing.assert_array_equal(one.relevance, whole.relevance[target][None])
        np.testing.assert_array_equal(one.stderr, whole.stderr[target][None])
        np.testing.assert_array_equal(one.base, whole.base[target][None])
        assert one.image is whole.image


@pytest.mark.parametrize("target", [3, -4])
def test_pick_out_of_range(target: int) -> None:
    with pytest.raises(
        SettingsError, match=rf"target {target} is out of range: the explanation has 3, numbered from 0"
    ):
        example().pick(target)


def test_titles() -> None:
    assert TARGETS[0].title == "tabby, tabby cat"
    assert TARGETS[1].title == "鲤鱼 (tench) “é” 🐟 rather than tiger cat"


def test_maps_on_the_image() -> None:
    whole = example()
    there = whole.on_image()
    assert there.shape == (3, 30, 50)
    np.testing.assert_array_equal(there[:, 7:23, 15:35], whole.relevance)
    assert np.isnan(there).sum() == 3 * (30 * 50 - 16 * 20)


def test_from_pixels_there_is_no_way_back() -> None:
    with pytest.raises(ExplanationError, match="made from pixels, not from an image"):
        example(frame=None).on_image()


def test_an_explanation_compares_by_identity_not_by_ambiguous_arrays() -> None:
    one = example()
    assert one == one
    assert one != example()


def test_frames_come_back_as_frames(tmp_path: Path) -> None:
    example().save(tmp_path / "cat.h5")
    assert Explanation.load(tmp_path / "cat.h5").frame == Frame((30, 50), (30, 50), (7, 15), (16, 20))


def test_a_notebook_shows_a_picture() -> None:
    assert example()._repr_png_().startswith(b"\x89PNG\r\n\x1a\n")
