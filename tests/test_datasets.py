"""Of HDF5 files that somebody else made plain arrays are read, and nothing that leads elsewhere."""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path
from typing import Any, Callable

import h5py
import numpy as np
import pytest

from predicdiff import budget, datasets
from predicdiff.datasets import plain_datasets, plain_values
from predicdiff.errors import ExplanationError, FormatError
from predicdiff.explanation import Explanation
from predicdiff.files import Kind, _seal, write
from predicdiff.name_trees import check_name_trees
from predicdiff.nets.caffe.caffemodel import read_caffemodel

SECRET = b"what another file of this machine holds"


def to_itself(file: h5py.File) -> None:
    one = file.create_group("one")
    one.create_group("two")["three"] = one


def deep(file: h5py.File) -> None:
    file.create_dataset("/".join(["g"] * 5000 + ["0"]), data=np.ones(3))


#: What a file may not hold: how it comes into a file beside another named ``secret``, and what is said of it.
ATTACKS: dict[str, tuple[Callable[[h5py.File, Path], Any], str]] = {
    "external storage": (
        lambda file, secret: file.create_dataset("x", (len(SECRET),), "u1", external=[(str(secret), 0, len(SECRET))]),
        "x: its values lie in another file",
    ),
    "a virtual dataset": (
        lambda file, secret: file.create_virtual_dataset("x", virtual(secret)),
        "x: its values lie in another file",
    ),
    "an external link": (
        lambda file, secret: linked(file, secret),
        "x: a link that may lead out of the file",
    ),
    "a soft link": (lambda file, secret: soft(file), "x: a link that may lead out of the file"),
    "a reference": (
        lambda file, secret: file.create_dataset("x", data=np.array([file.ref], h5py.ref_dtype), dtype=h5py.ref_dtype),
        r"x: holds object \(1,\), want real numbers or one text",
    ),
    "many texts": (
        lambda file, secret: file.create_dataset("x", data=np.array(["a", "b"], object), dtype=h5py.string_dtype()),
        r"x: holds object \(2,\), want real numbers or one text",
    ),
    "a group in itself": (lambda file, secret: to_itself(file), "want groups at most 16 deep and each in one place"),
    "groups in groups": (lambda file, secret: deep(file), "want groups at most 16 deep"),
    "no values": (lambda file, secret: file.create_dataset("x", data=h5py.Empty("f4")), "x: holds no values"),
    "a filter that others bring": (
        lambda file, secret: file.create_dataset("x", data=np.ones(30), chunks=(10,), compression="lzf"),
        r"x: is packed by filters \[32000\], want deflate",
    ),
    "deflate within deflate": (
        lambda file, secret: twice_packed(file),
        r"x: is packed by filters \[1, 1\], want deflate",
    ),
    "a chunk that inflates without end": (
        lambda file, secret: stored(file, zlib.compress(bytes(10**7))),
        "x: a chunk of it is damaged, or holds other than the 80 bytes of its place",
    ),
    "a chunk that is too short": (
        lambda file, secret: stored(file, zlib.compress(bytes(79))),
        "x: a chunk of it is damaged",
    ),
    "a chunk that is cut": (
        lambda file, secret: stored(file, zlib.compress(bytes(80))[:-4]),
        "x: a chunk of it is damaged",
    ),
    "a chunk that is not there": (
        lambda file, secret: stored(file, None),
        r"x: the chunk at \(0,\) is not there",
    ),
    "chunks larger than the array": (
        lambda file, secret: file.create_dataset("x", (1,), "f8", maxshape=(None,), chunks=(5 * 10**8,)),
        "x: .* wants more than the file holds",
    ),
    "numbers of a width of their own": (
        lambda file, secret: narrow(file),
        "x: holds uint16 .*, want real numbers or one text",
    ),
    "more than there is": (
        lambda file, secret: [file.create_dataset(f"{n}", (10**6,), "f4", chunks=(10**5,)) for n in range(12)],
        "wants more than the file holds",
    ),
}


def virtual(secret: Path) -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((3,), "u1")
    layout[:] = h5py.VirtualSource(str(secret), "y", (3,))
    return layout


def linked(file: h5py.File, secret: Path) -> None:
    file["x"] = h5py.ExternalLink(str(secret), "/y")


def stored(file: h5py.File, content: bytes | None) -> None:
    """A dataset of one chunk, which holds these bytes."""
    dataset = file.create_dataset("x", (10,), "f8", chunks=(10,), compression="gzip")
    if content is not None:
        dataset.id.write_direct_chunk((0,), content)


def narrow(file: h5py.File) -> None:
    kind = h5py.h5t.STD_U16LE.copy()
    kind.set_precision(12)
    h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((10,)))


def twice_packed(file: h5py.File) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((10,))
    plan.set_deflate(4)
    plan.set_deflate(4)
    h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((10,)), plan)


def soft(file: h5py.File) -> None:
    file["y"] = np.ones(3)
    file["x"] = h5py.SoftLink("/y")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    return path


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_leads_elsewhere_is_refused_in_weights_and_in_results(tmp_path: Path, secret: Path, attack: str) -> None:
    put, said = ATTACKS[attack]
    with h5py.File(tmp_path / "w.caffemodel.h5", "w") as file:
        put(file.create_group("data"), secret)
    with pytest.raises(FormatError, match=f"w.caffemodel.h5: .*{said}"):
        read_caffemodel(tmp_path / "w.caffemodel.h5")
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["format"], file.attrs["version"] = "predicdiff explanation", 1
        put(file, secret)
    (tmp_path / "result.h5").write_bytes(content.getvalue() + _seal(content.getvalue()))
    with pytest.raises(ExplanationError, match=f"result.h5: .*{said}"):
        Explanation.load(tmp_path / "result.h5")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(tmp_path / "w.caffemodel.h5", "w") as file:
        file.create_dataset("data/x/0", (4,), "u1", external=[(str(tmp_path / "pipe"), 0, 4)])
    with pytest.raises(FormatError, match="x/0: its values lie in another file"):
        read_caffemodel(tmp_path / "w.caffemodel.h5")


@pytest.mark.parametrize("kind", ["<f4", ">f8", "f2", "?", "u1", ">i8"])
@pytest.mark.parametrize(
    "packing",
    [
        {"chunks": (4, 3)},
        {"chunks": (4, 3), "compression": "gzip", "shuffle": True},
        {"chunks": (20, 9), "maxshape": (None, None), "compression": "gzip"},
        {"chunks": (4, 3), "compression": "gzip", "shuffle": True, "fletcher32": True},
    ],
)
def test_values_in_chunks_are_those_that_were_put_there(kind: str, packing: dict[str, Any]) -> None:
    values = np.random.default_rng(0).integers(0, 100, (11, 7)).astype(kind)
    with h5py.File(io.BytesIO(), "w") as file:
        dataset = file.create_dataset("x", data=values, **packing)
        if "maxshape" not in packing and "fletcher32" not in packing:  # one that no filter went over
            dataset.id.write_direct_chunk((4, 3), values[4:8, 3:6].tobytes(), 0b11)
        file.flush()
        ((_, found),) = plain_values(file, bytes(10_000))
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


def tree_at(content: bytes, level: int) -> int:
    """Where the first node of names of this level lies."""
    return content.index(b"TREE\0" + bytes([level]))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (
            24 + 8,
            "two places of its index of names are one",
        ),  # its first child is the node itself, and so is its second
        (16, "its index of names leads back into itself"),  # its right neighbour
    ],
)
def test_names_in_trees_that_lead_back_into_themselves_are_not_looked_for(
    tmp_path: Path, place: int, said: str
) -> None:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for number in range(300):
            file[f"data/x/{number}"] = np.zeros(1)
    path = tmp_path / "w.caffemodel.h5"
    whole = bytearray(content.getvalue())
    root = tree_at(whole, 1)
    check_name_trees(bytes(whole))
    for at in (root + place, *((root + place + 16,) if place > 16 else ())):
        whole[at : at + 8] = root.to_bytes(8, "little")
    path.write_bytes(whole)
    with pytest.raises(FormatError, match=rf"w\.caffemodel\.h5: {said}"):
        read_caffemodel(path)


def test_a_text_that_is_said_to_be_longer_than_the_file_is_not_made_room_for() -> None:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["text"] = "words"
        place = file["text"].id.get_offset()
    content.seek(place)
    content.write((2**32 - 1).to_bytes(4, "little"))
    with h5py.File(content, "r") as file, pytest.raises(FormatError, match="text: a text that is not in the file"):
        list(plain_values(file, content.getvalue()))


def test_no_bytes_of_a_file_are_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(io.BytesIO(), "w") as file:
        file.create_dataset("x", data=np.zeros((4, 1000)), chunks=(1, 1000), compression="gzip")
        packed = file["x"].id.get_storage_size()
        assert [name for name, _ in plain_values(file, bytes(packed))] == ["x"]
        with pytest.raises(FormatError, match="x: its chunks hold more than the file"):
            list(plain_values(file, bytes(packed - 1)))
        monkeypatch.setattr(datasets, "MOST_CHUNKS", 3)
        with pytest.raises(FormatError, match="more than 3 chunks"):
            list(plain_values(file, bytes(10_000)))


def test_plain_arrays_in_groups_are_found_and_one_with_two_names_too(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["a/b"] = np.arange(3)
        file["c"] = file["a/b"]
        file["text"] = "words"
    with h5py.File(tmp_path / "plain.h5", "r") as file:
        found = plain_datasets(file, 10_000)
        assert sorted(found) == ["a/b", "c", "text"]
        assert found["c"][()].tolist() == [0, 1, 2]


def test_packed_arrays_are_held_together_against_what_may_be_taken(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "packed.h5", "w") as file:
        for name in "ab":
            file.create_dataset(name, data=np.zeros(100), compression="gzip")
        with budget.within(1000), pytest.raises(FormatError, match="what its arrays hold wants"):
            plain_datasets(file, 10_000)


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    kind = Kind("result", 1, "make {path}", ExplanationError)
    with budget.within(1000), pytest.raises(ExplanationError, match=r"r\.h5: what is to be written wants"):
        write(tmp_path / "r.h5", kind, {"x": np.zeros(126)}, {})
    assert not list(tmp_path.iterdir())


def test_more_links_than_any_file_needs_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MOST_DATASETS", 20)
    with h5py.File(io.BytesIO(), "w") as file:
        one = file.create_dataset("one", data=np.ones(1))
        for number in range(20):
            file[f"{number}"] = one
        with pytest.raises(FormatError, match="more than 20 datasets and groups"):
            plain_datasets(file, 10**9)


def test_more_chunks_than_any_file_needs_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MOST_CHUNKS", 11)
    with h5py.File(io.BytesIO(), "w") as file:
        file.create_dataset("one", data=np.ones((5, 4)), chunks=(2, 2))  # 3 x 2
        file.create_dataset("other", data=np.ones(9), chunks=(2,))
        assert set(plain_datasets(file, 10**9)) == {"one", "other"}
        file.create_dataset("third", data=np.ones(1), chunks=(1,))
        with pytest.raises(FormatError, match="/third: with it more than 11 chunks"):
            plain_datasets(file, 10**9)
