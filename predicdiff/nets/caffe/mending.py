"""What is not Caffe's and changes nothing of a net: a fork's fields in layers that go, and `layers` for `layer`."""

from __future__ import annotations

import functools
import re
from typing import Any, Iterator

from google.protobuf import text_format

from ...errors import FormatError
from .deploy import only_trains
from .layer_types import TYPES
from .phases import layers_of
from .schema import message_class

#: What may hold a brace that is none, and braces. A text without a closing quote goes on to the end of its line.
_TOKENS = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|[{}<>]""")


@functools.lru_cache(maxsize=1)  # a file is read several times, for its net and for what it says of images
def mended(text: str) -> str:
    """A net's text without fields that Caffe has not, in layers of which only training has use, and with ``layer`` for
    ``layers`` where a type in quotes says that it is meant; what else is wrong stays in its line.
    """
    parts, done = [], 0
    for start, stop in _blocks(text):
        parts += [text[done:start], _mended_layer(text[start:stop])]
        done = stop
    return "".join([*parts, text[done:]])


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Where the layers stand in a text, from the word to the closing brace."""
    depth = start = 0
    for token in _TOKENS.finditer(text):
        if token[0] in "{<":
            if depth == 0:
                word = re.search(r"\blayers?\s*:?\s*$", text[max(0, token.start() - 99) : token.start()])
                start = -1 if word is None else token.start() - len(word[0])
            depth += 1
        elif token[0] in "}>":
            depth -= 1
            if depth == 0 and start >= 0:
                yield start, token.end()


def _mended_layer(layer: str) -> str:
    """One layer's text without what is not Caffe's, if that changes nothing of the net."""
    if _read(layer) is not None:
        return layer
    new = re.sub(r"^layers", "layer", layer)  # the old format's word before a type that only the new one puts in quotes
    known = _read(new)
    if known is not None and known.layer[0].type in TYPES:
        return new
    for text in (layer, new):
        lenient = _read(text, allow_unknown_field=True)
        if lenient is not None and only_trains(layers_of(lenient)[0]):
            return str(text_format.MessageToString(lenient, as_one_line=True)) + "\n" * layer.count("\n")
    return layer


def _read(text: str, **options: bool) -> Any:
    """The text as a NetParameter; None if it is none."""
    try:
        net = text_format.Parse(text, message_class("NetParameter")(), **options)
        layers_of(net)
        return net
    except (text_format.ParseError, FormatError, RecursionError):
        return None
