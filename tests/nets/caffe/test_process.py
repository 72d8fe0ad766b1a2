"""Caffe ends the process where it finds fault: everything is looked at before."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from predicdiff.errors import DependencyError, FormatError, LayerError, SettingsError
from predicdiff.nets.caffe import process as caffe_process
from predicdiff.nets.caffe.process import build, choose_gpu, gpu_count, has_cuda, import_caffe


def test_without_pycaffe(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "caffe":
            raise ImportError("No module named 'caffe'")
        return usual(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DependencyError, match=r"pycaffe is not installed for this Python .*python3-caffe"):
        import_caffe()


def test_the_number_of_gpus_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(caffe_process.ctypes, "CDLL", missing)
    assert gpu_count() == 0


@pytest.mark.parametrize("device", ["toaster", "cuda:x", "CPU", "mps"])
def test_names_that_are_no_devices(device: str) -> None:
    with pytest.raises(SettingsError, match=f"device '{device}' is unknown to Caffe: want cpu, cuda, or cuda:1"):
        choose_gpu(device)


def test_devices() -> None:
    pytest.importorskip("caffe")
    assert choose_gpu("cpu") is None
    if not has_cuda():
        assert choose_gpu(None) is None
        with pytest.raises(SettingsError, match="this pycaffe was built for the CPU alone"):
            choose_gpu("cuda")
        return
    with pytest.raises(SettingsError, match=f"device 'cuda:{gpu_count()}' is not there, of {gpu_count()} GPUs found"):
        choose_gpu(f"cuda:{gpu_count()}")


DATA = (
    'name: "n" layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }'
)


def test_what_caffe_would_end_the_process_for() -> None:
    pytest.importorskip("caffe")
    text = DATA + ' layer { name: "a" type: "ReLU" bottom: "other" top: "a" }'
    with pytest.raises(LayerError, match=r"Caffe can't build .*net.prototxt: Unknown bottom blob 'other'"):
        build(text, "net.prototxt")
    python = DATA + ' layer { name: "a" type: "Python" bottom: "data" top: "a" python_param { module: "nowhere" } }'
    with pytest.raises(LayerError, match=r"Caffe can't build net.prototxt: ModuleNotFoundError: .*'nowhere'"):
        build(python, "net.prototxt")


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("Odd", ", nor is it known to --engine torch.$"),
        ("Relu", r", nor is it known to --engine torch. Do you mean ReLU"),
        ("ReLU6", ": want one that has, or --engine torch."),
    ],
)
def test_a_type_that_this_caffe_has_not(kind: str, what: str) -> None:
    pytest.importorskip("caffe")
    text = DATA + f' layer {{ name: "a" type: "{kind}" bottom: "data" top: "a" }}'
    with pytest.raises(
        LayerError, match=f"net.prototxt: layer 'a' is of type '{kind}', which this Caffe has not{what}"
    ):
        build(text, "net.prototxt")


def test_a_field_that_this_caffe_does_not_know() -> None:
    pytest.importorskip("caffe")
    with pytest.raises(FormatError, match=r"net.prototxt: this Caffe can't read it \(.*odd_param"):
        build(DATA + ' layer { name: "a" type: "ReLU" odd_param { } }', "net.prototxt")


def test_gradients_reach_the_input_whatever_the_file_says() -> None:
    pytest.importorskip("caffe")
    text = (
        DATA
        + ' force_backward: false layer { name: "a" type: "Power" bottom: "data" top: "a" power_param { scale: 3 } }'
    )
    net = build(text, "net.prototxt").net
    net.forward()
    net.blobs["a"].diff[...] = 1
    net.backward()
    assert (net.blobs["data"].diff == 3).all()
