"""Nets given by any `torch.nn.Module`."""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ContextManager

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import BlobError, InputWarning, SettingsError
from ...units import lookup
from ...windows import SidesLike
from ..engine.device import Device, choose_device, exactly, first_line, is_full, memory_errors
from ..engine.graph import Graph, Node
from ..engine.torch_base import TorchNet
from ..preprocessing import Preprocessing
from .graph import UntraceableError, module_graph
from .hooks import Recorder, Replacer, Trace, trace

#: What a module may end in: the name of its own output, and of the blob of probabilities.
OUTPUTS = {
    "logits": ("logits", "prob"),
    "sigmoid": ("logits", "prob"),
    "probabilities": ("prob", "prob"),
    "activation": ("output", None),
}


#: What makes probabilities of a module's own output.
ENDS = {
    "logits": lambda values: torch.softmax(values, 1),
    "sigmoid": torch.sigmoid,
    "probabilities": None,
    "activation": None,
}


#: Files of ours that stood elsewhere when the first results and unfinished tiles were written, which know them so.
MOVED = {"predicdiff.nets.modules.efficientnet_lite": "predicdiff.nets.efficientnet_lite"}


class ModuleNet(TorchNet):
    """Any torch module that makes one tensor of a batch of inputs.

    Blobs are the outputs of its submodules, by their names in ``module.named_modules()`` and in the order in which they
    are computed, and the module's own output. A blob is what its submodule returned, before a later one works on it
    in place; of a submodule that is called several times, it is the last output. Outputs that are no tensors of floats
    with the batch first are left out, and so is a submodule that has the name of one of the net's own blobs.

    The module is kept, not copied, if it is on the device asked for. It runs in evaluation mode; afterwards it is in
    the mode it was in.

    Parameters
    ----------
    module : torch.nn.Module
    input_shape : (C, H, W)
    output : {"logits", "sigmoid", "probabilities", "activation"}
        What the module returns. "logits": blob "logits", and "prob", their softmax over the first axis. "sigmoid": blob
        "logits", and "prob", each one's sigmoid. "probabilities": blob "prob". "activation": blob "output", and the net
        has no probabilities.
    preprocessing : Preprocessing, optional
        Without one, pixels are inputs.
    labels : sequence of str, optional
    name : str, optional
        By default the module's class.
    training_instances : int, optional
        By default 1,281,167.
    device : str, optional
        By default a GPU if there is one.

    Raises
    ------
    SettingsError
        If the module does not take inputs of this shape, or returns something else than ``output`` says.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        input_shape: tuple[int, int, int],
        output: str = "logits",
        preprocessing: Preprocessing | None = None,
        labels: Sequence[str] | None = None,
        name: str | None = None,
        training_instances: int | None = None,
        device: Device = None,
    ) -> None:
        name = name or type(module).__name__
        if output not in OUTPUTS:
            raise SettingsError(f"output {output!r} is unknown: want one of {', '.join(OUTPUTS)}.")
        shape = _checked_shape(input_shape)
        self.module = _placed(module, device)
        place = _device_of(self.module) or choose_device(device)
        self._kind = output
        self._own, prob = OUTPUTS[output]
        self._trace, own = _dry_run(self.module, name, shape, place, output)
        if own == (1,) or output == "sigmoid":
            self.outcomes = 2
        self._layout = self._trace.layout
        self._traced, self.dense_because = _traced(self.module, shape, place, own, output)
        inner = {blob: size for blob, size in self._trace.shapes.items() if blob not in (self._own, prob)}
        super().__init__(
            name=name,
            input_shape=shape,
            blobs={**inner, self._own: own, **({} if prob is None else {prob: own})},
            scores=self._own if self._own != prob and prob is not None else None,
            output=prob,
            preprocessing=preprocessing,
            labels=labels,
            training_instances=training_instances,
            device=place,
        )

    @property
    def learnt(self) -> list[str]:
        """Names of the submodules that have weights of their own, in the order of their first call, "" the module."""
        own = _own_weights(self.module)
        return [name for name in dict.fromkeys((*self._trace.calls, "")) if own[name]]

    @property
    def weights(self) -> dict[str, list[np.ndarray]]:
        """Copies of the weights that each submodule has by itself, or views of them; "" is the module."""
        own = _own_weights(self.module)
        return {name: [_array(weight) for weight in weights] for name, weights in own.items() if weights}

    def with_weights(self, weights: Mapping[str, Sequence[np.ndarray]]) -> ModuleNet:
        """A copy of the net, module and all, with other weights in these submodules."""
        module = copy.deepcopy(self.module)
        own = _own_weights(module)
        with torch.no_grad():
            for name, arrays in weights.items():
                for weight, array in zip(own[name], arrays):
                    weight.copy_(torch.from_numpy(np.asarray(array)))
        about = {"input_shape": self.input_shape, "output": self._kind, "device": self.device, **self._about()}
        return self._set_like(type(self)(module, **about))

    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes on its way to any blob, estimated from above in a dry run."""
        lookup(self._blobs, blob)
        # Twice, for what functions make that are no modules.
        return 8 * self._trace.elements

    def _run(self, inputs: Tensor, blobs: Sequence[str]) -> dict[str, Tensor]:
        return self._run_with(inputs, blobs, {})

    def _run_with(self, inputs: Tensor, blobs: Sequence[str], changed: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Values of ``blobs`` where the last outputs of some submodules are replaced by others."""
        own = {self._own, self.output}
        inner = {blob: self._trace.calls[blob] for blob in blobs if blob not in own}
        replaced = {blob: (self._trace.calls[blob], value) for blob, value in changed.items()}
        with _evaluating(self.module), Replacer(self.module, replaced), Recorder(
            self.module, inner, stop=not own.intersection(blobs)
        ) as recorder:
            result = recorder.run(inputs.contiguous(memory_format=self._layout))
        values = recorder.values
        if result is not None:
            values.update(self._named(result))
        missing = [blob for blob in blobs if blob not in values]
        if missing:
            raise BlobError(f"blob {missing[0]!r} of net {self.name!r} was not computed for this input.")
        return {blob: values[blob] for blob in blobs}

    def _downstream(self, start: str, blob: str) -> bool:
        if start == self._own:
            return blob == self.output
        if start == self.output:
            return False
        traced = self._known(start, blob)
        if traced is not None:
            return traced.sees(traced.values[start], traced.values[blob])
        with torch.inference_mode(False), torch.enable_grad():
            black = torch.zeros(1, *self.input_shape, device=self.device)
            leaf = self._run(black, [start])[start].detach().requires_grad_()
            value = self._run_with(black, [blob], {start: leaf})[blob]
            if not value.requires_grad:
                return False
            return torch.autograd.grad(value.sum(), leaf, allow_unused=True)[0] is not None

    def evaluation(self, blob: str, *, start: str | None = None) -> str:
        """How `evaluate` works for this blob, in words, and why where it is dense."""
        if self._known(start, blob) is None:
            return f"dense, since {self.dense_because or f'{start or blob} lies inside of a module of torch'}"
        return super().evaluation(blob, start=start)

    def bytes_needed(self, blob: str, *, start: str | None, window: SidesLike) -> tuple[int, int]:
        """Memory for `evaluate`, estimated from above: once, and for each input of a batch."""
        fixed, each = super().bytes_needed(blob, start=start, window=window)
        known = self._known(start, blob) is not None
        return (fixed, each) if known else (fixed, each + 8 * self._trace.elements)

    def _ready(self) -> ContextManager[None]:
        return _evaluating(self.module)

    def _graph(self, start: str | None, blob: str) -> tuple[Graph, int, int]:
        traced = self._known(start, blob)
        if traced is None:
            return self._as_one(start, blob)
        return traced, traced.input if start is None else traced.values[start], traced.values[blob]

    def _known(self, start: str | None, blob: str) -> Graph | None:
        """The trace, if it knows both; of what is inside of torch's own modules it does not."""
        known = self._traced is not None and {blob, start} <= {None, *self._traced.values}
        return self._traced if known else None

    def _as_one(self, start: str | None, blob: str) -> tuple[Graph, int, int]:
        """The whole module as one function, since what happens inside is not known."""
        shapes = {0: self.input_shape, 2: self._blobs[blob]}
        if start is None:
            run = Node(blob, "module", (0,), 2, lambda given: self._run(given[0].clone(), [blob])[blob])
            return Graph((run,), shapes, 0, {}), 0, 2
        shapes[1] = self._blobs[start]
        first = Node(start, "module", (0,), 1, lambda given: self._run(given[0].clone(), [start])[start])
        if start == self._own:
            run = Node(blob, "module", (1,), 2, lambda given: self._named(given[0])[blob])
        else:
            run = Node(
                blob, "module", (0, 1), 2,
                lambda given: self._run_with(given[0].clone(), [blob], {start: given[1]})[blob],
            )  # fmt: skip
        return Graph((first, run), shapes, 0, {}), 1, 2

    def _named(self, result: Tensor) -> dict[str, Tensor]:
        result = _with_classes(result)
        named = {self._own: result}
        end = ENDS[self._kind]
        if end is not None:
            named["prob"] = end(result)
        return named

    def _definition(self) -> str:
        digest = hashlib.sha1(repr((self.module, self._kind, self._blobs)).encode()).hexdigest()
        place = type(self.module).__module__
        return f"{MOVED.get(place, place)}.{type(self.module).__qualname__} sha1:{digest}"

    def _tensors(self) -> Iterator[Tensor]:
        return (value for value in self.module.state_dict().values() if isinstance(value, Tensor))


def _own_weights(module: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Weights of floats that each submodule has by itself, not in its submodules; "" is the module."""
    return {
        name: [weight for weight in child.parameters(recurse=False) if weight.is_floating_point() and weight.numel()]
        for name, child in module.named_modules()
    }


def _array(weight: Tensor) -> np.ndarray:
    """As numpy has it, which knows no bfloat16."""
    found: np.ndarray = weight.detach().to("cpu", torch.promote_types(weight.dtype, torch.float32)).numpy()
    return found


def _traced(
    module: nn.Module, shape: tuple[int, int, int], device: torch.device, own: tuple[int, ...], output: str
) -> tuple[Graph | None, str | None]:
    """The module's graph, its own blobs included, or why there is none."""
    zeros = torch.zeros(2, *shape, device=device)
    with _evaluating(module), memory_errors(), exactly(), torch.inference_mode():
        try:
            traced = module_graph(module, zeros)
        except UntraceableError as error:
            return None, str(error)
        ramp = torch.linspace(-1, 1, zeros.numel(), device=device).view_as(zeros)
        usual = module(ramp.clone())
        if not _alike(usual, traced.run(ramp.clone())):
            return None, "its trace gives other values"
    return traced.named(own, OUTPUTS[output], ENDS[output]), None


def _dry_run(
    module: nn.Module, name: str, shape: tuple[int, int, int], device: torch.device, output: str
) -> tuple[Trace, tuple[int, ...]]:
    """A trace of two black images, and the shape of the module's own output for each."""
    zeros = torch.zeros(2, *shape, device=device)
    with _evaluating(module), memory_errors(), exactly(), torch.inference_mode():
        try:
            result, returned = trace(module, zeros.clone())
        except Exception as error:  # whatever a stranger's module raises
            if is_full(error):
                raise
            raise SettingsError(
                f"{name} does not take inputs of shape {shape}: {first_line(error)}{_hint(module)}"
            ) from error
        own = _checked_output(returned, name, output)
        if device.type == "cpu" and _runs_channels_last(module, zeros):
            result.layout = torch.channels_last
    return result, own


def _hint(module: nn.Module) -> str:
    """What mends a module that cannot run as it is, where that is known."""
    if isinstance(module, torch.jit.ScriptModule):
        return ". It is TorchScript: want the module that it was made from."
    kinds = {value.dtype for value in module.parameters() if value.is_floating_point()} - {torch.float32}
    return f". Its weights are {kinds.pop()}: want float32, as module.float() makes them." if kinds else ""


def _runs_channels_last(module: nn.Module, zeros: Tensor) -> bool:
    """Whether channels last, faster for convolutions on the CPU, gives the same; a module that calls `view` fails."""
    if not any(isinstance(child, nn.Conv2d) for child in module.modules()):
        return False
    ramp = torch.linspace(-1, 1, zeros.numel()).view_as(zeros)
    usual = module(ramp.clone())
    try:
        other = module(ramp.contiguous(memory_format=torch.channels_last))
    except Exception:
        return False
    return _alike(usual, other)


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether two outputs are the same, rounding apart, NaN and infinities included."""
    largest = float(a.nan_to_num(0.0, 0.0, 0.0).abs().max())
    return torch.allclose(a, b, rtol=1e-3, atol=1e-4 * largest, equal_nan=True)


def _checked_shape(shape: Any) -> tuple[int, int, int]:
    try:
        channels, height, width = (int(size) for size in shape)
    except (TypeError, ValueError):
        raise SettingsError(f"input_shape is {shape!r}: want (channels, height, width).") from None
    if min(channels, height, width) < 1:
        raise SettingsError(f"input_shape is {shape!r}: want (channels, height, width), each at least 1.")
    return channels, height, width


def _checked_output(returned: Any, name: str, output: str) -> tuple[int, ...]:
    """Shape of the module's output without the batch axis, if it can be what ``output`` says."""
    if not isinstance(returned, Tensor):
        raise SettingsError(
            f"{name} returns a {type(returned).__name__}: want one tensor. "
            "Wrap it in a module that returns the one to explain."
        )
    if returned.dim() < 1 or len(returned) != 2 or not returned.is_floating_point():
        raise SettingsError(
            f"{name} returns a tensor {tuple(returned.shape)} of {returned.dtype} for two inputs: "
            "want one of floats, batch first."
        )
    returned = _with_classes(returned)
    _check_values(returned, name, output)
    return tuple(returned.shape[1:])


def _check_values(returned: Tensor, name: str, output: str) -> None:
    """Hold what came against what ``output`` says it is: logits taken for probabilities, or the other way round."""
    low, high = float(returned.min()), float(returned.max())
    if output == "probabilities" and (low < -1e-4 or high > 1 + 1e-4):
        raise SettingsError(
            f"{name} returns values from {low:.4g} to {high:.4g}, which are no probabilities: "
            'want output="logits", "sigmoid" or "activation".'
        )
    if output == "logits" and returned.shape[1] == 1:
        raise SettingsError(f'{name} returns one logit, whose softmax is always 1: want output="sigmoid".')
    sums = returned.sum(1)
    if output == "logits" and low >= 0 and torch.allclose(sums, torch.ones_like(sums), atol=1e-5):
        warnings.warn(
            f"{name} returns numbers that add up to 1, as if a softmax had been applied already: "
            'if so, want output="probabilities".',
            InputWarning,
            stacklevel=5,
        )


def _with_classes(result: Tensor) -> Tensor:
    """One number for each input as a vector of length 1."""
    return result[:, None] if result.dim() == 1 else result


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """A module in evaluation mode; afterwards each submodule is in the mode it was in."""
    training = [child for child in module.modules() if child.training]
    try:
        for child in training:
            child.training = False
        yield
    finally:
        for child in training:
            child.training = True


def _device_of(module: nn.Module) -> torch.device | None:
    for tensor in [*module.parameters(), *module.buffers()]:
        return tensor.device
    return None


def _placed(module: nn.Module, device: Device) -> nn.Module:
    """The module itself if it is where it should be, else a copy there."""
    here = _device_of(module)
    if here is None or (device is None and here.type == "cuda"):
        return module
    wanted = choose_device(device)
    same = here.type == wanted.type and wanted.index in (None, here.index)
    return module if same else copy.deepcopy(module).to(wanted)
