"""Names of classes from a file."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import FormatError

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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise FormatError(f"{path}: the labels cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError:
        raise FormatError(f"{path}: is not text in UTF-8. Want one label for each class, a line each.") from None
    lines = "\n".join(lines).rstrip().split("\n")
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
    if int(fields[0]) != index:
        raise FormatError(
            f"{path}: label {index + 1} has the index {fields[0]}, want {index}: 0, 1, 2, ... in this order."
        )
    return fields[-1]
