"""Caffe's own passes for `make timing`, in a process of their own: few Pythons can have both torch and pycaffe.

`CaffeProcess` starts this module with the Python that has pycaffe and asks it for values. Both ends speak in messages
of one line of JSON and the raw bytes of its arrays, which all versions of Python and numpy read alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, Mapping, Sequence

import numpy as np

from predicdiff.errors import DependencyError, PredicdiffError

ROOT = Path(__file__).parents[1]


def send(file: BinaryIO, what: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
    """Write a message: what JSON can hold, and arrays of numbers."""
    arrays = [np.ascontiguousarray(array) for array in arrays]
    head = {**what, "arrays": [[array.dtype.str, array.shape] for array in arrays]}
    file.write(json.dumps(head).encode() + b"\n")
    for array in arrays:
        file.write(array.data)
    file.flush()


def receive(file: BinaryIO) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read a message; an EOFError where it ends too soon."""
    line = file.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    what = json.loads(line)
    arrays = []
    for kind, shape in what.pop("arrays"):
        array = np.empty(shape, kind)
        if array.nbytes and file.readinto(array.data.cast("B")) != array.nbytes:  # type: ignore[attr-defined]
            raise EOFError
        arrays.append(array)
    return what, arrays


class CaffeProcess:
    """A net in another Python, run by Caffe there; a context manager, which ends the process.

    Parameters
    ----------
    command : sequence of str
        Of a Python with pycaffe.
    prototxt : str
        Its text.
    weights : {layer: list of arrays}
        Pixels are inputs: who asks has encoded them.
    device : {"cpu", "cuda", "cuda:N"}, optional
        By default a GPU, if Caffe there can use one.

    Attributes
    ----------
    about : {"caffe", "python", "numpy", "device": str}
        What computes there.

    Raises
    ------
    DependencyError
        If the command can't be started, or ends without an answer.
    PredicdiffError
        If there is no Caffe, or it can't run the net, in its own words.
    """

    def __init__(
        self, command: Sequence[str], prototxt: str, weights: Mapping[str, Sequence[np.ndarray]], device: str | None
    ) -> None:
        self.command = " ".join(command)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        try:
            self._process = subprocess.Popen(
                [*command, "-m", __name__], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise DependencyError(
                f"{self.command}: cannot be started ({error.strerror}): want the command of a Python with pycaffe."
            ) from None
        layers = {layer: len(arrays) for layer, arrays in weights.items()}
        what = {"prototxt": prototxt, "layers": layers, "device": device}
        try:
            answer, _ = self._ask(what, [array for arrays in weights.values() for array in arrays])
        except BaseException:
            self.__exit__()
            raise
        self.about: dict[str, str] = answer["about"]

    def evaluate(
        self, inputs: np.ndarray, origins: np.ndarray, patches: np.ndarray, blob: str, channels: Sequence[int]
    ) -> np.ndarray:
        """Channels' values (n, S, T) of a blob, with patches (n, S, C, k, k) set into the encoded image (C, H, W)."""
        _, (values,) = self._ask({"blob": blob, "channels": list(channels)}, [inputs, origins, patches])
        return values

    def __enter__(self) -> CaffeProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _ask(self, what: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> tuple[dict[str, Any], list[np.ndarray]]:
        process: Any = self._process
        try:
            send(process.stdin, what, arrays)
            answer, values = receive(process.stdout)
        except (EOFError, OSError, ValueError):
            raise DependencyError(
                f"{self.command}: ended without an answer, status {process.wait()}; what it said is above. "
                "Want the command of a Python with pycaffe."
            ) from None
        if "error" in answer:
            raise PredicdiffError(f"{self.command}: {answer['error']}")
        return answer, values


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Build the net that the first message gives, then answer for its values until the source ends."""
    from predicdiff.nets.caffe.process import import_caffe
    from predicdiff.nets.caffe.pycaffe import CaffeNet

    what, arrays = receive(source)
    blobs = iter(arrays)
    weights = {layer: [next(blobs) for _ in range(count)] for layer, count in what["layers"].items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.prototxt"
        path.write_text(what["prototxt"], encoding="utf-8")
        net = CaffeNet(path, weights, device=what["device"])
    del arrays, weights
    caffe = str(import_caffe().__version__)
    about = {"caffe": caffe, "python": sys.version.split()[0], "numpy": np.__version__, "device": net.device}
    send(sink, {"about": about})
    while True:
        try:
            what, (inputs, origins, patches) = receive(source)
        except EOFError:
            return
        units = [(channel,) for channel in what["channels"]]
        batch = net.preferred_batch
        send(sink, {}, [net.evaluate(inputs, origins, patches, blob=what["blob"], units=units, batch_size=batch)])


def main() -> None:
    """Serve on the standard streams; what else would be printed goes to the log."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, sink)
    except PredicdiffError as error:
        send(sink, {"error": str(error)})


if __name__ == "__main__":
    main()
