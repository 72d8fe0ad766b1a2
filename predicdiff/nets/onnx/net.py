"""Nets of ONNX files, run by onnxruntime."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ...cores import cores
from ...errors import FormatError, InputWarning, SettingsError, warn
from ...extras import imported
from ...protocols import Head, Json, Unit
from ...stopping import check_stopped
from ...units import lookup, read
from ...windows import SidesLike
from ..arrays import hash_of, in_batches, set_in
from ..base import BlobNet
from ..facts import NetFacts
from ..labels import Labels
from ..preprocessing import Preprocessing
from ..scores import check_scores
from .endings import ENDINGS
from .graphs import array_of, downstream, part, weights_by_name
from .plain import IMAGES
from .runtime import Session, place, runtime
from .sizes import check_room

#: How many parts of a model are kept ready.
READY = 4
#: By how much numbers of 16 bits are rounded, as a part of their value.
HALF_ROUNDING = 2.0**-11
#: Operations whose inputs beside the first are learnt, and from which on they are statistics.
LEARNT = {
    "Conv": 3, "ConvTranspose": 3, "Gemm": 3, "MatMul": 3, "Add": 3, "Mul": 3, "PRelu": 2, "BatchNormalization": 3,
    "InstanceNormalization": 3, "LayerNormalization": 3, "GroupNormalization": 3,
}  # fmt: skip


class OnnxNet(BlobNet):
    """A net of an ONNX model, each batch of which onnxruntime computes wholly.

    Blobs are the values of floats, with the batch first, that the model's nodes make, by their names in the file; but
    for what it ends in, which is called as a module's output is: "logits" and "prob", "prob", or "output". Several
    threads may evaluate at once: each computes by itself, so that values don't depend on how many there are.

    Parameters
    ----------
    model : bytes
        A serialised ``onnx.ModelProto`` in the form of `plain.Plain`.
    own : str
        The value that is explained.
    kind : {"logits", "sigmoid", "probabilities", "activation"}
        What it holds.
    input_shape : (C, H, W)
    why : str, optional
        Why it is not a module of torch.
    preprocessing : Preprocessing, optional
        Without one, pixels are inputs.
    name : str
    labels : optional
        As for `labels.labelled`.
    training_instances : int, optional
        By default 1,281,167.
    device : str, optional
        cpu, cuda or cuda:N; by default a GPU, if this onnxruntime can use one.

    Raises
    ------
    DependencyError
        If onnx or onnxruntime is not installed.
    FormatError
        If onnxruntime can't run the model.
    SettingsError
        If what comes out is not what ``kind`` says, or the device is not there.
    """

    #: Inputs in a batch beyond which more gain nothing on a processor.
    preferred_batch = 20

    #: By how much its numbers are rounded, as a part of their value.
    rounding = 2.0**-24

    def __init__(
        self,
        model: bytes,
        *,
        own: str,
        kind: str,
        input_shape: tuple[int, int, int],
        name: str,
        why: str | None = None,
        preprocessing: Preprocessing | None = None,
        labels: Labels | None = None,
        training_instances: int | None = None,
        device: str | None = None,
    ) -> None:
        if kind not in ENDINGS:
            raise SettingsError(f"output {kind!r} is unknown: want one of {', '.join(ENDINGS)}.")
        self.device, self.name = place(device), name
        self.dense_because = why
        self._model = imported("onnx", "onnx").load_model_from_string(model)
        self._own, self._kind, self._ending = own, kind, ENDINGS[kind]
        self._sessions: dict[tuple[str | None, tuple[str, ...]], Session] = {}
        self._lock = threading.Lock()
        shapes, single = self._dry_run(input_shape)
        ends = dict.fromkeys(self._ending.blobs, shapes[own])
        inner = {blob: shape for blob, shape in shapes.items() if blob != own and blob not in ends}
        facts = NetFacts(
            name=name, input_shape=input_shape, blobs={**inner, **ends},
            heads=[Head(self._ending.scores, self._ending.prob)],
            preprocessing=preprocessing, labels=labels, training_instances=training_instances,
        )  # fmt: skip
        super().__init__(facts)
        self.alone = single
        if shapes[own] == (1,) or kind == "sigmoid":
            self.outcomes = 2

    def _dry_run(self, shape: tuple[int, int, int]) -> tuple[dict[str, tuple[int, ...]], bool]:
        """Shapes of all values of floats with the batch first, and whether the model takes but one image at a time."""
        check_room(self._model, IMAGES, shape, self.name, kept=True)
        values = list(dict.fromkeys(value for node in self._model.graph.node for value in node.output if value))
        session = Session(part(self._model, values).SerializeToString(), self.device, self.name)
        self._elements = 2 * prod(shape)
        try:
            several, more = (self._shapes(session, count, shape) for count in (2, 3))
            shapes = {value: of for value, of in several.items() if more.get(value) == of}
            why = f"Net {self.name!r} does not answer for each of several images"
        except FormatError as error:
            shapes, why = {}, str(error).rstrip(".")
        if self._own in shapes:
            return shapes, False
        shapes = self._shapes(session, 1, shape)
        if self._own not in shapes:
            raise SettingsError(
                f"net {self.name!r} gives no floats with the batch first in {self._own!r}: choose another output, "
                "pick=NAME, --pick NAME."
            )
        warn(f"{why}. It takes one, so each image is computed alone, which is slow.", InputWarning)
        return shapes, True

    def _shapes(self, session: Session, count: int, shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch of values of floats that have it as their first axis, for black images."""
        values = session.run({IMAGES: np.zeros((count, *shape), np.float32)})
        self._elements = max(self._elements, sum(map(np.size, values.values())) // count)
        if any(value.dtype == np.float16 for value in values.values() if isinstance(value, np.ndarray)):
            self.rounding = HALF_ROUNDING
        fit = {name: value for name, value in values.items() if _is_batch(value, count)}
        if self._own in fit and count < 3:
            check_scores(fit[self._own].astype(np.float32), self._kind, self.name)
        return {name: value.shape[1:] or (1,) for name, value in fit.items()}

    @property
    def precision(self) -> str:
        """In what products are computed: onnxruntime knows no other than float32 for models of it."""
        return "float32"

    @precision.setter
    def precision(self, name: str) -> None:
        """Refuse another precision."""
        if name != "float32":
            raise SettingsError(f"precision {name} is torch's: for net {self.name!r}, by onnxruntime, want float32.")

    def evaluating_threads(self) -> int:
        """How many threads are to call `evaluate` at once; 0 where they gain nothing, as on a GPU."""
        return cores() if self.device == "cpu" else 0

    def compute_with(self, count: int) -> None:
        """Do nothing: the thread that calls computes by itself."""

    def computed_by(self) -> Json:
        """Onnxruntime's version, and the device that it computes on."""
        where: Json = {"threads": 1} if self.device == "cpu" else {"device": self.device}
        return {"onnxruntime": str(runtime().__version__), **where}

    def evaluation(self, blob: str, *, start: str | None = None) -> str:
        """How `evaluate` works for this blob, in words, and why it is dense."""
        since = "" if self.dense_because is None else f", since {self.dense_because}"
        return f"dense, by onnxruntime {runtime().__version__} on the {self.device}{since}"

    @property
    def learnt(self) -> list[str]:
        """Names of the nodes' values that are made with learnt weights, in the order in which they are computed."""
        return list(self._weights_of())

    @property
    def weights(self) -> dict[str, list[np.ndarray]]:
        """Copies of the weights that each value is made with."""
        known = weights_by_name(self._model.graph)
        return {
            value: [np.array(array_of(known[name])) for name in names] for value, names in self._weights_of().items()
        }

    def with_weights(self, weights: Mapping[str, Sequence[np.ndarray]]) -> BlobNet:
        """A copy of the net with other weights for these values."""
        onnx = imported("onnx", "onnx")
        model, names = onnx.ModelProto(), self._weights_of()
        model.CopyFrom(self._model)
        known = weights_by_name(model.graph)
        for value, arrays in weights.items():
            for name, array in zip(names[value], arrays):
                kind = array_of(known[name]).dtype
                known[name].CopyFrom(onnx.numpy_helper.from_array(np.asarray(array, kind), name))
        return self._again(model=model.SerializeToString())

    def _weights_of(self) -> dict[str, list[str]]:
        """Names of the weights that each value is made with: of floats, more than one number, and no statistics."""
        known = weights_by_name(self._model.graph)
        learnt = {
            name for name, tensor in known.items() if prod(tensor.dims) > 1 and array_of(tensor).dtype.kind == "f"
        }
        found: dict[str, list[str]] = {}
        for node in self._model.graph.node:
            names = [name for name in node.input[: LEARNT.get(node.op_type, 0)] if name in learnt]
            if names:
                found[self._ending.own if node.output[0] == self._own else node.output[0]] = names
        return found

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self._model.SerializeToString(), "own": self._own, "kind": self._kind, "why": self.dense_because,
            "input_shape": self.input_shape, "device": self.device, **self._about(),
        }  # fmt: skip

    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes, estimated from above: as if all values were kept, and once more."""
        lookup(self._blobs, blob)
        return 8 * self._elements

    def bytes_needed(self, blob: str, *, start: str | None, window: SidesLike) -> tuple[int, int]:
        """Memory for `evaluate`, estimated from above: once, and for each input of a batch."""
        # the message, the session's own weights, and these once more in the order that suits its products
        return 3 * int(self._model.ByteSize()), self.bytes_per_input(blob)

    def _forward(self, inputs: np.ndarray, blobs: list[str]) -> dict[str, np.ndarray]:
        return self._run(blobs, inputs)

    def _gradient(self, inputs: np.ndarray, blob: str, unit: Unit) -> np.ndarray:
        why = "" if self.dense_because is None else f" ({self.dense_because})"
        raise SettingsError(
            f"net {self.name!r} is run by onnxruntime, which has no gradients: want a net of torch, as onnx2torch "
            f"makes one of many ONNX files{why}."
        )

    def _evaluate(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        patches: np.ndarray,
        blob: str,
        units: list[Unit],
        batch_size: int,
        start: str | None,
    ) -> np.ndarray:
        if start is None:
            patches = self.encode_patches(origins, patches)
        image = self._encode(pixels, (0, 0))[None]
        ground = image if start is None else self._run([start], image)[start]
        values = np.empty((patches.shape[0] * patches.shape[1], len(units)))
        for batch, (rows, draws) in in_batches(patches, batch_size):
            changed = np.repeat(ground, len(rows), axis=0)
            set_in(changed, patches[rows, draws], origins[rows])
            if start is None:
                came = self._run([blob], changed)
            else:
                came = self._run([blob], np.repeat(image, len(rows), axis=0), start, changed)
            values[batch] = read(came[blob], units)
            check_stopped()
        return values.reshape(*patches.shape[:2], len(units))

    def _run(
        self, blobs: Sequence[str], images: np.ndarray, start: str | None = None, changed: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Copies of blobs, float32; where ``start`` is given it is what ``changed`` says."""
        values = {IMAGES: images}
        if start is not None and changed is not None:
            values[self._value(start)] = changed
        wanted = tuple(dict.fromkeys(self._value(blob) for blob in blobs))
        known = {value: values[value] for value in wanted if value in values}
        rest = tuple(value for value in wanted if value not in known)
        if rest:
            known.update(self._session(rest, None if start is None else self._value(start)).run(values))
        return {blob: self._named(blob, known[self._value(blob)]) for blob in blobs}

    def _value(self, blob: str) -> str:
        """The value of the model that a blob is, or is made of."""
        return self._own if blob in self._ending.blobs else blob

    def _named(self, blob: str, value: np.ndarray) -> np.ndarray:
        shaped = np.array(value, np.float32).reshape(len(value), *self._blobs[blob])
        return self._ending.of(blob, shaped)

    def _session(self, wanted: tuple[str, ...], start: str | None) -> Session:
        """The part of the model that gives these values; the last few are kept."""
        key = (start, wanted)
        with self._lock:
            if key not in self._sessions:
                small = part(self._model, wanted, start).SerializeToString()
                self._sessions[key] = Session(small, self.device, self.name)
                for old in list(self._sessions)[:-READY]:
                    del self._sessions[old]
            return self._sessions[key]

    def _downstream(self, start: str, blob: str) -> bool:
        one, other = self._value(start), self._value(blob)
        if one == other:
            return start == self._ending.own != blob
        return other in downstream(self._model.graph, one)

    def _engine_provenance(self) -> dict[str, Any]:
        return {"engine": "onnxruntime", "engine_version": str(runtime().__version__)}

    def _definition(self) -> str:
        onnx = imported("onnx", "onnx")
        bare = onnx.ModelProto()
        bare.CopyFrom(self._model)
        for tensor in bare.graph.initializer:
            dims, kind, name = list(tensor.dims), tensor.data_type, tensor.name
            tensor.Clear()
            tensor.dims.extend(dims)
            tensor.data_type, tensor.name = kind, name
        text = bare.SerializeToString(deterministic=True)
        return f"onnx sha1:{hashlib.sha1(text + repr((self._own, self._kind)).encode()).hexdigest()}"

    def _weights_hash(self) -> str:
        return hash_of(np.atleast_1d(array_of(tensor)) for tensor in self._model.graph.initializer)


def _is_batch(value: Any, count: int) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim > 0 and len(value) == count
