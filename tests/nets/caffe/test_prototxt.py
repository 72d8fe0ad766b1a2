"""Net definitions (prototxt) -> plain records."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from helpers.places import DATA
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import FormatError, LayerError
from predicdiff.nets.caffe.prototxt import parse_file, parse_prototxt, read_prototxt
from predicdiff.nets.caffe.records import Layer
from predicdiff.nets.caffe.schema import PACKAGE, file_descriptor

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'

TINY = [
    (
        "conv1",
        "Convolution",
        "data",
        "conv1",
        {"convolution_param": {"num_output": 8, "kernel_size": [5], "stride": [2]}},
    ),
    ("relu1", "ReLU", "conv1", "conv1", {}),
    ("norm1", "LRN", "conv1", "norm1", {"lrn_param": {"local_size": 3, "alpha": 0.05, "beta": 0.75}}),
    ("pool1", "Pooling", "norm1", "pool1", {"pooling_param": {"pool": "MAX", "kernel_size": 3, "stride": 2}}),
    (
        *("conv2a", "Convolution", "pool1", "conv2a"),
        {"convolution_param": {"num_output": 6, "pad": [1], "kernel_size": [3], "group": 2}},
    ),
    ("conv2b", "Convolution", "pool1", "conv2b", {"convolution_param": {"num_output": 4, "kernel_size": [1]}}),
    ("cat", "Concat", "conv2a conv2b", "cat", {}),
    ("pool2", "Pooling", "cat", "pool2", {"pooling_param": {"pool": "AVE", "kernel_size": 3, "stride": 2, "pad": 1}}),
    ("drop", "Dropout", "pool2", "pool2", {"dropout_param": {"dropout_ratio": 0.5}}),
    ("fc", "InnerProduct", "pool2", "fc", {"inner_product_param": {"num_output": 5}}),
    ("prob", "Softmax", "fc", "prob", {}),
]


def layer_of(text: str) -> Layer:
    (layer,) = parse_prototxt(INPUT + text, "net.prototxt").layers
    return layer


def refused(text: str, message: str, error: type[Exception] = FormatError) -> None:
    with pytest.raises(error, match=f"^net.prototxt: {message}"):
        parse_prototxt(text, "net.prototxt")


# ---------------------------------------------------------------------------------------------- layers


def test_tiny_net_comes_out_in_the_words_of_v2() -> None:
    net = read_prototxt(DATA / "tiny_v1.prototxt")
    assert net.name == "tiny"
    assert net.inputs == {"data": (3, 24, 24)}
    assert list(net.layers) == [
        Layer(name, kind, tuple(bottoms.split()), tuple(tops.split()), params)
        for name, kind, bottoms, tops, params in TINY
    ]


def test_v1_and_v2_read_the_same() -> None:
    body = '"p" bottom: "data" top: "p" pooling_param { pool: AVE kernel_size: 2 }'
    old = layer_of(f"layers {{ type: POOLING name: {body} blobs_lr: 1 blobs_lr: 2 weight_decay: 0 }}")
    new = layer_of(f'layer {{ type: "Pooling" name: {body} param {{ lr_mult: 1 }} param {{ lr_mult: 2 }} }}')
    assert old == new == Layer("p", "Pooling", ("data",), ("p",), {"pooling_param": {"pool": "AVE", "kernel_size": 2}})


@pytest.mark.parametrize("kind", ["layer", "layers"])
def test_a_type_in_quotes_means_the_new_format(kind: str) -> None:
    text = f"{kind} {{ name: 'a' type: 'TanH' bottom: 'data' }} layers {{ name: 'b' type: 'Softmax' bottom: 'a' }}"
    assert parse_prototxt(INPUT + text, "net") == parse_prototxt(INPUT + text.replace("layers", "layer"), "net")


@pytest.mark.parametrize(
    ("params", "names"),
    [("param { name: 'w' } param { lr_mult: 1 }", ("w", "")), ("param { lr_mult: 1 }", ()), ("", ())],
)
def test_names_of_weights_that_layers_share(params: str, names: tuple[str, ...]) -> None:
    assert layer_of(f"layer {{ type: 'PReLU' {params} }}").shared == names
    old = params.replace("{ name: 'w' }", ": 'w'").replace("{ lr_mult: 1 }", ": ''")
    assert layer_of(f"layers {{ type: RELU {old} }}").shared == names


def test_only_the_fields_that_are_there() -> None:
    assert layer_of('layer { name: "r" type: "ReLU" }').params == {}
    assert layer_of('layer { name: "r" type: "ReLU" relu_param { } }').params == {"relu_param": {}}
    value_read = layer_of('layer { type: "ReLU" relu_param { negative_slope: 0 engine: CAFFE } }').params
    assert value_read == {"relu_param": {"negative_slope": 0.0, "engine": "CAFFE"}}


def test_values_are_plain_and_as_written() -> None:
    params = layer_of(
        """layer {
          type: "Eltwise"  # a comment
          eltwise_param { operation: SUM, coeff: 1; coeff: -.1 }
          lrn_param { alpha: 1e-4 beta: 0.75 k: inf norm_region: 1 }
          reshape_param { shape { dim: 0 dim: -1 } axis: -1 }
          inner_product_param { bias_term: false transpose: 1 weight_filler { type: 'xavier' std: 0.01 } }
          convolution_param { kernel_size: [3, 5] dilation: 0x2 }
        }"""
    ).params
    assert params == {
        "eltwise_param": {"operation": "SUM", "coeff": [1.0, -0.1]},
        "lrn_param": {"alpha": 0.0001, "beta": 0.75, "k": float("inf"), "norm_region": "WITHIN_CHANNEL"},
        "reshape_param": {"shape": {"dim": [0, -1]}, "axis": -1},
        "inner_product_param": {
            **{"bias_term": False, "transpose": True},
            "weight_filler": {"type": "xavier", "std": 0.01},
        },
        "convolution_param": {"kernel_size": [3, 5], "dilation": [2]},
    }
    assert type(params["convolution_param"]["kernel_size"]) is list
    assert type(params["inner_product_param"]["bias_term"]) is bool


TEXTS = {
    "TYPE_STRING": ("'a'", "a"),
    "TYPE_FLOAT": ("0.1", 0.1),
    "TYPE_BOOL": ("true", True),
    "TYPE_INT32": ("-7", -7),
    "TYPE_INT64": ("-7", -7),
    "TYPE_UINT32": ("7", 7),
}


@pytest.mark.parametrize("version", ["V1LayerParameter", "LayerParameter"])
def test_every_field_of_every_layer_can_be_read(version: str) -> None:
    messages = {message.name: message for message in file_descriptor().message_type}
    for param in messages[version].field:
        if not param.name.endswith("_param"):
            continue
        text, wanted = _full(messages, messages[param.type_name.rpartition(".")[2]])
        kind = "layers { type: POWER" if version == "V1LayerParameter" else 'layer { type: "Power"'
        assert layer_of(f"{kind} {param.name} {{ {text} }} }}").params == {param.name: wanted}


def _full(messages: dict[str, Any], message: Any) -> tuple[str, dict[str, Any]]:
    """Text with every field of a message, and what should be read from it."""
    texts: list[str] = []
    wanted: dict[str, Any] = {}
    for field in message.field:
        kind = field.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[field.type].name
        if kind == "TYPE_MESSAGE":
            inner, value = _full(messages, messages[field.type_name.rpartition(".")[2]])
            texts.append(f"{field.name} {{ {inner} }}")
        elif kind == "TYPE_ENUM":
            (enum,) = [enum for enum in message.enum_type if field.type_name.endswith(f".{enum.name}")]
            value = enum.value[-1].name
            texts.append(f"{field.name}: {value}")
        else:
            text, value = TEXTS[kind]
            texts.append(f"{field.name}: {text}")
        wanted[field.name] = [value] if field.label == field.LABEL_REPEATED else value
    return " ".join(texts), wanted


@given(st.floats(width=32, allow_nan=False))
def test_floats_are_the_same_in_single_precision(value: float) -> None:
    (value_read,) = (
        layer_of(f"layer {{ type: 'Power' power_param {{ shift: {value!r} }} }}").params["power_param"].values()
    )
    assert np.float32(value_read) == value


@pytest.mark.parametrize(
    ("rules", "there"),
    [
        ("", True),
        ("include { phase: TRAIN }", False),
        ("include { phase: TEST }", True),
        ("include { phase: TRAIN } include { phase: TEST }", True),
        ("exclude { phase: TRAIN }", True),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TRAIN } exclude { }", False),
        ("include { min_level: 1 }", False),
        ("include { min_level: 0 max_level: 0 }", True),
        ("include { max_level: -1 }", False),
        ("include { stage: 'deploy' }", True),
        ("include { stage: 'deploy' stage: 'val' }", False),
        ("include { not_stage: 'deploy' }", False),
        ("include { not_stage: 'val' phase: TEST }", True),
    ],
)
@pytest.mark.parametrize("layer", ["layer { type: 'ReLU'", "layers { type: RELU"])
def test_layers_that_are_there_in_phase_test(layer: str, rules: str, there: bool) -> None:
    net = parse_prototxt(f"{INPUT} state {{ stage: 'deploy' phase: TRAIN level: 5 }} {layer} {rules} }}", "net")
    assert len(net.layers) == there


# ---------------------------------------------------------------------------------------------- inputs


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        (INPUT, {"data": (3, 8, 8)}),
        ('input: "a" input: "b" ' + "input_dim: 2 " * 8, {"a": (2, 2, 2), "b": (2, 2, 2)}),
        ('input: "a" input_shape { dim: 10 dim: 4 }', {"a": (4,)}),
        ('input: "a" input_shape { dim: 1 dim: 2 } input_dim: 5', {"a": (2,)}),
        ('layer { type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 5 dim: 7 } } }', {"x": (3, 5, 7)}),
        ('layer { type: "Input" top: "x" top: "y" input_param { shape { dim: 1 dim: 3 } } }', {"x": (3,), "y": (3,)}),
        (
            'layer { type: "Input" top: "x" top: "y" input_param { shape { dim: 1 dim: 3 } shape { dim: 1 } } }',
            {"x": (3,), "y": ()},
        ),
        (
            INPUT + 'layer { type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }',
            {"data": (3, 8, 8), "x": (3,)},
        ),
    ],
)
def test_inputs_without_the_batch_axis(text: str, inputs: dict[str, Any]) -> None:
    net = parse_prototxt(text, "some/net.prototxt")
    assert (net.name, net.inputs, net.layers) == ("net", inputs, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('input: "a"', r"input 'a' has no shape: give it, such as --input-shape 3,224,224"),
        ('input: "a" input_dim: 1', "has 1 input_dim, want 4 for each input"),
        ('input: "a" input_shape { dim: 1 } input_shape { dim: 1 }', r"has 1 inputs \['a'\], and 2 shapes"),
        ('input: "a" input_shape { }', r"input 'a' has shape \(\), want at least one axis"),
        ('input: "a" input_shape { dim: 1 dim: 0 }', r"input 'a' has shape \(1, 0\), want .* no size of 0"),
        ('input: "a" input_shape { dim: 1 dim: -3 }', r"input 'a': shape \(1, -3\), want sizes of at least 0"),
        ('input: "a" input_shape { dim: 1 dim: 2147483648 }', r"input 'a': shape .* at most 2\^31 - 1 elements"),
        ('input: "a" input_shape { dim: 65536 dim: 32768 }', r"input 'a': shape .* at most 2\^31 - 1 elements"),
        (INPUT + 'layer { type: "Input" top: "data" input_param { shape { dim: 1 } } }', "input 'data' is there twice"),
        ('layer { name: "in" type: "Input" top: "a" }', r"layer 'in' of type Input has tops \['a'\] and 0 shapes"),
        (
            'layer { name: "in" type: "Input" input_param { shape { dim: 1 } } }',
            r"layer 'in' of type Input has tops \[\]",
        ),
        ("", "has no input: want a layer of type Input"),
        ("layer { type: 'ReLU' }", "has no input: want a layer of type Input"),
        ("layer { name: 'd' type: 'Data' }", r"layer 'd' \(Data\) reads its images .* no crop_size.*--input-shape 3,2"),
        ("layers { name: 'd' type: IMAGE_DATA }", r"layer 'd' \(ImageData\) reads its images from elsewhere"),
    ],
)
def test_inputs_that_are_none(text: str, message: str) -> None:
    refused(text, message)


# ---------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "layer {\n  type: 'Convolution'\n  convolution_param { kernal_size: 3 }\n}",
            'line 4, column 23: Message type "ConvolutionParameter" has no field named "kernal_size". Is it kernel',
        ),
        ("layer { tpye: 'ReLU' }", 'line 2, column 9: .* no field named "tpye". Is it type?'),
        ("layr { }", 'line 2, column 1: .* no field named "layr". Is it layer or layers'),
        ("net: 'a/train_val.prototxt'", "is a solver's prototxt: want the net's, a/train_val.prototxt, which it names"),
        ("base_lr: 1 train_net: 'a'", "is a solver's prototxt: want the net's, the definition that stands in it"),
        (
            "layers { name: 'a' type: TanH }",
            'line 2, .*`layer { }`, the new .* type: "TanH", .* old one, want type: TANH',
        ),
        ("layer { type: SOFTMAX_LOSS }", 'line 2, .*, want type: "SoftmaxWithLoss", in quotes'),
        ("layer { type: 'ReLU' relu_param { engine: GPU } }", "line 2, .*ReLUParameter.Engine"),
        ("layer { type: 'ReLU' ", "line 2, "),
        ("layer { type: ReLU }", "line 2, column 15: "),
        ("layer { name: 'a' name: 'b' }", 'line 2, .* should not have multiple "name" fields'),
        ("input_dim: 99999999999999999999", "line 2, .*99999999999999999999"),
        ("<html>", "line 2, column 1: "),
        ("layer { include { } exclude { } type: 'ReLU' name: 'a' }", "layer 'a' has include and exclude rules"),
        ("layer { type: 'ReLU' } layers { type: RELU }", "has `layer` and `layers`"),
        (
            "layers { layer { name: 'c' type: 'conv' num_output: 3 } }",
            "is of Caffe's first format .* upgrade_net_proto_text",
        ),
        (
            "layers { layer { name: 'c' type: 'conv' } top: 'c' }",
            "is of Caffe's first format .* upgrade_net_proto_text",
        ),
    ],
)
def test_what_caffe_refuses_too(text: str, message: str) -> None:
    refused(INPUT + text, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer { name: 'u' type: 'Upsample' upsample_param { scale: 2 } }", "layer 'u' is of type 'Upsample'"),
        (
            "layer { name: 'r' type: 'ROIPooling' roi_pooling_param { filler { type: 'a' } } }",
            "layer 'r' is of type 'ROIP",
        ),
        (
            "layer { name: 'n' type: 'Norm' } layer { type: 'ReLU' } layer { type: 'ReLU' x: 1 }",
            "layer 'n' is of type 'Norm'",
        ),
        ("layers { name: 'd' type: UPSAMPLE }", "layer 'd' is of type 'UPSAMPLE'"),
        ("layers { name: 'd' type: 40 }", "layer 'd' is of type '40'"),
    ],
)
def test_layers_of_another_caffe_are_named(text: str, message: str) -> None:
    refused(INPUT + text, message + ".*, which is not known here.*or --engine caffe, if", LayerError)


def another_caffes_net() -> Any:
    """An empty NetParameter of a Caffe whose layers have an ``odd_param`` too."""
    file = file_descriptor()
    file.message_type.add(name="OddParameter").field.add(name="times", number=1, label=1, type=5)
    (of_layers,) = [message for message in file.message_type if message.name == "LayerParameter"]
    of_layers.field.add(name="odd_param", number=999, label=1, type=11, type_name=f".{PACKAGE}.OddParameter")
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString().replace(PACKAGE.encode(), b"predicdiff.other"))
    descriptor = pool.FindMessageTypeByName("predicdiff.other.NetParameter")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)()
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)()


def test_fields_that_another_caffe_has() -> None:
    text = INPUT + "layer { name: 'o' type: 'Odd' bottom: 'data' top: 'o' odd_param { times: 3 } }"
    refused(text, "layer 'o' is of type 'Odd'", LayerError)
    file = parse_file(text, "net", other=another_caffes_net)
    assert file.spec.layers == (Layer("o", "Odd", ("data",), ("o",), {"odd_param": {"times": 3}}),)
    assert "odd_param {\n    times: 3" in file.text
    with pytest.raises(LayerError, match="layer 'o' is of type 'Odd'"):
        parse_file(text.replace("times", "often"), "net", other=another_caffes_net)


def test_layers_of_another_caffe_that_only_training_uses_are_not_blamed() -> None:
    text = "layer { name: 'x' type: 'MultiBoxLoss' include { phase: TRAIN } } layer { type: 'ReLU' y: 1 }"
    refused(INPUT + text, 'line 2, .* no field named "y"')


@pytest.mark.parametrize("text", ["layer { name: 'x' }", "layers { name: 'x' }", "layers { name: 'x' type: NONE }"])
def test_layers_without_a_type(text: str) -> None:
    refused(INPUT + text, "layer 'x' has no type", LayerError)


@pytest.mark.parametrize("brace", ["{", "layer {", "layers { layer {", "a { ", "a: [", "state { ", "[a.b] {", "a: <"])
def test_deep_nesting_ends_in_an_error(brace: str) -> None:
    limit = sys.getrecursionlimit()
    refused(INPUT + brace * 100_000, "(line|is of)")
    assert sys.getrecursionlimit() == limit


def test_a_long_line_is_not_repeated_in_the_message() -> None:
    with pytest.raises(FormatError, match="line 1, ") as error:
        parse_prototxt("input_dim: " + "9" * 100_000, "net")
    assert len(str(error.value)) < 400


# ---------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "want a prototxt, found an empty file"),
        (
            (DATA / "tiny_v1.caffemodel").read_bytes(),
            r"want a prototxt, found a binary file \(are these the weights\?\)",
        ),
        ((DATA / "tiny.caffemodel.h5").read_bytes(), "want a prototxt, found an HDF5 file"),
        (b"<!DOCTYPE html>\n<html>", "want a prototxt, found a web page: the download went wrong"),
        (b"version https://git-lfs.github.com/spec/v1\n", "want a prototxt, found a Git LFS pointer"),
        (INPUT.encode("utf-16"), "want a prototxt, found a binary file"),
        (INPUT.encode() + b'layer { type: "ReLU" name: "\xe9" }', "line 2, "),
        (b"Not Found\n", "line 1, "),
        (b"#" * (2**21 + 1), "want a prototxt, found 2,097,153 bytes of text"),
        (INPUT.encode() + b"layer { name: '" + b"\\" * 10**6 + b"' }", "has 100 backslashes in a row"),
        (INPUT.encode() + b"layer { name: '" + b'\\"' * 10**6, "line 2, "),
        (b"layer { type: 'A' a " + b"{ a " * 10**5 + b"} " * 10**5 + b"}", "layer '' is of type 'A'"),
        (b"net: 'a'" + b"\n" * 10**6 + b"base_lr: 1", "is a solver's prototxt: want the net's, a, which it names"),
    ],
    ids=[
        "empty",
        "weights",
        "hdf5",
        "html",
        "lfs",
        "utf-16",
        "latin-1",
        "text",
        "long",
        "backslashes",
        "quotes",
        "deep",
        "solver",
    ],
)
def test_no_prototxt(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"net\.prototxt: {message}"):
        read_prototxt(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none\.prototxt: want a prototxt, found no such file"):
        read_prototxt(tmp_path / "none.prototxt")
    with pytest.raises(FormatError, match="a folder, want the path of a file"):
        read_prototxt(str(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_comments_and_line_ends_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(f"# \xe9t\xe9\r\n{INPUT}\r\nlayer {{ type: 'ReLU' name: 'a' }}\r\n".encode(encoding))
    assert [layer.name for layer in read_prototxt(path).layers] == ["a"]


def test_names_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(f"{INPUT} layer {{ type: 'ReLU' name: '\u5377\u79ef' }}".encode())
    assert read_prototxt(path).layers[0].name == "\u5377\u79ef"
