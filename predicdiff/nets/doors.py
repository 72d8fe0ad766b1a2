"""What a door is: a kind of source that nets come from, such as a name, a file or a library's object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Sequence

from ..errors import SettingsError
from ..protocols import Net
from .labels import Labels
from .preprocessing import Preprocessing

#: A net's own preprocessing -> that which takes its place; None where pixels are inputs.
Altered = Callable[[Optional[Preprocessing]], Optional[Preprocessing]]


@dataclass(frozen=True)
class NetSettings:
    """What `zoo.load_net` is told besides the source; ``name`` is what a net is called, where its source says so.

    Preprocessing is given as such, or ``altered`` from the net's own by a function.
    """

    weights: Path | None = None
    preprocessing: Preprocessing | None = None
    altered: Altered | None = None
    engine: str = "torch"
    input_shape: Sequence[int] | None = None
    output: str | None = None
    output_is: str | None = None
    labels: Labels | None = None
    training_instances: int | None = None
    device: str | None = None
    name: str | None = None
    pick: Any = None
    also: Any = ()
    box: Any = None

    @property
    def of_any_net(self) -> dict[str, Any]:
        """Arguments that the constructors of all nets take."""
        names = ("preprocessing", "labels", "training_instances", "device", "name")
        return {name: getattr(self, name) for name in names}

    def with_own(self, own: Preprocessing | None) -> NetSettings:
        """With the preprocessing of a net that has its ``own``: what is given, as such or as a function of that."""
        if self.altered is not None:
            return replace(self, preprocessing=self.altered(own), altered=None)
        return replace(self, preprocessing=own) if self.preprocessing is None else self

    @property
    def of_module(self) -> dict[str, Any]:
        """Arguments that the constructors of nets of modules take besides."""
        return {"pick": self.pick, "also": self.also, "box": self.box}

    def refuse_asking(self, source: Any) -> None:
        """Refuse what says how a module is asked, of what is none."""
        if self.pick is not None or self.also not in ((), {}) or self.box is not None:
            raise SettingsError(
                "pick (--pick), box (--box) and also (also=) say what of a module's outputs is explained and what else "
                f"goes in: {source} takes images alone, and its outputs have names (output=, blob=)."
            )

    def refuse_shape(self, source: Any) -> None:
        """Refuse what a source says itself: what it takes and ends in."""
        self.refuse_asking(source)
        if (self.input_shape, self.output, self.output_is) != (None, None, None):
            raise SettingsError(
                "input_shape, output and output_is (--input-shape, --output-blob, --output-is) are said of what does "
                f"not say so itself; {source} knows its own."
            )


class Door(NamedTuple):
    """Whether a source is of this kind, by its looks alone; the net that it stands for; whether that takes torch."""

    takes: Callable[[Any], bool]
    load: Callable[[Any, NetSettings], Net]
    needs_torch: bool = True
