"""What is said of a Caffe layer type, whatever runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ...engine.geometry import Shape
from ..fields import Fields

#: Of a top: it holds what its bottom holds, at other places; the same kind of scores, but no probabilities any more;
#: what is looked at beside the net's output, which is its bottom; or a sum, product or maximum of its bottoms.
SAME, SCALED, ASIDE, COMBINED = "the same", "the same scaled", "aside", "combined"


@dataclass(frozen=True)
class Shapes:
    """What a layer makes of its bottoms."""

    tops: tuple[Shape, ...]
    weights: tuple[Shape, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def never(settings: Mapping[str, Any]) -> bool:
    """Whatever the settings: no."""
    return False


def always(settings: Mapping[str, Any]) -> bool:
    """Whatever the settings: yes."""
    return True


@dataclass(frozen=True)
class LayerType:
    """A layer type.

    Attributes
    ----------
    name : str
        As in a prototxt.
    shapes : callable
        From a layer's `Fields` to its `Shapes`: the settings with all defaults filled in, in the words that
        `torch_layers` takes.
    group : str, optional
        What Caffe calls the parameters, if not after the type's name in lower case.
    several_tops : bool
        Whether it may have other than one.
    inputs : int, optional
        Of how many bottoms, the first ones, it reads the values; of the others the shape alone. By default of all.
    statistics : bool
        Whether its weights were counted, not learnt.
    shares : bool
        Whether its tops may share its bottom's memory.
    holds : str, optional
        What its top may hold at the end of a net: "probabilities" that add up to 1 or a "sigmoid" of each of its
        bottom's scores; "logits"; `SAME`, `SCALED`, `ASIDE` or `COMBINED`.
    keeps : int
        How often its top's size Caffe keeps besides, for each input.
    columns : callable, optional
        From its bottoms' shapes and its `Shapes` to the elements that Caffe unfolds one input into.
    widened : callable, optional
        From the same to the elements of a map that is put into a wider one to be computed, or of what else is made on
        the way, where that may be more than twice its tops.
    backward : bool
        Whether Caffe has a gradient of it; where it has none, it ends the process.
    wrong_in_place : callable
        From its settings to whether Caffe's gradient is wrong where the layer works in place.
    """

    name: str
    shapes: Callable[[Fields], Shapes]
    group: str | None = None
    several_tops: bool = False
    inputs: int | None = None
    statistics: bool = False
    shares: bool = False
    holds: str | None = None
    keeps: int = 0
    columns: Callable[[Sequence[Shape], Shapes], int] | None = None
    widened: Callable[[Sequence[Shape], Shapes], int] | None = None
    backward: bool = True
    wrong_in_place: Callable[[Mapping[str, Any]], bool] = never

    @property
    def parameters(self) -> str:
        """The field of a layer's record that holds its parameters."""
        return self.group or f"{self.name.lower()}_param"
