"""`predicdiff blobs`."""

from __future__ import annotations

from helpers.engines import needed
from helpers.oracle_nets import MapNet

from predicdiff.cli.blobs import lines

pytestmark = needed


def test_each_blob_with_its_shape_in_order(cli, tiny, model):
    result = cli("blobs", *tiny)  # no mean is given, nor asked for
    assert result.exit_code == 0, result.output
    first, *rest = result.output.splitlines()
    assert first == "tiny, whose input is 3 x 24 x 24:"
    listed = [line.split(" the ")[0].split(maxsplit=1) for line in rest]
    assert [(name, tuple(map(int, sides.split(" x ")))) for name, sides in listed] == list(model.blobs.items())


def test_scores_and_probabilities_are_marked():
    told = lines(MapNet((1, 5, 6)))
    assert [line.split()[0] for line in told if line.endswith("  the scores")] == ["scores"]
    assert [line.split()[0] for line in told if line.endswith("  the probabilities")] == ["prob"]
