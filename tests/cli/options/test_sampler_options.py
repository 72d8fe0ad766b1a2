"""Samplers from their options: of a folder, of the bundled images, from a file."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.engines import needed, tiny_net

from predicdiff.abilities import net_abilities
from predicdiff.cli.options import sampler as sampler_choice
from predicdiff.cli.options.sampler import SamplerChoice
from predicdiff.errors import InputWarning, SamplerError, SettingsError, WindowError
from predicdiff.nets.caffe.transformer import caffe_preprocessing
from predicdiff.presets import LIKES
from predicdiff.samplers import GaussianSampler, MarginalSampler
from predicdiff.samplers.corpus import bundled

pytestmark = needed


@pytest.fixture
def tiny():
    """The tiny net as a Caffe user loads it."""
    return lambda: tiny_net(preprocessing=caffe_preprocessing(mean="104,117,123", image_size=24))


def make(name, net, image, corpus=None, *, window=4, context=None, seed=0, **settings):
    choice = SamplerChoice(str(name), corpus)
    return choice.make(net, net_abilities(net), image, window=window, context=context, seed=seed, **settings)


def test_a_marginal_sampler_of_a_folder(tiny, folder, photographs):
    sampler = make("marginal", tiny(), photographs[0], folder)
    assert isinstance(sampler, MarginalSampler)
    assert sampler.names == [f"{number:02}.png" for number in range(11)]
    np.testing.assert_array_equal(sampler.images[3], photographs[4].transpose(2, 0, 1))


def test_a_gaussian_of_a_folder_without_the_explained_image(tiny, folder, photographs):
    net = tiny()
    sampler = make("conditional", net, photographs[4], folder, seed=5)
    others = [image for i, image in enumerate(photographs[1:]) if i != 3]
    expected = GaussianSampler.fit(others, 8, seed=5)
    assert isinstance(sampler, GaussianSampler)
    assert sampler.context == 8
    np.testing.assert_array_equal(sampler.covariance, expected.covariance)
    assert sampler.fitted_on["names"] == [f"{number:02}.png" for number in range(11) if number != 3]


def test_a_sampler_for_many_images_is_made_of_the_whole_corpus(tiny, folder, photographs):
    net = tiny()
    names = [f"{number:02}.png" for number in range(11)]
    marginal = make("marginal", net, None, folder)
    np.testing.assert_array_equal(marginal.images, [photo.transpose(2, 0, 1) for photo in photographs[1:]])
    assert marginal.names == names
    fitted = make("conditional", net, None, folder, seed=5, like=LIKES["paper"])
    wanted = GaussianSampler.fit(list(photographs[1:]), 8, seed=5, clip=None)
    np.testing.assert_array_equal(fitted.covariance, wanted.covariance)
    assert (fitted.clip, fitted.fitted_on["names"]) == (None, names)
    assert len(make("marginal", net, None).names) == 48
    hidden = make("marginal", net, None, folder, start="conv1")
    assert hidden.names == names


def test_the_authors_sampler_takes_one_image_alone(tiny, folder, photographs):
    net, authors = tiny(), LIKES["authors"]
    for settings in ({}, {"start": "conv1"}):
        with pytest.raises(SettingsError, match="--like authors puts the explained image into the corpus, so it takes"):
            make("conditional", net, None, folder / "missing", like=authors, **settings)
    assert make("grey", net, None, like=authors).provenance == make("grey", net, photographs[0]).provenance
    with pytest.raises(SettingsError, match="--like authors puts"):
        authors.sampler("marginal", photographs[1:].transpose(0, 3, 1, 2))


def test_the_bundled_cat_is_not_drawn_from_when_it_is_explained(tiny, photographs):
    net = tiny()
    names = make("marginal", net, bundled()["chelsea"]).names
    assert not any("chelsea" in name for name in names)
    assert any("chelsea" in name for name in make("marginal", net, photographs[0]).names)


def test_a_context_must_hold_the_window_and_fit_the_image(tiny, photographs):
    net, image = tiny(), photographs[0]
    with pytest.raises(WindowError, match="context l = 3 is smaller than window k = 4"):
        make("conditional", net, image, context=3)
    with pytest.raises(WindowError, match="context l = 25 does not fit: want l <= 24"):
        make("conditional", net, image, context=25)
    assert make("conditional", net, image, window=6).context == 10
    assert make("conditional", net, image, window=(4, 6)).context == (8, 10)


def test_a_large_context_is_warned_of(tiny, photographs, monkeypatch):
    monkeypatch.setattr(sampler_choice, "LARGE", 26)
    with pytest.warns(InputWarning, match=r"context l = 3 makes a Gaussian of 27 values, which takes about 0.0 GB"):
        make("conditional", tiny(), photographs[0], window=1, context=3)


def test_a_context_too_large_for_the_machine_is_refused(tiny, photographs, monkeypatch):
    monkeypatch.setattr(sampler_choice, "_physical_memory", lambda: 32 * 27**2 - 1)
    with pytest.raises(SamplerError, match=r"27 values, which takes about 0.0 GB, and this machine has 0.0 GB: want a"):
        make("conditional", tiny(), photographs[0], window=1, context=3)
    monkeypatch.undo()
    assert 10**8 < sampler_choice._physical_memory() < 10**14


def test_a_fitted_sampler_from_its_file(tiny, folder, photographs, tmp_path):
    net, image, path = tiny(), photographs[0], tmp_path / "fitted.h5"
    GaussianSampler.fit(list(photographs[1:]), 6).save(path)
    assert SamplerChoice(str(path), None).name == "fitted"
    assert make(path, net, image).context == make(path, net, image, context=6).context == 6
    with pytest.raises(SettingsError, match=r"--context 8, but .*fitted.h5 was fitted with 6"):
        make(path, net, image, context=8)
    with pytest.raises(WindowError, match="context l = 6 is smaller than window k = 7"):
        make(path, net, image, window=7)
    with pytest.raises(SettingsError, match="which is fitted: leave one out"):
        make(path, net, image, folder)
    with pytest.raises(SamplerError, match=r"none.h5: no such file. Make one with `predicdiff fit"):
        make("none.h5", net, image)
