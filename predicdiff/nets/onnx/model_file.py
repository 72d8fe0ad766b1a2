"""ONNX files, their weights beside them included, as the messages that they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import FormatError, WeightsError, first_line
from ...extras import imported
from ...files import open_regular
from .bounds import check_functions, check_parts

#: An older file lists its weights among its inputs, which nothing here does.
WITH_WEIGHTS_APART = 4

#: More than so many bytes protobuf does not hold in one message.
MOST_BYTES = 2**31 - 1


def read_model(path: Path) -> Any:
    """The ``onnx.ModelProto`` of a file, with all its weights in it.

    Raises
    ------
    FormatError
        If the file is missing, no ONNX file, or without layers.
    WeightsError
        If its weights lie in files beside it that cannot be read.
    DependencyError
        If onnx is not installed.
    """
    onnx = imported("onnx", "onnx")
    try:
        with open_regular(path, FormatError, "Give that of an ONNX file.") as file:
            content = file.read()
    except OSError as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise FormatError(f"{path}: {what}. Give the path of an ONNX file.") from None
    try:
        check_parts(content)
        model = onnx.load_model_from_string(content)
        check_functions(model)
    except Exception as error:  # of a type of protobuf's that depends on its version
        raise FormatError(f"{path}: is no ONNX file, or damaged ({first_line(error).rstrip('.')}).") from error
    _check_texts(model, path)
    if not model.graph.node:
        raise FormatError(f"{path}: holds no layers: it is no ONNX file, or an empty one.")
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # a missing file comes as one of several types, by onnx's version
        raise WeightsError(
            f"{path}: its weights lie in another file, which cannot be read ({first_line(error)}): want all files that "
            "were exported, in one folder."
        ) from error
    if model.ByteSize() > MOST_BYTES:
        raise FormatError(f"{path}: holds more than 2 GB, which is not supported: want a smaller net.")
    model.ir_version = max(model.ir_version, WITH_WEIGHTS_APART)
    return model


def _check_texts(model: Any, path: Path) -> None:
    """Refuse names that are no UTF-8, which protobuf gives as bytes, or refuses when they are asked for."""
    graph = model.graph
    try:
        texts = [graph.name, *(one.domain for one in model.opset_import)]
        texts += [text for one in model.metadata_props for text in (one.key, one.value)]
        texts += [one.name for one in (*graph.input, *graph.output, *graph.initializer, *graph.value_info)]
        for node in graph.node:
            texts += [*node.input, *node.output, node.name, node.op_type, node.domain]
            texts += [one.name for one in node.attribute]
        damaged = any(isinstance(text, bytes) for text in texts)
    except UnicodeDecodeError:
        damaged = True
    if damaged:
        raise FormatError(f"{path}: is no ONNX file, or damaged: names in it are no text in UTF-8.")
