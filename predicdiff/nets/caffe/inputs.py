"""What goes into a net, and of what shape: declared, from Input layers, or through the data layers of training."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

from ...errors import FormatError, LayerError
from .caffemodel import check_shape
from .phases import Typed
from .training_images import TrainingImages

#: The type of what is no layer, but says what goes in.
INPUT = "Input"

#: Ends a message about an input of unknown shape.
ASKED = "give it, such as --input-shape 3,224,224, or 1,28,28 for grey images (input_shape=(3, 224, 224))."

_Shape = Optional[Tuple[int, ...]]
_Inputs = Dict[str, _Shape]


def inputs_of(
    net: Any,
    layers: Sequence[Typed],
    sources: Sequence[tuple[Typed, TrainingImages]] = (),
    input_shape: Sequence[int] | None = None,
) -> dict[str, tuple[int, ...]]:
    """The net's inputs with their shapes, without the batch axis; those that no layer reads are left out.

    Parameters
    ----------
    net : NetParameter
    layers : sequence of (type, layer)
        Those that stay, Input layers among them.
    sources : sequence of ((type, layer), TrainingImages)
        The data layers that become inputs.
    input_shape : (C, H, W), optional
        Takes the place of what data layers say of their images, and of the shape of an input that has none.

    Raises
    ------
    FormatError
        If an input is there twice, has a shape that Caffe refuses, another than ``input_shape`` or none at all.
    """
    own = _own_inputs(net, layers)
    read = {bottom for _, layer in layers for bottom in layer.bottom}
    inputs = {name: shape for name, shape in own.items() if name in read or not read & {*own, *_tops(sources)}}
    for (_, layer), images in sources:
        tops = [top for top in layer.top if top in read] or list(layer.top[: not inputs])
        inputs.update(dict.fromkeys(tops, _shape_of(images, input_shape)))
    if not inputs:
        raise FormatError("has no input: want a layer of type Input, or `input` with `input_dim` or `input_shape`.")
    return {name: _settled(name, shape, input_shape, name in own) for name, shape in inputs.items()}


def _tops(sources: Sequence[tuple[Typed, TrainingImages]]) -> set[str]:
    return {top for (_, layer), _ in sources for top in layer.top}


def _own_inputs(net: Any, layers: Sequence[Typed]) -> _Inputs:
    """What the net itself calls its inputs, each with its shape."""
    inputs: _Inputs = {}
    of_layers = _input_layers(layers)
    for name, shape in _declared(net, bool(of_layers)) + of_layers:
        if name in inputs:
            raise FormatError(f"input {name!r} is there twice.")
        inputs[name] = None if shape is None else _sound(name, shape)
    return inputs


def _sound(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its batch axis, if Caffe takes it."""
    if not shape or 0 in shape:
        raise FormatError(f"input {name!r} has shape {shape}, want at least one axis and no size of 0.")
    try:
        check_shape(shape)
    except FormatError as error:
        raise FormatError(f"input {name!r}: {error}") from None
    return shape[1:]


def _settled(name: str, shape: _Shape, input_shape: Sequence[int] | None, own: bool) -> tuple[int, ...]:
    given = None if input_shape is None else tuple(input_shape)
    if own and shape is not None and given not in (None, shape):
        raise FormatError(f"input {name!r} has the shape {shape}, not {given}: leave out --input-shape (input_shape=).")
    settled = shape if given is None else given
    if settled is None:
        raise FormatError(f"input {name!r} has no shape: {ASKED}")
    return _sound(name, (1, *settled))


def _shape_of(images: TrainingImages, input_shape: Sequence[int] | None) -> _Shape:
    """What a data layer makes of its images."""
    if images.shape is None and input_shape is None:
        raise FormatError(
            f"layer {images.layer!r} ({images.kind}) reads its images from elsewhere and has no crop_size, which would "
            f"be the size of the net's input: {ASKED}"
        )
    return images.shape


def _declared(net: Any, beside_layers: bool) -> list[tuple[str, tuple[int, ...] | None]]:
    """Inputs from before there were Input layers; beside such Caffe passes over those without any shapes."""
    names = list(net.input)
    if net.input_shape:
        shapes = [tuple(shape.dim) for shape in net.input_shape]
    else:
        dims = list(net.input_dim)
        shapes = [tuple(dims[start : start + 4]) for start in range(0, len(dims), 4)]
        if len(dims) % 4:
            raise FormatError(f"has {len(dims)} input_dim, want 4 for each input.")
    if not shapes:
        return [] if beside_layers else [(name, None) for name in names]
    if names and len(names) != len(shapes):
        raise FormatError(f"has {len(names)} inputs {names}, and {len(shapes)} shapes for them: want one each.")
    return list(zip(names, shapes))


def _input_layers(layers: Sequence[Typed]) -> list[tuple[str, tuple[int, ...] | None]]:
    inputs: list[tuple[str, tuple[int, ...] | None]] = []
    for layer in (layer for kind, layer in layers if kind == INPUT):
        shapes = [tuple(shape.dim) for shape in layer.input_param.shape]
        if len(shapes) == 1:
            shapes *= len(layer.top)
        if not layer.top or len(shapes) != len(layer.top):
            raise LayerError(
                f"layer {layer.name!r} of type Input has tops {list(layer.top)} and {len(shapes)} shapes: "
                "want a shape for each, or one for all."
            )
        inputs.extend(zip(layer.top, shapes))
    return inputs
