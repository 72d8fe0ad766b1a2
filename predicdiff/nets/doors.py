"""What a door is: a kind of source that nets come from, such as a name, a file or a library's object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence

from ..errors import SettingsError
from ..protocols import Net
from .labels import Labels
from .preprocessing import Preprocessing


@dataclass(frozen=True)
class NetSettings:
    """What `zoo.load_net` is told besides the source; ``name`` is what a net is called, where its source says so."""

    weights: Path | None = None
    preprocessing: Preprocessing | None = None
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

    @property
    def of_module(self) -> dict[str, Any]:
        """Arguments that the constructors of nets of modules take besides."""
        return {"pick": self.pick, "also": self.also, "box": self.box}

    def refuse_asking(self, source: Any) -> None:
        """Refuse what says how a module is asked, of what is none."""
        if self.pick is not None or self.also not in ((), {}) or self.box is not None:
            raise SettingsError(
                "pick (--pick), box and also say what of a module's outputs is explained and what else goes in: "
                f"{source} takes images alone, and its outputs have names (output=, blob=)."
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
    """Whether a source is of this kind, by its looks alone; and the net that it stands for."""

    takes: Callable[[Any], bool]
    load: Callable[[Any, NetSettings], Net]
