"""Operations whose result at a place depends on that place alone, in any channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Iterable, Optional

from ...engine.geometry import Shape
from ...engine.graph import Function, Pointwise
from ..axes import Axes, common
from ..calls import Call, ModuleNode

#: From a node that joins everything, and the call that it makes, to the node with what is known of the call; None if
#: that is nothing.
Rule = Callable[[ModuleNode, Call], Optional[ModuleNode]]


@dataclass(frozen=True)
class Placewise:
    """The rule for calls whose result at a place depends on that place alone, of one tensor or several, and on numbers.

    Attributes
    ----------
    across : bool
        Whether it does not take every channel by itself, and all alike.
    second : bool
        Whether it takes the axis behind the batch's for that of the channels.
    sharing : bool
        Whether the result may be the input itself.
    flat : bool
        Whether the result is always the input.
    over : callable, optional
        The same on its first input's memory.
    """

    across: bool = False
    second: bool = False
    sharing: bool = False
    flat: bool = False
    over: Function | None = None

    def __call__(self, node: ModuleNode, call: Call) -> ModuleNode | None:
        """As `Rule` has it."""
        axes = common(call.axes)
        if not all(same_everywhere(shape, axes or Axes(-2, -1)) for shape in call.beside):
            return None
        by_channel = call.alone and not self.across
        node = replace(node, by_channel=by_channel, over=self.over or node.over, flat=self.flat and call.alone)
        if axes is None or not alike(call, axes) or (self.second and -len(call.output) in axes):
            return node
        return call.placed(node, axes, Pointwise(), fresh=node.fresh or not self.sharing)


def alike(call: Call, axes: Axes) -> bool:
    """Whether all inputs and the result have as many axes, and rows and columns of one length."""
    shapes = [*call.inputs, call.output]
    return len({len(shape) for shape in shapes}) == 1 and len({axes.of(shape) for shape in shapes}) == 1


def same_everywhere(shape: Shape | None, axes: Axes) -> bool:
    """Whether a constant of this shape is the same at every place of the tensors it is combined with."""
    return shape is not None and all(len(shape) < -axis or shape[axis] == 1 for axis in axes)


def of_one_map(rule: Rule) -> Rule:
    """A rule for calls with one map (C, H, W) and nothing beside it, which says nothing of others."""
    return lambda node, call: rule(node, call) if call.of_maps and call.of_one and not call.beside else None


def over_channels(node: ModuleNode, call: Call) -> ModuleNode | None:
    """A mean, sum, maximum or softmax over axes that are neither rows nor columns."""
    settings, axes = call.settings("input", "dim", "keepdim"), common(call.axes)
    dim, axis_count = settings.get("dim"), len(call.inputs[0]) + 1
    dims = [dim] if isinstance(dim, int) else dim
    if axes is None or not call.of_one or call.beside or not isinstance(dims, Iterable):
        return None
    over = {each if each < 0 else each - axis_count for each in dims}
    if over.intersection(axes) or -axis_count in over:
        return None
    if len(call.output) < len(call.inputs[0]):
        axes = Axes(*(axis + sum(axis < each for each in over) for axis in axes))
    return call.placed(node, axes, Pointwise(), fresh=True)


def _last(call: Call, axes: Axes, count: Any) -> bool:
    """Whether none of the last so many axes are rows or columns."""
    return not any(axis >= -count for axis in axes)


def layer_norm(node: ModuleNode, call: Call) -> ModuleNode | None:
    """A norm of the values along the last axes, with a gain and a shift along these."""
    settings, axes = call.settings("input", "normalized_shape"), common(call.axes)
    if axes is None or not call.of_one or None in call.beside:
        return None
    shape = settings["normalized_shape"]
    count = 1 if isinstance(shape, int) else len(shape)
    return call.placed(node, axes, Pointwise(), fresh=True) if _last(call, axes, count) else None
