"""The tiny Caffe net, a small picture, and the command line run in this process or in one of its own."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import pytest
from click.testing import CliRunner, Result
from helpers.engines import ENGINES, tiny_net
from helpers.places import ROOT
from helpers.tiny_zoo import TinyZoo
from PIL import Image

from predicdiff.cli import main
from predicdiff.nets.caffe.transformer import caffe_preprocessing
from predicdiff.samplers import GaussianSampler


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take the engine that is installed, Caffe where there is no torch; nothing is fetched unasked."""
    monkeypatch.delenv("PREDICDIFF_FETCH", raising=False)
    monkeypatch.setenv("PREDICDIFF_ENGINE", ENGINES[0] if ENGINES else "torch")


@pytest.fixture(scope="session")
def tiny(data: Path) -> list[str]:
    """Options that give the tiny net, its mean left out."""
    weights = str(data / "tiny_v1.caffemodel")
    return ["--net", str(data / "tiny_v1.prototxt"), "--weights", weights, "--image-size", "24"]


@pytest.fixture(scope="session")
def net(tiny: list[str]) -> list[str]:
    """Options that give the tiny net with its mean."""
    return [*tiny, "--mean", "104,117,123"]


@pytest.fixture(scope="session")
def photographs(data: Path) -> np.ndarray:
    """(12, 24, 24, 3) uint8 RGB images."""
    with np.load(data / "tiny_caffe.npz") as recorded:
        return np.clip(recorded["images"].transpose(0, 2, 3, 1) / 2 + 128, 0, 255).astype(np.uint8)


@pytest.fixture
def picture(tmp_path: Path, photographs: np.ndarray) -> str:
    """A small image file."""
    path = tmp_path / "small.png"
    Image.fromarray(photographs[0]).save(path)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path, photographs: np.ndarray) -> Path:
    """A folder of eleven other images."""
    path = tmp_path / "corpus"
    path.mkdir()
    for number, image in enumerate(photographs[1:]):
        Image.fromarray(image).save(path / f"{number:02}.png")
    return path


@pytest.fixture
def few(tmp_path: Path, photographs: np.ndarray) -> Path:
    """A folder of three images."""
    path = tmp_path / "few"
    path.mkdir()
    for number, image in enumerate(photographs[:3]):
        Image.fromarray(image).save(path / f"{number}.png")
    return path


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory, photographs: np.ndarray) -> list[str]:
    """Options that give a sampler fitted on the small images, with contexts of 12."""
    path = tmp_path_factory.mktemp("samplers") / "fitted.h5"
    GaussianSampler.fit(list(photographs), 12, patches=3000).save(path)
    return ["--sampler", str(path)]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in this process, in an empty folder; what it prints is in ``output``, both streams together."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, stdin: bytes | None = None) -> Result:
        words = [str(argument) for argument in arguments]
        result = CliRunner().invoke(main, words, input=stdin, prog_name="predicdiff")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture
def refused(cli: Callable[..., Result]) -> Callable[..., str]:
    """Run a command that must fail: one sentence that begins with Error, exit status 2; gives the sentence."""

    def call(*arguments: object) -> str:
        result = cli(*arguments)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
        errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert result.output.splitlines()[-1] == errors[0]
        return errors[0]

    return call


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Any]:
    """Start `python -m predicdiff`, or ``code``, in a process of its own, in an empty folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def start(
        arguments: Sequence[object], *, code: str | None = None, buffered: bool = False, **options: Any
    ) -> subprocess.Popen[str]:
        environment["PYTHONUNBUFFERED"] = "" if buffered else "1"
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        what = ["-m", "predicdiff"] if code is None else ["-c", code]
        command = [sys.executable, *what, *map(str, arguments)]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, universal_newlines=True, **streams)

    return start


@pytest.fixture
def seen(program: Callable[..., Any]) -> Callable[..., tuple[int, str]]:
    """Run the program, or code, at a terminal; gives its exit status and what reached the terminal."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))

    def call(*arguments: object, code: str | None = None) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))  # otherwise bars have no room
        process = program(arguments, code=code, stdout=theirs, stderr=theirs)
        os.close(theirs)
        received = b""
        try:
            while chunk := os.read(ours, 2**16):
                received += chunk
        except OSError:  # how Linux says that the other side has closed
            pass
        os.close(ours)
        return process.wait(60), received.decode("utf-8")

    return call


@pytest.fixture
def model(data: Path) -> Any:
    """The tiny net from Python, as the options of `net` give it."""
    return tiny_net(preprocessing=caffe_preprocessing(mean=[104.0, 117.0, 123.0], image_size=24))


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyZoo]:
    """A manifest of small nets, whose files lie on servers of this machine."""
    with TinyZoo(tmp_path, monkeypatch) as tiny:
        yield tiny
