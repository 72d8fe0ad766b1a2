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


def test_caffes_nets_need_no_weights(cli, tiny, tmp_path):
    whole, alone = cli("blobs", *tiny), cli("blobs", *tiny[:2])
    assert alone.exit_code == 0, alone.output
    assert alone.output == whole.output
    assert "prob" in cli("blobs", "--net", "googlenet").output.splitlines()[-1]
    (tmp_path / "train_val.prototxt").write_text(
        'layer { name: "data" type: "HDF5Data" top: "data" top: "label" }'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" }'
    )
    result = cli("blobs", "--net", "train_val.prototxt", "--input-shape", "5,1,1")
    told = [line for line in result.output.splitlines() if not line.startswith("Warning: ")]
    note = "Warning: train_val.prototxt: its deploy net is made of it: data (HDF5Data) becomes an input of 5 x 1 x 1; "
    assert result.output.count(note) == result.output.count("Warning: ") == 1
    assert [line.split() for line in told[-2:]] == [
        ["data", "5", "x", "1", "x", "1", "the", "scores"],
        ["prob", "5", "x", "1", "x", "1", "the", "probabilities"],
    ]


def test_scores_and_probabilities_are_marked():
    told = lines(MapNet((1, 5, 6)))
    assert [line.split()[0] for line in told if line.endswith("  the scores")] == ["scores"]
    assert [line.split()[0] for line in told if line.endswith("  the probabilities")] == ["prob"]
