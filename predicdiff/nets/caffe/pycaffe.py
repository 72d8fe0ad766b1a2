"""Caffe nets run by Caffe itself, through pycaffe."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputWarning, LayerError, warn
from ...protocols import Json, Unit
from ...units import lookup, read
from ...windows import SidesLike
from ..arrays import hash_of, in_batches, set_in
from ..base import BlobNet
from ..labels import Labels
from ..preprocessing import Preprocessing
from .foreign import planned
from .heads import Ends, finished
from .process import check_passes, choose_gpu, import_caffe, text_file, use
from .resolved import ResolvedNet, check_weights, definition


class CaffeNet(BlobNet):
    """A net given by a prototxt and its weights, run by Caffe.

    Blobs are addressed as after a full forward pass: a blob that layers work on in place has the value that the last of
    them left. What is handed out are copies.

    Parameters
    ----------
    prototxt : path
        Read by us, and handed to Caffe as a net in use, without what belongs to training.
    weights : {layer: list of arrays}
        From `caffemodel.read_caffemodel`; copied.
    preprocessing : Preprocessing, optional
        Without one, pixels are inputs.
    name : str, optional
        By default the prototxt's.
    labels : sequence of str, or several, or {blob: sequence of str}, optional
        As for `labels.labelled`.
    training_instances : int, optional
        By default 1,281,167.
    device : {"cpu", "cuda", "cuda:N"}, optional
        By default a GPU if there is one and this Caffe can use it.
    input_shape : (C, H, W), optional
    output : str, optional
        As for `prototxt.parse_file`.
    source : str
        Name of the weights' file, for messages.
    ends : Ends, optional
        What the net ends in, as `heads.find_ends` finds it; by default what its own layers say.

    Raises
    ------
    DependencyError
        If pycaffe is not installed.
    FormatError
        If the prototxt cannot be read.
    LayerError
        If the layers do not fit together, or Caffe can't build them.
    SettingsError
        If the device is not there.
    WeightsError
        If a layer has no weights, or they have other shapes.
    """

    #: Inputs in a batch beyond which more gain nothing: Caffe convolves one after the other.
    preferred_batch = 20

    def __init__(
        self,
        prototxt: str | Path,
        weights: Mapping[str, Sequence[np.ndarray]],
        *,
        preprocessing: Preprocessing | None = None,
        name: str | None = None,
        labels: Labels | None = None,
        training_instances: int | None = None,
        device: str | None = None,
        input_shape: Sequence[int] | None = None,
        output: str | None = None,
        source: str = "the weights",
        ends: Ends | None = None,
    ) -> None:
        import_caffe()
        self._gpu = choose_gpu(device)
        added = () if ends is None else ends.added
        plan = planned(prototxt, input_shape, self._gpu, output=output, added=added)
        self._prototxt, self._foreign, self._ends = plan.file.text, plan.foreign, ends
        about = {"preprocessing": preprocessing, "labels": labels, "training_instances": training_instances}
        self._resolved, facts = finished(plan.resolved, ends, name=name, **about)
        _check_in_place(self._resolved)
        super().__init__(facts)
        arrays = check_weights(self._resolved, weights, source=source)
        self._net, self._text, why_alone = plan.built()
        if self._foreign:
            check_passes(self._text, str(prototxt), self._gpu)
        if why_alone is not None:
            self.alone = True
            warn(
                f"{prototxt}: Caffe can't run this net on several images at once ({why_alone.rstrip('.')}), so each is "
                "computed alone, which is slow: want 0 first in the shapes of Reshape layers.",
                InputWarning,
            )
        self._names = list(self._net.blobs)
        self._input = self._resolved.inputs[0]
        for layer, blobs in arrays.items():
            for blob, array in zip(self._net.params[layer], blobs):
                blob.data[...] = array.reshape(blob.data.shape)
        self._lock = threading.RLock()  # one thread at a time: Caffe keeps a net's blobs in one place
        self._hash: str | None = None

    @property
    def device(self) -> str:
        """Where it computes: cpu, or cuda and the GPU's number."""
        return "cpu" if self._gpu is None else f"cuda:{self._gpu}"

    @property
    def learnt(self) -> list[str]:
        """Names of the layers that have learnt weights, in the order in which they are computed; no statistics."""
        return self._resolved.learnt

    @property
    def weights(self) -> dict[str, list[np.ndarray]]:
        """Copies of each layer's weights."""
        steps = [step for step in self._resolved.steps if step.shapes.weights]
        with self._lock:
            return {
                step.layer.name: [
                    np.array(blob.data).reshape(shape)
                    for blob, shape in zip(self._net.params[step.layer.name], step.shapes.weights)
                ]
                for step in steps
            }

    def _parts(self) -> dict[str, Any]:
        return {
            "prototxt": self._prototxt,
            "weights": self.weights,
            "device": self.device,
            "ends": self._ends,
            **self._about(),
        }

    @classmethod
    def _of(cls, **parts: Any) -> CaffeNet:
        """The net of its parts, the prototxt as a text."""
        with text_file(parts.pop("prototxt")) as path:
            return cls(path, **parts)

    def computed_by(self) -> Json:
        """Caffe's version, and the GPU that it computes on."""
        where = {} if self._gpu is None else {"device": self.device}
        return {"Caffe": str(import_caffe().__version__), **where}

    def evaluation(self, blob: str, *, start: str | None = None) -> str:
        """How `evaluate` works for this blob, in words."""
        where = "CPU" if self._gpu is None else f"GPU {self._gpu}"
        return f"dense, by Caffe {import_caffe().__version__} on the {where}"

    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes, estimated from above; Caffe keeps all blobs."""
        lookup(self._blobs, blob)
        kept = sum(step.type.keeps * sum(map(_size, step.shapes.tops)) for step in self._resolved.steps)
        return 4 * (sum(map(_size, self._blobs.values())) + kept + 2 * _size(self.input_shape))

    def bytes_needed(self, blob: str, *, start: str | None, window: SidesLike) -> tuple[int, int]:
        """Memory for `evaluate`, estimated from above: once, and for each input of a batch."""
        columns = sum(step.columns for step in self._resolved.steps)
        weights = sum(_size(shape) for step in self._resolved.steps for shape in step.shapes.weights)
        each = self.bytes_per_input(blob)
        return 4 * (columns + 2 * weights) + each, each

    def _forward(self, inputs: np.ndarray, blobs: list[str]) -> dict[str, np.ndarray]:
        with self._lock:
            self._run(inputs, max(map(self._last, blobs), default=0))
            return {blob: np.array(self._net.blobs[blob].data, np.float32) for blob in blobs}

    def _gradient(self, inputs: np.ndarray, blob: str, unit: Unit) -> np.ndarray:
        end = self._last(blob)
        _check_backwards(self._resolved, self._net._layer_names[: end + 1])
        if self._foreign:
            check_passes(self._text, f"net {self.name!r}", self._gpu, end)
        with self._lock:
            self._run(inputs[None], end)
            for other in self._net.blobs.values():
                other.diff[...] = 0  # every layer below runs backwards, those beside the way too
            chosen = (0, *unit)
            diff = self._net.blobs[blob].diff
            diff[chosen] = 1 / diff[chosen].size
            self._net._backward(end, 0)
            return np.array(self._net.blobs[self._input].diff[0], np.float32)

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
        with self._lock:
            changed = self._input if start is None else start
            behind = 1 + (self._writers(changed)[0] if start is None else self._last(changed))
            end = self._last(blob)
            kept = self._image(pixels, behind, end, changed)
            values = np.empty((patches.shape[0] * patches.shape[1], len(units)))
            for batch, (rows, draws) in in_batches(patches, batch_size):
                self._resize(len(rows))
                for name, value in kept.items():
                    self._net.blobs[name].data[...] = value
                set_in(self._net.blobs[changed].data, patches[rows, draws], origins[rows])
                self._net._forward(behind, end)
                values[batch] = read(self._net.blobs[blob].data, units)
            return values.reshape(*patches.shape[:2], len(units))

    def _image(self, pixels: np.ndarray, behind: int, end: int, changed: str) -> dict[str, np.ndarray]:
        """What the untouched image gives of each blob that layers ``behind`` to ``end`` find, and may overwrite."""
        self._run(self._encode(pixels, (0, 0))[None], behind - 1)
        read: set[str] = {changed}
        written: set[str] = set()
        for layer in range(behind, end + 1):
            read.update(self._names[i] for i in self._net._bottom_ids(layer) if self._names[i] not in written)
            written.update(self._names[i] for i in self._net._top_ids(layer))
        return {name: np.array(self._net.blobs[name].data[0]) for name in read}

    def _writers(self, blob: str) -> list[int]:
        """Numbers of Caffe's layers that write a blob, more than one where layers work on it in place."""
        number = self._names.index(blob)
        return [layer for layer in range(len(self._net.layers)) if number in self._net._top_ids(layer)]

    def _last(self, blob: str) -> int:
        return self._writers(blob)[-1]

    def _run(self, inputs: np.ndarray, end: int) -> None:
        """A forward pass up to layer number ``end``."""
        use(self._gpu)
        self._resize(len(inputs))
        self._net.blobs[self._input].data[...] = inputs
        self._net._forward(0, end)

    def _resize(self, count: int) -> None:
        blob = self._net.blobs[self._input]
        if blob.shape[0] != count:
            blob.reshape(count, *self.input_shape)
            self._net.reshape()

    def _downstream(self, start: str, blob: str) -> bool:
        return self._resolved.values[blob] in self._resolved.downstream(start)

    def _engine_provenance(self) -> dict[str, Any]:
        return {"engine": "caffe", "engine_version": str(import_caffe().__version__)}

    def _definition(self) -> str:
        return definition(self._resolved)

    def _weights_hash(self) -> str:
        if self._hash is None:
            self._hash = hash_of(array for arrays in self.weights.values() for array in arrays)
        return self._hash


def _check_in_place(net: ResolvedNet) -> None:
    """Refuse what Caffe would end the process for: a blob worked on in place that another layer reads as it was."""
    readers = Counter(value for step in net.steps for value in step.reads)
    for step in net.steps:
        for bottom, top, value in zip(step.layer.bottoms, step.layer.tops, step.reads):
            if bottom == top and readers[value] > 1:
                raise LayerError(
                    f"layer {step.layer.name!r} ({step.layer.type}) works in place on blob {top!r}, which another "
                    "layer reads as it was before, and Caffe can't do that: want a top of its own, or --engine torch."
                )


def _check_backwards(net: ResolvedNet, names: Sequence[str]) -> None:
    """Refuse a gradient back through layers of which Caffe has none, or a wrong one where they work in place."""
    for step in (step for step in net.steps if step.layer.name in names):
        if not step.type.backward:
            raise LayerError(
                f"layer {step.layer.name!r} ({step.layer.type}) has no gradient in Caffe: want a blob before it, or "
                "--engine torch."
            )
        if step.layer.bottoms == step.layer.tops and step.type.wrong_in_place(step.shapes.settings):
            raise LayerError(
                f"layer {step.layer.name!r} ({step.layer.type}) works in place, and there Caffe's gradient is "
                "wrong: want a top of its own, or --engine torch."
            )


def _size(shape: Sequence[int]) -> int:
    return int(np.prod(shape))
