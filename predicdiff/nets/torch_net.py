"""Nets given by Caffe's layer records, run on torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from typing import Callable

import numpy as np
import torch
from torch import Tensor

from ..caffe_format import NetSpec
from ..units import lookup
from .layers import Plan, Turn, check_weights, plan
from .preprocessing import Preprocessing
from .torch_base import TorchNet, hash_of
from .torch_device import Device, choose_device, memory_errors
from .torch_layers import apply


class CaffeTorchNet(TorchNet):
    """A net given by Caffe's layer records, run on torch.

    Blobs are addressed as Caffe does: a blob that layers work on in place has the value that the last of them left.

    Parameters
    ----------
    spec : NetSpec
        From `caffe_format.read_prototxt`.
    weights : {layer: list of arrays}
        From `caffe_format.read_caffemodel`; copied.
    preprocessing : Preprocessing, optional
        Without one, pixels are inputs.
    name : str, optional
        By default the spec's.
    labels : sequence of str, optional
    training_instances : int, optional
        By default 1,281,167.
    device : str, optional
        By default a GPU if there is one.
    source : str
        Name of the weights' file, for messages.

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
        labels: Sequence[str] | None = None,
        training_instances: int | None = None,
        device: Device = None,
        source: str = "the weights",
    ) -> None:
        self._plan: Plan = plan(spec)
        super().__init__(
            name=name or spec.name,
            input_shape=self._plan.input_shape,
            blobs=self._plan.blobs,
            scores=self._plan.scores,
            output=self._plan.output,
            preprocessing=preprocessing,
            labels=labels,
            training_instances=training_instances,
            device=choose_device(device),
        )
        # On the CPU channels last: 1.2 times as fast as NCHW for AlexNet, 2 times for GoogLeNet and SqueezeNet (batch
        # 16, two cores), whose pooling it vectorises. On a GPU it is half precision that gains by it, so NCHW there.
        self._layout = torch.channels_last if self.device.type == "cpu" else torch.contiguous_format
        arrays = check_weights(self._plan, weights, source=source)
        with memory_errors():
            self._weights = {layer: [self._weight(array) for array in blobs] for layer, blobs in arrays.items()}
        self._hash: str | None = None

    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes on its way to ``blob``, estimated from above."""
        lookup(self._blobs, blob)
        return 4 * (self._plan.live_elements(blob) + 2 * int(np.prod(self.input_shape)))

    def _run(self, inputs: Tensor, blobs: Sequence[str]) -> dict[str, Tensor]:
        values = {self._plan.values[self._plan.inputs[0]]: inputs.contiguous(memory_format=self._layout)}
        turns = self._plan.schedule(blobs, overwrite=not torch.is_grad_enabled())
        return self._work(turns, values, {blob: self._plan.values[blob] for blob in blobs})

    def _downstream(self, start: str, blob: str) -> bool:
        return self._plan.values[blob] in self._plan.downstream(start)

    def _resume(self, inputs: Tensor, start: str, blob: str) -> Callable[[Tensor], Tensor]:
        turns = self._plan.schedule([blob], start=start)
        first, last = self._plan.values[start], self._plan.values[blob]
        made = {first}.union(*(turn.step.writes for turn in turns))
        beside = {number for turn in turns for number in turn.step.reads} - made
        base = self._values(inputs, beside)

        def resume(changed: Tensor) -> Tensor:
            values = {number: value.expand(len(changed), *value.shape[1:]) for number, value in base.items()}
            layout = self._layout if changed.dim() == 4 else torch.contiguous_format
            values[first] = changed.contiguous(memory_format=layout)
            return self._work(turns, values, {blob: last})[blob]

        return resume

    def _values(self, inputs: Tensor, numbers: Set[int]) -> dict[int, Tensor]:
        """Values by number, those that a layer in place overwrites among them."""
        values = {self._plan.values[self._plan.inputs[0]]: inputs.contiguous(memory_format=self._layout)}
        for step in self._plan.steps:
            if numbers - values.keys() and all(number in values for number in step.reads):
                turn = Turn(step, (), False)
                bottoms = [values[number] for number in step.reads]
                values.update(zip(step.writes, apply(turn, bottoms, self._weights.get(step.layer.name, ()))))
        return {number: values[number] for number in numbers}

    def _work(self, turns: Sequence[Turn], values: dict[int, Tensor], wanted: Mapping[str, int]) -> dict[str, Tensor]:
        for turn in turns:
            bottoms = [values[number] for number in turn.step.reads]
            tops = apply(turn, bottoms, self._weights.get(turn.step.layer.name, ()))
            values.update(zip(turn.step.writes, tops))
            for number in turn.frees:
                del values[number]
        return {blob: values[number] for blob, number in wanted.items()}

    def _weight(self, array: np.ndarray) -> Tensor:
        tensor = self._tensor(array)
        return tensor.contiguous(memory_format=self._layout) if tensor.dim() == 4 else tensor

    def _definition(self) -> str:
        records = [
            (s.layer.name, s.layer.type, s.layer.bottoms, s.layer.tops, s.shapes.settings) for s in self._plan.steps
        ]
        inputs = {name: self._plan.sizes[self._plan.values[name]] for name in self._plan.inputs}
        text = json.dumps([inputs, records], sort_keys=True, default=dict)
        return "sha1:" + hashlib.sha1(text.encode()).hexdigest()

    def _weights_hash(self) -> str:
        if self._hash is None:
            self._hash = hash_of(tensor for blobs in self._weights.values() for tensor in blobs)
        return self._hash
