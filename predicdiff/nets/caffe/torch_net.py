"""Nets given by Caffe's layer records, run on torch."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...units import lookup
from ..engine.device import Device, choose_device, memory_errors
from ..engine.graph import Graph
from ..engine.torch_base import TorchNet
from ..labels import Labels
from ..preprocessing import Preprocessing
from .graph import caffe_graph
from .heads import Ends, finished
from .records import NetSpec
from .resolved import check_weights, definition, resolve
from .torch_layers import LAYERS, TorchLayer


class CaffeTorchNet(TorchNet):
    """A net given by Caffe's layer records, run on torch.

    Blobs are addressed as Caffe does: a blob that layers work on in place has the value that the last of them left.

    Parameters
    ----------
    spec : NetSpec
        From `prototxt.read_prototxt`.
    weights : {layer: list of arrays}
        From `caffemodel.read_caffemodel`; copied.
    preprocessing : Preprocessing, optional
        Without one, pixels are inputs.
    name : str, optional
        By default the spec's.
    labels : sequence of str, or several, or {blob: sequence of str}, optional
        As for `labels.labelled`.
    training_instances : int, optional
        By default 1,281,167.
    device : str, optional
        By default a GPU if there is one.
    source : str
        Name of the weights' file, for messages.
    ends : Ends, optional
        What the net ends in, as `heads.find_ends` finds it; by default what its own layers say.

    Raises
    ------
    LayerError
        If the layers do not fit together.
    WeightsError
        If a layer has no weights, or they have other shapes.
    """

    def __init__(
        self,
        spec: NetSpec,
        weights: Mapping[str, Sequence[np.ndarray]],
        *,
        preprocessing: Preprocessing | None = None,
        name: str | None = None,
        labels: Labels | None = None,
        training_instances: int | None = None,
        device: Device = None,
        source: str = "the weights",
        ends: Ends | None = None,
    ) -> None:
        self._spec, self._ends = spec, ends
        about = {"preprocessing": preprocessing, "labels": labels, "training_instances": training_instances}
        self._resolved, facts = finished(resolve(spec), ends, name=name, **about)
        super().__init__(facts, choose_device(device))
        # On the CPU channels last: 1.2 times as fast as NCHW for AlexNet, 2 times for GoogLeNet and SqueezeNet (batch
        # 16, two cores), whose pooling it vectorises. On a GPU it is half precision that gains by it, so NCHW there.
        self._layout = torch.channels_last if self.device.type == "cpu" else torch.contiguous_format
        arrays = check_weights(self._resolved, weights, source=source)
        with memory_errors():
            layers = {step.layer.name: LAYERS[step.layer.type] for step in self._resolved.steps}
            self._weights = {
                name: [self._weight(array, layers[name]) for array in blobs] for name, blobs in arrays.items()
            }
        self._hash: str | None = None

    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes on its way to ``blob``, estimated from above."""
        lookup(self._blobs, blob)
        return 4 * (self._resolved.live_elements(blob) + 2 * int(np.prod(self.input_shape)))

    def _bytes_of_pass(self, count: int, blobs: list[str]) -> float:
        """Weights, what is alive on the way, and the blobs once more as arrays."""
        given = sum(math.prod(self._blobs[blob]) for blob in blobs)
        return self._weight_bytes() + 4.0 * count * (self._resolved.live_elements(*blobs) + given)

    def _bytes_of_gradient(self, blob: str) -> float:
        """Weights, all values on the way, and as much for what gradients need of them besides."""
        return self._weight_bytes() + 8.0 * self._resolved.live_elements(blob, freeing=False)

    def _run(self, inputs: Tensor, blobs: Sequence[str]) -> dict[str, Tensor]:
        wanted = {blob: self._resolved.values[blob] for blob in blobs}
        values = self._all_layers.run(inputs.contiguous(memory_format=self._layout), list(wanted.values()))
        return {blob: values[number] for blob, number in wanted.items()}

    def _downstream(self, start: str, blob: str) -> bool:
        return self._resolved.values[blob] in self._resolved.downstream(start)

    def _graph(self, start: str | None, blob: str) -> tuple[Graph, int, int]:
        graph = self._all_layers
        return graph, graph.input if start is None else self._resolved.values[start], self._resolved.values[blob]

    @functools.cached_property
    def _all_layers(self) -> Graph:
        return caffe_graph(self._resolved, self._weights, self.device)

    def _weight(self, array: np.ndarray, layer: TorchLayer) -> Tensor:
        tensor = self._tensor(array)
        if layer.packed and tensor.dim() == 2 and self.device.type == "cpu" and torch.backends.mkldnn.is_available():
            return tensor.to_mkldnn()  # 1.3 to 2 times as fast as MKL on a processor that is not Intel's
        if tensor.dim() != 4 or layer.plain(tensor):
            return tensor
        return tensor.contiguous(memory_format=self._layout)

    def _become_double(self) -> None:
        self.__dict__.pop("_all_layers", None)  # made of the weights as they were
        self._weights = {layer: [_plain(blob).double() for blob in blobs] for layer, blobs in self._weights.items()}

    def _definition(self) -> str:
        return definition(self._resolved)

    @property
    def learnt(self) -> list[str]:
        """Names of the layers that have learnt weights, in the order in which they are computed; no statistics."""
        return self._resolved.learnt

    def _parts(self) -> dict[str, Any]:
        return {
            "spec": self._spec,
            "weights": self.weights,
            "device": str(self.device),
            "ends": self._ends,
            **self._about(),
        }

    @property
    def weights(self) -> dict[str, list[np.ndarray]]:
        """Copies of each layer's weights, or views of them."""
        return {layer: [_plain(tensor).cpu().numpy() for tensor in blobs] for layer, blobs in self._weights.items()}

    def _tensors(self) -> Iterator[Tensor]:
        return (_plain(tensor) for blobs in self._weights.values() for tensor in blobs)

    def _weight_bytes(self) -> int:
        return sum(4 * tensor.numel() for blobs in self._weights.values() for tensor in blobs)

    def _weights_hash(self) -> str:
        if self._hash is None:
            self._hash = super()._weights_hash()
        return self._hash


def _plain(tensor: Tensor) -> Tensor:
    return tensor.to_dense() if tensor.is_mkldnn else tensor
