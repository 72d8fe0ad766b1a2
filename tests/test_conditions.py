"""What is said of tiles that were made with different things, or with what nobody knows."""

from __future__ import annotations

from predicdiff.conditions import changes

HERE = {"processor": "P", "threads": 1}


def test_an_earlier_release_is_told_from_a_record_that_is_lost() -> None:
    end = ": values agree to rounding, not to the bit."
    assert changes([HERE, HERE]) == []
    assert changes([HERE, {"batch_size": 4}, {}]) == [
        f"2 of 3 tiles were made by an earlier release, which did not record with what{end}"
    ]
    assert changes([HERE, None, HERE]) == [f"1 of 3 tiles were made with what is not known any more{end}"]
    assert changes([None, None]) == [f"2 of 2 tiles were made with what is not known any more{end}"]
