"""What a command's image may be besides a file of one picture: standard input, a page, the formats of extras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.engines import needed
from PIL import Image

pytestmark = needed
FAST = ["-k", 8, "--stride", 8, "-S", 1, "--sampler", "marginal"]


@pytest.fixture
def stack(tmp_path: Path, photographs: np.ndarray) -> Path:
    """A TIFF of three photographs."""
    first, *others = map(Image.fromarray, photographs[:3])
    first.save(tmp_path / "stack.tif", save_all=True, append_images=others)
    return tmp_path / "stack.tif"


def of_classes(told: str) -> list[str]:
    return told.splitlines()[1:]


def test_standard_input_and_its_pages(cli, net, picture, stack, photographs):
    plain = cli("predict", picture, *net).output
    piped = cli("predict", "-", *net, stdin=Path(picture).read_bytes()).output
    assert piped.startswith("standard input (24 x 24), which ")
    assert of_classes(piped) == of_classes(plain)
    Image.fromarray(photographs[2]).save("third.png")
    third = cli("predict", "-", "--page", 3, *net, stdin=stack.read_bytes()).output
    assert third.startswith("standard input, page 3 (24 x 24), which ")
    assert of_classes(third) == of_classes(cli("predict", "third.png", *net).output)


def test_results_of_standard_input_are_called_so(cli, net, picture, folder):
    result = cli("explain", "-", *net, *FAST, "--corpus", folder, stdin=Path(picture).read_bytes())
    assert result.exit_code == 0, result.output
    (written,) = Path("out").glob("stdin_*_marginal.h5")
    again = cli("explain", "-", *net, *FAST, "--corpus", folder, stdin=Path(picture).read_bytes())
    assert f"{written} held this already" in again.output


def test_a_page_is_told_of_where_none_was_asked_for(cli, net, stack):
    told = cli("predict", stack, *net).output
    assert f"Warning: {stack}: it holds 3 pictures, and number 1 was taken" in told
    assert f"{stack}, page 2 (24 x 24)" in cli("predict", stack, *net, "--page", 2).output


def test_what_is_no_image_or_page(cli, refused, net, stack, monkeypatch):
    assert "- is standard input, by which nothing comes: want an image" in refused("predict", "-", *net)
    assert f"{stack}: page 4 was asked for, and it holds 3 pictures" in refused("predict", stack, *net, "--page", 4)
    monkeypatch.setattr("predicdiff.cli.options.net.MOST_PIPED", 10**6)
    endless = cli("predict", "-", *net, stdin=bytes(10**7))
    assert (endless.exit_code, "standard input: more than 0.001 GB, want one image" in endless.output) == (2, True)
    assert "--page 1 without an image" in refused("predict", *net, "--page", 1)


def test_segments_are_refused_before_anything_is_said(cli, refused, net, picture):
    np.save("parts.npy", np.full((24, 24), 0.5))
    told = cli("explain", picture, *net, "--method", "occlusion", "--segments", "parts.npy").output
    assert told.startswith("Error: parts.npy: segments are float64 (24, 24)")
    assert "segments = 'slic:00'" in refused("explain", picture, *net, "--segments", "slic:00")


def test_a_corpus_of_the_formats_of_extras(cli, net, picture, tmp_path, photographs):
    heif, dicom = pytest.importorskip("pillow_heif"), pytest.importorskip("pydicom", minversion="3")
    (tmp_path / "scans").mkdir()
    heif.from_pillow(Image.fromarray(photographs[1])).save(tmp_path / "scans" / "a.heic")
    data = dicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PlanarConfiguration = 24, 24, 3, 0
    data.PhotometricInterpretation, data.PixelRepresentation = "RGB", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelData = photographs[2].tobytes()
    data.file_meta = dicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    data.save_as(tmp_path / "scans" / "b", enforce_file_format=True)
    (tmp_path / "scans" / "notes.txt").write_text("two scans")
    ask = ["samples", picture, "--at", "3,4", "-k", 8, "--sampler", "marginal", "--corpus", "scans", "-o", "a.png"]
    result = cli(*ask, *net)
    assert result.exit_code == 0, result.output
    assert "1 of 3 files skipped (notes.txt: not an image that Pillow can read" in result.output
