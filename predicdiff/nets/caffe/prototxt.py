"""Net definitions (prototxt) -> plain records.

Here a net is data; what the fields of a layer mean is said in `layer_types`. Old definitions come out in today's words:
V1 layers and their types, ``input_dim``, ``input_shape``. Of a net in training comes its deploy net.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np
from google.protobuf import text_format

from ...errors import BlobError, FormatError, LayerError, SettingsError, WeightsError
from .caffemodel import PathLike, opened
from .deploy import Deploy, deploy
from .inputs import INPUT, inputs_of
from .mending import mended
from .mistakes import explained
from .records import Layer, NetSpec
from .schema import message_class
from .training_images import TrainingImages, training_images

#: The longest definitions of nets that were published have some hundred kB.
_MOST_BYTES = 2**21
#: Backslashes in a row, of which protobuf's parser takes the square.
_BACKSLASHES = 100


@dataclass(frozen=True)
class Prototxt:
    """A prototxt that was read.

    Attributes
    ----------
    spec : NetSpec
    text : str
        The same net for Caffe: ASCII, in Caffe's own words.
    images : TrainingImages or None
        Of a net in training, what its data layer says.
    done : str
        What was done to make a deploy net of it, empty if it was one.
    holds : {blob: str}
        Of a net in training, what its losses say of the blobs that they judged, as in `deploy.Deploy`.
    """

    spec: NetSpec
    text: str
    images: TrainingImages | None = None
    done: str = ""
    holds: Mapping[str, str] = field(default_factory=dict)


def read_prototxt(path: PathLike) -> NetSpec:
    """Read a net's definition, in any format since Caffe's V1; errors as for `parse_prototxt`."""
    return read_file(path).spec


def read_training_images(path: PathLike) -> TrainingImages | None:
    """What the data layer of a net in training says of its images; None for a deploy net. Errors as for `read_file`."""
    text = _read(path)
    with named(path):
        images = [training_images(source, Path(path).parent) for source in deploy(_parse(text)).sources]
    return next(iter(images), None)


def read_file(
    path: PathLike,
    input_shape: Sequence[int] | None = None,
    *,
    output: str | None = None,
    other: Callable[[], Any] | None = None,
) -> Prototxt:
    """Read a net's definition with all that is known of it; arguments and errors as for `parse_file`."""
    return parse_file(_read(path), str(path), input_shape, output=output, other=other)


def parse_prototxt(text: str, name: str) -> NetSpec:
    """The net that a prototxt defines; arguments and errors as for `parse_file`."""
    return parse_file(text, name).spec


def parse_file(
    text: str,
    name: str,
    input_shape: Sequence[int] | None = None,
    *,
    output: str | None = None,
    other: Callable[[], Any] | None = None,
) -> Prototxt:
    """What a prototxt defines.

    Parameters
    ----------
    text : str
    name : str
        What errors call it, e.g. its path. Also the net's name where the text gives none.
    input_shape : (C, H, W), optional
        Of the net's input, where the file leaves it open or is that of a net in training.
    output : str, optional
        A blob that is to stay where a deploy net is made of a net in training.
    other : callable, optional
        Gives another Caffe's empty NetParameter, for a text with fields that are not known here.

    Raises
    ------
    FormatError
        If it is no prototxt, has a field that Caffe has not (with its line), or no input of known shape.
    LayerError
        If a layer has no type, or is of one of another Caffe than BVLC's.
    """
    with named(name):
        net = _parse(text, other)
        made = deploy(net, output)
        images = [training_images(source, Path(name).parent) for source in made.sources]
        inputs = inputs_of(net, made.layers, list(zip(made.sources, images)), input_shape)
        layers = [typed for typed in made.layers if typed[0] != INPUT]
        spec = NetSpec(net.name or Path(name).stem, inputs, tuple(_record(*typed) for typed in layers))
        written = _text(type(net), spec, [layer for _, layer in layers])
        return Prototxt(spec, written, next(iter(images), None), _done(made, spec), made.holds)


@contextmanager
def named(name: PathLike) -> Iterator[None]:
    """Put a file's name before what is said against it."""
    try:
        yield
    except (BlobError, FormatError, SettingsError, WeightsError) as error:
        if str(error).startswith(f"{name}: "):
            raise
        raise type(error)(f"{name}: {error}") from None


def _read(path: PathLike) -> str:
    with opened(path, "a prototxt") as (file, size, kind):
        if kind not in ("a prototxt", "a text file"):
            raise FormatError(f"want a prototxt, found {kind or 'a binary file (are these the weights?)'}.")
        if size > _MOST_BYTES:
            raise FormatError(
                f"want a prototxt, found {size:,} bytes of text: want a net's definition, of {_MOST_BYTES:,} at most."
            )
        file.seek(0)
        # Bytes that are no UTF-8 are welcome in comments, and refused in names as escape sequences.
        text = file.read(_MOST_BYTES).decode("utf-8-sig", "backslashreplace")
        if "\\" * _BACKSLASHES in text:
            raise FormatError(f"has {_BACKSLASHES} backslashes in a row, which no name has: want a net's definition.")
        return text


def _parse(text: str, other: Callable[[], Any] | None = None) -> Any:
    for message in (message_class("NetParameter"), other):
        if message is not None:
            with suppress(text_format.ParseError):
                return text_format.Parse(text, message())
    net, text = message_class("NetParameter")(), mended(text)
    try:
        return text_format.Parse(text, net)
    except text_format.ParseError as error:
        raise explained(error, net, text) from None


def _text(message: Any, spec: NetSpec, layers: Sequence[Any]) -> str:
    """The net for Caffe, which knows nothing of ``ceil_mode``; ``message`` is the class of such nets."""
    net = message(name=spec.name, input=list(spec.inputs))
    for shape in spec.inputs.values():
        net.input_shape.add(dim=(1, *shape))
    for layer in layers:
        known = net.layer if isinstance(layer.type, str) else net.layers
        known.add().CopyFrom(layer)
        for rules in ("include", "exclude"):
            known[-1].ClearField(rules)
        pooling = known[-1].pooling_param
        if "ceil_mode" in (field.name for field, _ in pooling.ListFields()):
            pooling.round_mode = 0 if pooling.ceil_mode else 1
            pooling.ClearField("ceil_mode")
    text: str = text_format.MessageToString(net)
    return text


def _done(made: Deploy, spec: NetSpec) -> str:
    sides = " and ".join(" x ".join(map(str, shape)) for shape in spec.inputs.values())
    data = [f"{layer.name} ({kind}) becomes an input of {sides}" for kind, layer in made.sources]
    return "; ".join([*data, *made.done])


def _record(kind: str, layer: Any) -> Layer:
    if not kind:
        raise LayerError(f"layer {layer.name!r} has no type.")
    params = {field.name: _plain(field, value) for field, value in layer.ListFields() if field.name.endswith("_param")}
    shared = tuple(param if isinstance(param, str) else param.name for param in layer.param)
    return Layer(layer.name, kind, tuple(layer.bottom), tuple(layer.top), params, shared if any(shared) else ())


def _plain(field: Any, value: Any) -> Any:
    """A protobuf value as dicts, lists, strings and numbers."""
    if hasattr(value, "ListFields"):
        return {inner.name: _plain(inner, item) for inner, item in value.ListFields()}
    if not isinstance(value, (bool, int, float, str)):
        return [_plain(field, item) for item in value]
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if isinstance(value, float):
        return float(np.format_float_scientific(np.float32(value)))  # 0.0001 as written, not 9.999999747378752e-05
    return value
