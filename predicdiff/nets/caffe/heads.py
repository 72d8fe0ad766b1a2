"""What a net ends in: which blobs hold its classes, and what is put behind scores that have no softmax of their own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import BlobError, SettingsError
from ...protocols import OUTPUT_KINDS, Head
from ...units import channels, lookup
from ..facts import NetFacts
from .layer_types import TYPES
from .layer_types.base import ASIDE, COMBINED, SAME, SCALED
from .records import Layer
from .resolved import ResolvedNet, Step, followed

#: What the bottoms of layers hold that make probabilities, by what their tops do.
SCORES = {"probabilities": "logits", "sigmoid": "sigmoid"}
#: The type of such a layer, by what its bottom holds.
BEHIND = {SCORES[kind.holds]: kind.name for kind in TYPES.values() if kind.holds in SCORES}
#: What losses said of a net that has none.
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Ends:
    """What a net ends in.

    Attributes
    ----------
    heads : tuple of Head
        Its outputs of classes, first the one that is looked at by default; ``Head()`` alone where it has none.
    added : tuple of Layer
        What is put behind the net.
    notes : tuple of str
        What was decided without being asked for, in sentences.
    """

    heads: tuple[Head, ...]
    added: tuple[Layer, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _End:
    """A blob, what it holds, and the Softmax or Sigmoid that made it, where one did."""

    blob: str
    holds: str
    step: Step | None = None


def finished(net: ResolvedNet, ends: Ends | None, *, name: str | None, **about: Any) -> tuple[ResolvedNet, NetFacts]:
    """A net with what is put behind it, and what is known of it before it is run.

    ``about`` is what else `NetFacts` takes; ``name`` is by default the net's, ``ends`` what its own layers say.
    """
    ends = own_ends(net) if ends is None else ends
    net = followed(net, ends.added)
    return net, NetFacts(name or net.name, net.input_shape, net.blobs, ends.heads, **about)


def own_ends(net: ResolvedNet) -> Ends:
    """The outputs that a net's own Softmax and Sigmoid layers make; nothing is put behind it."""
    ends = _probable(net)
    return Ends(tuple(_made(net, end, ends, None, None)[0] for end in ends) or (Head(),))


def find_ends(
    net: ResolvedNet, output: str | None = None, output_is: str | None = None, holds: Mapping[str, str] = NOTHING
) -> Ends:
    """Find a net's outputs.

    These are what a Softmax makes with no layer behind it that has learnt anything, or a Sigmoid at the end; what an
    Eltwise makes of several Softmaxes takes their place. In a net without such they are the blobs at its end that an
    InnerProduct or a Convolution makes, of which the softmax is taken.

    Parameters
    ----------
    net : ResolvedNet
    output : str, optional
        The blob of probabilities or of scores that is to be looked at by default. Otherwise the last one that a
        Softmax makes, else the last one.
    output_is : {"logits", "sigmoid", "probabilities", "activation"}, optional
        What it holds, as for torch modules.
    holds : {blob: "scores" or "activation"}, optional
        Of which blobs losses said what they hold, as `prototxt.Prototxt` has it: scores are of classes, and no
        probabilities are made of them.

    Raises
    ------
    BlobError
        If there is no such blob.
    SettingsError
        If the net itself says that it holds something else.
    """
    if output_is is not None and output_is not in OUTPUT_KINDS:
        raise SettingsError(f"output_is = {output_is!r} is unknown: want one of {', '.join(OUTPUT_KINDS)}.")
    ends = _probable(net) or _scores(net, holds)
    if output is not None:
        chosen = _named(net, output, output_is, holds)
        ends = [chosen, *(end for end in ends if not _alike(net, end, chosen))]
    elif ends:
        _check(net, ends[0], output_is)
    if not ends:
        return Ends((Head(),))
    heads, added = zip(*(_made(net, end, ends, output, output_is) for end in ends))
    open_ends = output_is is None and ends[0].step is None and ends[0].holds != "probabilities"
    notes = [
        *(_decided(net, heads, added, ends[0], holds) if open_ends else []),
        *_several(net, ends, output),
        *_certain(net, ends),
    ]
    return Ends(tuple(heads), tuple(layer for layer in added if layer is not None), tuple(notes))


def _probable(net: ResolvedNet) -> list[_End]:
    """What Softmax and Sigmoid layers make at the end of a net; the last Softmax's first.

    What a Softmax makes may be reckoned with further, as long as nothing behind it has learnt; what a Sigmoid makes
    there is a gate, and no output.
    """
    ends: list[_End] = []
    learnt: set[int] = set()  # values on which something learnt depends, or another end
    reckoned: set[int] = set()  # values on which anything does that is not the same at other places
    for step in reversed(net.steps):
        holds, writes = step.type.holds, set(step.writes)
        end = holds in SCORES and not writes & (reckoned if holds == "sigmoid" else learnt)
        if end:
            ends.append(_End(step.layer.tops[0], str(holds), step))
        if end or step.shapes.weights or writes & learnt:
            learnt.update(step.inputs)
        if holds not in (SAME, ASIDE) or writes & reckoned:
            reckoned.update(step.inputs)
    ends = _combined(net, ends[::-1])
    first = ([end for end in ends if end.holds == "probabilities"] or ends)[-1:]
    return [*first, *(end for end in ends if end not in first and end.holds != "activation")]


def _combined(net: ResolvedNet, ends: Sequence[_End]) -> list[_End]:
    """The same ends, but in place of several that one layer combines what it makes: probabilities only as a mean."""
    origins = _origins(net, (SAME,))
    left = {end.step.writes[0]: end for end in ends if end.step is not None}  # by the value that each is
    for step in net.steps:
        if step.type.holds != COMBINED:
            continue
        values = {origins[value] for value in step.reads}
        parts = sorted(value for value in values if value in left and left[value].step is not None)
        if len(parts) > 1:
            mean = len(parts) == len(step.reads) and _is_mean(step)
            left[parts[-1]] = _End(step.layer.tops[0], "probabilities" if mean else "activation")
            for value in parts[:-1]:
                del left[value]
    return list(left.values())


def _is_mean(step: Step) -> bool:
    """Whether a layer that combines its bottoms takes their weighted mean, so that what added up to 1 still does."""
    weights = step.shapes.settings["coefficients"]
    return step.shapes.settings["operation"] == "SUM" and min(weights) >= 0 and abs(sum(weights) - 1) < 1e-6


def _scores(net: ResolvedNet, holds: Mapping[str, str]) -> list[_End]:
    """What lies at the end of a net without such: blobs of scores, the last first; without these the last blob."""
    steps = [step for step in net.steps if step.type.holds != ASIDE]
    read = {value for step in steps for value in step.reads}
    made = {value for step in steps for value in step.writes}
    last = [blob for blob, value in net.values.items() if value in made - read]
    origins = _origins(net, (SAME, SCALED))
    ends = [_End(blob, holds.get(blob) or _kind(net, blob, origins)) for blob in last]
    scores = [end for end in ends if end.holds in ("logits", "scores")] or ends[-1:]
    return [*scores[-1:], *scores[:-1]]


def _named(net: ResolvedNet, blob: str, output_is: str | None, holds: Mapping[str, str]) -> _End:
    """The end that a caller names by its probabilities, or by its scores."""
    try:
        lookup(net.blobs, blob)
    except BlobError as error:
        if blob not in OUTPUT_KINDS:
            raise
        raise BlobError(f"{error} What a blob holds is said by --output-is {blob} (output_is={blob!r}).") from None
    for end in _probable(net):
        scores = None if end.step is None else _scores_of(net, end.step)
        if scores == blob and output_is in (None, SCORES[end.holds]):
            return end
    step = net.makers.get(_origins(net, (SAME,))[net.values[blob]])
    if step is None or step.type.holds not in SCORES:
        return _End(blob, holds.get(blob) or _kind(net, blob, _origins(net, (SAME, SCALED))))
    end = _End(blob, str(step.type.holds), step)
    _check(net, end, output_is)
    return end


def _check(net: ResolvedNet, end: _End, output_is: str | None) -> None:
    """Refuse to take for something else what a Softmax or a Sigmoid has made."""
    if end.step is None or output_is in (None, "activation", "probabilities", end.holds):
        return
    scores = _scores_of(net, end.step)
    other = "" if scores is None else f", or name the blob before it: --output-blob {scores} (output={scores!r})"
    raise SettingsError(
        f"blob {end.blob!r} holds the probabilities that layer {end.step.layer.name!r} ({end.step.layer.type}) makes, "
        f"and was to hold {output_is}: leave out --output-is (output_is={output_is!r}){other}."
    )


def _alike(net: ResolvedNet, end: _End, chosen: _End) -> bool:
    """Whether two ends are of the same scores."""
    scores = None if end.step is None else _scores_of(net, end.step)
    return chosen.blob in (end.blob, scores) or (end.step is not None and end.step is chosen.step)


def _made(
    net: ResolvedNet, end: _End, ends: Sequence[_End], output: str | None, output_is: str | None
) -> tuple[Head, Layer | None]:
    """The output of one of the ends, the first of which the settings are about, and what is put behind it."""
    settled = output_is if end is ends[0] or end.step is None else None
    kind, count = settled or end.holds, channels(net.blobs[end.blob])
    if kind == "activation":
        asked = settled is not None or output is not None or count == 1
        return Head(end.blob if asked else None), None
    if kind == "scores":
        return Head(end.blob), None
    if end.step is not None:
        return _own_head(net, end.blob, end.step), None
    if kind == "probabilities":
        return Head(None, end.blob, 2 if count == 1 else None), None
    if kind == "logits" and count == 1:
        raise SettingsError(
            f"blob {end.blob!r} holds one logit, whose softmax is always 1: want --output-is sigmoid "
            "(output_is='sigmoid')."
        )
    name = _free(net, [*(["prob"] if len(ends) == 1 else []), f"{end.blob}_prob"])
    return Head(end.blob, name, 2 if kind == "sigmoid" else None), Layer(name, BEHIND[kind], (end.blob,), (name,), {})


def _free(net: ResolvedNet, names: Sequence[str]) -> str:
    """The first of some names that no blob and no layer has, or a longer one."""
    longer = itertools.chain(names, (names[-1] + "_" * more for more in itertools.count(1)))
    return next(name for name in longer if name not in net.names)


def _own_head(net: ResolvedNet, blob: str, step: Step) -> Head:
    """The output ``blob`` that a Softmax or a Sigmoid makes."""
    axis = step.shapes.settings.get("axis", 0)
    outcomes = 2 if step.type.holds == "sigmoid" else None if axis == 0 else step.bottoms[0][axis]
    return Head(_scores_of(net, step), blob, outcomes)


def _scores_of(net: ResolvedNet, step: Step) -> str | None:
    """The blob that a layer reads; None where it is overwritten and can no longer be had."""
    bottom = step.layer.bottoms[0]
    return bottom if net.values[bottom] == step.reads[0] else None


def _kind(net: ResolvedNet, blob: str, origins: Sequence[int]) -> str:
    """What a blob is taken for that no Softmax or Sigmoid has made."""
    step = net.makers.get(origins[net.values[blob]])
    scores = step is not None and step.type.holds == "logits" and channels(net.blobs[blob]) > 1
    return "logits" if scores else "activation"


def _origins(net: ResolvedNet, through: Sequence[str]) -> list[int]:
    """For each value the one of which layers that hold what they were given have made it; itself, where none has."""
    origins = list(range(len(net.sizes)))
    for step in net.steps:
        if step.type.holds in through:
            for value in step.writes:
                origins[value] = origins[step.reads[0]]
    return origins


def _decided(
    net: ResolvedNet, heads: Sequence[Head], added: Sequence[Layer | None], end: _End, holds: Mapping[str, str]
) -> list[str]:
    """What outputs were taken for that do not say so themselves, the first of which is the ``end``."""
    other = "If that is wrong, say what it holds: --output-is (output_is=)"
    behind = {str(head.scores): str(head.output) for head, layer in zip(heads, added) if layer is not None}
    if behind:
        scores, probabilities = (" and ".join(map(repr, names)) for names in zip(*behind.items()))
        return [
            f"no Softmax or Sigmoid follows its output {scores}, so it is taken for logits, and their softmax is blob "
            f"{probabilities}. {other} sigmoid, probabilities or activation."
        ]
    kinds = "sigmoid or probabilities" if channels(net.blobs[end.blob]) == 1 else "logits, sigmoid or probabilities"
    why = {
        "scores": "holds scores of which its loss makes no probabilities",
        "activation": "holds no classes, as its loss says",
    }.get(holds.get(end.blob, ""), "is not known to hold logits or probabilities")
    return [
        f"its output {end.blob!r} {_told(net.blobs[end.blob])} {why}, so its values are explained as they are. {other} "
        f"{kinds}."
    ]


def _several(net: ResolvedNet, ends: Sequence[_End], output: str | None) -> list[str]:
    """Which of several outputs is taken, where nobody has said so."""
    if output is not None or len(ends) == 1:
        return []
    blobs = {end.blob for end in ends}
    outputs = [blob for blob in net.values if blob in blobs]
    told = ", ".join(f"{blob!r} {_told(net.blobs[blob])}" for blob in outputs)
    return [
        f"it has {len(ends)} outputs, {told}: {ends[0].blob!r} is taken where no blob is given. --output-blob "
        "(output=) takes another."
    ]


def _certain(net: ResolvedNet, ends: Sequence[_End]) -> list[str]:
    """Of which outputs the net is sure whatever it sees, since each is the softmax of one value."""
    notes = []
    for end in ends:
        step = end.step
        if step is not None and end.holds == "probabilities" and step.bottoms[0][step.shapes.settings["axis"]] == 1:
            scores = _scores_of(net, step)
            other = (
                "a top of its own for that layer" if scores is None else f"--output-blob {scores} --output-is sigmoid"
            )
            notes.append(
                f"its output {end.blob!r} is the softmax of one value, which is always 1. If that value is a class's "
                f"score, want {other}."
            )
    return notes


def _told(shape: Sequence[int]) -> str:
    return f"({' x '.join(map(str, shape)) or '1'})"
