"""Caffemodels that are written: against bytes by hand, against files that Caffe wrote, and read by Caffe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import records
from helpers.caffe_bytes import floats, piece, shape
from helpers.places import DATA
from helpers.small_net import definition, weights

from predicdiff.errors import WeightsError
from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.caffe.caffemodel_writer import caffemodel
from predicdiff.nets.caffe.process import import_caffe
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.resolved import resolve


def test_the_bytes_are_those_of_the_wire_format() -> None:
    net, arrays = resolve(definition()), weights()
    layers = b""
    for name, kind, bottom in (("conv", "Convolution", "data"), ("fc", "InnerProduct", "conv")):
        texts = b"".join(piece(number, text.encode()) for number, text in enumerate((name, kind, bottom, name), 1))
        blobs = (piece(7, shape(blob.shape) + floats(blob.ravel())) for blob in arrays[name])
        layers += piece(100, texts + b"".join(blobs))
    assert b"".join(caffemodel(net, arrays)) == piece(1, net.name.encode()) + layers


def test_old_files_come_out_in_todays_format(tmp_path: Path) -> None:
    """What Caffe wrote in the old format, with shapes of four axes, gives what it wrote in the new one."""
    net = resolve(read_prototxt(DATA / "tiny_v1.prototxt"))
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"".join(caffemodel(net, read_caffemodel(DATA / "tiny_v1.caffemodel"))))
    written, wanted = read_caffemodel(path), read_caffemodel(DATA / "tiny_v2.caffemodel")
    assert list(written) == list(wanted)
    for layer, blobs in wanted.items():
        assert [blob.shape for blob in written[layer]] == [blob.shape for blob in blobs]
        assert [blob.tobytes() for blob in written[layer]] == [blob.tobytes() for blob in blobs]


def test_caffe_reads_it(tmp_path: Path) -> None:
    pytest.importorskip("caffe")
    net, wanted = resolve(read_prototxt(DATA / "tiny_v1.prototxt")), read_caffemodel(DATA / "tiny_v2.caffemodel")
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"".join(caffemodel(net, wanted)))
    caffe = import_caffe()
    loaded = caffe.Net(str(DATA / "tiny_v1.prototxt"), caffe.TEST, weights=str(path))
    for layer, blobs in wanted.items():
        for blob, array in zip(loaded.params[layer], blobs):
            np.testing.assert_array_equal(blob.data, array)


def test_one_slope_for_all_channels_is_a_number_as_caffe_has_it(tmp_path: Path) -> None:
    net = resolve(records.net((2, 3, 4), records.layer("PReLU", "data", "p", channel_shared=True)))
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"".join(caffemodel(net, {"p": [np.array([0.25])]})))
    assert [blob.shape for blob in read_caffemodel(path)["p"]] == [()]


def test_weights_of_another_net_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"layer 'fc' .* has no weights"):
        list(caffemodel(resolve(definition()), {"conv": weights()["conv"]}))
