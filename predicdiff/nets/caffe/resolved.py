"""A net as data: its layer records in order, the shape of every blob, and which weights each layer wants.

Shapes leave out the batch axis. A *value* is what one layer writes. A layer that works in place gives its blob a
further value, and a blob's name stands for the last one, as in Caffe after a full forward pass.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import AbstractSet, Callable, Iterable, Mapping, Sequence

import numpy as np

from ...errors import LayerError, WeightsError
from ...texts import near
from ...units import lookup
from ..engine.geometry import Shape
from ..engine.order import Move, downstream, freed, needed
from .layer_types import LayerType, Shapes, shapes, type_of
from .records import MOST_ELEMENTS, Layer, NetSpec


@dataclass(frozen=True)
class Step:
    """One layer in its place: the numbers of the values it reads and writes, and their shapes."""

    layer: Layer
    type: LayerType
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    bottoms: tuple[Shape, ...]
    shapes: Shapes

    @property
    def inputs(self) -> tuple[int, ...]:
        """Of what it reads, the values that its tops depend on; of the others it takes the shape alone."""
        return self.reads[: self.type.inputs]

    @property
    def move(self) -> Move:
        """What it reads the values of, and what it writes."""
        return self.inputs, self.writes

    @property
    def columns(self) -> int:
        """Elements that Caffe unfolds one input of the layer into."""
        return 0 if self.type.columns is None else self.type.columns(self.bottoms, self.shapes)

    @property
    def workspace(self) -> int:
        """Elements that the layer needs besides its tops, at most."""
        widened = 0 if self.type.widened is None else self.type.widened(self.bottoms, self.shapes)
        return max(widened, self.columns or 2 * max(map(math.prod, self.shapes.tops), default=0))


@dataclass(frozen=True)
class ResolvedNet:
    """A checked net.

    Attributes
    ----------
    name : str
    steps : tuple of Step
        In the order in which they are computed.
    sizes : tuple of shapes
        Shape of each value; the first ones are the net's inputs.
    values : {blob: number of its last value}
        In the order in which blobs first appear, inputs first.
    inputs : tuple of str
    added : int
        How many of the last steps were put behind the net, which does not have them itself.
    """

    name: str
    steps: tuple[Step, ...]
    sizes: tuple[Shape, ...]
    values: Mapping[str, int]
    inputs: tuple[str, ...]
    added: int = 0

    @functools.cached_property
    def names(self) -> AbstractSet[str]:
        """The names of all blobs and layers."""
        return {*self.values, *(step.layer.name for step in self.steps)}

    @property
    def learnt(self) -> list[str]:
        """Names of the layers with learnt weights; others hold statistics."""
        return [step.layer.name for step in self.steps if step.shapes.weights and not step.type.statistics]

    @functools.cached_property
    def blobs(self) -> Mapping[str, Shape]:
        """Shape of every blob."""
        return {name: self.sizes[value] for name, value in self.values.items()}

    @functools.cached_property
    def makers(self) -> Mapping[int, Step]:
        """The step that writes each value but the inputs'."""
        return {value: step for step in self.steps for value in step.writes}

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of the only input; a LayerError if the net has several or another kind."""
        shapes_of_inputs = [self.sizes[self.values[name]] for name in self.inputs]
        if len(shapes_of_inputs) != 1 or len(shapes_of_inputs[0]) != 3:
            told = ", ".join(f"{name} {shape}" for name, shape in zip(self.inputs, shapes_of_inputs)) or "none"
            raise LayerError(
                f"net {self.name!r} has the inputs {told}: want one of shape (channels, height, width). "
                "Give the net's deploy prototxt."
            )
        channels, height, width = shapes_of_inputs[0]
        return channels, height, width

    def steps_to(self, *blobs: str) -> list[tuple[Step, list[int]]]:
        """The steps that blobs need, in order, each with the values that nothing after it needs."""
        wanted = [self._value(blob) for blob in blobs]
        steps = [self.steps[i] for i in needed([step.move for step in self.steps], wanted)]
        return list(zip(steps, freed([step.move for step in steps], wanted)))

    def downstream(self, start: str) -> set[int]:
        """The last value of blob ``start``, and every value that is computed from it."""
        return downstream([step.move for step in self.steps], self._value(start))

    def live_elements(self, *blobs: str, freeing: bool = True) -> int:
        """Most elements alive at one time on the way to ``blobs``, for one input; estimated from above.

        Without ``freeing`` as if all values on the way were kept, as a gradient needs them.
        """
        live = {self.values[name]: math.prod(self.sizes[self.values[name]]) for name in self.inputs}
        most = sum(live.values())
        for step, gone in self.steps_to(*blobs):
            live.update((value, math.prod(self.sizes[value])) for value in step.writes)
            most = max(most, sum(live.values()) + step.workspace)
            for value in gone if freeing else ():
                live.pop(value, None)
        return most

    def _value(self, blob: str) -> int:
        lookup(self.blobs, blob)
        return self.values[blob]


def resolve(spec: NetSpec, kind_of: Callable[[Layer], LayerType] = type_of) -> ResolvedNet:
    """Work out every shape of a net by Caffe's rules.

    Parameters
    ----------
    spec : NetSpec
        Layer records, as `prototxt.read_prototxt` gives them.
    kind_of : callable
        From a layer to its type; by default one of those that are known.

    Raises
    ------
    LayerError
        If a layer is of an unknown type, its parameters contradict each other or its bottoms, a bottom is made by no
        layer, or a blob by two.
    """
    values: dict[str, int] = {}
    sizes: list[Shape] = []
    for name, shape in spec.inputs.items():
        if min(shape, default=1) < 1 or math.prod(shape) > MOST_ELEMENTS:
            raise LayerError(f"input {name!r} has the shape {tuple(shape)}, want 1 to 2^31 - 1 elements.")
        values[name] = len(sizes)
        sizes.append(tuple(shape))
    steps = [_step(layer, kind_of(layer), values, sizes) for layer in spec.layers]
    _check_names(steps)
    return ResolvedNet(spec.name, tuple(steps), tuple(sizes), values, tuple(spec.inputs))


def followed(net: ResolvedNet, added: Sequence[Layer]) -> ResolvedNet:
    """The net with layers put behind it, which it does not have itself."""
    values, sizes = dict(net.values), list(net.sizes)
    steps = (*net.steps, *[_step(layer, type_of(layer), values, sizes) for layer in added])
    return replace(net, steps=steps, sizes=tuple(sizes), values=values, added=len(added))


def _step(layer: Layer, kind: LayerType, values: dict[str, int], sizes: list[Shape]) -> Step:
    """A layer behind those so far, whose tops are put among the values and their sizes."""
    reads = _reads(layer, values)
    bottoms = tuple(sizes[value] for value in reads)
    layer_shapes = shapes(layer, bottoms, kind)
    _check_tops(layer, layer_shapes, values, bottoms)
    writes = tuple(range(len(sizes), len(sizes) + len(layer.tops)))
    sizes.extend(layer_shapes.tops)
    values.update(zip(layer.tops, writes))
    return Step(layer, kind, reads, writes, bottoms, layer_shapes)


def _reads(layer: Layer, values: Mapping[str, int]) -> tuple[int, ...]:
    for bottom in layer.bottoms:
        if bottom not in values:
            similar = near(bottom, values, cutoff=0.4)
            hint = f" Near names: {', '.join(similar)}." if similar else ""
            raise LayerError(
                f"layer {layer.name!r} ({layer.type}) reads blob {bottom!r}, which no layer before it makes.{hint}"
            )
    return tuple(values[bottom] for bottom in layer.bottoms)


def _check_tops(layer: Layer, made: Shapes, values: Mapping[str, int], bottoms: Sequence[Shape]) -> None:
    seen = set()
    for i, (top, shape) in enumerate(zip(layer.tops, made.tops)):
        if top in seen:
            raise LayerError(f"layer {layer.name!r} ({layer.type}) has the top {top!r} twice.")
        seen.add(top)
        if top in values:
            _check_in_place(layer, i, shape, bottoms)


def _check_in_place(layer: Layer, i: int, shape: Shape, bottoms: Sequence[Shape]) -> None:
    """Refuse a top whose name is taken but by the bottom of the same place and shape."""
    top = layer.tops[i]
    if layer.bottoms[i : i + 1] != (top,):
        raise LayerError(
            f"layer {layer.name!r} ({layer.type}) makes blob {top!r}, which another layer makes already: "
            "want another name, or the same bottom and top for a layer that works in place."
        )
    if bottoms[i] != shape:
        raise LayerError(
            f"layer {layer.name!r} ({layer.type}) works in place on blob {top!r} and changes its shape from "
            f"{bottoms[i]} to {shape}: want a top of its own."
        )


def _check_names(steps: Sequence[Step]) -> None:
    count = Counter(step.layer.name for step in steps if step.shapes.weights)
    twice = [name for name, times in count.items() if times > 1]
    if twice:
        raise LayerError(
            f"{count[twice[0]]} layers with weights have the name {twice[0]!r}: want a name of its own for each."
        )


def definition(net: ResolvedNet) -> str:
    """SHA-1 of a net's inputs, layers and their settings: what tells nets apart, whatever runs them.

    A softmax that was put behind the net makes no other of it; a sigmoid, whose blob may have the same name, does.
    """
    own = len(net.steps) - net.added
    steps = [step for i, step in enumerate(net.steps) if i < own or step.type.holds == "sigmoid"]
    records = [(s.layer.name, s.layer.type, s.layer.bottoms, s.layer.tops, s.shapes.settings) for s in steps]
    inputs = {name: net.sizes[net.values[name]] for name in net.inputs}
    text = json.dumps([inputs, records], sort_keys=True, default=dict)
    return "sha1:" + hashlib.sha1(text.encode()).hexdigest()


def check_weights(
    net: ResolvedNet, weights: Mapping[str, Sequence[np.ndarray]], *, source: str = "the weights"
) -> dict[str, tuple[np.ndarray, ...]]:
    """Weights in the shapes that a net's layers want; those of layers that the net does not have are left out.

    Parameters
    ----------
    net : ResolvedNet
    weights : {layer: list of arrays}
        As `caffemodel.read_caffemodel` gives them; old files' leading axes of length 1 are dropped.
    source : str
        Name of the file, for messages.

    Returns
    -------
    {layer: tuple of float32 arrays}
        Views of ``weights`` where nothing had to be converted.

    Raises
    ------
    WeightsError
        If a layer has no weights, or they have other shapes.
    """
    steps = [step for step in net.steps if step.shapes.weights]
    whole = _shared(steps, weights)
    return {step.layer.name: _layer_weights(step, whole, source) for step in steps}


def _shared(steps: Sequence[Step], weights: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Sequence[np.ndarray]]:
    """The weights, and where a layer lacks one of its own, that of the first layer that shares it."""
    whole: dict[str, Sequence[np.ndarray]] = dict(weights)
    owned: dict[str, np.ndarray] = {}
    for step in steps:
        names = step.layer.shared[: len(step.shapes.weights)]
        blobs = list(weights.get(step.layer.name, ()))
        blobs += [np.empty(0, np.float32)] * (len(names) - len(blobs))
        for index, name in enumerate(names):
            if name and np.size(blobs[index]):
                owned.setdefault(name, blobs[index])
            elif name:
                blobs[index] = owned.get(name, blobs[index])
        if any(names) and any(map(np.size, blobs)):
            whole[step.layer.name] = blobs
    return whole


def _layer_weights(step: Step, weights: Mapping[str, Sequence[np.ndarray]], source: str) -> tuple[np.ndarray, ...]:
    name, wanted = step.layer.name, step.shapes.weights
    blobs = weights.get(name, ())
    if len(blobs) == 0:
        similar = near(name, weights, cutoff=0.4)
        hint = f" It has {', '.join(similar)}." if similar else ""
        raise WeightsError(
            f"layer {name!r} ({step.layer.type}) has no weights in {source}: want {_list(wanted)}.{hint} "
            "Give the weights that belong to this net."
        )
    stored = [np.shape(blob) for blob in blobs]
    if len(stored) != len(wanted) or not all(map(_fits, stored, wanted)):
        raise WeightsError(
            f"layer {name!r} ({step.layer.type}) has weights of shape {_list(stored)} in {source}, the net wants "
            f"{_list(wanted)}. Give the weights that belong to this net{_or_sides(stored, wanted)}."
        )
    return tuple(np.asarray(blob, np.float32).reshape(shape) for blob, shape in zip(blobs, wanted))


def _or_sides(stored: Sequence[Shape], wanted: Sequence[Shape]) -> str:
    """What else to give, where all fits but the number of values that are read, as an image's size decides on it."""
    matrix, rest = _bare(stored[0]), list(map(_bare, stored[1:]))
    fits = len(matrix) == len(wanted[0]) == 2 and matrix[0] == wanted[0][0] and rest == list(map(_bare, wanted[1:]))
    return ", or the input's size that they were trained with (--input-shape C,H,W)" if fits else ""


def _fits(stored: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether a blob has the wanted shape, or the numbers of a vector along one of its axes, as forks' batch norms."""
    if len(wanted) <= 1:
        return [size for size in stored if size != 1] == [size for size in wanted if size != 1]
    return _bare(stored) == _bare(wanted)


def _bare(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without its leading axes of length 1, by which old files make four axes of any."""
    sizes = list(shape)
    while sizes and sizes[0] == 1:
        del sizes[0]
    return tuple(sizes)


def _list(items: Iterable[Shape]) -> str:
    return ", ".join(map(str, items))
