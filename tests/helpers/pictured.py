"""A small NumPy net that takes photographs, files of these, and what is peculiar about nets of one's own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from PIL import Image

from helpers.oracle_nets import MapNet, NormalSampler
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.settings import Settings
from predicdiff.studies.folder import Maker, Study
from predicdiff.studies.one import Item, Wish
from predicdiff.studies.outcomes import outcomes
from predicdiff.workers.choice import Fitting, chosen

#: What each map of a study is made with where nothing else is said.
QUICK: dict[str, Any] = {"window": 3, "samples": 4, "stride": 3}


class Pictured(MapNet):
    """A `MapNet` that takes RGB images of any size."""

    preprocessing = Preprocessing()

    def __init__(self) -> None:
        super().__init__((3, 9, 10), gain=0.3, dtype=np.float32)

    def view(self, image: np.ndarray) -> np.ndarray:
        return self.preprocessing.pixels(image, self.input_shape)


class Fails(Pictured):
    """Raises an error for images whose first pixel is red, when it is asked for their windows."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def evaluate(self, pixels: np.ndarray, *arguments: Any, **how: Any) -> np.ndarray:
        if is_red(pixels):
            raise self.error
        return super().evaluate(pixels, *arguments, **how)


class Greedy(Pictured):
    """Takes its process down for such images, as a system does whose memory runs out, unless batches are small."""

    def evaluate(self, pixels: np.ndarray, *arguments: Any, **how: Any) -> np.ndarray:
        if is_red(pixels) and how["batch_size"] > 100:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(pixels, *arguments, **how)


class RefusesRed(NormalSampler):
    """A sampler that raises an error of its own for such images."""

    def draw(self, pixels: np.ndarray, *arguments: Any, **how: Any) -> np.ndarray:
        if is_red(pixels):
            raise ZeroDivisionError("no red")
        return super().draw(pixels, *arguments, **how)


def is_red(pixels: np.ndarray) -> bool:
    """Whether the first pixel is."""
    return bool(pixels[0, 0, 0] == 255 and pixels[1, 0, 0] == 0)


def pictures(folder: Path, count: int, *, red: Sequence[int] = (), size: tuple[int, int] = (12, 13)) -> list[Path]:
    """PNGs 00.png, 01.png and so on in a folder, some of them with a corner of red."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:02}.png" for number in range(count)]
    for number, path in enumerate(paths):
        picture(path, number, red=number in red, size=size)
    return paths


def picture(path: Path, seed: int, *, red: bool = False, size: tuple[int, int] = (12, 13)) -> Path:
    """A PNG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    pixels[0, 0] = 254  # never all red by chance
    if red:
        pixels[:4, :4] = 255, 0, 0
    Image.fromarray(pixels).save(path, "PNG")
    return path


def studied(count: int, folder: str, workers: int) -> None:
    """A study of so many images, which are all alike, in a folder."""
    image = picture(Path(folder, "a.png"), 0, size=(300, 300))
    items = [Item(number, f"{number}.png", image) for number in range(count)]
    with chosen(workers, lambda: Fitting(1)) as there, Study(Path(folder, str(count)), {}) as study:
        wish = Wish(Settings(**QUICK), 10**9, then=Maker())
        for done in outcomes(Pictured(), study.missing(items), NormalSampler(), wish, workers=there):
            if done.error:
                raise ValueError(done.error)
            study.add(done)
        study.finish()
