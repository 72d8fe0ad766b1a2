"""`predicdiff explain` of several images: a study, that is a folder with a result of each and a table of all."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

import click

from .._version import __version__
from ..abilities import net_abilities, sampler_abilities
from ..effort import seconds_needed
from ..errors import ImageError, InputWarning, PredicdiffError, SettingsError, warn
from ..executors.spread import worthwhile
from ..image_files import content_of
from ..images import load_image
from ..methods.occlusion import occluding
from ..plan import make_plan
from ..protocols import Json, Net, Sampler
from ..samplers.grey import GreyPatch
from ..settings import Settings
from ..shapes.labels import SLIC
from ..studies.folder import Maker, Study, asked, check_folder
from ..studies.listing import lines_of, listed
from ..studies.one import OF_THE_IMAGE, Item, Outcome, Wish
from ..studies.outcomes import outcomes
from ..texts import one_line
from ..units import as_map, lookup
from ..windows import spanned
from .console import INTERRUPTED, Failure, bar, duration, say, speaker
from .options.base import Speech
from .options.explain_options import Effort, Output, Sampling, Targets
from .options.net import PIPED, ImageReading, NetChoice
from .options.sampler import SamplerChoice
from .outputs import check_outputs, default_output
from .running import workers_of

#: Images whose warnings are said; those of all stand in the table.
MOST_WARNED = 10


@dataclass(frozen=True)
class StudyOptions:
    """All options of the command."""

    net: NetChoice
    reading: ImageReading
    sampler: SamplerChoice
    targets: Targets
    sampling: Sampling
    effort: Effort
    out: Output
    speech: Speech

    def settings(self) -> Settings:
        """How each image is explained."""
        told = {**self.sampling.settings(), **self.targets.settings()}
        return Settings(**(occluding(told) if self.targets.occludes else told))

    @property
    def method(self) -> str:
        """What stands in windows, for names."""
        return self.targets.method if self.targets.occludes else self.sampler.name

    def check(self) -> None:
        """Refuse what says something of one image."""
        segments = self.sampling.segments is not None and str(self.sampling.segments).partition(":")[0] != SLIC
        options = {
            "--figure": self.out.figure, "--mask": self.targets.mask, "--box": self.net.box,
            "--page": self.reading.page, "--segments FILE": segments,
            "--like authors": self.sampling.like == "authors",
        }  # fmt: skip
        given = [name for name, value in options.items() if value]
        if given:
            raise SettingsError(f"{' and '.join(given)} say something of one image: leave out with several.")
        if self.out.output is not None and not self.out.is_folder:
            raise SettingsError(
                f"{self.out.output}: several images want a folder for their results, such as -o study/."
            )


def explain_many(images: Iterable[str], listing: Path | None, options: StudyOptions) -> None:
    """Explain all images that are not finished yet, and say how it went.

    Raises
    ------
    Exit
        With status 2, if there are images that could not be explained.
    """
    options.check()
    settings, paths = options.settings(), _paths(images, listing)
    model = options.net.load(options.sampling.model)
    folder = options.out.output or default_output("study", model.name, options.method, suffix="")
    check_folder(folder)
    items = _items(paths, folder)
    check_outputs([folder / "settings.json"], [*(item.source for item in items), *options.net.files])
    sampler = _sampler(model, settings, options)
    study = Study(folder, _identity(model, sampler, settings, options), restart=options.out.restart)
    if options.effort.dry_run:
        _tell(model, study.look(items), sampler, settings, options, study)
        return
    with study:
        missing = study.missing(items)
        say_ = speaker(options.speech.quiet)
        done = len(items) - len(missing)
        say_(
            f"{_count(len(items))}, which {model.name} sees as {model.input_shape[1]} x {model.input_shape[2]}"
            + (f", of which {done} are finished in {folder}." if done else ".")
        )
        failed = _explained(model, items, missing, sampler, settings, study, options)
        without = f", without {failed} that could not be explained" if failed else ""
        written, where = f"{len(items) - failed} of {_count(len(items))}", f"into {folder}"
        if done:
            written, where = _count(len(missing) - failed), f"{where}, which holds {written} now"
        say_(f"Wrote {written} {where}{without}, and {folder / 'index.csv'}.")
    if failed:
        raise click.exceptions.Exit(Failure.exit_code)


def _items(paths: list[Path], folder: Path) -> list[Item]:
    """The images that are meant, without the pictures that the study itself holds, which patterns may match."""
    own = os.path.realpath(folder)
    folders = {path.parent: os.path.realpath(path.parent) for path in paths}
    left = [path for path in paths if folders[path.parent] != own]
    if len(left) < len(paths):
        warn(f"{folder}: {_count(len(paths) - len(left))} of the study's own passed over.", InputWarning)
    return [Item(number, str(path), path) for number, path in enumerate(left)]


def _count(images: int) -> str:
    return "1 image" if images == 1 else f"{images} images"


def _paths(images: Iterable[str], listing: Path | None) -> list[Path]:
    """The files that are meant by the argument and by a list."""
    given = list(images)
    if listing is not None:
        if str(listing) == PIPED:
            content = sys.stdin.buffer.read() if sys.stdin is not None else b""
            given += lines_of(content, "standard input")
        else:
            if not listing.exists():
                raise ImageError(f"{listing}: no such file. Want a text with the path of an image in each line.")
            given += lines_of(content_of(listing).getvalue(), str(listing))
    if PIPED in given:
        raise ImageError(f"{PIPED} is standard input, by which one image comes: leave it out with several.")
    if not given:
        raise ImageError("no image was given: want the paths of images, folders or patterns, or --list FILE.")
    return listed(given)


def _sampler(model: Net, settings: Settings, options: StudyOptions) -> Sampler:
    """One sampler for all images, none of which is taken out of its corpus."""
    if options.targets.occludes:
        options.sampler.check_idle(options.sampling.context, options.sampling.samples)
        return GreyPatch()
    ground = model.input_shape if settings.start is None else as_map(lookup(model.blobs, settings.start))
    sampler = options.sampler.make(
        model, net_abilities(model), None,
        window=spanned(settings.window, ground[1:]), context=options.sampling.context, seed=settings.seed,
        start=settings.start, like=options.sampling.model, intensity=options.reading.intensity,
    )  # fmt: skip
    options.sampler.check_samples(sampler, options.sampling.samples)
    options.out.check_sure(settings.samples, drawn=sampler_abilities(sampler).most_draws != 1)
    return sampler


def _identity(model: Net, sampler: Sampler, settings: Settings, options: StudyOptions) -> Json:
    return {
        "settings": {**asked(settings), "like": options.sampling.like, "intensity": options.reading.intensity},
        "net": model.provenance,
        "sampler": sampler_abilities(sampler).identity,
        "versions": {"predicdiff": __version__},
    }


def _wish(settings: Settings, options: StudyOptions) -> Wish:
    maker = Maker(options.sampling.model, options.out.drawing)
    effort = options.effort
    return Wish(settings, effort.memory, effort.batch_size, options.reading.intensity, maker)


def _explained(
    model: Net,
    items: list[Item],
    missing: list[Item],
    sampler: Sampler,
    settings: Settings,
    study: Study,
    options: StudyOptions,
) -> int:
    """Explain what is missing under one bar, and write each as it is done; returns how many failed."""
    quiet, count = options.speech.quiet, len(items)
    finished = count - len(missing)
    failed = written = warned = 0
    abilities = net_abilities(model)
    try:
        with workers_of(options.effort, lambda: worthwhile(abilities, len(missing))) as workers, bar(
            count, quiet=quiet, initial=finished, unit=None
        ) as shown:

            def tell(*, refresh: bool = False) -> None:
                shown.set_description_str(f"{finished + written + failed} of {_count(count)} ", refresh=refresh)

            def progress(done: float, total: int | None) -> None:
                shown.update(max(0.0, finished + done - shown.n))

            wish = _wish(settings, options)
            with closing(
                outcomes(
                    model, missing, sampler, wish,
                    count=len(missing), workers=workers, progress=progress, checkpoint=study.tiles,
                )
            ) as done:  # fmt: skip
                tell()
                for outcome in done:
                    study.add(outcome)
                    if outcome.error:
                        failed += 1
                        say(f"Passed over: {_named(outcome)}", err=True)
                    else:
                        written += 1
                    if outcome.warned and warned < MOST_WARNED:
                        warned += 1
                        say(*(f"Warning: {outcome.item.name}: {text}" for text, _ in outcome.warned), err=True)
                    tell(refresh=True)
        study.finish()
    except KeyboardInterrupt:
        study.finish()
        say(
            f"Interrupted. {study.holds(items)} of {_count(count)} are finished in {study.folder}: the same command "
            "goes on from there.",
            err=True,
        )
        raise click.exceptions.Exit(INTERRUPTED) from None
    return failed


def _named(outcome: Outcome) -> str:
    """An error, which names the image."""
    name = one_line(outcome.item.name)
    return outcome.error if name in outcome.error else f"{name}: {outcome.error}"


def _tell(
    model: Net, items: list[Item], sampler: Sampler, settings: Settings, options: StudyOptions, study: Study
) -> None:
    """Say how long it would take for images that are missing, by the first that can be read; writes nothing."""
    if not items:
        say(f"All images are finished in {study.folder}. Nothing was written.")
        return
    error: PredicdiffError | None = None
    for item in items:
        try:
            image = load_image(item.source, intensity=options.reading.intensity)
        except OF_THE_IMAGE as wrong:
            error = error or wrong
            continue
        analysis = make_plan(model, image, settings).with_sampler(sampler)
        memory, batch_size = options.effort.memory, options.effort.batch_size
        cluster = ", which the cluster's workers share among them" if options.effort.scheduler is not None else ""
        seconds = seconds_needed(analysis, memory=memory, batch_size=batch_size) * len(items)
        say(
            f"{_count(len(items))}, each with {analysis.shapes.told(len(analysis.origins))} and "
            f"{analysis.settings.samples} draws: {duration(seconds)} by this machine's processors{cluster}, "
            f"estimated from a few windows of {item.name}.",
            f"Results would go to {study.folder}. Nothing was written.",
        )
        return
    raise error or ImageError("no image can be read.")
