"""What is explained, and with which windows, from the options of `predicdiff explain`."""

from __future__ import annotations

import pytest

from predicdiff.cli.options.explain_options import Sampling


@pytest.mark.parametrize(
    ("options", "stride", "samples"),
    [
        ({}, 4, 2),
        ({"quality": "standard"}, 2, 2),
        ({"quality": "paper", "stride": 8, "samples": 3}, 8, 3),
        ({"quality": "standard", "samples": 5}, 2, 5),
        ({"window": 3}, 3, 2),
    ],
)
def test_quality_fills_in_stride_and_samples(options, stride, samples):
    settings = Sampling(**options).settings()
    assert (settings["stride"], settings["samples"]) == (stride, samples)
