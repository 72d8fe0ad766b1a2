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
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from predicdiff.errors import ExplanationError, FormatError
from predicdiff.files import Kind, write
from predicdiff.ours import PAGE, marked, refuse
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
    "a.json": lambda path: path.write_text(json.dumps(marked({"value": 1}), indent=1)),
    "a.md": lambda path: path.write_text(PAGE + "# Results\n"),
    "a.npz": lambda path: np.savez_compressed(str(path), what="settings", values=np.arange(5)),
    "empty.txt": lambda path: path.write_bytes(b""),
}
#: How figures and records of earlier versions begin.
EARLIER = {
    "figure": {"figure": 1, "caption": "Evidence", "panels": []},
    "faithfulness": {"methods": ["difference", "random"], "images": [], "targets": []},
    "claims": {"table": [{"name": "a", "claim": "..."}], "not measured": []},
    "timing": {"date": "2026-11-23", "machine": {"kind": "cpu"}},
}


@pytest.mark.parametrize("name", OURS)
def test_what_we_write_is_ours(tmp_path: Path, name: str) -> None:
    OURS[name](tmp_path / name)
    refuse(tmp_path / name, ExplanationError)
    OURS[name](tmp_path / name)


@pytest.mark.parametrize("name", EARLIER)
def test_records_of_earlier_versions_are_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(EARLIER[name], indent=1))
    refuse(tmp_path / name, ExplanationError)


@pytest.mark.parametrize("name", ["tiny.h5", "gaussian.h5", "tiny_torch.tiles"])
def test_files_of_earlier_versions_are_ours(data: Path, name: str) -> None:
    refuse(data / "first_wave" / name, ExplanationError)


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


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
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
    "figure.json": (lambda path: path.write_text(json.dumps({"figure": "1", "made by": "predicdiff"})), "a file"),
    "page.md": (lambda path: path.write_text("# Notes\n\n" + PAGE), "a file"),
    "arrays.npz": (lambda path: np.savez(str(path), values=np.arange(5)), "a file"),
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
    for name in ("a.svg", "a.pdf"):
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
