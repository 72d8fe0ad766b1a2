"""ONNX files as modules of torch, by onnx2torch: what comes is what the layers give by hand, and onnxruntime gives."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import contract_modules
from helpers.onnx_models import branches, node
from helpers.places import ROOT

from predicdiff.errors import DependencyError, InputWarning
from predicdiff.extras import imported
from predicdiff.nets.onnx import conversion
from predicdiff.nets.zoo import load_net

pytest.importorskip("onnx")

try:
    imported("onnx2torch", "onnx2torch")
except DependencyError as error:
    pytest.skip(str(error), allow_module_level=True)

INPUTS = np.random.default_rng(0).normal(size=(3, *contract_modules.SHAPE)).astype(np.float32)


def wanted() -> np.ndarray:
    with torch.no_grad():
        module = contract_modules.learnt("traced").double().eval()
        return np.asarray(module(torch.from_numpy(INPUTS).double()).numpy())


def loaded(folder: Path, model: Any) -> Any:
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return load_net(folder / "net.onnx", device="cpu")


@pytest.mark.parametrize("opset", [13, 17, 20])
def test_it_is_a_module_whose_windows_are_computed_by_themselves(opset: int, tmp_path: Path) -> None:
    model = branches(contract_modules.learnt("traced"))
    model.opset_import[0].version = opset
    net = loaded(tmp_path, model)
    np.testing.assert_allclose(net.forward(INPUTS, ["logits"])["logits"], wanted(), atol=1e-5)
    assert net.evaluation("prob").startswith("incremental")
    assert {"left", "relu", "right"} <= set(net.blobs)
    assert net.gradient(INPUTS[0], blob="logits", unit=1).any()


def test_what_exporters_write_and_it_does_not_know_is_written_otherwise(tmp_path: Path) -> None:
    """Weights that are handed on, and a reshape that may hold zeros, of a version with other reductions."""
    model = branches(contract_modules.learnt("traced"))
    model.opset_import[0].version = 20
    nodes = list(model.graph.node)
    flatten = next(one for one in nodes if one.op_type == "Flatten")
    flatten.CopyFrom(node("Reshape", "pool sizes", "flat", allowzero=1))
    onnx = pytest.importorskip("onnx")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1, 120]), "sizes"))
    handed = node("Identity", "last.bias", "bias")
    next(one for one in nodes if one.op_type == "Gemm").input[2] = "bias"
    del model.graph.node[:]
    model.graph.node.extend([handed, *nodes])
    net = loaded(tmp_path, model)
    np.testing.assert_allclose(net.forward(INPUTS, ["logits"])["logits"], wanted(), atol=1e-5)
    assert net.evaluation("prob").startswith("incremental")


def test_what_differs_from_onnxruntime_is_run_by_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    model, other = branches(contract_modules.learnt("traced")), branches(contract_modules.Branches())
    monkeypatch.setattr(conversion, "_mended", lambda _: other)
    with pytest.warns(
        InputWarning, match=r"since what onnx2torch makes of it differs from what onnxruntime gives \(by"
    ):
        net = loaded(tmp_path, model)
    np.testing.assert_allclose(net.forward(INPUTS, ["logits"])["logits"], wanted(), atol=1e-5)


def test_what_cannot_be_converted_is_run_by_onnxruntime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = branches(contract_modules.learnt("traced"))
    relu = next(one for one in model.graph.node if one.output[0] == "relu")
    relu.op_type = "ThresholdedRelu"
    with pytest.warns(InputWarning, match=r"since onnx2torch cannot convert it \(NotImplementedError"):
        net = loaded(tmp_path, model)
    assert net.dense_because.startswith("onnx2torch cannot convert it")


def test_another_process_reads_it(tmp_path: Path) -> None:
    net = loaded(tmp_path, branches(contract_modules.learnt("traced")))
    (tmp_path / "net.pickle").write_bytes(pickle.dumps(net))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).provenance['definition'])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "net.pickle")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == net.provenance["definition"]
