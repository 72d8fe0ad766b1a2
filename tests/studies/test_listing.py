"""Which files are meant by paths, folders, patterns and lists."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable

import pytest
from helpers.pictured import picture, pictures

from predicdiff.errors import ImageError, InputWarning
from predicdiff.studies.listing import is_many, lines_of, listed

posix = pytest.mark.skipif(sys.platform == "win32", reason="such names and files are POSIX's")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(given: list[str]) -> list[str]:
    return [path.as_posix() for path in listed(given)]


def touched(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"")


def test_files_are_meant_as_they_are_named_there_or_not() -> None:
    assert names(["b.txt", "absent.png", "./c/../a.jpg"]) == ["b.txt", "absent.png", "c/../a.jpg"]
    assert names([]) == []


def test_folders_hold_images_by_their_endings_in_the_order_of_their_names() -> None:
    touched("p/b.PNG", "p/a.jpeg", "p/.hidden.png", "p/d.dcm", "p/c.heic", "p/sub/e.png", "p/x.png.d/f.png")
    touched("p/n.txt", "p/m.h5", "p/k.pdf", "p/l.csv", "p/z.tif", "p/s.svg")
    with pytest.warns(
        InputWarning, match=r"p: 5 file\(s\) passed over whose endings .* \(k.pdf, l.csv, m.h5, \.\.\.\)"
    ):
        assert names(["p"]) == [f"p/{name}" for name in ("a.jpeg", "b.PNG", "c.heic", "d.dcm", "z.tif")]
    assert names(["p/sub/", "p/sub"]) == ["p/sub/e.png"]


def test_files_without_an_ending_are_known_by_how_they_begin() -> None:
    pictures(Path("p"), 1)
    picture(Path("p/photo"), 1)
    Path("p/scan").write_bytes(bytes(128) + b"DICM" + bytes(9))
    Path("p/README").write_text("Photographs of mine.")
    Path("p/empty").write_bytes(b"")
    with pytest.warns(InputWarning, match=r"2 file\(s\) passed over .* \(README, empty\)"):
        assert names(["p"]) == ["p/00.png", "p/photo", "p/scan"]


@posix
def test_what_is_no_file_in_a_folder() -> None:
    pictures(Path("p"), 1)
    os.mkfifo("p/pipe.png")
    os.mkfifo("p/pipe")
    os.symlink("nowhere.png", "p/link.png")
    os.symlink("00.png", "p/twin.png")
    with pytest.warns(InputWarning, match="pipe"):
        assert names(["p"]) == ["p/00.png", "p/link.png", "p/pipe.png", "p/twin.png"]


def test_patterns() -> None:
    touched("p/a.png", "p/b.jpg", "p/q/c.png", "p/q/r/d.png", "p/.e.png", "p/f.png/g.jpg")
    assert names(["p/*.png"]) == ["p/a.png"]
    assert names(["p/**/*.png"]) == ["p/a.png", "p/q/c.png", "p/q/r/d.png"]
    assert names(["p/[ab].*", "p/?.png"]) == ["p/a.png", "p/b.jpg"]
    for wrong in ("p/*.gif", "p/*.png/*.png", "absent/*"):
        with pytest.raises(ImageError, match=r"\*.*: no file has such a name"):
            listed([wrong])


def test_a_file_whose_name_looks_like_a_pattern_is_meant_first() -> None:
    touched("a[1].png", "a1.png")
    assert names(["a[1].png"]) == ["a[1].png"]
    assert not is_many("a[1].png")
    os.unlink("a[1].png")
    assert names(["a[1].png"]) == ["a1.png"]
    assert is_many("a[1].png")


@posix
def test_a_file_is_taken_once_however_its_folder_is_called(here: Path) -> None:
    touched("p/a.png", "p/b.png", "q/a.png")
    os.symlink("p", "link")
    ways = ["p/b.png", "p", "./p/a.png", "q/../p/a.png", "link", f"{here}/p/a.png", "p/*", "q"]
    assert names(ways) == ["p/b.png", "p/a.png", "q/a.png"]
    os.symlink("a.png", "p/twin.png")
    assert names(["p/a.png", "p/twin.png"]) == ["p/a.png", "p/twin.png"]


@posix
def test_any_name_that_a_file_can_have() -> None:
    for name in ("a, b.png", 'q"u.png', "two\nlines.png", " x .png", "\N{CAT}.png", "-.png", "--x.png", "*.png"):
        touched(f"p/{name}")
        assert f"p/{name}" in names(["p"])
        assert names([f"p/{name}"]) == [f"p/{name}"]
    raw = os.fsdecode(b"p/latin\xe4.png")
    try:
        touched(raw)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such names")
    assert raw in names(["p"])


@pytest.mark.parametrize("make", [lambda: os.mkdir("p"), lambda: touched("p/a.txt", "p/.b.png", "p/c/d.png")])
def test_a_folder_without_images_is_an_error(make: Callable[[], None]) -> None:
    make()
    with pytest.raises(ImageError, match="p: no image in this folder"):
        listed(["p"])


def test_a_folder_that_is_not_there_is_no_image() -> None:
    with pytest.raises(ImageError, match="nowhere/: no such folder"):
        listed(["nowhere/"])
    assert listed(["nowhere"]) == [Path("nowhere")]  # whatever becomes of it, it is no mistake of all


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="everything may be read")
def test_a_folder_that_may_not_be_read() -> None:
    touched("p/a.png")
    os.chmod("p", 0)
    with pytest.raises(ImageError, match="p: the folder cannot be read"):
        listed(["p"])


def test_an_empty_name_is_an_error() -> None:
    with pytest.raises(ImageError, match="an image's name is empty"):
        listed(["a.png", ""])


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"a.png\nb.png\n", ["a.png", "b.png"]),
        (b"a.png\r\nb c.png\r\n\r\n", ["a.png", "b c.png"]),
        (b"\n \n\ta.png \n*.png", ["\ta.png ", "*.png"]),
        (b"\xef\xbb\xbfa.png\n", ["a.png"]),
        (b"latin\xe4.png\nh\xc3\xa4.png", [os.fsdecode(b"latin\xe4.png"), "hä.png"]),
        (b'a, "b".png', ['a, "b".png']),
    ],
)
def test_lists_have_a_path_in_each_line(content: bytes, wanted: list[str]) -> None:
    assert lines_of(content, "list.txt") == wanted


@pytest.mark.parametrize(
    "content", [b"", b"\r\n\n  \n", "a.png\nb.png".encode("utf-16"), b"a.png\0b.png\0", b"\xef\xbb\xbf"]
)
def test_what_is_no_list(content: bytes) -> None:
    with pytest.raises(ImageError, match=r"list\.txt: want a text with the path of an image in each line"):
        lines_of(content, "list.txt")
