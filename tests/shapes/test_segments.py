"""Segments taken away one by one, against loops over segments, draws and pixels."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import small_net
from helpers.engines import needed
from helpers.oracle_nets import MapNet, NormalSampler, analysis, photo
from PIL import Image, UnidentifiedImageError

import predicdiff as pd
from predicdiff.algorithm import run
from predicdiff.errors import InputWarning, SamplerError, SettingsError
from predicdiff.executors.here import evaluate_tile
from predicdiff.images import Frame, View
from predicdiff.methods.occlusion import occlusion
from predicdiff.samplers.grey import GreyPatch
from predicdiff.samplers.hidden import hidden_marginal
from predicdiff.shapes.labels import find_labels, read_segments
from predicdiff.tones import PIXELS

SHAPE = (3, 9, 14)


def segments() -> np.ndarray:
    """One of two parts, one in a row, one of a pixel, one around them all, two in one rectangle; and a hole."""
    labels = np.full(SHAPE[1:], 40)
    labels[1:3, 1:3] = labels[6:8, 5:8] = 7
    labels[4, 2:11] = 3
    labels[0, 13] = 1000
    labels[5:8, 10:13] = np.where(np.eye(3, dtype=bool), 11, 12)
    labels[1:3, 6:8] = -1
    return labels


def corpus() -> np.ndarray:
    return np.stack([photo(SHAPE, 9 + i) for i in range(7)])


def by_loops(look: Any, image: np.ndarray, sampler: Any, labels: np.ndarray, samples: int, seed: int) -> tuple:
    """Relevance and standard error; which images are drawn is asked of the sampler at each segment's first pixel."""
    relevance, stderr, others = np.full(labels.shape, np.nan), np.full(labels.shape, np.nan), sampler.images
    for label in set(labels.ravel().tolist()) - {-1}:
        mine = labels == label
        first = np.argwhere(mine)[:1]
        seen = []
        for draw in sampler.draw(image, first, window=1, samples=samples, seed=seed)[0]:
            (chosen,) = (i for i in others if np.array_equal(i[:, first[0, 0], first[0, 1]], draw[:, 0, 0]))
            changed = image.copy()
            for row, column in np.argwhere(mine):
                changed[:, row, column] = chosen[:, row, column]
            seen.append(look(changed))
        relevance[mine] = look(image) - np.mean(seen)
        stderr[mine] = np.sqrt(np.var(seen, ddof=1) / len(seen) * (1 - len(seen) / len(others)))
    return relevance, stderr


@needed
def test_marginal_draws_by_loops_where_only_what_changes_is_computed() -> None:
    net, image, sampler = small_net.make(SHAPE), photo(SHAPE, 2), pd.MarginalSampler(corpus())
    how: dict[str, Any] = {"samples": 3, "seed": 5}
    result = pd.explain(net, image, sampler, blob="fc", units=[2], segments=segments(), **how)

    def look(pixels: np.ndarray) -> float:
        return float(net.forward(net.encode(pixels)[None], ["fc"])["fc"][0, 2])

    relevance, stderr = by_loops(look, image, sampler, segments(), **how)
    tolerance = {"rtol": 2e-4, "atol": 2e-5 * np.nanmax(np.abs(relevance))}
    np.testing.assert_allclose(result.relevance[0], relevance, **tolerance)
    np.testing.assert_allclose(result.stderr[0], stderr, **tolerance)
    assert np.isnan(relevance).sum() == 4
    assert "window" not in result.settings
    assert result.settings["segments"]["count"] == 6


def test_a_grey_patch_covers_each_segment_by_loops(tmp_path: Path) -> None:
    net, image, labels = MapNet(SHAPE, seed=1), photo(SHAPE, 2), segments()
    result = occlusion(net, image, units=[2], blob="scores", segments=labels, value=60.0)
    for label in set(labels.ravel().tolist()) - {-1}:
        covered = np.where(labels == label, np.float32(60.0), image)
        before, after = (net.forward(one[None], ["scores"])["scores"][0, 2] for one in (image, covered))
        np.testing.assert_allclose(result.relevance[0][labels == label], before - after, rtol=1e-4, atol=1e-5)
    result.save(tmp_path / "s.h5")
    again = pd.Explanation.load(tmp_path / "s.h5")
    np.testing.assert_array_equal(again.segments, labels)
    np.testing.assert_array_equal(again.relevance, result.relevance)


def test_neither_tiles_nor_other_segments_nor_their_numbers_change_a_draw(tmp_path: Path) -> None:
    net, image, sampler = MapNet(SHAPE, seed=1), photo(SHAPE, 2), pd.MarginalSampler(corpus())
    how: dict[str, Any] = {"units": [1], "samples": 2, "seed": 3, "window": 10, "stride": 1}
    planned = analysis(net, image, sampler, segments=segments(), **how)
    whole = run(planned)
    tiles = planned.tiles(4)
    assert sorted(i for tile in tiles for i in range(tile.start, tile.stop)) == list(range(6))
    for tile in tiles:
        (value, _), _ = evaluate_tile(planned, tile, 3)
        for origin, one in zip(planned.origins[tile], value):
            np.testing.assert_allclose(one, whole.relevance[:, origin[0], origin[1]], rtol=1e-5)
    labels = segments()
    other = np.where(labels < 0, -1, 2000 - labels)
    other[labels == 12] = -1
    few = pd.explain(net, image, sampler, segments=other, **{**how, "window": 3})
    np.testing.assert_allclose(few.relevance[0], np.where(labels == 12, np.nan, whole.relevance[0]), rtol=1e-5)


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    image, sampler, path = photo(SHAPE, 2), pd.MarginalSampler(corpus()), tmp_path / "tiles"
    how: dict[str, Any] = {"units": [1], "samples": 2, "segments": segments()}

    def interrupt(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pd.explain(MapNet(SHAPE, seed=1), image, sampler, progress=interrupt, checkpoint=path, **how)
    again = pd.explain(MapNet(SHAPE, seed=1), image, sampler, checkpoint=path, **how)
    assert 0 < again.provenance["windows_before"] < 6
    np.testing.assert_array_equal(again.relevance, pd.explain(MapNet(SHAPE, seed=1), image, sampler, **how).relevance)
    how["segments"] = np.where(segments() == 3, 40, segments())
    with pytest.raises(pd.PredicdiffError, match=r"tiles of a run with other settings \(.*sha1 was"):
        pd.explain(MapNet(SHAPE, seed=1), image, sampler, checkpoint=path, **how)


def test_refined_by_further_draws_until_reliable() -> None:
    image, sampler = photo(SHAPE, 2), pd.MarginalSampler(np.stack([photo(SHAPE, 9 + i) for i in range(40)]))
    how: dict[str, Any] = {"units": [1], "segments": segments()}
    result = pd.explain(MapNet(SHAPE, seed=1), image, sampler, samples=30, until=0.9, **how)
    alone = pd.explain(MapNet(SHAPE, seed=1), image, sampler, samples=result.settings["samples"], **how)
    np.testing.assert_allclose(result.relevance, alone.relevance, rtol=1e-6)
    assert result.reliability.min() >= 0.9 or result.settings["samples"] == 30


@needed
def test_in_a_region_of_a_hidden_blob_and_channel_by_channel() -> None:
    net, image = small_net.make(SHAPE), photo(SHAPE, 2)
    how: dict[str, Any] = {"blob": "fc", "units": [1], "samples": 2, "segments": segments()}
    inside = pd.explain(net, image, pd.MarginalSampler(corpus()), region=(0, 0, 9, 11), **how)
    whole = pd.explain(net, image, pd.MarginalSampler(corpus()), **how)
    kept = np.isin(segments(), (3, 7))
    np.testing.assert_allclose(inside.relevance[0], np.where(kept, whole.relevance[0], np.nan), rtol=1e-5, atol=1e-6)
    hidden = hidden_marginal(net, corpus(), "conv")
    apart = pd.explain(net, image, hidden, start="conv", channels_apart=True, **how)
    at_once = pd.explain(net, image, hidden, start="conv", **how)
    assert apart.relevance.shape == (4, 7, 12)
    # behind the rectifier there is a linear layer alone: the channels' shares add up
    np.testing.assert_allclose(apart.relevance.sum(axis=0), at_once.relevance[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("view", [View("warp"), View("short", 32), View("crop"), View("short", 90)])
def test_segments_of_the_picture_are_seen_as_the_picture_is(view: View) -> None:
    """Stripes, each of which is bright by itself, along both axes."""
    original, crop = (50, 80), (30, 40)
    rows, columns = np.repeat([0, 1, 2], (11, 23, 16)), np.repeat([0, 1, 2, 3], (24, 8, 24, 24))
    frame = view.frame(original, crop)
    pixels = np.zeros((3, *crop), np.float32)
    found = find_labels(rows[:, None] * 4 + columns, pixels=pixels, tones=PIXELS, frame=frame, ground=crop)
    for numbers, seen, many in (
        (rows[:, None] + 0 * columns, found // 4, 3),
        (columns + 0 * rows[:, None], found % 4, 4),
    ):
        for number in range(many):
            bright = view.apply((numbers == number)[..., None].astype(float), crop)[0]
            np.testing.assert_array_equal(seen == number, bright > 0.5)


def test_slic_is_scikit_images_of_what_the_net_sees() -> None:
    from skimage.segmentation import slic

    coarse = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    seen = coarse.repeat(10, axis=0).repeat(11, axis=1)
    pixels = seen.transpose(2, 0, 1).astype(np.float32)
    net = MapNet(pixels.shape, seed=1)
    result = pd.explain(net, pixels, GreyPatch(127.5), units=[0], segments="slic:12")
    wanted = slic(seen, n_segments=12, start_label=1)
    assert len(np.unique(np.stack([wanted, result.segments]).reshape(2, -1), axis=1).T) == len(np.unique(wanted))
    assert result.settings["segments"]["count"] == len(np.unique(wanted)) > 3


def test_files_of_colours_greys_palettes_and_numbers(tmp_path: Path) -> None:
    labels = np.array([[0, 0, 5], [5, 9, 9]])
    colours = np.array([[(255, 0, 0, 255)] * 2 + [(0, 9, 0, 255)], [(0, 9, 0, 255)] + [(7, 7, 7, 0)] * 2], np.uint8)
    Image.fromarray(labels.astype(np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray((300 * labels).astype(np.uint16)).save(tmp_path / "deep.png")
    palette = Image.fromarray(labels.astype(np.uint8), "P")
    palette.putpalette([3] * 30)
    palette.save(tmp_path / "palette.png")
    Image.fromarray(colours).save(tmp_path / "colours.png")
    np.save(tmp_path / "numbers.npy", labels - 1)
    np.testing.assert_array_equal(read_segments(tmp_path / "grey.png"), labels)
    np.testing.assert_array_equal(read_segments(tmp_path / "deep.png"), 300 * labels)
    np.testing.assert_array_equal(read_segments(tmp_path / "palette.png"), labels)
    np.testing.assert_array_equal(read_segments(tmp_path / "colours.png"), [[2, 2, 0], [0, -1, -1]])
    np.testing.assert_array_equal(read_segments(tmp_path / "numbers.npy"), labels - 1)


GREY = Image.fromarray(np.array([[0, 5], [5, 9]], np.uint8))


def bytes_of(image: Image.Image, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def tiff(values: np.ndarray, sample_format: int) -> bytes:
    """A TIFF of greys (H, W), written by hand: little-endian or big-endian as the values are."""
    big = values.dtype.str[0] == ">"
    tags = {
        256: values.shape[1], 257: values.shape[0], 258: 8 * values.itemsize, 259: 1, 262: 1, 273: 8, 277: 1,
        278: values.shape[0], 279: values.nbytes, 339: sample_format,
    }  # fmt: skip
    order, pixels = ">" if big else "<", values.tobytes()
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = (b"MM" if big else b"II") + struct.pack(f"{order}HI", 42, 8 + len(pixels))
    return head + pixels + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def _opens(path: Path) -> bool:
    try:
        Image.open(path).close()
    except UnidentifiedImageError:
        return False
    return True


@pytest.mark.parametrize(("type_", "sample_format"), [("i1", 2), (">u2", 1), ("<u2", 1), ("<i4", 2), ("<u4", 1)])
def test_greys_of_any_whole_kind_are_their_numbers(tmp_path: Path, type_: str, sample_format: int) -> None:
    least, most = (np.iinfo(type_).min, np.iinfo(type_).max) if type_ != ">u2" else (300, 301)
    labels = np.array([[least, most, most], [least + 1, 5, 100]], np.dtype(type_))
    (tmp_path / "labels.tif").write_bytes(tiff(labels, sample_format))
    if type_ == "i1" and not _opens(tmp_path / "labels.tif"):
        pytest.skip("this Pillow opens no TIFF of signed numbers of 8 bits")
    np.testing.assert_array_equal(read_segments(tmp_path / "labels.tif"), labels.astype(np.int64))


def png(width: int, height: int, bits: int, kind: int, lines: bytes) -> bytes:
    """One written by hand."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunks = (b"IHDR" + header, b"IDAT" + zlib.compress(lines), b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def deep_colours() -> bytes:
    """Two colours of 16 bits, alike in their upper 8."""
    return png(2, 1, 16, 2, b"\0" + np.array([[256, 0, 0], [257, 0, 0]], ">u2").tobytes())


def array_file(shape: str) -> bytes:
    """The header of a NumPy file that claims a shape, and a few bytes."""
    said = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(said).to_bytes(2, "little") + said + bytes(80)


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, labels=np.zeros((2, 3), int))
    return file.getvalue()


#: What is refused: a file's name, what it holds, and why.
UNREADABLE: dict[str, tuple[Any, str]] = {
    "nowhere.png": (None, "No such file"),
    "broken.npy": (lambda: b"\x93NUMPY nothing", ""),
    "empty.npy": (lambda: b"", ""),
    "huge.npy": (lambda: array_file("(1000000, 100000000)"), "file size"),
    "archive.npy": (archive, "magic"),
    "blurred.jpg": (lambda: bytes_of(GREY.convert("RGB"), "JPEG"), "JPEG may change colours"),
    "within.tif": (lambda: bytes_of(GREY.convert("RGB"), "TIFF", compression="jpeg"), "jpeg may change colours"),
    "other.ppm": (lambda: bytes_of(GREY.convert("RGB"), "PPM"), "PPM may change colours"),
    "printed.tif": (lambda: bytes_of(GREY.convert("CMYK"), "TIFF"), "CMYK, are not read without loss"),
    "floats.tif": (lambda: bytes_of(GREY.convert("F"), "TIFF"), "F, are not read without loss"),
    "deep.png": (deep_colours, "RGB of 16 bits, are not read without loss"),
    "bomb.png": (lambda: png(20000, 20000, 1, 0, b""), "exceeds limit"),
    "scan.dcm": (lambda: bytes(128) + b"DICM", "cannot identify image file"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_files_in_which_segments_could_have_merged_are_refused(tmp_path: Path, name: str) -> None:
    make, why = UNREADABLE[name]
    if make is not None:
        (tmp_path / name).write_bytes(make())
    with pytest.raises(SettingsError, match=rf"{name}: no segments can be read \(.*{why}.*\): want a PNG, GIF, BMP or"):
        read_segments(tmp_path / name)


def test_files_whose_numbers_are_no_segments_are_named(tmp_path: Path) -> None:
    for values, said in (
        (np.full((2, 3), np.nan), "segments are float64"),
        (np.full((2, 3), -1), "segments are all -1"),
    ):
        np.save(tmp_path / "a.npy", values)
        with pytest.raises(SettingsError, match=rf"a\.npy: {said}"):
            read_segments(tmp_path / "a.npy")


def test_further_pages_and_photographs_are_told_of(tmp_path: Path) -> None:
    GREY.save(tmp_path / "a.tif", save_all=True, append_images=[GREY])
    with pytest.warns(InputWarning, match=r"a\.tif: it holds 2 pictures, and number 1 was taken for the segments"):
        assert read_segments(tmp_path / "a.tif").tolist() == [[0, 5], [5, 9]]
    np.save(tmp_path / "b.npy", np.arange(2500).reshape(50, 50))
    with pytest.warns(InputWarning, match=r"b\.npy: it has 2500 segments.*Is it a photograph\?"):
        read_segments(tmp_path / "b.npy")


def test_a_camera_s_turn_and_opacity_count(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    GREY.save(tmp_path / "turned.png", exif=exif)
    assert read_segments(tmp_path / "turned.png").tolist() == [[5, 0], [9, 5]]
    Image.fromarray(np.array([[[9, 9, 9, 255], [9, 9, 9, 100], [9, 9, 9, 0]]], np.uint8)).save(tmp_path / "pale.png")
    assert read_segments(tmp_path / "pale.png").tolist() == [[2, 1, -1]]


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        (np.zeros((9, 14)), r"segments are float64 \(9, 14\): want whole numbers \(height, width\)"),
        (np.zeros(9, int), r"segments are int64 \(9,\)"),
        (np.zeros((14, 9), int), "segments are 14 x 9 .height, width., the picture is 9 x 14: want the same"),
        (np.full((9, 14), -1), "segments are all -1, which is no segment"),
        ("felzenszwalb", "segments = 'felzenszwalb': want 'slic', or slic:50"),
        ("slic:0", "segments = 'slic:0'"),
        ("slic:00", "segments = 'slic:00'"),
        ("slic\n", "segments = 'slic"),
    ],
)
def test_what_is_no_segments_is_refused(asked: Any, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        pd.explain(MapNet(SHAPE), photo(SHAPE), GreyPatch(0.0), units=[0], segments=asked)


@pytest.mark.parametrize("how", [{"stride": 3}, {"stride": (1, 2)}, {"between": "linear"}])
def test_where_windows_lie_is_refused_beside_segments(how: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="segments take the place of windows: leave out stride, and between="):
        pd.explain(MapNet(SHAPE), photo(SHAPE), GreyPatch(0.0), units=[0], segments=segments(), **how)


def test_samplers_that_draw_rectangles_alone_are_refused() -> None:
    class Blurred(pd.MarginalSampler):
        def draw(self, *args: Any, **how: Any) -> np.ndarray:
            return super().draw(*args, **how)

    images = corpus()
    for sampler in (pd.GaussianSampler.fit(images, 5, patches=900), NormalSampler(), Blurred(images)):
        with pytest.raises(
            SamplerError, match="draws rectangles, as a Gaussian of l x l does, and can't fill a segment"
        ):
            pd.explain(MapNet(SHAPE), photo(SHAPE), sampler, units=[0], samples=2, segments=segments())


def test_labels_of_a_picture_are_not_those_of_what_the_net_sees() -> None:
    """An array of the view's size is one of the picture only where these are as large."""
    frame = Frame((20, 20), (20, 20), (5, 5), (10, 10))
    with pytest.raises(SettingsError, match=r"segments are 10 x 10 \(height, width\), the picture is 20 x 20"):
        find_labels(np.zeros((10, 10), int), pixels=np.zeros((3, 10, 10)), tones=PIXELS, frame=frame, ground=(10, 10))
