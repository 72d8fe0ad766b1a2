"""Weights and means from Caffe's files; the tiny net's were written, and run, by Caffe 1.0."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Callable, Iterator

import h5py
import numpy as np
import pytest
from helpers.caffe_bytes import doubles, floats, legacy_shape, loose_floats, number, piece, shape, v1, v2, varint
from helpers.places import DATA

from predicdiff.errors import FormatError
from predicdiff.nets.caffe.caffemodel import read_caffemodel, read_mean

TINY = ("tiny_v1.caffemodel", "tiny_v2.caffemodel", "tiny.caffemodel.h5")
Save = Callable[[bytes], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(data: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(data)
        return path

    return write


# ---------------------------------------------------------------------------------------------- what Caffe wrote


@pytest.mark.parametrize("name", TINY)
def test_tiny_shapes(name: str) -> None:
    stored = {layer: [blob.shape for blob in blobs] for layer, blobs in read_caffemodel(DATA / name).items()}
    if name == "tiny_v1.caffemodel":
        assert stored == {
            "conv1": [(8, 3, 5, 5), (1, 1, 1, 8)],
            "conv2a": [(6, 4, 3, 3), (1, 1, 1, 6)],
            "conv2b": [(4, 8, 1, 1), (1, 1, 1, 4)],
            "fc": [(1, 1, 5, 90), (1, 1, 1, 5)],
        }
    else:
        assert stored == {
            "conv1": [(8, 3, 5, 5), (8,)],
            "conv2a": [(6, 4, 3, 3), (6,)],
            "conv2b": [(4, 8, 1, 1), (4,)],
            "fc": [(5, 90), (5,)],
        }


def test_tiny_files_agree_to_the_last_bit() -> None:
    first, *others = (read_caffemodel(DATA / name) for name in TINY)
    for other in others:
        assert list(other) == list(first)
        for layer, blobs in first.items():
            for blob, same in zip(blobs, other[layer]):
                assert blob.dtype == same.dtype == np.float32
                assert blob.tobytes() == same.tobytes()


def test_tiny_weights_give_what_caffe_computed() -> None:
    weights = read_caffemodel(DATA / "tiny_v2.caffemodel")
    with np.load(DATA / "tiny_caffe.npz") as recorded:
        blobs = {name[5:]: recorded[name].astype(np.float64) for name in recorded.files if name.startswith("blob:")}
    weight, bias = weights["fc"]
    np.testing.assert_allclose(blobs["pool2"].reshape(2, 90) @ weight.T + bias, blobs["fc"], atol=1e-4)
    weight, bias = weights["conv1"]
    for row, column in ((0, 0), (3, 7), (9, 9)):
        patch = blobs["data"][:, :, 2 * row : 2 * row + 5, 2 * column : 2 * column + 5]
        sums = np.maximum(np.einsum("bcij,ocij->bo", patch, weight) + bias, 0)  # relu1 works in place
        np.testing.assert_allclose(sums, blobs["conv1"][:, :, row, column], atol=1e-3)


def test_tiny_mean_is_that_of_the_images() -> None:
    with np.load(DATA / "tiny_caffe.npz") as recorded:
        np.testing.assert_array_equal(read_mean(DATA / "tiny_mean.binaryproto"), recorded["images"].mean(axis=0))


def test_arrays_are_independent_of_the_file(save: Save) -> None:
    path = save((DATA / "tiny_v1.caffemodel").read_bytes())
    first = read_caffemodel(path)
    first["fc"][0][:] = 0
    assert np.any(read_caffemodel(path)["fc"][0])
    path.write_bytes(b"\0" * path.stat().st_size)
    assert np.all(np.isfinite(first["conv1"][0]))
    assert np.any(first["conv1"][0])


# ---------------------------------------------------------------------------------------------- ways to write a blob

NUMBERS = np.linspace(-1, 1, 6, dtype=np.float32)


@pytest.mark.parametrize(
    "numbers",
    [
        floats(NUMBERS),
        floats(NUMBERS[:2]) + floats([]) + floats(NUMBERS[2:]),
        b"".join(floats([value]) for value in NUMBERS),
        loose_floats(NUMBERS),
        floats(NUMBERS[:1]) + loose_floats(NUMBERS[1:]),
        loose_floats(NUMBERS[:1]) + floats(NUMBERS[1:]),
        doubles(NUMBERS),
        b"".join(varint(8 << 3 | 1) + np.float64(value).tobytes() for value in NUMBERS),
        floats(NUMBERS) + piece(6, b"\0" * 24) + piece(9, b"\0" * 48),
        floats(NUMBERS) + piece(99, b"of a later Caffe") + number(98, 1),
    ],
    ids=["packed", "chunks", "crumbs", "loose", "both", "both-2", "doubles", "loose-doubles", "gradients", "unknown"],
)
@pytest.mark.parametrize("shaped", [shape((2, 3)), legacy_shape((1, 1, 2, 3))], ids=["shape", "legacy"])
@pytest.mark.parametrize("layer", [v1, v2])
def test_every_way_to_write_numbers(save: Save, layer: Callable[..., bytes], shaped: bytes, numbers: bytes) -> None:
    (blob,) = read_caffemodel(save(layer("a", shaped + numbers)))["a"]
    assert blob.shape[-2:] == (2, 3)
    assert blob.dtype == np.float32
    np.testing.assert_array_equal(blob.ravel(), NUMBERS)
    (blob,) = read_caffemodel(save(layer("a", numbers + shaped)))["a"]
    np.testing.assert_array_equal(blob.ravel(), NUMBERS)


def test_more_loose_numbers_than_are_walked(save: Save) -> None:
    values = np.arange(1000, dtype=np.float32)
    (blob,) = read_caffemodel(save(v2("a", shape((1000,)) + loose_floats(values))))["a"]
    np.testing.assert_array_equal(blob, values)
    (blob,) = read_caffemodel(save(v2("a", shape((1000,)) + b"".join(floats([value]) for value in values))))["a"]
    np.testing.assert_array_equal(blob, values)


def test_doubles_count_before_floats_and_may_overflow(save: Save) -> None:
    (blob,) = read_caffemodel(save(v2("a", shape((2,)) + floats([5, 5]) + doubles([0.1, 1e300]))))["a"]
    np.testing.assert_array_equal(blob, [np.float32(0.1), np.inf])


def test_numbers_that_are_not_finite_load(save: Save) -> None:
    (blob,) = read_caffemodel(save(v2("a", shape((3,)) + floats([np.nan, np.inf, -0.0]))))["a"]
    np.testing.assert_array_equal(blob, [np.nan, np.inf, -0.0])


def test_one_number_needs_no_shape_and_none_needs_no_numbers(save: Save) -> None:
    blobs = read_caffemodel(save(v2("a", floats([7]), shape((0, 4)))))["a"]
    assert [blob.shape for blob in blobs] == [(), (0, 4)]


@pytest.mark.parametrize("layer", [v1, v2])
def test_the_later_of_two_layers_of_one_name_counts(save: Save, layer: Callable[..., bytes]) -> None:
    data = layer("a", floats([1])) + layer("b", floats([2])) + layer("a", floats([3])) + layer("a")
    assert read_caffemodel(save(data)) == {"a": [3], "b": [2]}


def test_half_a_gigabyte_would_be_held_once(save: Save) -> None:
    values = np.random.default_rng(0).standard_normal(2**22, np.float32)  # 16 MB
    path = save(piece(1, b"net") + v1("fc6", legacy_shape((1, 1, 2**11, 2**11)) + floats(values)))
    tracemalloc.start()
    try:
        (blob,) = read_caffemodel(path)["fc6"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * values.nbytes
    np.testing.assert_array_equal(blob.ravel(), values)


# ---------------------------------------------------------------------------------------------- HDF5


@pytest.fixture
def h5(tmp_path: Path) -> Iterator[h5py.File]:
    with h5py.File(str(tmp_path / "file"), "w") as file:
        yield file


def test_hdf5_with_slashes_doubles_compression_and_layers_without_weights(h5: h5py.File) -> None:
    h5["data/conv/3x3/0"] = np.arange(6.0).reshape(2, 3)
    h5["data/conv/3x3/1"] = np.arange(2, dtype=np.float32)
    h5.create_dataset("data/fc/0", data=np.zeros((1000, 1000), np.float32), compression="gzip")
    h5.create_group("data/relu")
    h5["diff/conv/3x3/0"] = np.ones(6)
    h5.flush()
    weights = read_caffemodel(h5.filename)
    assert {name: [blob.shape for blob in blobs] for name, blobs in weights.items()} == {
        "conv/3x3": [(2, 3), (2,)],
        "fc": [(1000, 1000)],
    }
    np.testing.assert_array_equal(weights["conv/3x3"][0], np.arange(6, dtype=np.float32).reshape(2, 3))


def test_hdf5_blobs_come_in_the_order_of_their_numbers(h5: h5py.File) -> None:
    for index in range(12):
        h5[f"data/lstm/{index}"] = np.full(3, index, np.float32)
    h5.flush()
    assert [blob[0] for blob in read_caffemodel(h5.filename)["lstm"]] == list(range(12))


def test_hdf5_that_is_something_else(h5: h5py.File) -> None:
    h5["relevance"] = np.zeros(3)
    h5.flush()
    with pytest.raises(FormatError, match=r"file: is HDF5, but has no group /data"):
        read_caffemodel(h5.filename)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("data/fc/999", np.zeros(3), r"layer 'fc': has blobs \[999\], want 0 to 32 at most"),
        ("data/fc/weight", np.zeros(3), "/data/fc/weight: want blobs named 0, 1"),
        ("data/fc/0", np.array([b"abc"]), r"/data/fc/0: holds \|S3 \(1,\), want real numbers or one text"),
        ("data/fc/0", np.zeros(3, complex), r"/data/fc/0: holds complex128 \(3,\), want real numbers"),
    ],
)
def test_hdf5_with_blobs_that_are_none(h5: h5py.File, path: str, value: np.ndarray, message: str) -> None:
    h5[path] = value
    h5.flush()
    with pytest.raises(FormatError, match=message):
        read_caffemodel(h5.filename)


@pytest.mark.parametrize("chunks", [None, (1, 1024)])
def test_hdf5_does_not_allocate_what_it_only_claims(h5: h5py.File, chunks: tuple[int, int] | None) -> None:
    h5.create_dataset("data/fc/0", shape=(2**15, 2**15), dtype="f4", chunks=chunks)
    h5.flush()
    with pytest.raises(FormatError, match=r"/data/fc/0: shape \(32768, 32768\) wants more than the file holds"):
        read_caffemodel(h5.filename)


# ---------------------------------------------------------------------------------------------- damage, and other files


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (shape((2, 3)) + floats([1]), r"shape \(2, 3\) wants 6 values, found 1"),
        (legacy_shape((1, 1, 2, 2)) + floats([1] * 5), r"shape \(1, 1, 2, 2\) wants 4 values, found 5"),
        (number(1, 2) + floats([1]), r"shape \(2, 0, 0, 0\) wants 0 values, found 1"),
        (shape((2**31,)), r"shape \(2147483648,\), want sizes of at least 0 and at most 2\^31 - 1"),
        (shape((2**16, 2**15)), r"shape \(65536, 32768\), want"),
        (shape((0, 2**62, 2**62)), r"shape \(0, 4611686018427387904, 4611686018427387904\), want"),
        (shape((-1, 3)), r"shape \(-1, 3\), want sizes of at least 0"),
        (legacy_shape((1, 1, -2, -3)) + floats([1] * 6), r"shape \(1, 1, -2, -3\), want sizes of at least 0"),
        (shape((1,) * 33) + floats([1]), "a shape of more axes than 32"),
        (shape((2,)) + piece(5, b"1234567"), "a number is cut in two"),
        (shape((1,)) + piece(8, b"1234"), "a number is cut in two"),
        (b"", "it holds neither a shape nor numbers"),
        (shape((2,)) + varint(5 << 3 | 2) + varint(2**31), "want 2147483648 bytes from byte .*, found 0"),
        (piece(7, piece(1, b"\x80")), ""),
    ],
)
@pytest.mark.parametrize("layer", [v1, v2])
def test_damaged_blob(save: Save, layer: Callable[..., bytes], blob: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=f"file: layer 'a', blob 1: .*{message}"):
        read_caffemodel(save(layer("a", floats([0]), blob)))


def test_more_fields_than_any_net_has_are_refused_before_all_are_looked_at(save: Save) -> None:
    with pytest.raises(FormatError, match="file: the file holds more than 1,000,000 fields besides its numbers"):
        read_caffemodel(save(piece(100, piece(1, b"conv1") + number(10, 1) * 1_000_001)))


def test_a_name_of_any_length_makes_no_message_as_long(save: Save) -> None:
    with pytest.raises(FormatError, match=r"layer's name at byte .* has 100,000 bytes, want 10,000 at most"):
        read_caffemodel(save(piece(100, piece(1, b"x" * 100_000) + piece(7, shape((2,)) + floats([1])))))


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_cut_off(save: Save, name: str, part: float) -> None:
    data = (DATA / name).read_bytes()
    path = save(data[: int(part * len(data))])
    with pytest.raises(FormatError, match=r"cut off or damaged|cannot be read as a caffemodel"):
        read_caffemodel(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "want a caffemodel, found an empty file"),
        ((DATA / "tiny_v1.prototxt").read_bytes(), "want a caffemodel, found a prototxt"),
        (b"# deploy\nlayer {\n}\n", "want a caffemodel, found a prototxt"),
        (b"404: Not Found", "want a caffemodel, found a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "a Git LFS pointer, .*`git lfs pull`"),
        (b"\n <!DOCTYPE html><html>", "found a web page: the download went wrong"),
        (b"<HTML><head>", "found a web page: the download went wrong"),
        (b'<?xml version="1.0"?><Error>', "found an XML file: the download went wrong"),
        (b"PK\x03\x04rest", "found a ZIP archive"),
        (b"\x1f\x8b\x08\0", "found a gzip archive: unpack it first"),
        (b"\x93NUMPY\x01\0", "found a NumPy file"),
        (b"\0" * 100, "the file is damaged, or of another kind: there is no field of protobuf at byte 0"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "there is no field of protobuf at byte 0"),
        (piece(1, b"net") + v2("relu"), "no layer in it has weights"),
        (number(100, 3), "field 100 at byte 0 is of another type than in Caffe"),
        (piece(100, number(1, 3)), "field 1 at byte .* is of another type than in Caffe"),
        (piece(100, number(7, 3)), "field 7 at byte .* is of another type than in Caffe"),
        (v1("a", floats([1])) + v2("b", floats([1])), "has layers in the old format and in the new one"),
        (piece(2, piece(1, piece(1, b"conv1"))), "is of Caffe's first format .* upgrade_net_proto_binary"),
    ],
)
def test_no_caffemodel(save: Save, data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=f"file: .*{message}"):
        read_caffemodel(save(data))


@pytest.mark.parametrize("read", [read_caffemodel, read_mean])
def test_no_file(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(FormatError, match=r"none\.caffemodel: want .*, found no such file"):
        read(tmp_path / "none.caffemodel")
    with pytest.raises(FormatError, match=r"a folder, want the path of a file"):
        read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system here")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="pipe: a pipe, want the path of a file"):
        read_caffemodel(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="no permissions of this kind here")
def test_permission_denied(save: Save) -> None:
    path = save(v2("a", floats([1])))
    path.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may read everything
        with pytest.raises(FormatError, match="may not be read: permission denied"):
            read_caffemodel(path)
    finally:
        os.seteuid(user)


# ---------------------------------------------------------------------------------------------- means


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "f8", "u1", "i8"])
@pytest.mark.parametrize("size", [(3,), (3, 5, 4), (1, 3, 5, 4), (3, 1, 1)])
def test_mean_npy(tmp_path: Path, dtype: str, size: tuple[int, ...]) -> None:
    mean = np.arange(np.prod(size)).reshape(size).astype(dtype)
    np.save(tmp_path / "mean.npy", mean)
    stored = read_mean(tmp_path / "mean.npy")
    assert stored.dtype == np.float32
    assert stored.shape == {(1, 3, 5, 4): (3, 5, 4), (3, 1, 1): (3,)}.get(size, size)
    np.testing.assert_array_equal(stored.ravel(), np.arange(np.prod(size)))


def test_sizes_that_are_no_numbers_or_too_large(tmp_path: Path) -> None:
    np.save(tmp_path / "mean.npy", np.zeros(1, np.float32))
    whole = (tmp_path / "mean.npy").read_bytes()
    for size in (b"True", b"9" * 19):
        (tmp_path / "mean.npy").write_bytes(whole.replace(b"(1,), }" + b" " * (len(size) - 1), b"(" + size + b",), }"))
        with pytest.raises(FormatError, match=r"a header that numpy cannot read|cannot be read as a mean"):
            read_mean(tmp_path / "mean.npy")


def test_mean_in_fortran_order(tmp_path: Path) -> None:
    mean = np.arange(60.0).reshape(3, 5, 4)
    np.save(tmp_path / "mean.npy", np.asfortranarray(mean))
    np.testing.assert_array_equal(read_mean(tmp_path / "mean.npy"), mean)


@pytest.mark.parametrize("size", [(3, 2, 4), (1, 3, 2, 4), (3,), (1, 3, 1, 1)])
def test_mean_binaryproto(save: Save, size: tuple[int, ...]) -> None:
    shaped = shape(size) if len(size) < 4 else legacy_shape(size)
    mean = read_mean(save(shaped + floats(np.arange(np.prod(size)))))
    assert mean.shape == {(1, 3, 2, 4): (3, 2, 4), (1, 3, 1, 1): (3,)}.get(size, size)
    np.testing.assert_array_equal(mean.ravel(), np.arange(np.prod(size)))


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        (np.zeros((256, 256, 3)), r"shape \(256, 256, 3\) looks like \(H, W, C\), want \(C, H, W\): transpose"),
        (np.zeros((256, 256)), r"shape \(256, 256\), want a mean image \(C, H, W\) or one value per channel"),
        (np.zeros((2, 3, 5, 5)), r"shape \(2, 3, 5, 5\), want a mean image"),
        (np.zeros(()), r"shape \(\), want a mean image"),
        (np.array(["a"]), "numbers of type <U1, want real ones"),
        (np.zeros(3, complex), "numbers of type complex128, want real ones"),
    ],
)
def test_no_mean(tmp_path: Path, mean: np.ndarray, message: str) -> None:
    np.save(tmp_path / "mean.npy", mean)
    with pytest.raises(FormatError, match=rf"mean\.npy: {message}"):
        read_mean(tmp_path / "mean.npy")


def test_mean_of_pickled_objects_is_not_run(tmp_path: Path) -> None:
    np.save(tmp_path / "mean.npy", np.array([print], object), allow_pickle=True)
    with pytest.raises(FormatError, match=r"mean\.npy: cannot be read as a mean"):
        read_mean(tmp_path / "mean.npy")


def test_mean_that_claims_more_than_it_holds(save: Save) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 100000, 100000)}".ljust(117) + b"\n"
    with pytest.raises(FormatError, match="file: cannot be read as a mean"):
        read_mean(save(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 64))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"want a mean \(\.binaryproto or \.npy\), found an empty file"),
        (b"104 117 123", "found a text file"),
        ((DATA / "tiny_v2.caffemodel").read_bytes(), "it holds neither a shape nor numbers"),
        ((DATA / "tiny.caffemodel.h5").read_bytes(), "found an HDF5 file"),
        ((DATA / "tiny_mean.binaryproto").read_bytes()[:-1], "cut off or damaged"),
        (legacy_shape((1, 3, 2, 2)) + floats([1] * 11), r"shape \(1, 3, 2, 2\) wants 12 values, found 11"),
        (b"\x93NUMPY\x01\0", "cannot be read as a mean"),
        (piece(7, piece(1, b"\1" * 10**6)) + floats([1]), "more than 1,000,000 bytes beside its numbers"),
    ],
)
def test_no_mean_at_all(save: Save, data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=f"file: .*{message}"):
        read_mean(save(data))
