"""ONNX models as modules of torch, by onnx2torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DependencyError, first_line
from ...extras import imported
from .graphs import array_of, opset_of, part, weights_by_name
from .plain import IMAGES, Plain
from .runtime import Session, is_there

#: The newest operations that onnx2torch knows are of this version; those of later models are written as they were then.
KNOWN = 17
#: By how much what comes out may differ from what onnxruntime gives, as a part of the largest value; and in 16 bits.
ROUNDING, HALF = 1e-3, 3e-2


class UnconvertedError(Exception):
    """Why a model is not to be had as a module, in words that go on behind "since"."""


def converted(plain: Plain, name: str) -> Any:
    """A module that gives what a model gives, as onnxruntime sees it where that is installed.

    Raises
    ------
    UnconvertedError
    """
    try:
        torch, onnx2torch = imported("torch", "torch"), imported("onnx2torch", "onnx2torch")
    except DependencyError as error:
        raise UnconvertedError(str(error).partition(" (")[0] + ' (pip install "predicdiff[onnx2torch]")') from error
    try:
        module = onnx2torch.convert(_mended(plain.model)).eval()
        inputs = np.random.default_rng(0).normal(size=(1, *plain.shape)).astype(np.float32)
        with torch.inference_mode():
            given = module(torch.from_numpy(inputs)).float().numpy()
    except Exception as error:  # whatever it does with what it does not know
        raise UnconvertedError(f"onnx2torch cannot convert it ({type(error).__name__}: {first_line(error)})") from error
    if is_there():
        session = Session(plain.model.SerializeToString(), "cpu", name)
        wanted = session.run({IMAGES: inputs})[plain.own].astype(np.float32)
        gap = float(np.abs(given - wanted).max()) if given.shape == wanted.shape else np.inf
        if not gap <= (HALF if plain.half else ROUNDING) * float(np.abs(wanted).max()):
            raise UnconvertedError(f"what onnx2torch makes of it differs from what onnxruntime gives (by {gap:.2g})")
    return module


def _mended(model: Any) -> Any:
    """The same net in operations that onnx2torch knows."""
    onnx = imported("onnx", "onnx")
    mended = part(model, [value.name for value in model.graph.output])
    _without_identities(mended.graph)
    _without_zeros_allowed(mended.graph)
    if opset_of(mended) <= KNOWN:
        return mended
    for value in mended.graph.output:  # without a type its converter does not read them
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return imported("onnx.version_converter", "onnx").convert_version(mended, KNOWN)


def _without_identities(graph: Any) -> None:
    """Leave out nodes that hand on what they are given, as exporters write them for weights that are used twice."""
    ends = {value.name for value in graph.output}
    same: dict[str, str] = {}
    kept = []
    for node in graph.node:
        for place, value in enumerate(node.input):
            node.input[place] = same.get(value, value)
        if node.op_type == "Identity" and node.output[0] not in ends:
            same[node.output[0]] = node.input[0]
        else:
            kept.append(type(node).FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(kept)


def _without_zeros_allowed(graph: Any) -> None:
    """Take off what says how a reshape is to understand a zero where there is none in it."""
    weights = weights_by_name(graph)
    for node in graph.node:
        shape = weights.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is not None and array_of(shape).all():
            for attribute in [one for one in node.attribute if one.name == "allowzero"]:
                node.attribute.remove(attribute)
