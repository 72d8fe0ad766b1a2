"""Bad input: one sentence, exit status 2, no traceback, nothing half-written."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from helpers.engines import needed

from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.caffe.process import gpu_count
from predicdiff.presets import Like
from predicdiff.samplers import GaussianSampler

pytestmark = needed


@pytest.fixture
def no(refused, net, fitted, picture, tmp_path):
    """Explain with these arguments besides the usual ones, which must fail and leave no file; gives the sentence."""

    def call(*arguments, usual=(), image=picture, sampler=fitted):
        before = sorted(tmp_path.rglob("*"))
        error = refused("explain", image, *(usual or net), *sampler, "-o", "out/a.h5", *arguments)
        assert sorted(tmp_path.rglob("*")) == before
        return error

    return call


def own(data, prototxt=None, weights=None):
    """The options for a net of these files, by default the tiny one's."""
    files = ["--net", prototxt or data / "tiny_v1.prototxt", "--weights", weights or data / "tiny_v1.caffemodel"]
    return [*files, "--image-size", 24, "--mean", "0,0,0"]


def test_a_missing_or_truncated_prototxt(no, data, tmp_path):
    assert "nowhere.prototxt" in no(usual=own(data, prototxt="nowhere.prototxt"))
    text = (data / "tiny_v1.prototxt").read_text()
    for end in (0, 40, len(text) // 2, len(text) - 3):
        (tmp_path / "cut.prototxt").write_text(text[:end])
        assert "cut.prototxt" in no(usual=own(data, prototxt=tmp_path / "cut.prototxt"))


@pytest.mark.parametrize("name", ["tiny_v1.caffemodel", "tiny_v2.caffemodel", "tiny.caffemodel.h5"])
def test_a_missing_or_truncated_caffemodel(no, data, tmp_path, name):
    assert f"nowhere.{name}" in no(usual=own(data, weights=f"nowhere.{name}"))
    content = (data / name).read_bytes()
    for end in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / name).write_bytes(content[:end])
        assert name in no(usual=own(data, weights=tmp_path / name))


def test_weights_left_out(no, data):
    assert "give the caffemodel too" in no(usual=["--net", data / "tiny_v1.prototxt", "--mean", "0,0,0"])


def test_weights_of_another_net(no, data, tmp_path):
    text = (data / "tiny_v1.prototxt").read_text()
    assert "num_output: 5" in text
    (tmp_path / "wide.prototxt").write_text(text.replace("num_output: 5", "num_output: 6"))
    error = no(usual=own(data, prototxt=tmp_path / "wide.prototxt"))
    shape = read_caffemodel(data / "tiny_v1.caffemodel")["fc"][0].shape
    assert "'fc'" in error
    assert str(tuple(shape)) in error
    assert str((6, shape[-1])) in error


def test_a_layer_without_weights(no, data, tmp_path):
    text = (data / "tiny_v1.prototxt").read_text()
    (tmp_path / "other.prototxt").write_text(text.replace('name: "conv2a"', 'name: "mine"'))
    assert "'mine'" in no(usual=own(data, prototxt=tmp_path / "other.prototxt"))


def test_unknown_nets_and_layers(no, data, tmp_path):
    assert "Do you mean 'googlenet'" in no(usual=["--net", "googelnet"])
    text = (data / "tiny_v1.prototxt").read_text()
    (tmp_path / "odd.prototxt").write_text(text.replace("SOFTMAX", "SPP"))
    assert "odd.prototxt" in no(usual=own(data, prototxt=tmp_path / "odd.prototxt"))


def test_torch_that_is_not_installed(no, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    error = no("--engine", "torch")
    assert "torch is not installed" in error
    assert 'pip install "predicdiff[torch]"' in error


def test_blobs_and_units(no):
    assert "Near names: conv2" in no("--blob", "conv2")
    assert "unit 5 is out of range" in no("--unit", 5)
    assert "unit -1 is out of range" in no("--unit", -1)
    assert "out of range" in no("--blob", "conv2a", "--unit", "0,99,0")
    assert "out of range" in no("--blob", "conv2a", "--map", 99)
    assert "top = 6 is out of range" in no("--top", 6)
    assert "top = 0 is out of range" in no("--top", 0)
    assert "out of range" in no("--against", 5)
    assert "against itself" in no("--unit", 1, "--against", 1)
    assert "want one of them" in no("--unit", 1, "--top", 2)
    assert "holds no classes" in no("--blob", "conv2a")
    assert "without channels" in no("--map", 2)
    assert "no names are known of the units of blob 'prob'" in no("--unit", "cat")
    assert "want an index such as 281" in no("--against", "1,2")


def test_windows_and_samples(no):
    assert "window k = 25 does not fit: want 1 <= k <= 24" in no("-k", 25)
    assert "window k = 0 does not fit" in no("-k", 0)
    assert "stride = 5 with window k = 4" in no("-k", 4, "--stride", 5)
    assert "stride = 0" in no("--stride", 0)
    assert "samples S = 0: want at least 1" in no("-S", 0)
    assert "l = 3 is smaller than window k = 4: want l >= k" in no("-k", 4, "-l", 3, sampler=[])
    assert "l = 25 does not fit: want l <= 24" in no("-k", 4, "-l", 25, sampler=[])
    assert "fitted.h5 was fitted with 12" in no("-l", 13)
    assert "seed" in no("--seed", -1)
    assert "want at least 1" in no("--batch-size", 0)
    assert "N = 0" in no("--training-instances", 0)
    assert "--sure needs a standard error" in no("--sure", "-S", 1)
    assert "preview, " in no("--quality", "best").replace("'", "")
    assert "512MB" in no("--memory", "much")
    assert "want one number of pixels such as 10, or HEIGHTxWIDTH" in no("-k", "ten")


def test_options_of_draws_that_are_not_made(no, folder, fitted):
    assert "--method occlusion draws nothing: leave out -S." in no("--method", "occlusion", "-S", 3, sampler=[])
    error = no("--method", "occlusion", "--sampler", "marginal", "--corpus", folder, "-l", 9, sampler=[])
    assert "leave out --sampler and --corpus and -l." in error
    grey = ["--sampler", "grey"]
    assert "--sampler grey draws nothing: leave out -S." in no("-S", 3, sampler=grey)
    assert "--context 9 x 12 is the conditional sampler's" in no("-l", "9x12", sampler=grey)
    assert "--context 9 is the conditional sampler's" in no("-l", 9, sampler=["--sampler", "marginal"])


def test_a_gaussian_larger_than_memory(no, monkeypatch):
    def full(*_given, **_settings):
        raise MemoryError

    monkeypatch.setattr(Like, "sampler", full)
    assert "a Gaussian with context l = 12 was fitted: take a smaller window" in no("-k", 8, sampler=[])


def test_images(no, data, tmp_path):
    assert "name is empty" in no(image="")
    assert "https://example.org/cat.jpg: an address" in no(image="https://example.org/cat.jpg")
    assert "nowhere.png: no such file" in no(image="nowhere.png")
    assert "not an image" in no(image=data / "tiny_v1.prototxt")
    assert "several images want a folder for their results" in no(image=tmp_path)
    broken = tmp_path / "broken.png"
    whole = (tmp_path / "small.png").read_bytes()
    for end in (0, 20, 100, len(whole) - 30):
        broken.write_bytes(whole[:end])
        assert "broken.png" in no(image=broken)


def test_means_labels_and_devices(no, data, tiny, tmp_path):
    assert "want a file that exists" in no("--mean", "nowhere.npy")
    (tmp_path / "mean.npy").write_bytes(b"\x93NUMPY")
    assert "mean.npy" in no("--mean", "mean.npy")
    np.save(tmp_path / "small.npy", np.zeros((3, 5, 5), np.float32))
    assert "the mean in small.npy has the shape (3, 5, 5), the net's input (3, 24, 24)" in no("--mean", "small.npy")
    assert "the mean has the shape (2,)" in no("--mean", "1,2")
    assert "nowhere.txt" in no("--labels", "nowhere.txt")
    (tmp_path / "words.txt").write_text("cat\n")
    assert "5 classes, but 1 labels" in no("--labels", "words.txt")
    assert "image size (10, 10) is smaller" in no("--image-size", 10)
    assert "raw scale = 0" in no("--raw-scale", 0)
    assert "scale = nan" in no("--input-scale", "nan")
    assert "toaster" in no("--device", "toaster")
    if not gpu_count():
        assert "cuda" in no("--device", "cuda")


def test_samplers_and_corpora(no, folder, data, tmp_path):
    assert "is unknown: want conditional, marginal, grey or FILE.h5" in no(sampler=["--sampler", "conditionl"])
    assert "none.h5: no such file" in no(sampler=["--sampler", "none.h5"])
    assert "not a whole sampler" in no(sampler=["--sampler", data / "tiny.caffemodel.h5"])
    assert "not a whole sampler" in no(sampler=["--sampler", data / "tiny_v1.caffemodel"])
    assert "leave one out" in no("--corpus", folder)
    marginal = ["--sampler", "marginal", "--corpus"]
    assert "no such folder" in no(sampler=[*marginal, "nowhere"])
    assert "an empty name" in no(sampler=[*marginal, ""])
    (tmp_path / "empty").mkdir()
    assert "0 image(s) read" in no(sampler=[*marginal, "empty"])
    (tmp_path / "empty" / "one.png").write_bytes((tmp_path / "small.png").read_bytes())
    (tmp_path / "empty" / "notes.txt").write_text("no image")
    error = no(sampler=[*marginal, "empty"])
    assert "1 image(s) read, 1 file(s) skipped (notes.txt: not an image" in error
    grey = tmp_path / "grey.h5"
    GaussianSampler.fit(np.random.default_rng(0).random((3, 1, 30, 30)) * 255, 12, patches=300).save(grey)
    assert "fitted on 1 channels" in no(sampler=["--sampler", grey])


def test_unreadable_files_of_a_corpus_are_named_skipped_and_counted(cli, net, picture, folder):
    (folder / "notes.txt").write_text("no image")
    (folder / "03.png").write_bytes(b"broken")
    arguments = ["--sampler", "marginal", "--corpus", folder, "-k", 8, "-S", 2, "-o", "a.h5", "-q"]
    result = cli("explain", picture, *net, *arguments)
    assert result.exit_code == 0
    (line,) = result.output.splitlines()
    assert line.startswith("Warning: ")
    assert "2 of 12 files skipped (03.png: not an image" in line
    assert "notes.txt: not an image" in line


def test_outputs(no, picture, tmp_path):
    assert "want a name that ends in .h5 or .hdf5" in no("-o", "a.png")
    assert f"of a folder for the results of several images one that ends in {os.sep}, such as v.2{os.sep}" in no(
        "-o", "v.2"
    )
    assert "--workers and --scheduler both say" in no(
        "--workers", 2, "--scheduler", "tcp://host:8786", "--net", "absent"
    )
    assert "want a name that ends in .png, .pdf or .svg" in no("--figure", "a.jpg")
    assert "both read and written" in no("--figure", picture)
    assert "both read and written" in no("-o", "small.h5")  # its picture would be the image
    (tmp_path / "file").write_text("")
    assert "is no folder" in no("-o", "file/a.h5")
    (tmp_path / "a.h5").mkdir()
    assert "a folder, want the name of a file" in no("-o", "a.h5")


def test_tiles_that_are_none(refused, net, fitted, picture, tmp_path):
    (tmp_path / "a.h5.tiles").write_bytes(b"mine")
    error = refused("explain", picture, *net, *fitted, "-o", "a.h5")
    assert "a.h5.tiles: should hold finished tiles, but is something else" in error
    assert (tmp_path / "a.h5.tiles").read_bytes() == b"mine"


def test_results_that_are_none(refused, data, fitted, tmp_path):
    assert "none.h5: no such file" in refused("show", "none.h5")
    assert "not a whole explanation" in refused("show", data / "tiny_v1.caffemodel")
    assert "not a" in refused("show", fitted[1])
    assert str(tmp_path) in refused("show", tmp_path)


def test_unknown_options_and_commands(refused):
    assert "See `predicdiff explain --help`." in refused("explain", "--nett", "googlenet")
    assert "See `predicdiff --help`." in refused("explian")
    assert "See `predicdiff samples --help`." in refused("samples")


def test_no_home_for_what_is_fetched_is_said(refused, monkeypatch):
    monkeypatch.setenv("PREDICDIFF_CACHE", "~nobody-of-this-name/cache")
    assert "want one in the environment's PREDICDIFF_CACHE" in refused("nets")


def test_a_mean_whose_header_numpy_cannot_read(refused, tiny, picture, tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }".ljust(117) + b"\n"
    (tmp_path / "true.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(4))
    assert "true.npy" in refused("predict", picture, *tiny, "--mean", "true.npy")
