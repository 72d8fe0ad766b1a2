"""Whose a file is: all that we write may be overwritten, and nothing that others write or have changed."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Callable

import h5py
import numpy as np
import pytest
from helpers.places import ROOT
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from predicdiff.errors import ExplanationError, FormatError
from predicdiff.files import Kind, write
from predicdiff.ours import ARCHITECTURE, PAGE, as_record, hashed, refuse
from predicdiff.plotting import save_figure

KIND = Kind("test", 1, "none", FormatError)
NOT_OURS = "that predicdiff did not write, or that was changed since. Give another name, or move it away"


def hdf5(path: Path) -> None:
    """As results and samplers are written."""
    write(path, KIND, {"values": np.arange(5)}, {})


def figure(path: Path) -> None:
    """As pictures are."""
    drawn = Figure(figsize=(2, 2))
    drawn.text(0.1, 0.5, "cat")
    save_figure(drawn, path)


OURS: dict[str, Callable[[Path], object]] = {
    **{"a.h5": hdf5, "a.png": figure, "a.svg": figure, "a.pdf": figure},
    "a.json": lambda path: path.write_bytes(as_record({"value": "ä"}, ensure_ascii=False)),
    "a.md": lambda path: path.write_bytes(hashed((PAGE + "# Results\n").encode(), "md")),
    "a.html": lambda path: path.write_bytes(hashed(b"<!doctype html>\n<p>Results</p>\n", "html")),
    "empty.json": lambda path: path.write_bytes(as_record({})),
    "empty.txt": lambda path: path.write_bytes(b""),
}
#: What `make` wrote in earlier versions.
CLAIMS = "# The paper's claims as numbers\n\n**Net**: none.\n\nMade by `make claims`. Claims are those of section 4.\n"
EARLIER: dict[str, Callable[[Path], object]] = {
    "figure1.json": lambda path: path.write_text(json.dumps({"figure": 1, "caption": "", "panels": []}, indent=1)),
    "architectures.json": lambda path: path.write_text(json.dumps({"net": dict.fromkeys(ARCHITECTURE, 1.0)}, indent=1)),
    "figure1.png": lambda path: earlier_picture(path),
    "claims.md": lambda path: path.write_text(CLAIMS),
}


@pytest.mark.parametrize("name", OURS)
def test_what_we_write_is_ours(tmp_path: Path, name: str) -> None:
    OURS[name](tmp_path / name)
    refuse(tmp_path / name, ExplanationError)
    OURS[name](tmp_path / name)


@pytest.mark.parametrize("name", EARLIER)
def test_what_make_wrote_in_earlier_versions_is_ours(tmp_path: Path, name: str) -> None:
    EARLIER[name](tmp_path / name)
    refuse(tmp_path / name, ExplanationError)


def test_the_records_of_times_that_come_with_the_source_are_of_earlier_versions() -> None:
    for path in (ROOT / "reproduce" / "timings").glob("*.json"):
        refuse(path, ExplanationError)


@pytest.mark.parametrize("name", ["tiny.h5", "gaussian.h5", "tiny_torch.tiles"])
def test_files_of_earlier_versions_are_ours(data: Path, name: str) -> None:
    refuse(data / "first_wave" / name, ExplanationError)


def earlier_picture(path: Path) -> None:
    """A PNG that names this program, and has no hash."""
    said = PngImagePlugin.PngInfo()
    said.add_text("Software", "predicdiff 0.1.0")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, pnginfo=said)


def other_hdf5(path: Path) -> None:
    """Which says that it is ours."""
    with h5py.File(str(path), "w") as file:
        file.attrs["format"] = "predicdiff explanation"
        file["notes"] = np.frombuffer(b"\npredicdiff sha256 " + bytes(32), np.uint8)


def annotated(path: Path) -> None:
    """A result of ours that somebody put something into."""
    hdf5(path)
    with h5py.File(str(path), "r+") as file:
        file["notes"] = "what I think of it"


def edited(path: Path) -> None:
    """A figure of ours, changed by hand."""
    figure(path)
    path.write_bytes(path.read_bytes().replace(b"/Producer", b"/Producex").replace(b"#ffffff", b"#fffff0"))


def in_another(path: Path) -> None:
    """A file that holds a figure of ours before its own end."""
    figure(path)
    path.write_bytes(path.read_bytes() + b"<!-- and more -->\n")


def photograph(path: Path) -> None:
    """A picture that another program made of ours, and says so."""
    said = PngImagePlugin.PngInfo()
    said.add_text("Software", "GIMP")
    said.add_text("Comment", "Software\0predicdiff 0.1.0")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, pnginfo=said)


def turned(path: Path) -> None:
    """A picture of ours that another program turned, which keeps what it says of itself."""
    figure(path)
    with Image.open(path) as picture:
        said = PngImagePlugin.PngInfo()
        said.add_text("Software", picture.info["Software"])
        picture.rotate(90).save(path, pnginfo=said)


def with_more(path: Path) -> None:
    """A record of ours that somebody put a key into."""
    record = json.loads(as_record({"value": 1}))
    path.write_text(json.dumps({**record, "mine": "hours of work"}, indent=1) + "\n")


def page_with_more(path: Path) -> None:
    """A page of ours in which somebody wrote, or below which."""
    page = hashed((PAGE + CLAIMS).encode(), "md")
    path.write_bytes(page + b"Mine.\n" if path.stem.startswith("longer") else page.replace(b"none", b"mine"))


def foreign_json(**record: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(record, indent=1))


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "others.html": (lambda path: path.write_text("<!doctype html>\n<p>Results</p>\n"), "a page"),
    "other.h5": (other_hdf5, "an HDF5 file"),
    "annotated.h5": (annotated, "an HDF5 file"),
    "photograph.png": (photograph, "a PNG picture"),
    "figure.png": (lambda path: Figure().savefig(path), "a PNG picture"),
    "figure.svg": (lambda path: Figure().savefig(path), "an XML or SVG file"),
    "figure.pdf": (lambda path: Figure().savefig(path), "a PDF"),
    "edited.svg": (edited, "an XML or SVG file"),
    "edited.pdf": (edited, "a PDF"),
    "longer.svg": (in_another, "an XML or SVG file"),
    "longer.pdf": (in_another, "a PDF"),
    "turned.png": (turned, "a PNG picture"),
    "with_more.json": (with_more, "a file"),
    "no_hash.json": (foreign_json(**{"made by": "predicdiff 0.1.0", "mine": 1}), "a file"),
    "figure.json": (foreign_json(figure=1, caption="my own thesis"), "a file"),
    "machine.json": (foreign_json(date="2026-11-26", machine="cluster-7", results=[1, 2]), "a file"),
    "more_than_a_figure.json": (foreign_json(figure=1, caption="", panels=[], mine=1), "a file"),
    "damaged.json": (lambda path: path.write_bytes(b"{" * 99999), "a file"),
    "edited.md": (page_with_more, "a file"),
    "longer.md": (page_with_more, "a file"),
    "notes.tiles": (lambda path: path.write_text("predicdiff tiles are kept beside my output"), "a file"),
    "page.md": (lambda path: path.write_text("# Notes\n\n" + PAGE), "a file"),
    "arrays.npz": (lambda path: np.savez(str(path), what=np.arange(5)), "a file"),
    "short.txt": (lambda path: path.write_bytes(b"p"), "a file"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_others_write_or_changed_is_not(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    make, what = FOREIGN[name]
    make(path)
    with pytest.raises(ExplanationError, match=f"{name}: {what} stands there {NOT_OURS}"):
        refuse(path, ExplanationError)


def test_neither_a_result_nor_a_figure_takes_the_place_of_anothers_file(tmp_path: Path) -> None:
    for name, write_ours, make in (("a.h5", hdf5, other_hdf5), ("a.png", figure, photograph)):
        make(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        with pytest.raises((FormatError, ExplanationError), match=NOT_OURS):
            write_ours(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_figure_is_the_same_file_each_time(tmp_path: Path) -> None:
    for name in ("a.svg", "a.pdf", "a.png"):
        figure(tmp_path / name)
        shutil.copy(tmp_path / name, tmp_path / "copy")
        figure(tmp_path / name)
        assert (tmp_path / name).read_bytes() == (tmp_path / "copy").read_bytes()


def test_a_damaged_picture_is_looked_at_to_its_end_and_no_further(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(whole, "PNG")
    for end in (8, 12, 20, 33, 40):
        (tmp_path / "cut.png").write_bytes(whole.getvalue()[:end])
        with pytest.raises(ExplanationError, match="a PNG picture"):
            refuse(tmp_path / "cut.png", ExplanationError)
