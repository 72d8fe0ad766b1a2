"""A net tried out on the image that is to be explained and on two of its own draws, before a map is made of it."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, replace
from typing import Any, Sequence, cast

import numpy as np

from . import consistency, windows
from .abilities import net_abilities
from .classes import is_probabilities
from .errors import InputWarning, OutOfMemoryError, SettingsError, warn
from .noise import Draws, Noise
from .protocols import Net, Unit
from .samplers.hidden import activations_of
from .units import read

#: Held while a net is asked once more: what a stranger wrote is run by one thread at a time, whoever evaluates.
_asking = threading.Lock()


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
        windows.paste(images[1:], self.patches, self.origins)
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
        return _that_draws(net, trial, came.varies)
    return _that_agrees(_computed_alone(net, trial, came.mixed), trial, came.values)


def _that_draws(net: Net, trial: Trial, gap: float) -> Examined:
    """The net; where its `evaluate` does not draw though `forward` does, one made anew of the same source."""
    abilities = net_abilities(net)
    note = _varying(net.name, trial.blob, gap, trial.repeat)
    if trial.repeat == 1:
        warn(note, InputWarning)
    found = Examined(net, abilities.alone, (note,), varies=True)
    first, second = _evaluated(net, trial), _evaluated(net, trial)
    if abilities.renewed is None or first is None or second is None or not np.array_equal(first, second):
        return found
    return _read_anew(found, abilities.renewed())


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


def up_to_date(net: Net) -> Examined:
    """The net, or where it knows that its source has changed since, one that is made of that as it is now."""
    abilities = net_abilities(net)
    if abilities.changed is None or abilities.renewed is None or not abilities.changed():
        return Examined(net)
    return _read_anew(Examined(net), abilities.renewed())


def _read_anew(found: Examined, net: Net) -> Examined:
    """A net that was made anew of what has changed, and a warning."""
    note = f"Net {net.name!r} has changed since it was loaded, and was read anew. Load it again."
    warn(note, InputWarning)
    return Examined(net, found.alone or net_abilities(net).alone, (*found.notes, note), found.varies)


def _that_agrees(found: Examined, trial: Trial, values: np.ndarray) -> Examined:
    """The net, or one made anew of the same source, whose `evaluate` gives what `forward` gave."""
    gap = _gap(found.net, trial, values)
    if not gap:
        return found
    abilities = net_abilities(found.net)
    if abilities.renewed is not None:
        renewed = abilities.renewed()
        if not _gap(renewed, trial, values):
            return _read_anew(found, renewed)
    raise SettingsError(
        f"net {found.net.name!r} gives other values of {trial.blob!r} for an image that is put together of windows "
        f"than for the same image as a whole (by {gap:.2g}): a map of it would be wrong. If it has changed since it "
        "was loaded, load it again; of a net of your own, `check_net` says more."
    )


def _gap(net: Net, trial: Trial, values: np.ndarray) -> float:
    """By how much `evaluate` differs from `forward`'s ``values``; 0 where memory has no room for the trial.

    A net of fewer bits is asked in float32, since their rounding would hide what it is looked for.
    """
    exact = _in_float32(net)
    if exact is not net and trial.start is not None:
        trial = replace(trial, ground=activations_of(exact, trial.pixels[None], trial.start)[0])
    given = _evaluated(exact, trial)
    if given is None:
        return 0.0
    if exact is not net:
        values = consistency.each_alone(exact, trial.inputs(exact), trial.blob)
    wanted = read(values, list(trial.units))
    if trial.start is not None:
        given, wanted = given[:1], wanted[:1]
    return _beyond_rounding(exact, trial.blob, given, wanted, values)


def _beyond_rounding(net: Net, blob: str, given: np.ndarray, wanted: np.ndarray, values: np.ndarray) -> float:
    """By how much units' values (n, T) differ from those that are wanted, of a blob with ``values`` (b, ...)."""
    # a probability has the rounding of its logarithm, any other value that of the largest in its blob
    scale = consistency.largest(wanted if is_probabilities(net, blob) else values)
    able = net_abilities(net)
    return consistency.disagreement(given, wanted, scale=scale, precision=able.precision, rounding=able.rounding)


def check_some(
    net: Net,
    pixels: np.ndarray,
    blob: str,
    units: Sequence[Unit],
    base: np.ndarray,
    origins: np.ndarray,
    draws: Draws,
    values: np.ndarray,
) -> None:
    """`check_again` for that of the ``draws`` at ``origins`` (n, 2) which changes the units most, and for another.

    ``pixels`` and ``base`` are the explained image and its units' values, ``values`` (n, S, T) the draws'.
    """
    with np.errstate(invalid="ignore"):  # infinity less infinity
        changes = np.nan_to_num(np.abs(values - base), nan=0.0, posinf=0.0).max(axis=2)
    other = np.random.default_rng(origins[0]).integers(changes.size)
    for window, draw in {divmod(int(at), changes.shape[1]) for at in (changes.argmax(), other)}:
        patches = draws.of_window(window) if isinstance(draws, Noise) else draws[window]
        images = pixels[None].copy()
        windows.paste(images, patches[draw : draw + 1], origins[window : window + 1])
        with _asking:
            check_again(net, images[0], blob, units, values[window, draw], base)


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
        "passes (repeat= of explain, `predicdiff explain --repeat`). If it was changed, begin anew, without the "
        "checkpoint if there is one."
    )


def _wobble(net: Net, blob: str, units: Sequence[Unit], inputs: np.ndarray, answer: np.ndarray) -> float:
    """By how much the units' values change with the rounding of the input."""
    nudged = read(net.forward(consistency.nudged(inputs, net_abilities(net).rounding), [blob])[blob], list(units))
    return float(np.nan_to_num(np.abs(nudged - answer), posinf=0.0).max())


def _in_float32(net: Net) -> Net:
    """The net, or where its products have fewer bits a copy with all of them."""
    if net_abilities(net).precision in (None, "float32"):
        return net
    exact: Any = copy.copy(net)
    exact.precision = "float32"
    return cast(Net, exact)


def _evaluated(net: Net, trial: Trial) -> np.ndarray | None:
    """What `evaluate` gives; None where memory has no room for the trial."""
    try:
        return trial.evaluated(net)
    except (OutOfMemoryError, MemoryError):
        return None


def _varying(name: str, blob: str, gap: float, repeat: int) -> str:
    """What is said of a net that answers differently each time, and what was done or is to be done about it."""
    says = consistency.drawing(name, blob, gap)
    if repeat > 1:
        return f"{says}. Its answers were averaged over {repeat} passes for each draw."
    return (
        f"{says}, as with dropout that is left on. The map has that noise in it, and is another each time: turn it "
        "off, or average over several passes (repeat= of explain, `predicdiff explain --repeat`)."
    )
