"""Label files: ours, Caffe's, plain ones, and broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from predicdiff.errors import FormatError
from predicdiff.nets.fetching.manifest import models_dir
from predicdiff.nets.labels import load_labels


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
