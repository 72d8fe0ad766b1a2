"""Of a net in training comes the deploy net that a person would write: what goes, stays, and takes its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.engines import ENGINES, needed

from predicdiff.errors import FormatError, InputWarning, WeightsError
from predicdiff.nets.caffe.caffemodel_writer import caffemodel
from predicdiff.nets.caffe.prototxt import parse_file, parse_prototxt, read_training_images
from predicdiff.nets.caffe.resolved import resolve
from predicdiff.nets.caffe.transformer import caffe_preprocessing
from predicdiff.nets.zoo import load_net

DATA = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mirror: true crop_size: 12 mean_value: 1 } data_param { source: "a" batch_size: 64 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 8 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 mirror: true }
  data_param { source: "b" batch_size: 10 backend: LMDB } }
"""
INPUT = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }'
CONV = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" include { phase: TRAIN } }
"""
FC = 'layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 3 } }'
SIDE = FC.replace('"fc"', '"side"')
NORM = 'layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { eps: 0.001 } }'
PROB = 'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }'


def end(kind: str, bottoms: str = "fc label", name: str = "end", more: str = "") -> str:
    read = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}" {read} top: "{name}" {more} }}'


ACCURACY = end("Accuracy", name="top-1", more="include { phase: TEST }")
LOSS = end("SoftmaxWithLoss", name="loss")


@pytest.mark.parametrize(
    ("training", "deploy"),
    [
        (FC + ACCURACY + LOSS, FC + PROB),
        (FC + LOSS + end("ArgMax", "fc", "am") + end("Silence", "label", "hush").replace('top: "hush"', ""), FC + PROB),
        (FC + end("SigmoidCrossEntropyLoss"), FC + PROB.replace("Softmax", "Sigmoid")),
        (FC + end("InfogainLoss"), FC + PROB),
        (FC + end("SoftmaxWithLoss", more="softmax_param { axis: -1 } loss_param { ignore_label: 9 }"),
         FC + PROB.replace(" }", " softmax_param { axis: -1 } }")),
        # what says nothing of probabilities goes, and nothing comes
        (FC + end("HingeLoss") + ACCURACY, FC),
        (FC + end("EuclideanLoss", "label fc"), FC),
        (FC + PROB + end("MultinomialLogisticLoss", "prob label"), FC + PROB),
        (FC + PROB + end("InfogainLoss", "prob label"), FC + PROB),
        (FC + PROB + end("Accuracy", "prob label"), FC + PROB),
        (FC + PROB + end("HDF5Output", "prob label", "file").replace('top: "file"', ""), FC + PROB),
        # they are there already
        (FC + LOSS + PROB + end("Accuracy", "prob label", "top-1"), FC + PROB),
        # a loss of TRAIN alone says what the answer is, where TEST has none
        (FC + ACCURACY + LOSS.replace("top:", "include { phase: TRAIN } top:"), FC + PROB),
        # heads on the side go with all that only they need, whether they are in TRAIN alone or not
        (SIDE + end("SoftmaxWithLoss", "side label", "loss1", "loss_weight: 0.3") + end("Accuracy", "side label", "top")
         + FC + LOSS + ACCURACY, FC + PROB),
        (SIDE.replace("top:", "include { phase: TRAIN } top:")
         + end("SoftmaxWithLoss", "side label", "loss1", "include { phase: TRAIN }") + FC + LOSS, FC + PROB),
        # of losses by the same labels the heaviest counts, of equal ones that which an accuracy goes with
        (FC + LOSS + SIDE + end("SoftmaxWithLoss", "side label", "loss1", "loss_weight: 0.3"), FC + PROB),
        (FC + end("HingeLoss") + SIDE + end("SoftmaxWithLoss", "side label", "loss1", "loss_weight: 0"), FC),
        (FC + LOSS + ACCURACY + SIDE + end("SoftmaxWithLoss", "side label", "loss1"), FC + PROB),
        (FC + LOSS + PROB + end("Accuracy", "prob label", "top-1") + SIDE
         + end("SoftmaxWithLoss", "side label", "loss1"), FC + PROB),
        # a feature that another loss is about
        (SIDE + FC + LOSS + end("CenterLoss", "side label", "centre"), FC + PROB),
        # two answers to two questions
        ('layer { name: "labels" type: "Slice" bottom: "label" top: "age" top: "sex" }' + SIDE + FC
         + end("SoftmaxWithLoss", "side age", "loss1") + end("SoftmaxWithLoss", "fc sex", "loss2"),
         SIDE + FC + PROB.replace('"fc"', '"side"').replace('"prob"', '"side_prob"')
         + PROB.replace('"prob"', '"fc_prob"')),
        # statistics of the batch, of which a net in use has none
        (NORM.replace("}", "use_global_stats: false }", 1) + FC + LOSS, NORM + FC + PROB),
        # the name is taken
        (FC.replace('"fc"', '"prob"') + end("SoftmaxWithLoss", "prob label", "loss"),
         FC.replace('"fc"', '"prob"') + PROB.replace('"prob"', '"loss"').replace('"fc"', '"prob"')),
    ],
)  # fmt: skip
def test_ends(training: str, deploy: str) -> None:
    made, wanted = parse_prototxt(DATA + CONV + training, "net"), parse_prototxt(INPUT + CONV + deploy, "net")
    assert (made.inputs, made.layers) == (wanted.inputs, wanted.layers)


SUM = 'layer { name: "sum" type: "Eltwise" bottom: "side" bottom: "fc" top: "sum" }'


@pytest.mark.parametrize(
    ("output", "deploy"),
    [
        (None, FC + PROB),
        ("fc", FC + PROB),
        ("side", SIDE + PROB.replace('"fc"', '"side"')),
        ("sum", SIDE + FC + SUM),
        ("loss", FC + PROB),
    ],
)
def test_a_blob_that_is_wished_for_stays(output: str | None, deploy: str) -> None:
    """A judged one with the probabilities of its own loss, in place of the loss that counts."""
    aside = SIDE + end("SoftmaxWithLoss", "side label", "loss1", "loss_weight: 0.3")
    text = DATA + CONV + aside + FC + LOSS + SUM + end("Accuracy", "sum label", "top-1")
    made = parse_file(text, "net", output=output)
    assert made.spec.layers == parse_prototxt(INPUT + CONV + deploy, "net").layers
    counts = {
        "side": "loss1 counts, and not loss (of fc, weight 1), top-1 (of sum)",
        "sum": "top-1 counts, and not loss1 (of side, weight 0.3), loss (of fc, weight 1)",
    }
    assert counts.get(str(output), "loss counts, and not loss1 (of side, weight 0.3), top-1 (of sum)") in made.done


def test_statistics_of_the_batch_are_none_of_a_net_in_use() -> None:
    """In a deploy prototxt as in one of training, each of which says so."""
    norm = NORM.replace("}", "use_global_stats: false }", 1)
    for text in (INPUT + CONV + norm + FC + PROB, DATA + CONV + norm + FC + LOSS):
        made = parse_file(text, "net")
        assert made.spec.layers == parse_prototxt(INPUT + CONV + NORM + FC + PROB, "net").layers
        assert made.done.endswith("those of training, not of the batch as use_global_stats: false says, in norm")


@pytest.mark.parametrize(
    ("training", "holds"),
    [
        (FC + LOSS, {}),
        (FC + end("HingeLoss"), {"fc": "scores"}),
        (FC + end("EuclideanLoss", "label fc"), {"fc": "activation"}),
        (FC + end("EuclideanLoss", more="include { phase: TRAIN }"), {"fc": "activation"}),
        (FC + PROB + end("EuclideanLoss", "prob label"), {}),
        (SIDE + FC + end("ContrastiveLoss", "side fc label"), {"side": "activation"}),
        (SIDE + FC + LOSS + end("SmoothL1Loss", "side place"), {"side": "activation"}),
    ],
)
def test_what_losses_say_of_what_they_judge(training: str, holds: dict[str, str]) -> None:
    assert parse_file(DATA + CONV + training, "net").holds == holds


def test_a_loss_without_a_data_layer_and_an_input_that_nothing_reads() -> None:
    """As some deploy nets are: the label is one more input."""
    text = INPUT.replace('top: "data"', 'top: "data" top: "label"') + CONV + FC
    wanted = parse_prototxt(INPUT + CONV + FC + PROB, "net")
    assert parse_prototxt(text + PROB, "net") == wanted
    assert parse_prototxt(text + LOSS, "net") == wanted


def test_an_input_without_a_shape() -> None:
    wanted = parse_prototxt(INPUT + CONV, "net")
    assert parse_prototxt('input: "data"' + INPUT + CONV, "net") == wanted
    assert parse_file('input: "data" input: "label"' + CONV, "net", (3, 8, 8)).spec == wanted
    with pytest.raises(FormatError, match=r"^net: input 'data' has the shape \(3, 8, 8\), not \(3, 9, 9\): leave out"):
        parse_file(INPUT + CONV, "net", (3, 9, 9))


OLD = """
layers { name: "data" type: DATA top: "data" top: "label" data_param { source: "a" crop_size: 8 scale: 0.5 } }
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "conv" top: "fc" inner_product_param { num_output: 3 } }
"""


def test_the_old_format() -> None:
    made = parse_file(
        OLD + 'layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc" bottom: "label" top: "loss" }', "net"
    )
    assert made.spec.inputs == {"data": (3, 8, 8)}
    assert [(layer.name, layer.type) for layer in made.spec.layers][-2:] == [
        ("fc", "InnerProduct"),
        ("prob", "Softmax"),
    ]
    assert made.images is not None
    assert made.images.scale == 0.5
    assert parse_prototxt(made.text, "net") == made.spec
    sigmoid = parse_prototxt(
        OLD + 'layers { name: "l" type: SIGMOID_CROSS_ENTROPY_LOSS bottom: "fc" bottom: "label" }', "net"
    )
    assert sigmoid.layers[-1].type == "Sigmoid"


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ('"ImageData" transform_param { crop_size: 5 } image_data_param { new_height: 7 new_width: 9 }', (3, 5, 5)),
        ('"ImageData" image_data_param { new_height: 7 new_width: 9 is_color: false }', (1, 7, 9)),
        ('"WindowData" window_data_param { crop_size: 5 }', (3, 5, 5)),
        ('"Data" transform_param { crop_size: 5 force_gray: true }', (1, 5, 5)),
        ('"DummyData" dummy_data_param { shape { dim: 1 dim: 2 dim: 5 dim: 6 } shape { dim: 1 } }', (2, 5, 6)),
        ('"DummyData" dummy_data_param { num: 1 channels: 2 height: 5 width: 6 }', (2, 5, 6)),
        ('"MemoryData" memory_data_param { channels: 2 height: 5 width: 6 }', (2, 5, 6)),
        ('"Data" include { stage: "train" } transform_param { crop_size: 5 }', (3, 5, 5)),
        ('"Data" include { phase: TRAIN } transform_param { crop_size: 5 }', (3, 5, 5)),
    ],
)
def test_what_data_layers_say_of_the_input(layer: str, shape: tuple[int, ...]) -> None:
    text = f'layer {{ name: "data" top: "data" top: "label" type: {layer} }}' + CONV
    assert parse_prototxt(text, "net").inputs == {"data": shape}
    assert parse_file(text, "net", (1, 6, 6)).spec.inputs == {"data": (1, 6, 6)}


@pytest.mark.parametrize("kind", ["Data", "HDF5Data", "Python"])
def test_what_they_do_not_say_is_asked_for(kind: str) -> None:
    text = f'layer {{ name: "read" type: "{kind}" top: "label" top: "data" }}' + CONV
    with pytest.raises(FormatError, match=rf"^net: layer 'read' \({kind}\) .* no crop_size.*--input-shape 3,224,224"):
        parse_prototxt(text, "net")
    assert parse_file(text, "net", [1, 6, 6]).spec.inputs == {"data": (1, 6, 6)}


def preprocessing(folder: Path, transform: str, kind: str = "Data", **settings: Any) -> Any:
    path = folder / "train_val.prototxt"
    path.write_text(f'layer {{ type: "{kind}" top: "data" transform_param {{ {transform} }} }}')
    return caffe_preprocessing(prototxt=path, **settings)


def test_images_are_prepared_as_in_training(tmp_path: Path) -> None:
    made = preprocessing(tmp_path, "mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.017 crop_size: 8")
    assert (list(made.mean), made.scale, made.view.size, made.channels) == ([104, 117, 123], 0.017, "caffe", "bgr")
    one = preprocessing(tmp_path, "mean_value: 127.5", scale=2.0)
    assert (list(one.settled((3, 4, 4)).mean), one.scale) == ([127.5] * 3, 2.0)
    assert preprocessing(tmp_path, "scale: 0.00390625").mean is None  # it says so by its silence
    assert list(preprocessing(tmp_path, "mean_value: 127.5", mean="1,2,3").mean) == [1, 2, 3]
    with pytest.warns(InputWarning, match="no mean was given"):  # of which it could not say anything
        preprocessing(tmp_path, "", "HDF5Data")


def test_a_mean_file_beside_the_prototxt(tmp_path: Path) -> None:
    with pytest.warns(InputWarning, match=r"the mean of .*train_val.prototxt, data/mean.npy, is not there. Give the"):
        preprocessing(tmp_path, 'mean_file: "data/mean.npy" crop_size: 8')
    np.save(tmp_path / "mean.npy", np.ones((1, 9, 10)))
    made = preprocessing(tmp_path, 'mean_file: "data/mean.npy" crop_size: 8')
    assert (np.shape(made.mean), made.view.size) == ((1, 9, 10), (9, 10))
    images = read_training_images(tmp_path / "train_val.prototxt")
    assert images is not None
    assert images.shape == (1, 8, 8)
    preprocessing(tmp_path, 'mean_file: "mean.npy"')
    images = read_training_images(tmp_path / "train_val.prototxt")
    assert images is not None
    assert images.shape == (1, 9, 10)


def test_fields_of_a_fork_in_layers_that_go() -> None:
    """What a fork says of its data and its losses changes nothing of the net; of another layer it is refused."""
    fork = 'layer { name: "x{" type: "NormFace" bottom: "fc" more_param { y: "}" } include { phase: TRAIN } } # {'
    data = DATA.replace("scale: 0.5", "scale: 0.5 resize_param < prob: 1 > # } {\n")
    loss = end("FocalLoss", "fc label", "focal", "focal_loss_param { gamma: 2 }")
    made = parse_prototxt(f"{data} {CONV} {FC} {fork}\n{LOSS} {loss}", "net")
    assert made == parse_prototxt(INPUT + CONV + FC + PROB, "net")
    with pytest.raises(FormatError, match=r'^net: line 9, .* "ConvolutionParameter" has no field named "odd"'):
        parse_prototxt(data + CONV.replace("num_output", "odd: 1 num_output") + FC + LOSS, "net")


def head(number: int, below: str) -> str:
    """A head of GoogLeNet's, as it stands in training: on the side of ``below``, with its loss and two accuracies."""
    name = f"loss{number}"
    conv = "convolution_param { num_output: 128 kernel_size: 1 }"
    return (
        f'layer {{ name: "{name}/ave_pool" type: "Pooling" bottom: "{below}" top: "{name}/ave_pool" '
        "pooling_param { pool: AVE kernel_size: 5 stride: 3 } }"
        f'layer {{ name: "{name}/conv" type: "Convolution" bottom: "{name}/ave_pool" top: "{name}/conv" {conv} }}'
        f'layer {{ name: "{name}/relu_conv" type: "ReLU" bottom: "{name}/conv" top: "{name}/conv" }}'
        f'layer {{ name: "{name}/classifier" type: "InnerProduct" bottom: "{name}/conv" top: "{name}/classifier" '
        "inner_product_param { num_output: 1000 } }"
    ) + losses(number)


def losses(number: int) -> str:
    name = f"loss{number}"
    judges = ("SoftmaxWithLoss", "loss", "loss_weight: 0.3"), ("Accuracy", "top-1", ""), ("Accuracy", "top-5", "")
    return "".join(end(kind, f"{name}/classifier label", f"{name}/{top}", more) for kind, top, more in judges)


def test_googlenets_heads_on_the_side(models: Path) -> None:
    deploy = (models / "googlenet.prototxt").read_text()
    text = DATA.replace("crop_size: 8", "crop_size: 224") + deploy[deploy.index('layer {\n  name: "conv1/7x7_s2"') :]
    for number, below in ((1, "inception_4a/output"), (2, "inception_4d/output")):
        where = text.index("layer {", text.index(f'top: "{below}"'))
        text = text[:where] + head(number, below) + text[where:]
    text = text[: text.rindex("layer {")] + losses(3)
    made = parse_file(text, "train_val")
    assert made.spec.layers == parse_prototxt(deploy, "deploy").layers
    assert made.done.endswith("left out: loss1/ave_pool, loss1/conv, loss1/relu_conv, loss1/classifier and 12 more")


@needed
@pytest.mark.parametrize("engine", ENGINES)
def test_weights_for_grey_images_say_so_where_the_data_layer_does_not(engine: str, tmp_path: Path) -> None:
    mnist = 'layer { name: "mnist" type: "Data" top: "data" top: "label" transform_param { crop_size: 8 } }'
    path, weights = tmp_path / "lenet.prototxt", tmp_path / "w.caffemodel"
    path.write_text(mnist + CONV + FC + LOSS)
    resolved = resolve(parse_file(path.read_text(), "net", (1, 8, 8)).spec)
    arrays = {step.layer.name: [np.ones(shape) for shape in step.shapes.weights] for step in resolved.steps}
    weights.write_bytes(b"".join(caffemodel(resolved, arrays)))
    asked: dict[str, Any] = {"weights": weights, "engine": engine, "device": "cpu"}
    with pytest.warns(InputWarning, match="an input of 1 x 8 x 8"):
        assert load_net(path, **asked).input_shape == (1, 8, 8)
    with pytest.raises(
        WeightsError, match=r"^.*lenet.prototxt: .* of 1 channel, .* given 3 channels: want --input-shape 1,8,8"
    ):
        load_net(path, **asked, input_shape=(3, 8, 8))
    with pytest.warns(InputWarning), pytest.raises(WeightsError, match=r"'fc' .* or the input's size that they were"):
        load_net(path, **asked, input_shape=(1, 9, 9))


@needed
@pytest.mark.parametrize("engine", ENGINES)
def test_another_head_on_request(engine: str, tmp_path: Path) -> None:
    path, weights = tmp_path / "train_val.prototxt", tmp_path / "w.caffemodel"
    path.write_text(DATA + CONV + SIDE + end("SoftmaxWithLoss", "side label", "end", "loss_weight: 0.3") + FC + LOSS)
    resolved = resolve(parse_prototxt(INPUT + CONV + SIDE, "net"))
    arrays = {step.layer.name: [np.ones(shape) for shape in step.shapes.weights] for step in resolved.steps}
    weights.write_bytes(b"".join(caffemodel(resolved, arrays)))
    with pytest.warns(InputWarning, match=r"end counts, and not loss \(of fc, weight 1\); left out: fc, loss; "):
        net = load_net(path, weights=weights, engine=engine, device="cpu", output="side")
    assert (net.scores, net.output) == ("side", "prob")
    assert (net.forward(np.zeros((1, 3, 8, 8), np.float32), ["prob"])["prob"] == np.float32(1 / 3)).all()


@needed
@pytest.mark.parametrize("engine", ENGINES)
def test_it_runs_as_the_deploy_net_does(engine: str, tmp_path: Path) -> None:
    training, deploy = DATA + CONV + SIDE + FC + end("SoftmaxWithLoss", "side label") + LOSS, INPUT + CONV + FC + PROB
    draw = np.random.default_rng(0).standard_normal
    resolved = resolve(parse_prototxt(deploy, "net"))
    weights = {step.layer.name: [draw(shape) for shape in step.shapes.weights] for step in resolved.steps}
    (tmp_path / "w.caffemodel").write_bytes(b"".join(caffemodel(resolved, weights)))
    nets = []
    for name, text in (("train_val", training), ("deploy", deploy)):
        path = tmp_path / f"{name}.prototxt"
        path.write_bytes(b"\xef\xbb\xbf# \xd6\xd0\n" + text.encode())
        if name == "train_val":
            wanted = (
                r"made of it: data \(Data\) becomes an input of 3 x 8 x 8; SoftmaxWithLoss becomes Softmax 'prob'; "
            )
            with pytest.warns(
                InputWarning, match=wanted + "loss counts, .*; left out: side, end; pixels are its inputs.$"
            ):
                nets.append(load_net(path, weights=tmp_path / "w.caffemodel", engine=engine, device="cpu"))
        else:
            nets.append(load_net(path, weights=tmp_path / "w.caffemodel", engine=engine, device="cpu"))
    x = draw((2, 3, 8, 8)).astype(np.float32)
    for blob in ("conv", "prob"):
        np.testing.assert_array_equal(nets[0].forward(x, [blob])[blob], nets[1].forward(x, [blob])[blob])
    gradients = [net.gradient(x[0], blob="fc", unit=1) for net in nets]
    np.testing.assert_array_equal(*gradients)
    assert nets[0].provenance["definition"] == nets[1].provenance["definition"]


def test_caffes_own_loss_is_of_these_probabilities(tmp_path: Path) -> None:
    """The net in training, run by Caffe with its labels: its loss is the mean of -log p."""
    caffe = pytest.importorskip("caffe")
    sizes = "memory_data_param { batch_size: 4 channels: 3 height: 8 width: 8 }"
    memory = f'layer {{ name: "data" type: "MemoryData" top: "data" top: "label" {sizes} }}'
    (tmp_path / "train.prototxt").write_text(memory + CONV + FC + ACCURACY + LOSS)
    trained = caffe.Net(str(tmp_path / "train.prototxt"), caffe.TEST)
    draw = np.random.default_rng(0).standard_normal
    for blobs in trained.params.values():
        for blob in blobs:
            blob.data[...] = draw(blob.data.shape) / 9  # so that no p is as small as Caffe rounds up
    trained.save(str(tmp_path / "w.caffemodel"))
    x, labels = draw((4, 3, 8, 8)).astype(np.float32), np.array([0, 2, 1, 1], np.float32)
    trained.set_input_arrays(x, labels)
    loss = float(trained.forward()["loss"])
    with pytest.warns(InputWarning, match="left out: top-1"):
        net = load_net(tmp_path / "train.prototxt", weights=tmp_path / "w.caffemodel", engine="caffe", device="cpu")
    prob = net.forward(x, ["prob"])["prob"]
    assert -np.log(prob[range(4), labels.astype(int)]).mean() == pytest.approx(loss, rel=1e-5)
