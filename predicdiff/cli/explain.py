"""`predicdiff explain`: an image and a net in, a result and a picture of it out."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import click
import numpy as np

from ..effort import seconds_needed
from ..errors import SettingsError
from ..executors.spread import executor_with, worthwhile
from ..explanation import Explanation
from ..image_files import Intensity
from ..journal import Journal
from ..masks import check_maps
from ..methods.occlusion import occluding
from ..overlays import MOST_DRAWN
from ..palettes import find_colour_map
from ..plan import Analysis, Plan, make_plan
from ..samplers.grey import GreyPatch
from ..samplers.registry import find
from ..settings import Settings
from ..studies.listing import is_many
from ..targets import default_blob
from ..units import lookup
from . import dry_run
from .console import speaker
from .explain_many import StudyOptions, explain_many
from .options.base import Command, Speech, images_argument, options_of
from .options.explain_options import Effort, Images, Output, Sampling, Targets
from .options.net import ImageReading, NetChoice, named_image
from .options.sampler import SamplerChoice
from .outputs import check_outputs
from .places import Place, Places, taken
from .running import Renewal, draw, finished, less_precise, run_to_end, say_how_long, workers_of
from .summaries import effort_lines, note_lines, seen_lines, target_lines

HELP = f"""Show what in an image speaks for and against a class.

Takes away one window of the image after the other by sampling what else could have stood there, and sees how the
prediction moves (Zintgraf, Cohen and Welling, 2016). Without an image it takes a photograph of a cat; - is standard
input. Writes the result and a picture of it, {find_colour_map().positive} for the class and
{find_colour_map().negative} against it where --cmap asks for no other colours.

Several images, folders and patterns make a study: a folder with a result and a picture of each, and a table of all.
An image that cannot be read is named and passed over, and makes the exit status 2.

What is finished is kept beside the result: the same command goes on after an interruption, and draws a finished result
anew.

\b
Examples:
  predicdiff explain
  predicdiff explain cat.jpg --top 3 -o out/cat.h5
  predicdiff explain PHOTOS more.jpg 'trip/**/*.png' -o study/ --workers auto
  predicdiff explain cat.jpg --net googlenet --quality paper
  predicdiff explain cat.jpg --net googlenet --until 0.99
  predicdiff explain cat.jpg --net alexnet --blob fc8 --unit 281 --against 285
  predicdiff explain cat.jpg --net googlenet --blob pool5/7x7_s1 --map 7
  predicdiff explain cat.jpg --net alexnet --start pool2 --sampler marginal \\
      -k 3
  predicdiff explain cat.jpg --method occlusion
  predicdiff explain cat.jpg --net alexnet --like authors
  predicdiff explain cat.jpg --net deploy.prototxt --weights my.caffemodel \\
      --mean 104,117,123 --labels words.txt
"""


@click.command("explain", cls=Command, help=HELP, short_help="Show what in an image speaks for and against a class.")
@images_argument()
@options_of(Images, "listing")
@options_of(Targets, "targets")
@options_of(Sampling, "sampling")
@options_of(Effort, "effort")
@options_of(Output, "out")
@options_of(SamplerChoice, "sampler")
@options_of(ImageReading, "reading")
@options_of(NetChoice, "net")
@options_of(Speech, "speech")
def command(
    images: tuple[str, ...],
    listing: Images,
    net: NetChoice,
    reading: ImageReading,
    sampler: SamplerChoice,
    targets: Targets,
    sampling: Sampling,
    effort: Effort,
    out: Output,
    speech: Speech,
) -> None:
    """Check everything, say how long it will take, run, write."""
    effort.check()
    if listing.list is not None or len(images) > 1 or any(map(is_many, images)) or out.is_folder:
        study = StudyOptions(net, reading, sampler, targets, sampling, effort, out, speech)
        explain_many(images, listing.list, study)
        return
    image = images[0] if images else None
    shown = named_image(image, reading.intensity, reading.page)
    model = net.load(sampling.model, shown.image)
    say = speaker(speech.quiet)
    method = targets.method if targets.occludes else sampler.name
    first = out.result(shown.name, model.name, method, *targets.places)
    inputs = [shown.file, sampler.sampler, sampling.segments, targets.mask, *net.files]
    check_outputs(out.files(first), inputs, yielding=out.output is None)
    asked = {**sampling.settings(), **targets.settings()}
    settings = Settings(**(occluding(asked) if targets.occludes else asked))  # checked before anything is said
    if targets.mask is not None:  # before anything is said
        blob = targets.blob or default_blob(model)
        check_maps(lookup(model.blobs, blob), blob)
    say(*seen_lines(model, shown))
    plan = make_plan(model, shown.image, settings)
    analysis = _sampled(plan, shown.image, sampler, targets, sampling, reading.intensity)
    out.check_sure(analysis.settings.samples, drawn=analysis.population != 0)
    if len(analysis.targets) > MOST_DRAWN:
        say(f"The picture shows the first {MOST_DRAWN} of {len(analysis.targets)} maps; the result holds all.")

    def check(result: Path) -> None:
        check_outputs(out.files(result), inputs)

    def is_mine(result: Path) -> bool:
        return _held(result, analysis, sampling, so_far=True) is not None

    places = Places(first, analysis, out, check, is_mine)
    if effort.dry_run:
        result, why = next(places.candidates())
        if why:
            say(f"{why}: this one goes into {result}.")
        held = None if out.restart else _held(result, analysis, sampling)
        dry_run.tell(analysis, sampling, effort, out, result, held=held is not None)
        return
    with taken(places, effort) as place:
        if place.why:
            say(f"{place.why}: this one goes into {place.result}.")
        _made(analysis, net, sampler, sampling, effort, out, place, quiet=speech.quiet)


def _made(
    analysis: Analysis,
    net: NetChoice,
    sampler: SamplerChoice,
    sampling: Sampling,
    effort: Effort,
    out: Output,
    place: Place,
    *,
    quiet: bool,
) -> None:
    """Write what is to be written at a run's place: all of it, or the picture of what is there already."""
    say = speaker(quiet)
    result, picture, _ = out.files(place.result)
    held = None if out.restart else _held(result, analysis, sampling)
    if held is not None:
        place.journal.remove()
        _show(held, picture, out, say)
        say(f"{result} held this already: wrote {picture} alone. --restart computes it again.")
        return
    renew = Renewal(result, picture, out, quiet)
    explanation = _computed(analysis, net, sampler, sampling, effort, place.journal, renew)
    explanation.save(result)
    place.journal.remove()
    _show(explanation, picture, out, say)
    say(f"Wrote {result} and {picture}.")


def _computed(
    analysis: Analysis,
    net: NetChoice,
    sampler: SamplerChoice,
    sampling: Sampling,
    effort: Effort,
    journal: Journal,
    renew: Renewal,
) -> Explanation:
    """Say how long it will take and run, from where an interrupted run stopped; then what ``--like`` asks for."""
    memory, batch_size, say = effort.memory, effort.batch_size, speaker(renew.quiet)
    done = finished(analysis, journal)
    if not renew.quiet:
        say_how_long(analysis, sampling, done, seconds_needed(analysis, memory=memory, batch_size=batch_size))
    if net.precision != "float32" and not renew.quiet:
        say(less_precise(analysis, net.precision, analysis.batch(memory, batch_size)))
    with workers_of(effort, lambda: worthwhile(analysis.abilities, 1)) as workers:
        explanation = run_to_end(analysis, journal, done, renew, executor_with(workers, analysis.net, analysis.sampler))
    if sampling.model is not None:
        explanation = sampling.model.finish(explanation)
        if sampler.is_file or analysis.settings.start is not None:
            explanation.notes.append(_unlike(sampler, sampling))
    return explanation


def _sampled(
    plan: Plan,
    image: np.ndarray,
    sampler: SamplerChoice,
    targets: Targets,
    sampling: Sampling,
    intensity: Intensity,
) -> Analysis:
    """All else is checked before a corpus is read and a sampler fitted."""
    if targets.occludes:
        sampler.check_idle(sampling.context, sampling.samples)
        return plan.with_sampler(GreyPatch())
    asked = plan.settings
    if asked.segments is not None and not sampler.is_file and find(sampler.name).takes_context:
        raise SettingsError("a Gaussian of l x l can't fill a segment: want --sampler marginal, or --method occlusion.")
    fitted = sampler.make(
        plan.net, plan.abilities, image, window=asked.sides, context=sampling.context, seed=asked.seed,
        start=asked.start, like=sampling.model, intensity=intensity,
    )  # fmt: skip
    sampler.check_samples(fitted, sampling.samples)
    return plan.with_sampler(fitted)


def _held(path: Path, analysis: Analysis, sampling: Sampling, *, so_far: bool = False) -> Explanation | None:
    """What a file holds, if it is what the analysis will make, or ``so_far`` what a stage of it has made."""
    held = analysis.held(path, so_far=so_far)
    return held if held is not None and held.settings.get("like") == sampling.like else None


def _unlike(sampler: SamplerChoice, sampling: Sampling) -> str:
    says = f"--like {sampling.like} says how draws of pixels are made"
    if sampler.is_file:
        return f"{says}: {sampler.sampler} was taken as it is."
    return f"{says}: it has no effect on draws of hidden activations, which are always made our way."


def _show(explanation: Explanation, picture: Path, out: Output, say: Callable[..., None]) -> None:
    """As a picture, and in words."""
    draw(explanation, picture, out)
    say(*effort_lines(explanation), *target_lines(explanation), *note_lines(explanation))
