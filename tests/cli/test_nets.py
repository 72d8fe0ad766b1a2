"""`predicdiff nets`."""

from __future__ import annotations


def test_nets_says_what_is_missing_and_what_brings_it(cli, zoo):
    output = cli("nets").output
    first, title = output.splitlines()[:2]
    assert first.startswith("tiny  ")
    assert first.endswith("missing tiny.caffemodel, tiny_mean.npy: predicdiff fetch tiny")
    assert title.strip() == "a tiny net; none"
    assert 'missing data.bin: pip install "a-package==1.0"' in output
    assert output.splitlines()[-1] == f"Weights are kept in {zoo.cache}."
