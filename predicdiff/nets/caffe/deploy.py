"""The deploy net of a net in training: without its data layers, and with probabilities in place of its losses.

A loss or an accuracy says where the net's answer is. Of several that judge by the same labels the loss of the largest
weight counts, as that of GoogLeNet's main classifier does; the layers that only the others need go with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Collection, Mapping, Sequence, Tuple

from .inputs import INPUT
from .layer_types import TYPES
from .layer_types.training import (
    ACCURACY,
    BEST_CLASSES,
    HELD,
    JUDGES,
    PROBABILITIES,
    PYTHON,
    READERS,
    WITHOUT_TOPS,
)
from .phases import TRAIN, Typed, is_included, layers_of, stages_of
from .schema import v1_types

#: A type, and the layers that one of this type reads.
_Judged = Tuple[str, Tuple[int, ...]]

#: Names that a note tells; of more it gives the number.
_FEW = 4


@dataclass(frozen=True)
class Deploy:
    """A deploy net.

    Attributes
    ----------
    layers : tuple of (type, layer)
    sources : tuple of (type, layer)
        The data layers that become inputs.
    done : tuple of str
        What was done, in words.
    holds : {blob: str}
        What losses say of the blobs that they judged, where these are no probabilities: "scores" of classes, or an
        "activation" that is none.
    """

    layers: tuple[Typed, ...]
    sources: tuple[Typed, ...] = ()
    done: tuple[str, ...] = ()
    holds: Mapping[str, str] = field(default_factory=dict)


def deploy(net: Any, output: str | None = None) -> Deploy:
    """The layers of a NetParameter that answer: those that are there in phase TEST, if nothing belongs to training.

    Of a net in training the layers that make blob ``output`` stay, and where a loss judges that blob, this loss counts.

    Raises
    ------
    FormatError
        As `phases.layers_of`.
    """
    every = layers_of(net)
    stages = stages_of(net)
    here = [typed for typed in every if is_included(typed[1], stages)]
    gone = [typed for typed in every if not is_included(typed[1], stages)]
    sources = tuple(filter(_is_source, here))
    if not sources and not net.input and not any(kind == INPUT for kind, _ in here):
        sources = _stand_in([typed for typed in gone if _is_source(typed)])
    layers = [typed for typed in here if not _is_source(typed)]
    if not sources and not any(_judges(kind) for kind, _ in layers):
        return Deploy(tuple(map(_in_use, layers)), done=_statistics(layers))
    return _Maker(layers + _only_in_training(layers, gone), output).deploy(sources)


def only_trains(typed: Typed) -> bool:
    """Whether a layer is of no use but in training, whatever the stage, so that what else it says does not matter."""
    rules = typed[1].include
    in_train = rules and all(rule.HasField("phase") and rule.phase == TRAIN for rule in rules)
    return bool(_is_source(typed) or _judges(typed[0]) or in_train)


def _is_source(typed: Typed) -> bool:
    kind, layer = typed
    return not layer.bottom and (kind.endswith(READERS) or kind == PYTHON)


def _stand_in(sources: Sequence[Typed]) -> tuple[Typed, ...]:
    """Of data layers for other phases and stages one, since none is there in TEST: not TRAIN's, if there are others."""
    others = [typed for typed in sources if not any(rule.HasField("phase") for rule in typed[1].include)]
    return tuple((others or sources)[:1])


def _by_batch(layer: Any) -> bool:
    """Whether a layer is told to take the mean and variance of the batch, which a net in use does not have."""
    settings = [value for field, value in layer.ListFields() if field.name == "batch_norm_param"]
    return any(value.HasField("use_global_stats") and not value.use_global_stats for value in settings)


def _in_use(typed: Typed) -> Typed:
    """The layer as a deploy net has it."""
    if _by_batch(typed[1]):
        typed = typed[0], type(typed[1]).FromString(typed[1].SerializeToString())
        typed[1].batch_norm_param.ClearField("use_global_stats")
    return typed


def _statistics(layers: Sequence[Typed]) -> tuple[str, ...]:
    """What is said of layers that are told to take the mean and variance of the batch."""
    names = [layer.name for _, layer in layers if _by_batch(layer)]
    told = "mean and variance are those of training, not of the batch as use_global_stats: false says, in"
    return (f"{told} {_few(names)}",) if names else ()


def _few(names: Sequence[str]) -> str:
    """Some names as a list, the first few of many."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"{', '.join(names[:_FEW])}{more}"


def _judges(kind: str) -> bool:
    return kind.endswith(JUDGES) or kind in WITHOUT_TOPS or _gives(kind) is not None


def _gives(kind: str) -> str | None:
    """The type whose top a loss reckons from its bottom, if it reckons probabilities."""
    return next((given for part, given in PROBABILITIES.items() if part in kind), None)


def _held(kind: str) -> str | None:
    """What a loss that reckons no probabilities says of what it judges, if it is known."""
    return next((held for part, held in HELD.items() if part in kind and kind.endswith(JUDGES)), None)


def _v1_number(kind: str) -> int:
    return next(number for number, name in v1_types().items() if name == kind)


def _only_in_training(layers: Sequence[Typed], gone: Sequence[Typed]) -> list[Typed]:
    """Losses that are in TRAIN alone, where the net has no other in TEST to say what its answer is."""
    if any(_gives(kind) or _held(kind) for kind, _ in layers):
        return []
    made = {top for _, layer in layers for top in layer.top}
    losses = [typed for typed in gone if _gives(typed[0]) or _held(typed[0])]
    return [typed for typed in losses if made.intersection(typed[1].bottom[:2])]


class _Maker:
    """Layers by their numbers, who reads whom, and which of them end the net."""

    def __init__(self, layers: Sequence[Typed], output: str | None) -> None:
        self.layers = layers
        self.output = output
        self.reads: list[list[int]] = []
        self.writers: dict[str, int] = {}
        for number, (_, layer) in enumerate(layers):
            self.reads.append([self.writers[bottom] for bottom in layer.bottom if bottom in self.writers])
            self.writers.update(dict.fromkeys(layer.top, number))
        self.names = {name for _, layer in layers for name in (layer.name, *layer.top)}
        self.softmaxes: dict[_Judged, list[int]] = {}  # layers of each type that make probabilities of the same
        for number, (kind, _) in enumerate(layers):
            if kind in PROBABILITIES.values():
                self.softmaxes.setdefault((kind, tuple(self.reads[number])), []).append(number)
        self.scores: dict[_Judged, set[tuple[int, ...]]] = {}
        self.ends = self._ends()

    def deploy(self, sources: tuple[Typed, ...]) -> Deploy:
        """Losses that count become probabilities; other ends go, and all that only they need."""
        rivals = self._rivals()
        main = sorted(rivals)
        made = {number: self._probabilities(number, len(main)) for number in main}
        kept = self._needed(main)
        layers = [_in_use(typed) if number in kept else made.get(number) for number, typed in enumerate(self.layers)]
        read = {bottom for number in kept for bottom in self.layers[number][1].bottom}
        read.update(bottom for new in made.values() if new for bottom in new[1].bottom)
        sources = tuple(typed for typed in sources if read.intersection(typed[1].top)) or sources[:1]
        done = [f"{self.layers[number][0]} becomes {new[0]} {new[1].name!r}" for number, new in made.items() if new]
        done += [self._preferred(number, others) for number, others in rivals.items() if others]
        gone = [layer.name for (_, layer), stays in zip(self.layers, layers) if not stays]
        if gone:
            done.append(f"left out: {_few(gone)}")
        done += _statistics([self.layers[number] for number in sorted(kept)])
        return Deploy(tuple(filter(None, layers)), sources, tuple(done), self._holds(main, kept))

    def _holds(self, main: Sequence[int], kept: Collection[int]) -> dict[str, str]:
        """What the main losses say of the blobs that stay, but of probabilities."""
        blobs = {
            blob
            for number in kept
            if self.layers[number][0] not in PROBABILITIES.values()
            for blob in self.layers[number][1].top
        }
        told = [(blob, _held(self.layers[number][0])) for number in main for blob in self.layers[number][1].bottom]
        return {blob: held for blob, held in told if held is not None and blob in blobs}

    def _ends(self) -> set[int]:
        """Layers that judge the output or name its classes, if what they make is read by none or by such layers."""
        ends: set[int] = set()
        read: set[int] = set()  # by any layer, and by one that is no end
        kept: set[int] = set()
        for number in reversed(range(len(self.layers))):
            kind, layer = self.layers[number]
            python = kind == PYTHON and len(layer.bottom) > 1
            if number not in kept and (_judges(kind) or kind == BEST_CLASSES or (python and number not in read)):
                ends.add(number)
            else:
                kept.update(self.reads[number])
            read.update(self.reads[number])
        return ends

    def _rivals(self) -> dict[int, list[int]]:
        """For each blob of labels the end that counts, with the others that judge other blobs by these labels."""
        by_labels: dict[str, list[int]] = {}
        for number in sorted(self.ends):
            kind, layer = self.layers[number]
            if len(layer.bottom) > 1 and kind not in WITHOUT_TOPS:
                made = layer.bottom[0] in self.writers  # else it is Caffe's other order, the labels first
                by_labels.setdefault(layer.bottom[1 if made else 0], []).append(number)
        rivals = {}
        for numbers in by_labels.values():
            main = self._first(numbers)
            scores = self._scores(self._judged(main))
            others = [number for number in numbers if tuple(self.reads[number][:1]) not in scores]
            if any(self._counts(number) for number in set(numbers) - set(others)):
                others = [number for number in others if not self._counts(number)]
            rivals[main] = others
        return rivals

    def _first(self, rivals: Sequence[int]) -> int:
        """The end that counts of several that judge by the same labels."""
        by_accuracies = {tuple(self.reads[number][:1]) for number in rivals if self._counts(number)}
        judged = {self._judged(number) for number in rivals}
        counted = {one: not by_accuracies.isdisjoint(self._scores(one)) for one in judged}
        return max(rivals, key=lambda number: self._rank(number, counted[self._judged(number)]))

    def _rank(self, number: int, counted: bool) -> tuple[float, ...]:
        """What decides, the first first: the caller's wish, whether it is a loss, its kind, its weight, an accuracy."""
        kind, layer = self.layers[number]
        if self._counts(number):
            return self.output in layer.bottom[:1], 0, 0, 0, 0, number
        weight = self._weight(number)
        return self.output in layer.bottom[:1], weight > 0, 2 if _gives(kind) else 1, weight, counted, number

    def _counts(self, number: int) -> bool:
        return self.layers[number][0].endswith(ACCURACY)

    def _weight(self, number: int) -> float:
        """A loss's weight, by Caffe's default 1."""
        return float((*self.layers[number][1].loss_weight, 1.0)[0])

    def _judged(self, number: int) -> _Judged:
        """What an end judges: the layer that makes it, and of which type one is that makes probabilities of it."""
        return _gives(self.layers[number][0]) or "", tuple(self.reads[number][:1])

    def _scores(self, judged: _Judged) -> set[tuple[int, ...]]:
        """The layers that make what an end judges: the scores, and the probabilities where it reckons these itself."""
        if judged not in self.scores:
            self.scores[judged] = {judged[1], *((softmax,) for softmax in self.softmaxes.get(judged, ()))}
        return self.scores[judged]

    def _preferred(self, number: int, others: Sequence[int]) -> str:
        """Which of several losses counts, in words."""
        told = [
            f"{layer.name} (of {layer.bottom[0]}{'' if self._counts(other) else f', weight {self._weight(other):g}'})"
            for other in others
            for _, layer in [self.layers[other]]
        ]
        return f"{self.layers[number][1].name} counts, and not {_few(told)}"

    def _needed(self, main: Collection[int]) -> set[int]:
        """Layers behind which something stays: the main ends' first bottoms, and tops that no layer reads."""
        read, mains = {number for reads in self.reads for number in reads}, set(main)
        roots = set(range(len(self.layers))) - read - self.ends
        for number in self.ends:
            if number in mains or self.layers[number][0] == BEST_CLASSES:
                roots.update(self.reads[number][:1])
        roots |= set(self._softmaxes(main))
        if self.output in self.writers:
            roots.add(self.writers[str(self.output)])
        roots -= self.ends
        if not roots:
            return set(range(len(self.layers))) - self.ends
        needed: set[int] = set()
        for number in reversed(range(len(self.layers))):
            if number in roots:
                needed.add(number)
                roots.update(self.reads[number])
        return needed

    def _softmaxes(self, main: Collection[int]) -> list[int]:
        """Layers that give the probabilities of a main loss already."""
        return [number for one in set(map(self._judged, main)) for number in self.softmaxes.get(one, ())]

    def _probabilities(self, number: int, heads: int) -> Typed | None:
        """The layer that takes a loss's place; None where its bottom holds probabilities, or another has them."""
        kind, layer = self.layers[number]
        given = _gives(kind)
        below = {self.layers[i][0] for i in self.reads[number][:1]}
        if given is None or below & {*PROBABILITIES.values()} or self._judged(number) in self.softmaxes:
            return None
        top = self._name(layer, heads)
        new = type(layer)(name=top, bottom=layer.bottom[:1], top=[top])
        new.type = given if isinstance(layer.type, str) else _v1_number(given)
        settings = TYPES[given].parameters
        if layer.HasField(settings):
            getattr(new, settings).CopyFrom(getattr(layer, settings))
        return given, new

    def _name(self, layer: Any, heads: int) -> str:
        """``prob``, as deploy nets call it, if that is free and there is one; else after the loss or the bottom."""
        wanted = f"{layer.bottom[0]}_prob" if heads > 1 else "prob"
        return layer.name if wanted in self.names else wanted
