"""Nets given by any `torch.nn.Module`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ContextManager

import numpy as np
import torch
from torch import Tensor, fx, nn

from ... import consistency
from ...errors import BlobError, InputWarning, SettingsError, warn
from ...protocols import OUTPUT_KINDS, Head
from ...units import lookup
from ...windows import SidesLike
from ..arrays import checked_shape
from ..base import BlobNet, newly_made
from ..engine.device import Device, choose_device
from ..engine.graph import Graph, Node
from ..engine.torch_base import TorchNet
from ..facts import NetFacts
from ..preprocessing import Preprocessing
from .asking import Also, Ask, Pick
from .boxes import BoxScores
from .checks import tried
from .endings import BOXES, ENDINGS
from .hooks import Recorder, Replacer, copied, global_hooks, hook_names
from .pickling import check_pickles
from .remembering import Watch
from .state import device_of, evaluating, numbers, own_weights, placed, same_random, structure
from .trial import checked_graph, fails_alone, made_up, noise

#: Why a module is dense whose answer depends on the batch, or that takes no other.
ONE_BY_ONE = "it is given one image at a time"

#: Files of ours that stood elsewhere when the first results and unfinished tiles were written, which know them so.
MOVED = {"predicdiff.nets.modules.efficientnet_lite": "predicdiff.nets.efficientnet_lite"}


class ModuleNet(TorchNet):
    """Any torch module that makes one tensor of a batch of inputs.

    Blobs are the outputs of its submodules, by their names in ``module.named_modules()`` and in the order in which they
    are computed, and the module's own output. A blob is what its submodule returned, before a later one works on it
    in place; of a submodule that is called several times, it is the last output. Outputs that are no tensors of floats
    with the batch first are left out, and so is a submodule that has the name of one of the net's own blobs.

    Images are brought to the type of the module's weights, float64, bfloat16 or half, and what it makes of them comes
    back as float32. Of several types the first that it takes images in counts.

    The module is kept, not copied, unless it lies on another device than the one asked for; of a copy it is known when
    the module's parts, hooks or weights have changed since. It runs in evaluation mode; afterwards it is in the mode it
    was in.

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
        By default where the module's weights are; the CPU if it has none.
    pick : str, int or callable, optional
        Which output is explained, where the module returns several in a dict, a tuple, a dataclass or Hugging Face's
        `ModelOutput`: its key, its index, or a function from what the module returns to a tensor. By default the only
        one that is a tensor of floats with the batch first; of several the one called "logits", or "out".
    also : tuple or dict
        Further inputs, the same in every call: those behind the images, or those by name. Floats are brought to the
        images' type. A tensor whose first axis is 1 is repeated for each image of a batch; any other is given as it is.
    box : (row, column, height, width), optional
        Of a detector, in the pixels that the net sees: the net has a blob "boxes", for each class the best score times
        overlap (intersection over union) with this box among its detections, see `boxes`. A detector that gives
        each detection one label has as many classes as ``labels`` has names, without these one for all.

    Raises
    ------
    SettingsError
        If the module does not take inputs of this shape, or returns something else than ``output`` says.
    """

    #: The library that the module came from by its name there, and its version.
    library: str | None = None

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
        pick: Pick | None = None,
        also: Also = (),
        box: Sequence[float] | None = None,
    ) -> None:
        name = name or type(module).__name__
        if output not in OUTPUT_KINDS:
            raise SettingsError(f"output {output!r} is unknown: want one of {', '.join(OUTPUT_KINDS)}.")
        shape = checked_shape(input_shape)
        self._asked: dict[str, Any] = {"output": output, "pick": pick, "box": box}
        if box is not None:
            if pick is not None:
                raise SettingsError("pick and box both say what of a module's outputs is explained: want one of them.")
            pick = BoxScores(tuple(box), shape[1:], None if labels is None else len(labels))
            output = BOXES
        self._given, self.module = module, placed(module, device)
        place = device_of(self.module) or choose_device(device or "cpu")
        self._kind, self._ending = output, ENDINGS[output]
        self._own = self._ending.own
        ask = Ask.of(pick, also)
        watch = Watch(self.module, name)
        with same_random(place):
            (self._seen, own, self._ask), self.alone = tried(self.module, name, shape, place, output, ask)
            self._layout = self._seen.layout
            graph: tuple[Graph | None, str | None] = (None, ONE_BY_ONE)
            if not self.alone:
                graph = checked_graph(self.module, shape, place, own, output, self._seen, self._ask)
            self._in_pairs = (
                not self.alone and graph[0] is None and fails_alone(self.module, shape, place, own, self._ask)
            )
        self._module_graph, self.dense_because = graph
        self._loaded = self._state()
        if own == (1,) or output == "sigmoid":
            self.outcomes = 2
        facts = NetFacts(
            name=name, input_shape=shape, blobs=self._ending.blobs(self._seen.shapes, own),
            heads=[Head(self._ending.scores, self._ending.prob)],
            preprocessing=preprocessing, labels=labels, training_instances=training_instances,
        )  # fmt: skip
        super().__init__(facts, place)
        self._remembers = self._ask_twice(watch)

    def _ask_twice(self, watch: Watch) -> bool:
        """Find out whether the module draws, mixes the images of a batch or remembers them: whether it does that."""
        plain = self.preprocessing is None
        inputs = made_up(self.input_shape) if plain else self._encode(noise(self.input_shape), (0, 0))
        try:
            with same_random(self.device):
                came = consistency.compare(self, inputs, self._own)
        except Exception:  # whatever a stranger's module has against them: an image that it takes will show it
            return False
        if came.varies:
            self._module_graph, self.dense_because = None, "it answers differently each time"
            return False
        if came.mixed:
            self._go_alone()
            warn(consistency.mixed(self.name, self._own, came.mixed), InputWarning)
        with same_random(self.device):
            return watch.look(inputs[:1] if self.alone else inputs, self.device, self._ask)

    @property
    def rounding(self) -> float:
        """By how much the least exact of the module's numbers are rounded, as a part of their value."""
        return self._seen.rounding

    def _go_alone(self) -> None:
        super()._go_alone()
        self._module_graph, self.dense_because = None, ONE_BY_ONE

    def evaluating_threads(self) -> int:
        """How many threads may call `evaluate` at once; 0 where it runs a stranger's code, and not the graph alone.

        A module may keep on itself what it is at, and so may hooks.
        """
        own = self._module_graph is None or self._remembers or self.changed()
        return 0 if own or global_hooks() or hook_names(self.module) else super().evaluating_threads()

    def changed(self) -> bool:
        """Whether the module has other parts, hooks or types of weights than when it was loaded."""
        return self._loaded != self._state()

    def _state(self) -> list[Any]:
        """What of the module tells that it was changed; of a copy also what tells that of the module it was made of."""
        state = structure(self.module)
        return state if self._given is self.module else [state, structure(self._given), numbers(self._given)]

    def renewed(self) -> BlobNet:
        """The net of the module as it is now: with the layers and hooks that it has got since."""
        return newly_made(type(self), {**self._parts(), "module": self._given}, self._settings(), self.alone)

    def _become_double(self) -> None:
        self.module, self._module_graph = copied(self.module).double(), None

    @property
    def learnt(self) -> list[str]:
        """Names of the submodules that have weights of their own, in the order of their first call, "" the module."""
        own = own_weights(self.module)
        return [name for name in dict.fromkeys((*self._seen.calls, "")) if own[name]]

    @property
    def weights(self) -> dict[str, list[np.ndarray]]:
        """Copies of the weights that each submodule has by itself, or views of them; "" is the module."""
        own = own_weights(self.module)
        return {name: [_array(weight) for weight in weights] for name, weights in own.items() if weights}

    def with_weights(self, weights: Mapping[str, Sequence[np.ndarray]]) -> BlobNet:
        """A copy of the net with other weights in these submodules."""
        module = copied(self.module)
        own = own_weights(module)
        with torch.no_grad():
            for name, arrays in weights.items():
                for weight, array in zip(own[name], arrays):
                    weight.copy_(torch.from_numpy(np.asarray(array)))
        return self._again(module=module)

    def __reduce__(self) -> tuple[Any, ...]:
        """A net is pickled as its module, if that can be, and is traced anew."""
        check_pickles(self.module, self.name)
        return super().__reduce__()

    def __deepcopy__(self, memo: dict[int, Any]) -> BlobNet:
        """A net of a copy of the module."""
        return self._again(module=copied(self.module, memo))

    def _parts(self) -> dict[str, Any]:
        about = {"input_shape": self.input_shape, "device": str(self.device), "also": self._ask.also, **self._about()}
        return {"module": self.module, **self._asked, **about}

    def for_box(self, box: Sequence[float]) -> BlobNet:
        """The net of the same detector for another box."""
        return self._again(box=box)

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "library": self.library}

    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes on its way to any blob, estimated from above in a dry run."""
        lookup(self._blobs, blob)
        # Twice, for what functions make that are no modules.
        return 2 * self._seen.bytes

    def _run(self, inputs: Tensor, blobs: Sequence[str]) -> dict[str, Tensor]:
        # the module itself, even where it has a graph: hooks on any of its parts are a user's, and are to be called
        return self._run_with(inputs, blobs, {})

    def _run_with(self, inputs: Tensor, blobs: Sequence[str], changed: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Values of ``blobs`` where the last outputs of some submodules are replaced by others."""
        if self._in_pairs and len(inputs) == 1:
            pair = {blob: torch.cat([value, value]) for blob, value in changed.items()}
            return {blob: of[:1] for blob, of in self._run_with(torch.cat([inputs, inputs]), blobs, pair).items()}
        own = {self._own, self.output}
        inner = {blob: self._seen.calls[blob] for blob in blobs if blob not in own}
        replaced = {blob: (self._seen.calls[blob], value) for blob, value in changed.items()}
        stop = self._module_graph is not None and not own.intersection(
            blobs
        )  # else calls may differ from the dry run's
        with evaluating(self.module), Replacer(self.module, replaced) as replacer, Recorder(
            self.module, inner, stop=stop, ask=self._ask
        ) as recorder:
            result = recorder.run(inputs.contiguous(memory_format=self._layout))
        values = recorder.values
        if result is not None:
            self._check_calls(replacer.missed)
            values.update(self._ending.named(result))
        return {blob: self._checked_blob(blob, values.get(blob), len(inputs)) for blob in blobs}

    def _check_calls(self, missed: Sequence[str]) -> None:
        """Refuse a run in which a start was not called as often as in the dry run: its last output was not replaced."""
        if missed:
            blob = missed[0]
            raise BlobError(
                f"blob {blob!r} of net {self.name!r} was computed {self._seen.calls[blob]} times for a black image and "
                "another number of times for this one, so its last output cannot be taken away: choose another start."
            )

    def _checked_blob(self, blob: str, value: Tensor | None, count: int) -> Tensor:
        """A blob of so many inputs, if it was computed and has the shape that it is known by."""
        if value is None:
            raise BlobError(f"blob {blob!r} of net {self.name!r} was not computed for this input.")
        if value.shape != (count, *self._blobs[blob]):
            why = "A squeeze() that does not name its axis takes away a batch of one."
            if self.changed():
                why = "Its module has changed since it was loaded: load it again."
            raise BlobError(
                f"blob {blob!r} of net {self.name!r} is {tuple(value.shape)} for {count} inputs: want "
                f"{(count, *self._blobs[blob])}. {why}"
            )
        return value

    def _downstream(self, start: str, blob: str) -> bool:
        if start == self._own:
            return blob == self.output
        if start == self.output:
            return False
        graph = self._known(start, blob)
        if graph is not None:
            return graph.sees(graph.values[start], graph.values[blob])
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
            inside = f"{start or blob} lies inside of a module that is run as a whole"
            stale = "its module has changed since it was loaded"
            return f"dense, since {self.dense_because or (stale if self.changed() else inside)}"
        return super().evaluation(blob, start=start)

    def bytes_needed(self, blob: str, *, start: str | None, window: SidesLike) -> tuple[int, int]:
        """Memory for `evaluate`, estimated from above: once, and for each input of a batch."""
        fixed, each = super().bytes_needed(blob, start=start, window=window)
        weights, wider = self._weight_bytes(), self._seen.size // 4
        fixed, each = weights + wider * (fixed - weights), wider * each
        known = self._known(start, blob) is not None
        return (fixed, each) if known else (fixed, each + 2 * self._seen.bytes)

    def _ready(self) -> ContextManager[None]:
        return evaluating(self.module)

    def _graph(self, start: str | None, blob: str) -> tuple[Graph, int, int]:
        graph = self._known(start, blob)
        if graph is None:
            return self._as_one(start, blob)
        return graph, graph.input if start is None else graph.values[start], graph.values[blob]

    def _known(self, start: str | None, blob: str) -> Graph | None:
        """The module's graph, if it is still that and has both blobs; it has none inside of torch's own modules."""
        graph = self._module_graph
        if graph is None or not {blob, start} <= {None, *graph.values} or self.changed():
            return None
        return graph

    def _as_one(self, start: str | None, blob: str) -> tuple[Graph, int, int]:
        """The whole module as one function, since what happens inside is not known."""
        shapes = {0: self.input_shape, 2: self._blobs[blob]}
        if start is None:
            run = Node(blob, "module", (0,), 2, lambda inputs: self._run(inputs[0].clone(), [blob])[blob])
            return Graph((run,), shapes, 0, {}), 0, 2
        shapes[1] = self._blobs[start]
        first = Node(start, "module", (0,), 1, lambda inputs: self._run(inputs[0].clone(), [start])[start])
        if start == self._own:
            run = Node(blob, "module", (1,), 2, lambda inputs: self._ending.named(inputs[0])[blob])
        else:
            run = Node(
                blob, "module", (0, 1), 2,
                lambda inputs: self._run_with(inputs[0].clone(), [blob], {start: inputs[1]})[blob],
            )  # fmt: skip
        return Graph((first, run), shapes, 0, {}), 1, 2

    def _engine_provenance(self) -> dict[str, Any]:
        kind = self._ask.dtype
        own = {} if kind == torch.float32 else {"numbers": str(kind).rpartition(".")[2]}
        library = {} if self.library is None else {"library": self.library}
        return {**super()._engine_provenance(), **library, **own}

    def _definition(self) -> str:
        what = (self.module, self._kind, self._blobs)
        # a run that was begun without hooks, or asked otherwise, is another
        # and the representation of a traced module does not say what lies between its parts
        traced = [child.code for child in self.module.modules() if isinstance(child, fx.GraphModule)]
        more = [told for told in (hook_names(self.module), self._ask.identity, traced) if told]
        digest = hashlib.sha1(repr((*what, *more)).encode()).hexdigest()
        place = type(self.module).__module__
        return f"{MOVED.get(place, place)}.{type(self.module).__qualname__} sha1:{digest}"

    def _tensors(self) -> Iterator[Tensor]:
        return (value for value in self.module.state_dict().values() if isinstance(value, Tensor))


def _array(weight: Tensor) -> np.ndarray:
    """A weight as numpy has it: bfloat16, which numpy does not know, as float32."""
    array: np.ndarray = weight.detach().to("cpu", torch.promote_types(weight.dtype, torch.float32)).numpy()
    return array
