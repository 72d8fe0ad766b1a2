"""Names of classes, from files, and which output they belong to."""

from __future__ import annotations

import os
import re
from collections.abc import Set
from pathlib import Path
from typing import Any, Mapping, Sequence, Union

import numpy as np

from ..errors import FormatError, SettingsError
from ..files import regular
from ..protocols import Head
from ..units import channels

#: A name for each class: of one output, of several, or of each by its blob.
Labels = Union[Sequence[str], Sequence[Sequence[str]], Mapping[str, Sequence[str]]]

#: Letters of a file of labels; those of ImageNet's 22,000 classes are less than a million.
MOST_LETTERS = 10**7

#: WordNet's id, in front of the names in Caffe's synset_words.txt.
WORDNET_ID = re.compile(r"n\d{8}\s+")


def load_labels(path: str | Path) -> list[str]:
    """One label for each class, from a text file.

    Either a line is ``index<TAB>...<TAB>name`` with the indices 0, 1, 2, ... as in `models/ilsvrc12_labels.tsv`, or it
    is the name itself, after a WordNet id or not, as in Caffe's ``synset_words.txt``.

    Raises
    ------
    FormatError
        If the file cannot be read, is empty, or an index is out of order.
    """
    path = Path(path)
    regular(path, FormatError, "Want one label for each class, a line each.")
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MOST_LETTERS + 1)
    except OSError as error:
        raise FormatError(f"{path}: the labels cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError:
        raise FormatError(f"{path}: is not text in UTF-8. Want one label for each class, a line each.") from None
    if len(text) > MOST_LETTERS:
        raise FormatError(f"{path}: more than {MOST_LETTERS:,} letters. Want one label for each class, a line each.")
    lines = "\n".join(text.splitlines()).rstrip().split("\n")
    if lines == [""]:
        raise FormatError(f"{path}: is empty. Want one label for each class, a line each.")
    lines = [line.strip() for line in lines]
    if "" in lines:
        raise FormatError(f"{path}: line {lines.index('') + 1} is empty. Want one label for each class, a line each.")
    if all(re.match(r"\d+\t", line) for line in lines):
        return [_indexed(line, index, path) for index, line in enumerate(lines)]
    return [WORDNET_ID.sub("", line, count=1) if WORDNET_ID.match(line) else line for line in lines]


def _indexed(line: str, index: int, path: Path) -> str:
    fields = line.split("\t")
    if len(fields[0]) > 20 or int(fields[0]) != index:
        raise FormatError(
            f"{path}: label {index + 1} has the index {fields[0]}, want {index}: 0, 1, 2, ... in this order."
        )
    return fields[-1]


def read_labels(labels: Any) -> Labels | None:
    """Labels as somebody gives them, files read: in the order of the classes, which sets have not.

    Raises
    ------
    SettingsError
        If they are no list, path, list of these, or dict of them.
    FormatError
        As `load_labels`.
    """
    if labels is None:
        return None
    if isinstance(labels, Mapping) and all(isinstance(blob, str) for blob in labels):
        return {blob: _one(of_blob) for blob, of_blob in labels.items()}
    if isinstance(labels, (list, tuple)) and labels and all(map(_is_several, labels)):
        lists = [_one(of_output) for of_output in labels]
        return lists if len(lists) > 1 else lists[0]
    return _one(labels)


def _is_several(label: Any) -> bool:
    """Whether what stands where a label might is labels, or a file of such."""
    return isinstance(label, os.PathLike) or (np.iterable(label) and not isinstance(label, (str, bytes)))


def _one(labels: Any) -> list[str]:
    """The labels of one output."""
    if isinstance(labels, (str, os.PathLike)):
        return load_labels(Path(labels))
    if not np.iterable(labels) or isinstance(labels, (bytes, Mapping, Set)):
        raise SettingsError(f"labels are a {type(labels).__name__}: want a list, one for each class, or a path.")
    return list(labels)


def labelled(name: str, heads: Sequence[Head], blobs: Mapping[str, Sequence[int]], labels: Labels) -> tuple[Head, ...]:
    """Outputs with their labels.

    Parameters
    ----------
    name : str
        The net's.
    heads : sequence of Head
    blobs : {name: shape without the batch axis}
        In the order in which they are computed.
    labels : sequence of str, several of them, or {blob: sequence of str}
        One list goes to every output of as many classes; of several that are as long each goes to one, in the order
        in which the outputs are computed. In a dict they stand by the blob of scores or of probabilities.

    Raises
    ------
    SettingsError
        If a list fits no output.
    """
    sizes = [None if head.blob is None else channels(blobs[head.blob]) for head in heads]
    given, unused = _by_blob(heads, labels) if isinstance(labels, Mapping) else _by_length(heads, sizes, blobs, labels)
    fit = [one is None or size in (None, len(one)) for one, size in zip(given, sizes)]
    if unused or not all(fit):
        count = len(unused[0] if unused else given[fit.index(False)] or ())
        raise SettingsError(_unfit(name, heads, sizes, count))
    return tuple(head._replace(labels=one) for head, one in zip(heads, given))


def _by_blob(heads: Sequence[Head], labels: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """The labels of each head, and those that belong to none."""
    own = [labels.get(str(head.output), labels.get(str(head.scores))) for head in heads]
    return own, [one for blob, one in labels.items() if not any(blob in (head.output, head.scores) for head in heads)]


def _by_length(
    heads: Sequence[Head], sizes: Sequence[int | None], blobs: Mapping[str, Any], labels: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """As `_by_blob`, by the numbers of labels and of classes; a head of no known size takes any."""
    lists = list(labels) if labels and all(map(_is_several, labels)) else [list(labels)]
    left, names = list(lists), list(blobs)
    own: list[Any] = [None] * len(heads)
    for place in sorted(range(len(heads)), key=lambda i: names.index(str(heads[i].blob)) if heads[i].blob else 0):
        suits = [one for one in left if sizes[place] in (None, len(one))]
        own[place] = (suits or [one for one in lists if len(one) == sizes[place]] or [None])[0]
        left = [one for one in left if one is not (suits or [None])[0]]
    return own, left


def _unfit(name: str, heads: Sequence[Head], sizes: Sequence[int | None], count: int) -> str:
    if len(heads) == 1 and sizes[0] == count:
        return f"net {name!r} has one output, but labels of several came: want one list, or one --labels."
    if len(heads) == 1:
        return f"net {name!r} has {sizes[0]} classes, but {count} labels came: want one for each."
    told = " and ".join(f"{head.blob!r} ({size} classes)" for head, size in zip(heads, sizes))
    return f"net {name!r} has the outputs {told}, and {count} labels are left over: want one for each class of each."
