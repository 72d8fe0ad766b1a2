"""A module on made-up images: whether its trace serves, and those on which it is seen whether it draws or mixes.

Where anything of the trace fails, the module is run whole.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ... import consistency
from ...errors import first_line
from ..engine.device import exactly, is_full, memory_errors
from ..engine.folding import folded
from ..engine.graph import Graph
from ..engine.incremental import Incremental
from ..engine.route import Route
from .asking import Ask
from .endings import ENDINGS, Ending, with_classes
from .graph import module_graph
from .hooks import DryRun, copied
from .recording import UntraceableError
from .state import evaluating
from .unprinted import Unprinted, unprinted

#: How large the numbers of the images are at most on which a trace is tried: clamps and thresholds show at some size.
SIZES = (1, 30)


def checked_graph(
    module: nn.Module,
    shape: tuple[int, int, int],
    device: torch.device,
    own: tuple[int, ...],
    output: str,
    seen: DryRun,
    ask: Ask,
) -> tuple[Graph | None, str | None]:
    """The module's graph, the net's own blobs included, or why there is none."""
    ending = ENDINGS[output]
    with evaluating(module), memory_errors(), exactly(), torch.inference_mode():
        try:
            zeros = torch.zeros(2, *shape, dtype=torch.float32, device=device)
            graph = module_graph(module, zeros, ask, seen.bytes).named(own, ending)
            windows = [_Windows(shape, device, seen.layout, size) for size in SIZES]
            _try_out(functools.partial(ask, module), graph, graph.values[ending.own], windows, seen.rounding)
            if seen.rounding > consistency.FLOAT32:
                _try_in_float32(module, own, ending, windows, ask)
        except UntraceableError as error:
            return None, str(error)
        except Exception as error:  # whatever a stranger's module does
            if is_full(error):
                raise
            return None, f"its trace cannot be used ({type(error).__name__}: {first_line(error)})"
    return graph, None


def _try_in_float32(
    module: nn.Module, own: tuple[int, ...], ending: Ending, windows: Sequence[_Windows], ask: Ask
) -> None:
    """Hold the trace of a copy in float32 against that copy: fewer bits would hide what is wrong with a trace."""
    exact = replace(ask, dtype=torch.float32)
    try:
        twin = copied(module).float()
        graph = module_graph(twin, torch.zeros_like(windows[0].image.expand(2, -1, -1, -1)), exact).named(own, ending)
        exact(twin, windows[0].images())
    except Exception as error:  # whatever a stranger's module does with numbers that it was not made for
        if is_full(error):
            raise
        raise UntraceableError("no copy of it in float32 runs, against which its trace could be held") from error
    _try_out(functools.partial(exact, twin), graph, graph.values[ending.own], windows, consistency.FLOAT32)


def fails_alone(
    module: nn.Module, shape: tuple[int, int, int], device: torch.device, own: tuple[int, ...], ask: Ask
) -> bool:
    """Whether a module that takes two inputs does not take one, as a `squeeze` that takes away a batch of one."""
    image = torch.zeros(1, *shape, dtype=torch.float32, device=device)
    try:
        with evaluating(module), exactly(), torch.inference_mode(), unprinted(module):
            return with_classes(ask(module, image)).shape != (1, *own)
    except (Exception, Unprinted):  # whatever a stranger's module raises
        return True


def noise(shape: tuple[int, int, int]) -> np.ndarray:
    """Two made-up images in pixels, (2, C, H, W) float32: noise from 0 to 255, and fainter noise."""
    pixels = np.random.default_rng(0).uniform(0, 255, (2, *shape))
    pixels[1] = 100 + pixels[1] / 5
    return pixels.astype(np.float32)


def made_up(shape: tuple[int, int, int]) -> np.ndarray:
    """Two made-up inputs, (2, C, H, W) float32: normal noise, and such with another mean and deviation."""
    inputs = np.random.default_rng(0).normal(size=(2, *shape))
    inputs[1] = 1 + 3 * inputs[1]
    return inputs.astype(np.float32)


class _Windows:
    """A made-up image (1, C, H, W), and patches (3, 1, C, h, w) for three windows: in two corners and the middle.

    Their numbers lie between plus and minus ``size``.
    """

    def __init__(
        self, shape: tuple[int, int, int], device: torch.device, layout: torch.memory_format, size: float = 1
    ) -> None:
        self.layout = layout
        sides = [max(1, length // 3) for length in shape[1:]]
        last = np.subtract(shape[1:], sides)
        self.origins = np.stack([0 * last, last // 2, last])
        numbers = np.random.default_rng(0)
        made = [
            numbers.uniform(-size, size, some).astype(np.float32) for some in ((1, *shape), (3, 1, shape[0], *sides))
        ]
        self.image, self.patches = (torch.from_numpy(array).to(device) for array in made)

    def images(self) -> Tensor:
        """Four images: the image itself, and with each patch set in."""
        images = self.image.repeat(4, 1, 1, 1)
        for image, (row, column), patch in zip(images[1:], self.origins, self.patches[:, 0]):
            image[:, row : row + patch.shape[1], column : column + patch.shape[2]] = patch
        return images.contiguous(memory_format=self.layout)


def _try_out(
    ask: Callable[[Tensor], Tensor], graph: Graph, target: int, windows: Sequence[_Windows], rounding: float
) -> None:
    """Hold what a graph gives, at once and incrementally, against the module; an UntraceableError if it differs.

    Images whose answer is not finite, as of large numbers in few bits, tell nothing; the first of all are small.
    """
    route = Route(folded(graph, {graph.input, target}), graph.input, target)
    for some in windows:
        wanted = with_classes(ask(some.images()))
        if some is windows[0] or bool(torch.isfinite(wanted).all()):
            _hold(route, target, some, wanted, rounding)


def _hold(route: Route, target: int, windows: _Windows, wanted: Tensor, rounding: float) -> None:
    """Hold what a graph gives for some windows against what is wanted."""
    engine = Incremental(route, windows.image.contiguous(memory_format=windows.layout), layout=windows.layout)
    untouched = engine.kept.values[target]
    if wanted.dtype != untouched.dtype:
        raise UntraceableError(f"its trace gives {untouched.dtype} in place of {wanted.dtype}")
    if wanted.shape[1:] != untouched.shape[1:] or _differ(untouched, wanted[:1], rounding):
        raise UntraceableError("its trace gives other values")
    values = wanted.clone()
    for (rows, _), changed in engine.targets(windows.origins, windows.patches, 2):
        values[torch.from_numpy(1 + rows).to(values.device)] = changed
    if _differ(values, wanted, rounding):
        raise UntraceableError("its trace gives other values where only what changes is computed")


def _differ(values: Tensor, wanted: Tensor, rounding: float) -> bool:
    """Whether values of images, the first of them untouched, are others than those wanted, rounding apart."""
    given, real = (of.double().cpu().numpy() for of in (values, wanted))
    return bool(consistency.disagreement(given, real, scale=consistency.largest(real), rounding=rounding))
