"""A Gaussian sampler's file: what is saved comes back, and no other file is taken for one."""

from __future__ import annotations

import resource

import h5py
import numpy as np
import pytest
from helpers.sealed import rewritten
from hypothesis import assume, given
from hypothesis import strategies as st

from predicdiff.errors import SamplerError
from predicdiff.samplers import GaussianSampler

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 3, 12, 12))


def sampler(**settings):
    return GaussianSampler.fit(IMAGES, 4, **{"patches": 200, "names": ["ä", "b", "c"], **settings})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sampler.h5"


@pytest.mark.parametrize(
    "change",
    [{}, {"clip": None}, {"channels": "independent"}, {"patches": 10}, {"clip": (-1, 256.5)}, {"clip": (0, np.inf)}],
)
def test_what_is_saved_comes_back(path, change):
    saved = sampler(**change)
    saved.save(path)
    loaded = GaussianSampler.load(str(path))
    assert loaded.provenance == saved.provenance
    assert loaded.notes == saved.notes
    assert loaded.clip == saved.clip
    np.testing.assert_array_equal(loaded.mean, saved.mean)
    np.testing.assert_array_equal(loaded.covariance, saved.covariance)
    request = {"origins": [(0, 0), (5, 5)], "window": 2, "samples": 3, "seed": 1}
    np.testing.assert_array_equal(loaded.draw(IMAGES[0], **request), saved.draw(IMAGES[0], **request))


def test_bounds_of_each_pixel_come_back(path):
    saved = sampler(clip="corpus", channels="authors", first=2)
    saved.save(path)
    loaded = GaussianSampler.load(path)
    assert loaded.provenance == saved.provenance
    assert loaded.channels == "authors"
    np.testing.assert_array_equal(np.stack(loaded.clip), np.stack(saved.clip))
    request = {"origins": [(0, 0), (5, 5)], "window": 2, "samples": 30, "seed": 1}
    np.testing.assert_array_equal(loaded.draw(IMAGES[0], **request), saved.draw(IMAGES[0], **request))


def test_a_folder_is_made_and_a_file_replaced_and_nothing_else_left(tmp_path):
    path = tmp_path / "new" / "sampler.h5"
    sampler(seed=1).save(path)
    sampler(seed=2).save(path)
    assert GaussianSampler.load(path).provenance["seed"] == 2
    assert [file.name for file in path.parent.iterdir()] == ["sampler.h5"]


def test_a_missing_file(path):
    with pytest.raises(SamplerError, match=r"no such file.*predicdiff fit"):
        GaussianSampler.load(path)


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(SamplerError, match="x"):
        GaussianSampler.load(tmp_path / ("x" * 5000))
    with pytest.raises(SamplerError, match="cannot be written"):
        sampler().save(tmp_path / ("x" * 5000))


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n"])
def test_something_else(path, content):
    path.write_bytes(content)
    with pytest.raises(SamplerError, match=r"sampler\.h5: not a whole gaussian sampler\. predicdiff did not write it"):
        GaussianSampler.load(path)


def test_another_hdf5_file(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("mean", data=np.zeros(3))
    with pytest.raises(SamplerError, match="not a whole gaussian sampler"):
        GaussianSampler.load(path)


def test_a_folder(tmp_path):
    with pytest.raises(SamplerError, match="a folder, want the path of a file"):
        GaussianSampler.load(tmp_path)


def test_a_newer_version(path):
    sampler().save(path)
    rewritten(path, lambda file: file.attrs.__setitem__("version", 2))
    with pytest.raises(SamplerError, match="newer predicdiff"):
        GaussianSampler.load(path)


def test_an_explanation_is_no_sampler(path):
    sampler().save(path)
    rewritten(path, lambda file: file.attrs.__setitem__("format", "predicdiff explanation"))
    with pytest.raises(SamplerError, match=r"not a whole gaussian sampler, but another file of predicdiff's"):
        GaussianSampler.load(path)


@pytest.mark.parametrize("part", ["mean", "covariance", "clip", "jitter", "fitted_on"])
def test_a_well_sealed_file_without_a_part(path, part):
    sampler().save(path)
    rewritten(path, lambda file: file.__delitem__(part))
    with pytest.raises(SamplerError, match=r"gaussian sampler without all its parts \("):
        GaussianSampler.load(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short(path, part):
    sampler().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(SamplerError, match="not a whole gaussian sampler"):
        GaussianSampler.load(path)


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=5))
def test_any_changed_byte_is_noticed(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("damaged") / "sampler.h5"
    sampler(patches=20).save(path)
    content = bytearray(path.read_bytes())
    for where, change in changes:
        content[int(where * len(content))] ^= change
    assume(bytes(content) != path.read_bytes())
    path.write_bytes(bytes(content))
    with pytest.raises(SamplerError, match="not a whole gaussian sampler"):
        GaussianSampler.load(path)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SamplerError, match="cannot be written"):
        sampler().save(tmp_path / "file" / "sampler.h5")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SamplerError, match="cannot be written"):
        sampler().save(tmp_path / "folder")


def test_a_full_disk_leaves_the_old_file(path):
    sampler(seed=1).save(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(SamplerError, match=r"cannot be written \(File too large\)"):
            sampler(seed=2).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert GaussianSampler.load(path).provenance["seed"] == 1
    assert [file.name for file in path.parent.iterdir()] == ["sampler.h5"]


def test_any_hdf5_program_can_read_it(path):
    saved = sampler()
    saved.save(path)
    with h5py.File(path, "r") as file:
        np.testing.assert_array_equal(file["mean"][()], saved.mean)
        np.testing.assert_array_equal(file["covariance"][()], saved.covariance)
