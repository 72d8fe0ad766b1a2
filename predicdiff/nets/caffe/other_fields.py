"""Fields that Caffe has not, in layers of which only training has use: those of a fork's data layers and losses."""

from __future__ import annotations

import re
from typing import Any, Iterator

from google.protobuf import text_format

from ...errors import FormatError
from .deploy import only_trains
from .phases import layers_of
from .schema import message_class

#: What may hold a brace that is none, and braces.
_TOKENS = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}<>]""")


def without_other_fields(text: str) -> str:
    """A net's text without the fields that are not Caffe's in such layers; what else is wrong stays in its line."""
    parts, done = [], 0
    for start, stop in _blocks(text):
        parts += [text[done:start], _mended(text[start:stop])]
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


def _mended(layer: str) -> str:
    lenient = message_class("NetParameter")()
    try:
        _read(layer, message_class("NetParameter")(), allow_unknown_field=False)
    except text_format.ParseError:
        try:
            _read(layer, lenient, allow_unknown_field=True)
            if only_trains(layers_of(lenient)[0], ()):
                return str(text_format.MessageToString(lenient, as_one_line=True)) + "\n" * layer.count("\n")
        except (text_format.ParseError, FormatError):
            pass  # more is wrong with it, which the whole text is then refused for
    return layer


def _read(text: str, net: Any, *, allow_unknown_field: bool) -> None:
    text_format.Parse(text, net, allow_unknown_field=allow_unknown_field)
