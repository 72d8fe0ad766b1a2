"""The manifest as it is, and broken ones."""

from __future__ import annotations

import re

import pytest

from predicdiff.errors import FormatError, SettingsError
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.resolved import resolve
from predicdiff.nets.fetching import manifest
from predicdiff.nets.fetching.parts import listed_parts, parts_of

WHOLE = """
[net]
title = "a net"
kind = "caffe"
prototxt = "net.prototxt"
scores = "fc"
output = "prob"
labels = "labels.txt"
training_instances = 10
licence = "none"
citation = "nobody"
weights = [{ file = "net.caffemodel", sha1 = "0", urls = ["http://localhost/net"] }]
preprocessing = { view = { mode = "warp" } }
"""


def test_the_nets_of_the_paper_and_one_that_runs_anywhere() -> None:
    assert manifest.names() == ["alexnet", "googlenet", "vgg16", "squeezenet1.1", "efficientnet_lite0"]


@pytest.mark.parametrize("name", manifest.names())
def test_every_file_can_be_had_and_checked(name: str) -> None:
    net = manifest.entry(name)
    for source in (*net.weights, *net.mean):
        assert re.fullmatch("[0-9a-f]{40}", source.sha1)
        places = [*source.urls, *(url for made in (source.archive, source.parts) if made for url in made.urls)]
        assert all(place.startswith("http") for place in places)
        assert places or source.package
    assert (manifest.models_dir() / net.labels).is_file()


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "vgg16", "squeezenet1.1"])
def test_caffe_nets_have_their_prototxt(name: str) -> None:
    net = manifest.entry(name)
    spec = read_prototxt(manifest.models_dir() / (net.prototxt or ""))
    tops = {top for layer in spec.layers for top in layer.tops}
    assert {net.scores, net.output} <= tops


@pytest.mark.parametrize(("name", "parameters"), [("googlenet", 6_998_552), ("squeezenet1.1", 1_235_496)])
def test_the_list_of_parts_fits_the_nets(name: str, parameters: int) -> None:
    net = manifest.entry(name)
    (folder,) = (source.parts.folder for source in net.weights if source.parts)
    layers = resolve(read_prototxt(manifest.models_dir() / (net.prototxt or "")))
    of_layers = parts_of(layers, listed_parts(folder), name)
    assert sum(part.size for parts in of_layers.values() for part in parts) == 4 * parameters


def test_an_entry_from_toml() -> None:
    net = manifest.parse(WHOLE, "own.toml")["net"]
    assert net.weights == (manifest.Source("net.caffemodel", "0", urls=("http://localhost/net",)),)
    assert net.mean == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[net]", "[net", "own.toml is not TOML"),
        ('kind = "caffe"', 'kind = "theano"', r"\[net\] .*want kind"),
        ('kind = "caffe"', 'kind = "torch"', r"\[net\] .*want kind"),
        ('labels = "labels.txt"', "", r"\[net\] .*labels"),
        ('sha1 = "0", ', "", r"\[net\] .*sha1"),
        ('licence = "none"', 'license = "none"', r"\[net\] .*licen"),
        ("[net]", "net = 1\n[other]", r"\[net\] "),
        ("weights = [{", "mean = [{", r"\[net\] .*want \[\[net.weights\]\]"),
    ],
)
def test_broken_manifests(old: str, new: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        manifest.parse(WHOLE.replace(old, new), "own.toml")


def test_an_unknown_name_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"'GoogleNet2'. Do you mean 'googlenet'\? Known: alexnet, goo"):
        manifest.entry("GoogleNet2")
    with pytest.raises(SettingsError, match=r"no net is called 'resnet50'\. Known: alexnet"):
        manifest.entry("resnet50")
