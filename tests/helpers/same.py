"""Results that are the same, field by field."""

from __future__ import annotations

import dataclasses

import numpy as np

from predicdiff.explanation import Explanation


def assert_same(result: Explanation, wanted: Explanation) -> None:
    for field in dataclasses.fields(Explanation):
        old, new = getattr(wanted, field.name), getattr(result, field.name)
        if isinstance(old, np.ndarray):
            assert new.dtype == old.dtype, field.name
            np.testing.assert_array_equal(new, old, err_msg=field.name)
        else:
            assert new == old, field.name
            assert type(new) is type(old), field.name
