"""onnxruntime: whether it is there, on which device it computes, and its errors as ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import DependencyError, FormatError, OutOfMemoryError, SettingsError, first_line
from ...extras import imported

#: What onnxruntime puts before each of its messages, and where in its own code they come from.
PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (/\S+:\d+ .*?\) )?")
#: What it says where memory ran out.
FULL = ("failed to allocate memory", "out of memory", "bad_alloc")


def runtime() -> Any:
    """The package onnxruntime; a DependencyError if it is not installed."""
    return imported("onnxruntime", "onnx")


def is_there() -> bool:
    """Whether onnxruntime can be imported."""
    try:
        runtime()
    except DependencyError:
        return False
    return True


def place(device: str | None) -> str:
    """The device asked for, "cpu" or "cuda:N"; without a wish a GPU if this onnxruntime can use one."""
    gpu = "CUDAExecutionProvider" in runtime().get_available_providers()
    if device is None:
        return "cuda:0" if gpu else "cpu"
    kind, _, number = str(device).partition(":")
    if kind == "cuda" and gpu and number in ("", *map(str, range(64))):
        return f"cuda:{number or 0}"
    if device != "cpu":
        want = "want cpu, or cuda" if gpu else "want cpu, since the onnxruntime that is installed has no GPU it can use"
        raise SettingsError(f"device {str(device)!r} cannot be used: {want}.")
    return "cpu"


class Session:
    """A model that onnxruntime has read.

    Parameters
    ----------
    model : bytes
    device : str
        As `place` gives it.
    name : str
        Of the net, for messages.

    Raises
    ------
    FormatError
        If onnxruntime can't run it.
    """

    def __init__(self, model: bytes, device: str, name: str) -> None:
        package = runtime()
        options = package.SessionOptions()
        options.log_severity_level = 4  # of what it prints nothing: errors are raised too
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # whoever calls brings threads
        providers: list[Any] = ["CPUExecutionProvider"]
        if device != "cpu":
            number = int(device.partition(":")[2])
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": number, "use_tf32": 0}))
        self._name = name
        with self._errors("can't run this net"):
            self._session = package.InferenceSession(model, options, providers=providers)
        self._outputs = [one.name for one in self._session.get_outputs()]
        self._inputs = {one.name for one in self._session.get_inputs()}

    def run(self, values: Mapping[str, np.ndarray], wanted: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """The outputs, or some of them, by their names; of ``values`` those are taken that the model has as inputs."""
        names = self._outputs if wanted is None else list(wanted)
        given = {name: value for name, value in values.items() if name in self._inputs}
        with self._errors("fails on this net"):
            return dict(zip(names, self._session.run(names, given)))

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of types that are onnxruntime's own
            said = PREFIX.sub("", first_line(error))
            if any(words in str(error).lower() for words in FULL):
                raise OutOfMemoryError(f"memory ran out ({said}): use smaller batches.") from None
            version = runtime().__version__
            raise FormatError(f"net {self._name!r}: onnxruntime {version} {what} ({said}).") from error
