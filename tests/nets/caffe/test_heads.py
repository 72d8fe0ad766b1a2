"""What a net ends in: its outputs, and what is put behind scores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from helpers.records import layer, net
from helpers.small_net import SHAPE

from predicdiff.errors import BlobError, SettingsError
from predicdiff.nets.caffe.door import plan
from predicdiff.nets.caffe.heads import find_ends, own_ends
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.records import Layer
from predicdiff.nets.caffe.resolved import resolve
from predicdiff.nets.doors import NetSettings
from predicdiff.protocols import Head

CONV = layer("Convolution", "data", "conv", num_output=4, kernel_size=[3])


def fc(top: str = "fc", count: int = 3, bottom: str = "conv") -> Layer:
    return layer("InnerProduct", bottom, top, num_output=count)


def ends(*layers: Layer, output: str | None = None, output_is: str | None = None) -> Any:
    return find_ends(resolve(net(SHAPE, CONV, *layers)), output, output_is)


def heads(*layers: Layer, **settings: Any) -> list[tuple[Any, ...]]:
    """Scores, probabilities and K of each output."""
    return [head[:3] for head in ends(*layers, **settings).heads]


SOFTMAX = (fc(), layer("Softmax", "fc", "p"))
PAIR = (*SOFTMAX, fc("gc"), layer("Softmax", "gc", "q"))
TWO = (fc("age", 5), layer("Softmax", "age", "p_age"), fc("sex", 2), layer("Softmax", "sex", "p_sex"))


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        (list(SOFTMAX), [("fc", "p", None)]),
        ([fc(), layer("Sigmoid", "fc", "p")], [("fc", "p", 2)]),
        ([fc(), layer("Sigmoid", "fc", "fc", name="s")], [(None, "fc", 2)]),
        ([*SOFTMAX, layer("Reshape", "p", "r", shape={"dim": [0, 1, 3]})], [("fc", "p", None)]),
        (list(TWO), [("sex", "p_sex", None), ("age", "p_age", None)]),
        # a detector's boxes are no classes, and a Sigmoid beside a Softmax comes after it
        ([fc(), fc("box", 4), layer("Softmax", "fc", "p")], [("fc", "p", None)]),
        ([*TWO[:2], fc("sex", 2), layer("Sigmoid", "sex", "p")], [("age", "p_age", None), ("sex", "p", 2)]),
        # a gate and a weighting inside of a net are no outputs
        ([layer("Sigmoid", "conv", "gate"), fc(bottom="gate")], [("fc", "prob", None)]),
        ([layer("Softmax", "conv", "p"), fc(bottom="p"), layer("Softmax", "fc", "q")], [("fc", "q", None)]),
        ([layer("Sigmoid", "conv", "gate"), layer("Eltwise", "conv gate", "out", operation="PROD")], [(None,) * 3]),
        ([*SOFTMAX, layer("Power", "p", "percent", scale=100)], [("fc", "p", None)]),
        # the mean of two Softmaxes is the output, a weighted one too, and what else comes of them is none of these
        ([*PAIR, layer("Eltwise", "p q", "mean", coeff=[0.5, 0.5])], [(None, "mean", None)]),
        ([*PAIR, layer("Eltwise", "p q", "mean", coeff=[0.9, 0.1]), *TWO], [("sex", "p_sex", None),
             (None, "mean", None), ("age", "p_age", None)]),
        ([*PAIR, layer("Eltwise", "p q", "sum"), *TWO], [("sex", "p_sex", None), ("age", "p_age", None)]),
        ([*PAIR, layer("Eltwise", "p fc", "sum", coeff=[0.5, 0.5])], [("gc", "q", None), ("fc", "p", None)]),
        # what is looked at beside the output
        ([*SOFTMAX, layer("ArgMax", "p", "top")], [("fc", "p", None)]),
        ([fc(), layer("ArgMax", "fc", "top"), layer("Silence", "top", "", name="silence")], [("fc", "prob", None)]),
        # per place, over an axis of its own
        ([layer("Softmax", "conv", "p", axis=2)], [("conv", "p", 4)]),
    ],
)  # fmt: skip
def test_outputs(layers: list[Layer], wanted: list[Any]) -> None:
    assert heads(*layers) == wanted


@pytest.mark.parametrize(
    ("layers", "wanted", "note"),
    [
        ([fc()], [("fc", "prob", None)], "'fc', so it is taken for logits, and their softmax is blob 'prob'"),
        ([], [("conv", "prob", None)], "output 'conv', so it is taken for logits"),
        (
            [layer("Pooling", "conv", "pool", pool="AVE", global_pooling=True), layer("Flatten", "pool", "flat")],
            [("flat", "prob", None)],
            "output 'flat', so it is taken for logits",
        ),
        ([fc("prob"), layer("Dropout", "prob", "out")], [("out", "out_prob", None)], "softmax is blob 'out_prob'"),
        ([fc("age", 5), fc("sex", 2)], [("sex", "sex_prob", None), ("age", "age_prob", None)], "'sex' and 'age', .*"
             "blob 'sex_prob' and 'age_prob'"),
        ([fc(count=1)], [("fc", None, None)], r"'fc' \(1\) is not known to hold logits"),
        ([fc(), layer("ReLU", "fc", "fc", name="relu")], [(None, None, None)], "are explained as they are"),
        (list(TWO), [("sex", "p_sex", None), ("age", "p_age", None)], r"'p_age' \(5\), 'p_sex' \(2\): 'p_sex' is"),
        (
            [fc(count=1), layer("Softmax", "fc", "p")],
            [("fc", "p", None)],
            "'p' is the softmax of one value, which is always 1.* want --output-blob fc --output-is sigmoid",
        ),
        ([*PAIR, layer("Eltwise", "p q", "sum")], [(None,) * 3], r"'sum' \(3\) is not known to hold"),
        ([fc(), layer("Reduction", "fc", "sum", axis=1)], [("sum", None, None)], r"'sum' \(1\) is not known to hold"),
    ],
)  # fmt: skip
def test_what_is_decided_is_said(layers: list[Layer], wanted: list[Any], note: str) -> None:
    found = ends(*layers)
    assert [head[:3] for head in found.heads] == wanted
    assert re.search(note, found.notes[0])
    assert len(found.notes) == (2 if "and 'age'" in note else 1)


@pytest.mark.parametrize(
    ("holds", "output_is", "wanted", "note"),
    [
        ("activation", None, (None, None, None), r"'fc' \(3\) holds no classes, as its loss says, so its values"),
        ("scores", None, ("fc", None, None), r"'fc' \(3\) holds scores of which its loss makes no probabilities"),
        ("scores", "logits", ("fc", "prob", None), None),
    ],
)
def test_what_a_loss_says_of_its_bottom(holds: str, output_is: Any, wanted: Any, note: Any) -> None:
    """A regression's values get no softmax; the scores of a hinge loss do if somebody says so."""
    found = find_ends(resolve(net(SHAPE, CONV, fc())), None, output_is, {"fc": holds})
    assert [head[:3] for head in found.heads] == [wanted]
    assert re.search(note, *found.notes) if note else not found.notes


def test_a_file_tells_what_its_loss_says(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "d" type: "Data" top: "data" top: "label" transform_param { crop_size: 5 } }'
        'layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 3 } }'
        'layer { name: "loss" type: "HingeLoss" bottom: "fc" bottom: "label" top: "loss" }'
    )
    assert plan(tmp_path / "net.prototxt", NetSettings())[1].heads == (Head("fc"),)


@pytest.mark.parametrize(
    ("layers", "output", "output_is", "wanted"),
    [
        ([fc()], None, "logits", ("fc", "prob", None)),
        ([fc()], None, "sigmoid", ("fc", "prob", 2)),
        ([fc()], None, "probabilities", (None, "fc", None)),
        ([fc(count=1)], None, "probabilities", (None, "fc", 2)),
        ([fc(count=1)], None, "sigmoid", ("fc", "prob", 2)),
        ([fc()], None, "activation", ("fc", None, None)),
        ([fc(), layer("Sigmoid", "fc", "p")], None, "sigmoid", ("fc", "p", 2)),
        (SOFTMAX, None, "probabilities", ("fc", "p", None)),
        (SOFTMAX, "p", None, ("fc", "p", None)),
        (SOFTMAX, "fc", None, ("fc", "p", None)),
        (SOFTMAX, "fc", "logits", ("fc", "p", None)),
        (SOFTMAX, "fc", "sigmoid", ("fc", "prob", 2)),
        (SOFTMAX, "fc", "activation", ("fc", None, None)),
        (TWO, "p_age", None, ("age", "p_age", None)),
        (TWO, "age", "logits", ("age", "p_age", None)),
    ],
)
def test_what_is_said_of_an_output(layers: Any, output: Any, output_is: Any, wanted: Any) -> None:
    found = ends(*layers, output=output, output_is=output_is)
    assert found.heads[0][:3] == wanted
    assert not found.notes
    assert len(found.heads) == (2 if layers is TWO else 1)


@pytest.mark.parametrize(
    ("layers", "output", "output_is", "error", "words"),
    [
        (SOFTMAX, None, "logits", SettingsError, r"'p' holds .* that layer 'p' \(Softmax\) makes.*--output-blob fc"),
        (SOFTMAX, "p", "sigmoid", SettingsError, "was to hold sigmoid: leave out --output-is"),
        ([fc(count=1)], None, "logits", SettingsError, "holds one logit, whose softmax is always 1"),
        ([fc()], None, "softmax", SettingsError, "output_is = 'softmax' is unknown: want one of logits, sigmoid"),
        ([fc()], "fc8", None, BlobError, "no blob 'fc8'. Near names: fc"),
        ([fc()], "sigmoid", None, BlobError, "What a blob holds is said by --output-is sigmoid"),
    ],
)  # fmt: skip
def test_what_contradicts_the_net(layers: Any, output: Any, output_is: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        ends(*layers, output=output, output_is=output_is)


def test_the_published_nets_end_as_ever(models: Path) -> None:
    for name, scores in (("alexnet", "fc8"), ("googlenet", "loss3/classifier"), ("vgg16", "fc8")):
        resolved = resolve(read_prototxt(models / f"{name}.prototxt"))
        assert find_ends(resolved) == own_ends(resolved)
        assert own_ends(resolved).heads == (Head(scores, "prob"),)
