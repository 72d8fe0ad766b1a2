"""Outputs are looked at before any work is done."""

from __future__ import annotations

import os
import shutil

import pytest
from helpers.engines import needed

from predicdiff.cli.outputs import check_outputs
from predicdiff.errors import ExplanationError, SettingsError
from predicdiff.texts import name_of


def test_names_are_safe_to_be_file_names():
    assert name_of("my cat", "a/net:1", "..") == "my-cat_a-net-1_x"
    assert name_of("Ärger.v2") == "Ärger.v2"


def test_long_names_are_shortened_and_stay_apart():
    names = [name_of("photo", end.join(["字" * 80] * 2)) for end in ("a", "b")]
    assert len(set(names)) == 2
    assert all(name.startswith("photo_字") and len(name.encode()) <= 100 for name in names)


@pytest.mark.parametrize(
    "name", ["a" * 240 + ".h5", "b" * 300 + ".h5", "c" * 300 + "/a.h5", "/".join(["d" * 99] * 50) + ".h5"]
)
def test_names_too_long_for_what_is_not_whole(tmp_path, name):
    with pytest.raises(
        ExplanationError, match="too long a name, to which 18 letters are added until the file is whole"
    ):
        check_outputs([tmp_path / "new" / name], [])


def test_links_are_followed(tmp_path):
    (tmp_path / "link.h5").symlink_to("e" * 240 + ".h5")
    with pytest.raises(ExplanationError, match="too long a name"):
        check_outputs([tmp_path / "link.h5"], [])


def test_a_file_of_anothers_is_refused_unless_another_name_will_be_taken(tmp_path):
    (tmp_path / "a.h5").write_text("another program's")
    with pytest.raises(ExplanationError, match=r"a\.h5: a file stands there that predicdiff did not write"):
        check_outputs([tmp_path / "a.h5"], [])
    check_outputs([tmp_path / "a.h5"], [], yielding=True)


@needed
def test_a_photograph_beside_the_result_is_no_picture_of_it(refused, cli, net, fitted, picture, tmp_path):
    photo, result = tmp_path / "photo.png", tmp_path / "photo.h5"
    shutil.copy(picture, photo)
    before = photo.read_bytes()
    asked = ("explain", picture, *net, *fitted, "-k", 8, "-S", 2, "-o", result)
    assert "photo.png: a PNG picture stands there" in refused(*asked)
    assert not result.exists()
    assert photo.read_bytes() == before
    assert cli(*asked, "--figure", "other.png").exit_code == 0
    assert cli(*asked, "--figure", "other.png", "--restart").exit_code == 0


def test_nothing_is_made(tmp_path):
    check_outputs([tmp_path / "new" / "deep" / "out.h5", tmp_path / "out.png"], [None, "no such", tmp_path / "other"])
    assert list(tmp_path.iterdir()) == []


def test_an_input_is_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.png").write_bytes(b"cat")
    (tmp_path / "link.png").symlink_to("cat.png")
    for output in (tmp_path / "cat.png", tmp_path / "x" / ".." / "link.png"):
        with pytest.raises(SettingsError, match="both read and written"):
            check_outputs([output], ["cat.png"])


def test_two_outputs_are_not_one_file(tmp_path):
    with pytest.raises(SettingsError, match="both one output and another"):
        check_outputs([tmp_path / "a.h5", tmp_path / "a.h5"], [])


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ExplanationError, match=r"file is no folder. Choose another place"):
        check_outputs([tmp_path / "file" / "sub" / "a.h5"], [])
    with pytest.raises(ExplanationError, match="a folder, want the name of a file"):
        check_outputs([tmp_path], [])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    with pytest.raises(ExplanationError, match="locked is read-only"):
        check_outputs([folder / "a.h5"], [])


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a file system that is read-only to root too")
@needed
def test_a_folder_that_not_even_root_may_fill(cli, refused, net, tmp_path):
    error = refused("explain", *net, "-k", 8, "-S", 2, "-o", "/proc/self/predicdiff.h5")
    assert "/proc/self/predicdiff.h5" in error
    assert list(tmp_path.iterdir()) == []
