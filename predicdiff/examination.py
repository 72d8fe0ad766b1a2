"""A net tried out on the image that is to be explained and on two of its own draws, before a map is made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Sequence

import numpy as np

from . import consistency, windows
from .abilities import net_abilities
from .errors import InputWarning, OutOfMemoryError, SettingsError, warn
from .protocols import Net, Unit
from .units import read


@dataclass(frozen=True, eq=False)
class Trial:
    """What a net is tried out on.

    Attributes
    ----------
    pixels, ground : (C, H, W) arrays
        The explained image, and what windows lie on.
    start, blob : str
    units : sequence of Unit
    origins : (n, 2) int array
        A few windows.
    patches : (n, C, h, w) array
        A draw for each.
    repeat : int
        Over how many passes the caller means to average.
    """

    pixels: np.ndarray
    ground: np.ndarray
    start: str | None
    blob: str
    units: Sequence[Unit]
    origins: np.ndarray
    patches: np.ndarray
    repeat: int

    def inputs(self, net: Net) -> np.ndarray:
        """Inputs (b, C, H, W): the image, and with each draw; for draws of hidden activations the image turned."""
        if self.start is not None:
            return net.encode(np.stack([self.pixels, self.pixels[:, ::-1, ::-1]]))
        images = np.repeat(self.pixels[None], 1 + len(self.origins), axis=0)
        height, width = self.patches.shape[2:]
        for image, (row, column), patch in zip(images[1:], self.origins, self.patches):
            image[:, row : row + height, column : column + width] = patch
        return net.encode(images)

    def evaluated(self, net: Net) -> np.ndarray:
        """What `evaluate` gives of the units, (1 + n, T): for the image, a window of its own set in; for each draw."""
        own = windows.cut(self.ground, self.origins, window=self.patches.shape[2:])
        patches = np.stack([np.asarray(own, np.float32), self.patches], axis=1)
        evaluate: Any = net.evaluate  # a net that says so takes hidden starts too, beyond `protocols.Net`
        hidden = {} if self.start is None else {"start": self.start}
        values = evaluate(
            self.pixels, self.origins, patches, blob=self.blob, units=list(self.units), batch_size=1, **hidden
        )
        return np.concatenate([values[:1, 0], values[:, 1]])


@dataclass(frozen=True)
class Examined:
    """What came of a trial.

    Attributes
    ----------
    net : Net
        The net to go on with: the same, or one that is computed otherwise.
    alone : bool
        Whether it is to be given one image at a time.
    notes : tuple of str
        For the reader of the result.
    varies : bool
        Whether it answers differently each time, which the reader is told.
    """

    net: Net
    alone: bool = False
    notes: tuple[str, ...] = ()
    varies: bool = False


def examine(net: Net, trial: Trial) -> Examined:
    """Ask a net for the same things in several ways; a SettingsError if it can't be made to answer alike."""
    came = consistency.compare(net, trial.inputs(net), trial.blob)
    if came.varies:
        note = varying(net.name, trial.blob, came.varies, trial.repeat)
        if trial.repeat == 1:
            warn(note, InputWarning)
        return Examined(net, net_abilities(net).alone, (note,), varies=True)
    return _that_agrees(_computed_alone(net, trial, came.mixed), trial, came.values)


def _computed_alone(net: Net, trial: Trial, gap: float) -> Examined:
    """The net, one image at a time if that makes a difference."""
    abilities = net_abilities(net)
    if abilities.alone:
        return Examined(net, True, (f"Net {net.name!r} was given one image at a time, as it has to be.",))
    if not gap:
        return Examined(net)
    note = consistency.mixed(net.name, trial.blob, gap)
    warn(note, InputWarning)
    return Examined(net if abilities.one_by_one is None else abilities.one_by_one(), True, (note,))


def _that_agrees(found: Examined, trial: Trial, values: np.ndarray) -> Examined:
    """The net, or the next one made of the same source, whose `evaluate` gives what `forward` gave."""
    if not _gap(found.net, trial, values):
        return found
    abilities = net_abilities(found.net)
    if abilities.renewed is not None:
        renewed = abilities.renewed()
        if not _gap(renewed, trial, values):
            note = f"Net {found.net.name!r} has changed since it was loaded, and was read anew. Load it again."
            warn(note, InputWarning)
            return replace(found, net=renewed, notes=(*found.notes, note))
    gap = _gap(found.net, trial, values)
    raise SettingsError(
        f"net {found.net.name!r} gives other values of {trial.blob!r} for an image that is put together of windows "
        f"than for the same image as a whole (by {gap:.2g}): a map of it would be wrong. If it has changed since it "
        "was loaded, load it again; of a net of your own, `check_net` says more."
    )


def _gap(net: Net, trial: Trial, values: np.ndarray) -> float:
    """By how much `evaluate` differs from `forward`'s ``values``; 0 where memory has no room for the trial."""
    try:
        given = trial.evaluated(net)
    except (OutOfMemoryError, MemoryError):
        return 0.0
    wanted = read(values, list(trial.units))
    if trial.start is not None:
        given, wanted = given[:1], wanted[:1]
    return _beyond_rounding(net, trial.blob, given, wanted, values)


def _beyond_rounding(net: Net, blob: str, given: np.ndarray, wanted: np.ndarray, values: np.ndarray) -> float:
    """By how much units' values (n, T) differ from those that are wanted, of a blob with ``values`` (b, ...)."""
    # a probability has the rounding of its logarithm, any other value that of the largest in its blob
    scale = wanted if blob == net.output else values
    largest = np.abs(scale[np.isfinite(scale)]).max(initial=0.0)
    return consistency.disagreement(given, wanted, scale=float(largest), precision=net_abilities(net).precision)


def check_again(
    net: Net,
    image: np.ndarray,
    blob: str,
    units: Sequence[Unit],
    values: np.ndarray,
    base: np.ndarray,
    *,
    when: str = "for a draw in the run",
) -> None:
    """Hold what a run gave of an image against what the net gives when it is asked for that image alone.

    What neither the explained image nor its first draws show comes out here: of a net that mixes long batches alone,
    that draws now and then, or that is no longer what it was.

    Parameters
    ----------
    net : Net
    image : (C, H, W) array
        The explained image, with a draw in it or as it is.
    blob : str
    units : sequence of T Unit
    values, base : (T,) arrays
        What the run gave of the units for it, and what the net gave for the explained image.
    when : str
        For the message: for what the run gave the values.

    Raises
    ------
    SettingsError
    """
    inputs = net.encode(image[None])
    try:
        answer = net.forward(inputs, [blob])[blob]
        wanted = read(answer, list(units))
        gap = _beyond_rounding(net, blob, np.stack([base, values]), np.concatenate([base[None], wanted]), answer)
        if not gap or gap <= consistency.WOBBLE * _wobble(net, blob, units, inputs, wanted):
            return
    except (OutOfMemoryError, MemoryError):
        return
    raise SettingsError(
        f"net {net.name!r} gave other values of {blob!r} {when} than it gives now, asked for that alone (by "
        f"{gap:.2g}): a map of it would be wrong. If the others in a batch make the difference, net.one_by_one() is "
        "the same net, asked for one image at a time. If it draws by itself, turn that off, or average over several "
        "passes (repeat=, --repeat). If it was changed, begin anew, without the checkpoint if there is one."
    )


def _wobble(net: Net, blob: str, units: Sequence[Unit], inputs: np.ndarray, answer: np.ndarray) -> float:
    """By how much the units' values change with the rounding of the input."""
    nudged = read(net.forward(consistency.nudged(inputs), [blob])[blob], list(units))
    return float(np.nan_to_num(np.abs(nudged - answer), posinf=0.0).max())


def varying(name: str, blob: str, gap: float, repeat: int) -> str:
    """What is said of a net that answers differently each time."""
    says = (
        f"Net {name!r} answers differently each time it is asked (by {gap:.2g} of {blob!r} in a trial): "
        "it draws by itself"
    )
    if repeat > 1:
        return f"{says}. Its answers were averaged over {repeat} passes for each draw."
    return (
        f"{says}, as with dropout that is left on. The map has that noise in it, and is another each time: turn it "
        "off, or average over several passes (repeat=, --repeat)."
    )
