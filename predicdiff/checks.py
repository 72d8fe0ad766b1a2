"""Whether anybody's net or sampler keeps the protocols, said before an analysis stumbles over it."""

from __future__ import annotations

import json
import random
from typing import Any, Callable, Sequence

import numpy as np

from . import consistency, protocols
from .abilities import NetAbilities, SamplerAbilities, net_abilities, sampler_abilities
from .errors import PredicdiffError, SamplerError, SettingsError
from .protocols import Net, Sampler, Unit
from .targets import class_blob, default_blob
from .units import image_shape, lookup, read, whole_number
from .windows import Sides, SidesLike, as_asked, sides

#: What `abilities` looks for, by the protocol that it belongs to.
BEYOND = {
    "preprocessing": protocols.HasPreprocessing,
    "outcomes": protocols.KnowsOutcomes,
    "class_heads": protocols.HasHeads,
    "takes_noise": protocols.TakesNoise,
    "preferred_batch": protocols.PrefersBatch,
    "precision": protocols.HasPrecision,
    "with_weights": protocols.HasWeights,
    "bytes_needed": protocols.Budgeted,
    "check_downstream": protocols.HiddenStarts,
    "evaluation": protocols.TellsEvaluation,
    "computed_by": protocols.TellsComputation,
    "gpus": protocols.ComputesOnGPUs,
    "incremental": protocols.ComputesChanges,
    "one_by_one": protocols.RunsAlone,
    "renewed": protocols.CanBeRenewed,
    "in_double": protocols.HasDouble,
    "work": protocols.CountsWork,
    "population": protocols.HasPopulation,
    "most_draws": protocols.DrawsFew,
    "drawn_by_threads": protocols.DrawnByThreads,
    "noise": protocols.MakesNoise,
    "among": protocols.Settles,
    "provenance": protocols.HasProvenance,
    "notes": protocols.HasNotes,
}


def check_net(net: Net) -> list[str]:
    """Try out whether an object serves as a net: its members, and the shapes and values of a tiny trial.

    The trial pastes noise into windows of noise, and holds `evaluate` against `forward` of the pasted images.
    ``gradient`` is not tried, since sensitivity maps alone take it.

    Returns
    -------
    list of str
        The protocols beyond `protocols.Net` that it keeps, such as ``"Budgeted"``.

    Raises
    ------
    PredicdiffError
        A SettingsError that names what is missing or wrong, or what the net itself raises of ours.

    Examples
    --------
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> "Budgeted" in pd.check_net(net)
    True
    """
    abilities = net_abilities(net)
    members = [*Net.__annotations__, *(name for name in vars(Net) if not name.startswith("_"))]
    missing = [name for name in dict.fromkeys(members) if not hasattr(net, name)]
    if missing:
        raise _wrong(net, f"lacks {', '.join(missing)}", "all of protocols.Net")
    _check_facts(net, abilities)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 255, net.input_shape).astype(np.float32)
    inputs = _tried(net, "encode", net.encode, pixels)
    _check_array(net, "encode", inputs, pixels.shape)
    blob = default_blob(net)
    values = _forward(net, np.stack([inputs, inputs]), blob)
    _check_answers(net, inputs, blob)
    if blob == net.output and not (values.min() >= -1e-4 and values.max() <= 1 + 1e-4):
        raise _wrong(net, f"{blob!r} holds {values.min():.4g} to {values.max():.4g}", "probabilities in its output")
    _check_evaluate(net, pixels, blob, rng)
    return _kept(abilities)


def check_sampler(sampler: Sampler, shape: tuple[int, int, int] = (3, 32, 32), *, window: SidesLike = 3) -> list[str]:
    """Try out whether an object serves as a sampler: the shapes of a few draws, and what they depend on.

    Parameters
    ----------
    shape : (C, H, W)
        Of pixels that it takes: those of its corpus.
    window : int or (rows, columns)
        k.

    Returns
    -------
    list of str
        The protocols beyond `protocols.Sampler` that it keeps, such as ``"HasPopulation"``.

    Raises
    ------
    PredicdiffError
        A SamplerError that names what is missing or wrong: draws of another shape, that change from call to call, with
        the window's own contents or with the other windows that are asked for, or do not change with the seed; a call
        that changes what it is given, or the random numbers of the whole program; or what the sampler itself raises.

    Examples
    --------
    >>> import predicdiff as pd
    >>> corpus, _ = pd.default_corpus((3, 32, 32))
    >>> "HasPopulation" in pd.check_sampler(pd.MarginalSampler(corpus))
    True
    """
    abilities = sampler_abilities(sampler)
    shape = image_shape("shape", shape)
    pixels, before = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32), _shared_numbers()
    _check_draws(sampler, abilities, pixels, sides(window))
    if _shared_numbers() != before:
        raise SamplerError(
            f"{abilities.name}.draw draws from the random numbers that the whole program shares, or seeds them: want a "
            "generator of its own for each window, such as np.random.default_rng([seed, row, column])."
        )
    if abilities.population is not None and abilities.population(pixels) < 0:
        raise SamplerError(f"{abilities.name}.population is negative: want a number of patches, 0 for no chance.")
    _check_json(abilities.identity, f"{abilities.name}.provenance", SamplerError)
    return _kept(abilities)


def check_drawn(who: str, shape: tuple[int, ...], wanted: tuple[int, ...], *arrays: np.ndarray) -> None:
    """Refuse draws of another shape than ``wanted``, which is (n, S, C, h, w), and arrays that are not finite."""
    count, samples, *rest = wanted
    if shape[:1] + shape[2:] != (count, *rest) or not 1 <= shape[1] <= samples:
        raise SamplerError(
            f"{who} gave an array {shape}: want ({count}, 1 to {samples}, {', '.join(map(str, rest))}) for windows, "
            "samples, channels, rows, columns."
        )
    if not all(np.isfinite(array).all() for array in arrays):
        raise SamplerError(f"{who} gave NaN or infinity: want finite numbers.")


def _check_draws(sampler: Sampler, abilities: SamplerAbilities, pixels: np.ndarray, window: Sides) -> None:
    """Hold draws against those of other calls, of a window with other contents, and of the net's own making."""
    height, width = window
    last = np.array(pixels.shape[1:]) - (height, width)
    origins = np.array([[0, 0], last // 2, last])
    asked: dict[str, Any] = {"window": as_asked(window), "samples": 4, "seed": 0}

    def draw(ground: np.ndarray, places: np.ndarray, **other: int) -> np.ndarray:
        given = ground.copy(), places.copy()
        patches = np.asarray(sampler.draw(*given, **{**asked, **other}), np.float32)
        check_drawn(f"{abilities.name}.draw", patches.shape, (len(places), 4, len(ground), *window), patches)
        if not (np.array_equal(given[0], ground) and np.array_equal(given[1], places)):
            raise SamplerError(f"{abilities.name}.draw changes what it is given: want pixels and origins left alone.")
        return patches

    patches, other = draw(pixels, origins), pixels.copy()
    row, column = origins[1]
    inside = (slice(None), slice(row, row + height), slice(column, column + width))
    other[inside] = 255 - other[inside]
    for same, word in (
        (np.array_equal(draw(pixels, origins), patches), "from call to call"),
        (np.array_equal(draw(other, origins)[1], patches[1]), "with the window's own contents"),
        (np.array_equal(draw(pixels, origins[1:2])[0], patches[1]), "with the other windows that are asked for"),
    ):
        if not same:
            raise SamplerError(
                f"{abilities.name}.draw changes {word}: want draws by seed, place and surroundings alone."
            )
    population = None if abilities.population is None else abilities.population(pixels)
    left_to_chance = (patches != patches[:, :1]).any() and (population is None or population > patches.shape[1])
    if left_to_chance and np.array_equal(draw(pixels, origins, seed=1), patches):
        raise SamplerError(
            f"{abilities.name}.draw gives the same for another seed: want other draws, or a method `population` that "
            "says 0, where nothing is left to chance."
        )
    if abilities.noise is not None:
        noise = abilities.noise(pixels, origins, **asked)
        if not np.allclose(noise.patches(), patches, rtol=1e-3, atol=1e-3 * np.abs(patches).max()):
            raise SamplerError(f"{abilities.name}.noise makes other patches than draw: want the same.")


def _shared_numbers() -> tuple[Any, ...]:
    """In which state the random numbers are that are not anybody's own."""
    _, keys, *rest = np.random.get_state()
    return (random.getstate(), np.asarray(keys).tobytes(), *rest)


def _check_facts(net: Net, abilities: NetAbilities) -> None:
    """What a net says of itself."""
    for fact, check in (
        ("input_shape", _check_shape),
        ("blobs", _check_blobs),
        ("labels", _check_labels),
        ("training_instances", _check_instances),
        ("outcomes", _check_outcomes),
        ("preferred_batch", _check_preferred),
    ):
        _tried(net, fact, check, net, abilities)
    _check_json(net.provenance, "the net's provenance", SettingsError)


def _check_shape(net: Net, _: NetAbilities) -> None:
    shape = tuple(net.input_shape)
    if len(shape) != 3 or not all(isinstance(size, (int, np.integer)) and size > 0 for size in shape):
        raise _wrong(net, f"input_shape is {shape}", "(channels, height, width)")


def _check_blobs(net: Net, _: NetAbilities) -> None:
    for word, blob in (("scores", net.scores), ("output", net.output)):
        if blob is not None and blob not in net.blobs:
            raise _wrong(net, f"{word} is {blob!r}", "a name of its blobs, or None")
    if not dict(net.blobs):
        raise _wrong(net, "blobs are none", "at least one")


def _check_labels(net: Net, _: NetAbilities) -> None:
    blob = class_blob(net)
    if net.labels is not None and blob is not None and len(net.labels) != net.blobs[blob][0]:
        raise _wrong(net, f"labels are {len(net.labels)}", f"{net.blobs[blob][0]}, one for each class, or None")


def _check_instances(net: Net, _: NetAbilities) -> None:
    if not net.training_instances >= 1:
        raise _wrong(net, f"training_instances is {net.training_instances}", "at least 1")


def _check_outcomes(net: Net, abilities: NetAbilities) -> None:
    if abilities.outcomes is not None and whole_number("outcomes K", abilities.outcomes) < 2:
        raise _wrong(net, f"outcomes is {abilities.outcomes}", "at least 2, or None")


def _check_preferred(net: Net, abilities: NetAbilities) -> None:
    if abilities.preferred_batch < 0:
        raise _wrong(net, f"preferred_batch is {abilities.preferred_batch}", "at least 1")


def _check_answers(net: Net, inputs: np.ndarray, blob: str) -> None:
    """Ask twice, and for one input beside another that is larger."""
    came = _tried(net, "forward", consistency.compare, net, np.stack([inputs, 2 * inputs]), blob)
    if came.varies:
        raise _wrong(net, "forward gives other values when it is asked again", "the same for the same inputs")
    if came.mixed:
        raise _wrong(net, "forward gives other values for an input beside another", "each computed for itself")


def _check_evaluate(net: Net, pixels: np.ndarray, blob: str, rng: np.random.Generator) -> None:
    """Hold `evaluate` against `forward` of images into which the patches were set by hand."""
    channels, height, width = pixels.shape
    k = max(1, min(height, width) // 2)
    origins = np.array([[0, 0], [height - k, width - k]])
    patches = rng.uniform(0, 255, (2, 2, channels, k, k)).astype(np.float32)
    units: list[Unit] = [(unit,) for unit in range(min(2, lookup(net.blobs, blob)[0]))]
    before = pixels.copy()
    values = _tried(net, "evaluate", net.evaluate, pixels, origins, patches, blob=blob, units=units, batch_size=3)
    _check_array(net, "evaluate", values, (2, 2, len(units)))
    if not np.array_equal(pixels, before):
        raise _wrong(net, "evaluate changes the pixels", "them left as they are")
    images = np.tile(pixels, (2, 2, 1, 1, 1))
    for image, (row, column), draws in zip(images, origins, patches):
        image[:, :, row : row + k, column : column + k] = draws
    inputs = net.encode(np.concatenate([pixels[None], *images]))
    base, *pasted = read(_forward(net, inputs, blob), units)
    given, wanted = np.concatenate([base[None], values.reshape(len(pasted), -1)]), np.stack([base, *pasted])
    able, scale = net_abilities(net), consistency.largest(wanted)
    if consistency.disagreement(given, wanted, scale=scale, precision=able.precision, rounding=able.rounding):
        raise _wrong(net, "evaluate gives other values than forward for the same images", "the same")


def _forward(net: Net, inputs: np.ndarray, blob: str) -> np.ndarray:
    answers = _tried(net, "forward", net.forward, inputs, [blob])
    if blob not in answers:
        raise _wrong(net, f"forward leaves out {blob!r}", "every blob that is asked for")
    _check_array(net, f"forward[{blob!r}]", answers[blob], (len(inputs), *net.blobs[blob]))
    return np.asarray(answers[blob])


def _tried(net: Net, method: str, call: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    try:
        return call(*arguments, **settings)
    except PredicdiffError:
        raise
    except Exception as error:  # whatever a stranger's net raises
        raise _wrong(net, f"{method} raised {type(error).__name__} ({error})", "what protocols.Net says") from error


def _check_array(net: Net, what: str, array: Any, shape: Sequence[int]) -> None:
    if np.shape(array) != tuple(shape):
        raise _wrong(net, f"{what} has the shape {np.shape(array)}", f"{tuple(shape)}")
    if not np.isfinite(array).all():
        raise _wrong(net, f"{what} holds NaN or infinity", "finite numbers")


def _check_json(value: Any, what: str, error: type[PredicdiffError]) -> None:
    try:
        json.dumps(value)
    except (TypeError, ValueError) as wrong:
        raise error(f"{what} can't be written as JSON ({wrong}): want plain numbers, texts, lists and dicts.") from None


def _wrong(net: Any, what: str, wanted: str) -> SettingsError:
    return SettingsError(f"net {type(net).__name__}: {what}: want {wanted}.")


def _kept(abilities: NetAbilities | SamplerAbilities) -> list[str]:
    """Names of the protocols beyond the least for which something was there."""
    held = vars(abilities)
    names = [kind.__name__ for name, kind in BEYOND.items() if held.get(name) not in (None, False, ())]
    return names
