"""What all sources of modules share: a module, and what its source says of it, become a net."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Sequence

from ....protocols import Net
from ...doors import NetSettings
from ...labels import Labels
from ...preprocessing import Preprocessing
from ..door import load


@dataclass(frozen=True)
class Brought:
    """A module that a source makes.

    Attributes
    ----------
    module : torch.nn.Module
        With its weights.
    name : str
        What the net is called.
    input_shape : (C, H, W)
    preprocessing : Preprocessing, optional
        Without one, pixels are inputs.
    labels : optional
        As for `zoo.load_net`.
    output_is : str, optional
        What the module returns, where the source says so.
    """

    module: Any
    name: str
    input_shape: Sequence[int]
    preprocessing: Preprocessing | None = None
    labels: Labels | None = None
    output_is: str | None = None

    def net(self, settings: NetSettings) -> Net:
        """The net, on the device that is asked for, else a GPU if there is one; what ``settings`` say goes before."""
        from ...engine.device import choose_device

        said = settings.output is not None or settings.output_is is not None
        module = self.module.to(choose_device(settings.device))
        filled = replace(
            settings.with_own(self.preprocessing),
            weights=None,
            input_shape=settings.input_shape or self.input_shape,
            labels=self.labels if settings.labels is None else settings.labels,
            output_is=settings.output_is if said else self.output_is,
            name=settings.name or self.name,
        )
        return load(module, filled)
