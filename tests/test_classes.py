"""Classes by their names."""

from __future__ import annotations

import pytest

from predicdiff.classes import class_index
from predicdiff.errors import SettingsError

LABELS = ["tabby, tabby cat", "Egyptian cat", "crane", "crane", "maillot", "maillot, tank suit", "3"]


@pytest.mark.parametrize(
    ("name", "number"),
    [("tabby", 0), ("Tabby Cat", 0), (" tabby,  tabby cat", 0), ("EGYPTIAN CAT", 1), ("tank suit", 5), ("3", 6)],
)
def test_classes_have_numbers_by_their_names(name: str, number: int) -> None:
    assert class_index(LABELS, name) == number


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tabbi", r"no class is called 'tabbi'\. Near names: tabby; "),
        ("cat", r"Near names: tabby, tabby cat; tabby cat; Egyptian cat; "),
        ("zebra crossing", r"no class is called 'zebra crossing'\. `net\.labels` has all names\."),
        ("", "no class is called ''"),
        ("Crane", r"more than one class is called 'Crane': 2 \(crane\), 3 \(crane\)\. Give one of these numbers"),
        ("maillot", r"4 \(maillot\), 5 \(maillot, tank suit\)"),
    ],
)
def test_names_that_no_class_has_or_more_than_one(name: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        class_index(LABELS, name)
