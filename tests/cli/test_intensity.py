"""`--white` and `--intensity`, in every command that reads image files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.engines import needed
from PIL import Image

import predicdiff.cli as commands
from predicdiff.errors import SettingsError

pytestmark = needed
MARGINAL = ["-k", 8, "--sampler", "marginal", "--corpus", "few"]
COMMANDS = [
    ["predict", "few/0.png", "few/1.png"],
    ["sensitivity", "few/0.png", "-o", "a.png"],
    ["samples", "few/0.png", "--at", "3,4", *MARGINAL, "-o", "a.png"],
    ["explain", "few/0.png", *MARGINAL, "--stride", 8, "-S", 1, "-o", "a.h5", "-q"],
    ["fit", "few", "--sampler", "marginal", "-o", "a.h5"],
]


@pytest.fixture
def greys(tmp_path, photographs):
    """The same grey pictures in two folders, of 8 bits and of 12."""
    for kind, dtype, white in (("eight", np.uint8, 255), ("twelve", np.uint16, 4095)):
        (tmp_path / kind / "few").mkdir(parents=True)
        for number, image in enumerate(photographs[:3, :, :, 0]):
            values = np.rint(image * (white / 255)).astype(dtype)
            Image.fromarray(values).save(tmp_path / kind / "few" / f"{number}.png")


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_twelve_bits_are_as_bright_as_eight(cli, net, greys, tmp_path, arguments):
    told, pictures = [], []
    for kind, options in (("eight", []), ("twelve", ["--white", 4095])):
        os.chdir(tmp_path / kind)
        result = cli(*arguments, *net, *options)
        assert result.exit_code == 0, result.output
        told.append(result.output)
        if arguments[0] == "explain":
            told[-1] = cli("show", "a.h5").output.partition("took")[0]
        pictures.append((tmp_path / kind / "a.png").read_bytes() if "a.png" in result.output else b"")
    assert told[0] == told[1]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("module", [commands.faithfulness, commands.randomisation])
def test_folders_of_twelve_bits_are_as_bright_as_of_eight(refused, net, greys, monkeypatch, module):
    seen = []

    def look(model, images, **settings):
        seen.append(images)
        raise SettingsError("that is enough")

    name = module.__name__.rpartition(".")[2]
    monkeypatch.setattr(module, name, look)
    for kind, options in (("eight", []), ("twelve", ["--intensity", "0,4095"])):
        assert "that is enough" in refused(name, f"{kind}/few", *net, *options)
    assert list(seen[0]) == list(seen[1]) == ["0.png", "1.png", "2.png"]
    for eight, twelve in zip(*(images.values() for images in seen)):
        np.testing.assert_array_equal(eight, twelve)


def test_an_image_of_eight_bits_is_taken_as_it_is_beside_a_corpus_of_twelve(cli, net, greys):
    told = []
    for corpus, options in (("eight", []), ("twelve", ["--white", 4095])):
        ask = ["samples", "eight/few/0.png", "--at", "3,4", "-k", 8, "--sampler", "marginal", "-o", f"{corpus}.png"]
        result = cli(*ask, "--corpus", f"{corpus}/few", *net, *options)
        assert result.exit_code == 0, result.output
        told.append("Warning: eight/few/0.png: intensity (--white, --intensity) was not applied" in result.output)
    assert told == [False, True]
    assert Path("eight.png").read_bytes() == Path("twelve.png").read_bytes()


def test_without_them_a_dark_file_is_warned_of(cli, net, greys):
    os.chdir("twelve")
    result = cli("predict", "few/0.png", *net)
    assert result.exit_code == 0
    assert "Warning: few/0.png: its greys go from " in result.output
    assert "(--white 4095)" in result.output


def test_what_is_no_intensity_is_refused(refused, net, picture):
    for options, words in (
        (["--white", 4095, "--intensity", "0,4095"], "both say what is white: want one of them"),
        (["--white", 0], "--white 0: want a number above 0, such as 4095"),
        (["--white", "nan"], "--white nan: want a number above 0"),
        (["--intensity", "400,-1000"], "want finite numbers, black below white"),
        (["--intensity", "4095"], "want two numbers, of black and of white, such as -1000,400"),
    ):
        assert words in refused("predict", picture, *net, *options)
