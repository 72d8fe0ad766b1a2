"""Whether a module's trace serves, tried out on a made-up image; where anything fails, the module is run whole."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..engine.device import exactly, first_line, is_full, memory_errors
from ..engine.folding import folded
from ..engine.graph import Graph
from ..engine.incremental import Incremental
from ..engine.route import Route
from .endings import ENDINGS, with_classes
from .graph import module_graph
from .state import evaluating
from .tracing import UntraceableError
from .unprinted import Unprinted, unprinted

#: By how much two ways to the same values may differ: as a part of the largest change, and of the largest value.
CHANGES, VALUES = 0.1, 1e-4


def checked_graph(
    module: nn.Module,
    shape: tuple[int, int, int],
    device: torch.device,
    own: tuple[int, ...],
    output: str,
    layout: torch.memory_format,
) -> tuple[Graph | None, str | None]:
    """The module's graph, the net's own blobs included, or why there is none."""
    ending = ENDINGS[output]
    with evaluating(module), memory_errors(), exactly(), torch.inference_mode():
        try:
            graph = module_graph(module, torch.zeros(2, *shape, dtype=torch.float32, device=device)).named(own, ending)
            _try_out(module, graph, graph.values[ending.own], _Windows(shape, device, layout))
        except UntraceableError as error:
            return None, str(error)
        except Exception as error:  # whatever a stranger's module does
            if is_full(error):
                raise
            return None, f"its trace cannot be used ({type(error).__name__}: {first_line(error)})"
    return graph, None


def fails_alone(module: nn.Module, shape: tuple[int, int, int], device: torch.device, own: tuple[int, ...]) -> bool:
    """Whether a module that takes two inputs does not take one, as a `squeeze` that takes away a batch of one."""
    image = torch.zeros(1, *shape, dtype=torch.float32, device=device)
    try:
        with evaluating(module), exactly(), torch.inference_mode(), unprinted(module):
            return with_classes(module(image)).shape != (1, *own)
    except (Exception, Unprinted):  # whatever a stranger's module raises
        return True


class _Windows:
    """A made-up image (1, C, H, W), and patches (3, 1, C, h, w) for three windows: in two corners and the middle."""

    def __init__(self, shape: tuple[int, int, int], device: torch.device, layout: torch.memory_format) -> None:
        self.layout = layout
        size = [max(1, length // 3) for length in shape[1:]]
        last = np.subtract(shape[1:], size)
        self.origins = np.stack([0 * last, last // 2, last])
        numbers = np.random.default_rng(0)
        made = [numbers.uniform(-1, 1, some).astype(np.float32) for some in ((1, *shape), (3, 1, shape[0], *size))]
        self.image, self.patches = (torch.from_numpy(array).to(device) for array in made)

    def pasted(self) -> Tensor:
        """Three images, each with its patch set in."""
        images = self.image.repeat(3, 1, 1, 1)
        for image, (row, column), patch in zip(images, self.origins, self.patches[:, 0]):
            image[:, row : row + patch.shape[1], column : column + patch.shape[2]] = patch
        return images.contiguous(memory_format=self.layout)


def _try_out(module: nn.Module, graph: Graph, target: int, windows: _Windows) -> None:
    """Hold what a graph gives, at once and incrementally, against the module; an UntraceableError if it differs."""
    usual = with_classes(module(windows.pasted()))
    traced = graph.run(windows.pasted(), [target])[target]
    if usual.dtype != traced.dtype:
        raise UntraceableError(f"its trace gives {traced.dtype} in place of {usual.dtype}")
    route = Route(folded(graph, {graph.input, target}), graph.input, target)
    engine = Incremental(route, windows.image.contiguous(memory_format=windows.layout), layout=windows.layout)
    untouched = engine.kept.values[target]
    if not _alike(traced, usual, untouched):
        raise UntraceableError("its trace gives other values")
    changed = torch.empty_like(usual)
    for (rows, _), values in engine.targets(windows.origins, windows.patches, 2):
        changed[torch.from_numpy(rows).to(changed.device)] = values
    if not _alike(changed, usual, untouched):
        raise UntraceableError("its trace gives other values where only what changes is computed")


def _alike(values: Tensor, wanted: Tensor, untouched: Tensor) -> bool:
    """Whether values of changed images are the same, rounding apart, NaN and infinities included."""
    if values.shape != wanted.shape or untouched.shape[1:] != wanted.shape[1:]:
        return False
    change, largest = (float(of.nan_to_num(0.0, 0.0, 0.0).abs().max()) for of in (wanted - untouched, wanted))
    return torch.allclose(values, wanted, rtol=0, atol=CHANGES * change + VALUES * largest, equal_nan=True)
