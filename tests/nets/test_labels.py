"""Label files: ours, Caffe's, plain ones, and broken ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from predicdiff.errors import FormatError, SettingsError
from predicdiff.nets.fetching.manifest import models_dir
from predicdiff.nets.labels import labelled, load_labels, read_labels
from predicdiff.protocols import Head


def test_our_own_labels() -> None:
    labels = load_labels(models_dir() / "ilsvrc12_labels.tsv")
    assert len(labels) == 1000
    assert (labels[0], labels[281], labels[967]) == ("tench", "tabby", "espresso")


@pytest.mark.parametrize(
    "text",
    [
        "cat, felis\ndog\n",
        "n02123045 cat, felis\nn02084071 dog\n",
        "0\tcat, felis\n1\tdog\n\n",
        "0\tn02123045\tcat, felis\r\n1\tn02084071\tdog\r\n",
        "\ufeffcat, felis\ndog",
    ],
)
def test_formats(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(text.encode())
    assert load_labels(path) == ["cat, felis", "dog"]


def test_ids_alone_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "synsets.txt"
    path.write_text("n01440764\nn01443537\n")
    assert load_labels(str(path)) == ["n01440764", "n01443537"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"cat\n\ndog\n", "line 2 is empty. Want one label for each class"),
        (b"\ncat\ndog\n", "line 1 is empty"),
        (b"0\tcat\n2\tdog\n", "label 2 has the index 2, want 1"),
        (b"\xff\xfe\x00cat", "is not text in UTF-8"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=f"labels.txt: .*{message}"):
        load_labels(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="labels cannot be read"):
        load_labels(tmp_path / "absent.txt")


ONE = (Head("fc", "prob"),)
TWO = (Head("b", "p_b"), Head("a", "p_a"), Head(None, "c"))
BLOBS = {"fc": (2,), "prob": (2,), "a": (2,), "p_a": (2,), "b": (2, 4, 4), "p_b": (2, 4, 4), "c": (3,)}
XY, UV, XYZ = ["x", "y"], ["u", "v"], ["x", "y", "z"]


@pytest.mark.parametrize(
    ("heads", "labels", "wanted"),
    [
        (ONE, XY, [XY]),
        (ONE, {"fc": XY}, [XY]),
        ((Head(),), XYZ, [XYZ]),  # of no known size
        (TWO, XY, [XY, XY, None]),
        (TWO, [XYZ, XY], [XY, XY, XYZ]),
        (TWO, [XY, UV], [UV, XY, None]),  # in the order in which the net computes them
        (TWO, {"p_b": XY, "c": XYZ}, [XY, None, XYZ]),
    ],
)
def test_labels_go_to_outputs_of_as_many_classes(heads: Any, labels: Any, wanted: Any) -> None:
    assert [head.labels for head in labelled("net", heads, BLOBS, labels)] == wanted


@pytest.mark.parametrize(
    ("heads", "labels", "words"),
    [
        (ONE, XYZ, "net 'net' has 2 classes, but 3 labels came"),
        (ONE, [XY, UV], "has one output, but labels of several came"),
        (TWO, [XY, UV, ["s", "t"]], "'c' \\(3 classes\\), and 2 labels are left over"),
        (TWO, {"c": XY}, "and 2 labels are left over"),
        (TWO, {"fc": XY}, "and 2 labels are left over"),
    ],
)
def test_labels_that_fit_no_output(heads: Any, labels: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        labelled("net", heads, BLOBS, labels)


def test_labels_are_read_wherever_paths_stand(tmp_path: Path) -> None:
    path = tmp_path / "xy.txt"
    path.write_text("x\ny\n")
    assert read_labels(path) == read_labels(str(path)) == read_labels([path]) == read_labels(iter(XY)) == XY
    assert read_labels([path, UV]) == [XY, UV]
    assert read_labels({"p": path}) == {"p": XY}
    for wrong, name in (({0: "x", 1: "y"}, "dict"), ({"x", "y"}, "set"), (7, "int"), ({"p": 7}, "int")):
        with pytest.raises(SettingsError, match=f"labels are a {name}: want a list"):
            read_labels(wrong)


def test_what_no_file_of_labels_is_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("0\tcat\n" + "1" * 5000 + "\tdog")  # more digits than Python makes a number of
    with pytest.raises(FormatError, match=r"label 2 has the index 1+"):
        load_labels(path)
    path.write_text("x\n" * (5 * 10**6 + 1))
    with pytest.raises(FormatError, match="more than 10,000,000 letters"):
        load_labels(path)
