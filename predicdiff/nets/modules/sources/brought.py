"""What all sources of modules share: a module, and what its source says of it, become a net."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Sequence

from ....extras import version_of
from ...doors import NetSettings
from ...labels import Labels
from ...preprocessing import Preprocessing
from ..door import load

if TYPE_CHECKING:
    from ..net import ModuleNet


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
    library : str, optional
        Whose the module's code is: the installed version of it is told in results.
    """

    module: Any
    name: str
    input_shape: Sequence[int]
    preprocessing: Preprocessing | None = None
    labels: Labels | None = None
    output_is: str | None = None
    library: str | None = None

    def net(self, settings: NetSettings) -> ModuleNet:
        """The net, on the device that is asked for, else a GPU if there is one; what ``settings`` say goes before."""
        from ...engine.device import choose_device

        said = settings.output is not None or settings.output_is is not None
        module = self.module.eval().to(choose_device(settings.device))
        filled = replace(
            settings.with_own(self.preprocessing),
            weights=None,
            input_shape=settings.input_shape or self.input_shape,
            labels=self.labels if settings.labels is None else settings.labels,
            output_is=settings.output_is if said else self.output_is,
            name=settings.name or self.name,
        )
        net = load(module, filled)
        if self.library is not None:
            net.library = f"{self.library} {version_of(self.library)}"
        return net
