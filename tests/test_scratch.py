"""Stacks in a temporary file: the same arrays as in memory, in no memory, and nothing of them left behind."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from helpers.peak import peak

from predicdiff import scratch
from predicdiff.errors import SamplerError
from predicdiff.scratch import Stack, blocks, extent, in_file, let_go, outside, stacked

ARRAYS = list(np.random.default_rng(0).normal(size=(7, 3, 5, 4)).astype(np.float32))


@pytest.fixture
def filed(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A stack in a file."""
    monkeypatch.setattr(scratch, "HELD", 2 * ARRAYS[0].nbytes)
    return stacked(iter(ARRAYS), "images")


def test_a_small_stack_is_in_memory_and_a_large_one_in_a_file_that_nobody_can_change(filed: np.ndarray) -> None:
    small = stacked(ARRAYS[:2], "images")
    assert (in_file(small), small.flags.writeable, in_file(filed), filed.flags.writeable) == (False, True, True, False)
    np.testing.assert_array_equal(small, ARRAYS[:2])
    np.testing.assert_array_equal(filed, ARRAYS)
    assert type(filed) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        filed[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        filed.flags.writeable = True


def test_parts_lie_in_the_file_and_copies_do_not(filed: np.ndarray) -> None:
    assert in_file(filed[1:3]) and in_file(filed[2][:, 0].T) and in_file(np.moveaxis(filed[0], 0, 2))  # noqa: PT018
    copies = (filed[[0, 1]], filed.copy(), copy.deepcopy(filed), pickle.loads(pickle.dumps(filed)))
    assert not any(map(in_file, (*copies, list(filed), None)))
    np.testing.assert_array_equal(copies[-1], ARRAYS)


@pytest.mark.parametrize("held", [0, 10**6])
def test_a_stack_is_of_the_type_asked_for_or_else_of_the_first(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(scratch, "HELD", held)
    arrays = [np.full((3, 4), 1.5, np.float32), np.full((4, 3), 200, np.uint8).T]
    for dtype, wanted in ((None, np.float32), (np.float64, np.float64)):
        stack = stacked(arrays, "arrays", dtype)
        assert (stack.dtype, in_file(stack)) == (wanted, held == 0)
        np.testing.assert_array_equal(stack, arrays)


def test_arrays_of_another_shape_are_refused(filed: np.ndarray) -> None:
    for most in (0, 10**6):
        scratch.HELD = most
        with Stack("folder: images") as stack:
            stack.add(np.zeros((2, 3)))
            with pytest.raises(
                SamplerError, match=r"folder: images: number 2 has the shape \(3, 2\), .* it \(2, 3\): "
            ):
                stack.add(np.zeros((3, 2)))


def test_blocks_are_all_of_an_array_in_order(filed: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "BLOCK", 3 * ARRAYS[0].nbytes)
    for array in (filed, np.stack(ARRAYS)):
        assert [len(block) for block in blocks(array)] == [3, 3, 1]
        np.testing.assert_array_equal(np.concatenate(list(blocks(array))), ARRAYS)
    assert list(blocks(np.zeros((0, 3)))) == []


def test_the_extent_of_an_array(filed: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "BLOCK", 1)
    assert extent(filed) == (np.min(ARRAYS), np.max(ARRAYS))
    assert extent(np.array(3)) == (3, 3)
    assert extent(np.array([2, 250, 7], np.uint8)) == (2, 250)
    for values in ([np.nan, 1, 2], [1, np.nan, 2], [1, 2, np.nan]):
        assert np.isnan(extent(np.array(values))).all()
    assert extent(np.array([1, -np.inf, np.inf])) == (-np.inf, np.inf)


def test_what_is_let_go_is_read_again_and_files_of_others_are_left_alone(filed: np.ndarray, tmp_path: Path) -> None:
    for array in (filed, filed[2], ARRAYS[0], [1], None):
        let_go(array)
    np.testing.assert_array_equal(filed, ARRAYS)
    (tmp_path / "theirs").write_bytes(bytes(4096))
    theirs = np.memmap(tmp_path / "theirs", np.uint8, "c")
    theirs[:] = 7  # which is in memory alone, and would be lost
    let_go(theirs)
    assert (theirs == 7).all()


def test_what_is_large_is_taken_out_of_memory(filed: np.ndarray) -> None:
    for array in (filed, np.stack(ARRAYS[:2])):
        assert outside(array, "images") is array
    large = np.stack(ARRAYS)
    moved = outside(large, "images")
    assert in_file(moved)
    np.testing.assert_array_equal(moved, large)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files")
def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No file has a name while the array is there, and none is open when it is gone, nor where it came to nothing."""
    monkeypatch.setattr(scratch, "HELD", 0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def opened() -> list[str]:
        gc.collect()
        return [name for name in map(readable, Path("/proc/self/fd").iterdir()) if name.startswith(str(tmp_path))]

    def readable(path: Path) -> str:
        return os.readlink(path) if path.is_symlink() else ""

    array = stacked(ARRAYS, "images")
    assert (os.listdir(tmp_path), len(opened())) == ([], 1)
    part = array[3]
    del array
    np.testing.assert_array_equal(part, ARRAYS[3])
    del part
    assert opened() == []
    with Stack("images") as stack:
        stack.add(ARRAYS[0])
        assert len(opened()) == 1
    assert opened() == []


def test_files_lie_where_the_environment_says_and_else_where_large_ones_belong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in scratch.NAMED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(scratch, "LARGE", str(tmp_path.parent))
    assert scratch.folder() == str(tmp_path.parent)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert scratch.folder() == str(tmp_path)
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(scratch, "LARGE", str(tmp_path / "missing"))
    assert scratch.folder() == str(tmp_path)


def test_a_folder_that_nothing_can_be_written_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scratch, "HELD", 0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(
        SamplerError, match=r"images: the first 1 take 0\.00024 MB, .* file \(No such file.*room in .*gone, .* TMPDIR\."
    ):
        stacked(ARRAYS, "images")


@pytest.mark.skipif(sys.platform == "win32", reason="processes have no bounds there")
def test_a_full_disk_ends_in_a_sentence() -> None:
    """A bound on the process's files stands for it: the system refuses to write in the same place."""
    imports = (
        "import numpy as np\nfrom predicdiff import scratch\nscratch.HELD = 0\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))"
    )
    _, said = peak(imports, "scratch.stacked([np.zeros(3000)] * 9, 'photos: images')")
    wanted = (
        "SamplerError: photos: images: the first 3 take 0.072 MB, and they cannot be kept in a temporary file (File"
    )
    assert said.startswith(wanted)
    assert said.endswith("name a folder with more of it in the environment's TMPDIR.")
