"""Caffe's messages in a pool of our own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.places import DATA, ROOT

from predicdiff.nets.caffe.schema import file_descriptor, message_class, v1_types

OTHER_CAFFE = """
from google.protobuf import descriptor_pb2, descriptor_pool
other = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
for name in ("NetParameter", "LayerParameter", "BlobProto"):
    other.message_type.add(name=name).field.add(name="name", number=7, label=1, type=5)
descriptor_pool.Default().AddSerializedFile(other.SerializeToString())
"""

READ = """
from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.caffe.prototxt import read_prototxt
net = read_prototxt("tiny_v1.prototxt")
assert net.inputs == {"data": (3, 24, 24)} and len(net.layers) == 11
assert list(read_caffemodel("tiny_v1.caffemodel")) == ["conv1", "conv2a", "conv2b", "fc"]
"""

CHECK = """
found = descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
assert [field.number for field in found.fields] == [7]
"""


@pytest.mark.parametrize("order", [(OTHER_CAFFE, READ, CHECK), (READ, OTHER_CAFFE, CHECK)], ids=["after", "before"])
def test_lives_beside_another_caffe_in_the_default_pool(order: tuple[str, ...]) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + "".join(order)
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=str(DATA), stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def test_numbers_and_names_are_unique_and_types_are_there() -> None:
    file = file_descriptor()
    messages = [message.name for message in file.message_type]
    assert len(set(messages)) == len(messages)
    for message in file.message_type:
        for column in ("name", "number"):
            entries = [getattr(field, column) for field in message.field]
            assert len(set(entries)) == len(entries), message.name
        message_class(message.name)()


def test_both_formats_have_the_same_parameters_under_other_numbers() -> None:
    messages = {message.name: message for message in file_descriptor().message_type}
    v1 = {field.name: field.type_name for field in messages["V1LayerParameter"].field if field.name.endswith("_param")}
    v2 = {field.name: field.type_name for field in messages["LayerParameter"].field}
    assert v1.items() <= v2.items()


def test_v1_types() -> None:
    types = v1_types()
    assert sorted(types)[:-1] == list(range(40))  # and one that forks have
    assert len(set(types.values())) == 41
    assert [types[n] for n in (0, 4, 8, 9, 11, 14, 15, 18, 21, 23, 26, 27, 33, 39)] == [
        *("", "Convolution", "Flatten", "HDF5Data", "Im2col", "InnerProduct", "LRN", "ReLU", "SoftmaxWithLoss", "TanH"),
        *("Power", "SigmoidCrossEntropyLoss", "Slice", "Deconvolution"),
    ]
