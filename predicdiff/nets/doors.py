"""What a door is: a kind of source that nets come from, such as a name, a file or a library's object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence

from ..errors import SettingsError
from ..protocols import Net
from .preprocessing import Preprocessing


@dataclass(frozen=True)
class NetSettings:
    """What `zoo.load_net` is told besides the source; ``name`` is what a net is called, where its source says so."""

    weights: Path | None = None
    preprocessing: Preprocessing | None = None
    engine: str = "torch"
    input_shape: Sequence[int] | None = None
    output: str = "logits"
    labels: Sequence[str] | None = None
    training_instances: int | None = None
    device: str | None = None
    name: str | None = None

    @property
    def of_any_net(self) -> dict[str, Any]:
        """Arguments that the constructors of all nets take."""
        names = ("preprocessing", "labels", "training_instances", "device", "name")
        return {name: getattr(self, name) for name in names}

    def refuse_shape(self, source: Any) -> None:
        """Refuse what a source says itself: what it takes and ends in."""
        if self.input_shape is not None:
            raise SettingsError(
                f"input_shape is said of a torch module, or a prototxt that lacks it; {source} knows its own."
            )
        self.refuse_output(source)

    def refuse_output(self, source: Any) -> None:
        """Refuse what is said of modules alone, for a source that says itself what it ends in."""
        if self.output != "logits":
            raise SettingsError(f"output is said of a torch module; {source} knows its own.")


class Door(NamedTuple):
    """Whether a source is of this kind, by its looks alone; and the net that it stands for."""

    takes: Callable[[Any], bool]
    load: Callable[[Any, NetSettings], Net]
