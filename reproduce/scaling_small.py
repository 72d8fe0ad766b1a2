"""A study of many small images, in a process of its own: what an image costs, and how much memory all take."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from predicdiff.budget import MEMORY
from predicdiff.cores import sharing
from predicdiff.images import View
from predicdiff.nets.modules.net import ModuleNet
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.samplers.registry import Recipe, find
from predicdiff.settings import Settings
from predicdiff.studies.folder import Maker, Study, asked
from predicdiff.studies.one import Item, Wish
from predicdiff.studies.outcomes import outcomes

from .timing_machine import peak_memory, reset_peak
from .timing_nets import seeded_module

#: Sides of what the net sees and of the pictures, and pictures that the sampler draws from.
SIDE, PICTURE, CORPUS = 24, 32, 60
SETTINGS = Settings(window=8, samples=4, stride=8)
#: Images before those that count: what is made once is made then, also matplotlib's and torch's own.
FIRST = 10


def small_net(seed: int = 0) -> ModuleNet:
    """A net of two convolutions with normal weights, on images of 24 x 24."""
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * (SIDE // 2) ** 2, 10))
    preprocessing = Preprocessing(view=View(mode="warp"), channels="bgr", mean=np.array([104.0, 117.0, 123.0]))
    shape = (3, SIDE, SIDE)
    return ModuleNet(
        seeded_module(module, seed), input_shape=shape, preprocessing=preprocessing, name="small", device="cpu"
    )


def pictures(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """So many small pictures, written there."""
    generator = np.random.default_rng(seed)
    paths = [folder / f"{number:05d}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (PICTURE, PICTURE, 3), dtype=np.uint8)).save(path)
    return paths


def small_study(folder: Path, count: int) -> dict[str, Any]:
    """Read, plan, explain, draw and write so many images in a process of its own; JSON-able.

    Seconds an image are those of the clock and those of the processor, behind the first images; bytes are those that
    the process takes at most, above what it takes before the first.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found: dict[str, Any] = pool.apply(_studied, (folder, count))
    return found


def _studied(folder: Path, count: int) -> dict[str, Any]:
    import predicdiff.plotting  # noqa: F401

    torch.set_num_threads(1)
    (folder / "pictures").mkdir()
    items = [Item(number, str(path), path) for number, path in enumerate(pictures(folder / "pictures", count))]
    corpus = np.random.default_rng(1).uniform(0, 255, (CORPUS, 3, SIDE, SIDE)).astype(np.float32)
    net, sampler = small_net(), find("marginal").make(corpus, Recipe(8, seed=0))
    wish = Wish(SETTINGS, MEMORY, then=Maker())
    cpu = torch.device("cpu")
    reset_peak(cpu)
    before = peak_memory(cpu)
    marks: list[tuple[float, float]] = []
    with sharing(1), Study(folder / "study", {"settings": asked(SETTINGS)}) as study:
        for outcome in outcomes(net, study.missing(items), sampler, wish, count=count, checkpoint=study.tiles):
            study.add(outcome)
            marks.append((time.perf_counter(), time.process_time()))
        study.finish()
    most = peak_memory(cpu)
    first = min(FIRST, count) // 2
    taken = [(last - begun) / (count - 1 - first) for last, begun in zip(marks[-1], marks[first])]
    return {
        "images": count,
        "seconds": taken[0],
        "processor_seconds": taken[1],
        "memory": None if before is None or most is None else most - before,
        "written": len(list((folder / "study").glob("*.h5"))),
    }
