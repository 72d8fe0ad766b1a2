"""Where weights lie, how they get there, and what is said when they do not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.places import DATA
from helpers.tiny_zoo import ARCHIVE, MEAN, OF_PARTS, WEIGHTS, TinyZoo

from predicdiff.errors import DownloadError, WeightsError
from predicdiff.nets.fetching import weights


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREDICDIFF_CACHE", str(tmp_path / "own"))
    assert weights.cache_dir() == tmp_path / "own"
    monkeypatch.setenv("PREDICDIFF_CACHE", "~/own")
    assert weights.cache_dir() == tmp_path / "home" / "own"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG folders are those of Linux")
def test_otherwise_the_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREDICDIFF_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert weights.cache_dir() == tmp_path / "xdg" / "predicdiff"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the XDG specification says to ignore
    assert weights.cache_dir() == tmp_path / "home" / ".cache" / "predicdiff"


def test_fetching_brings_weights_and_the_mean_from_its_archive(zoo: TinyZoo) -> None:
    told = set()
    fetched = weights.fetch_net("tiny", progress=lambda file, have, total: told.add((file, total)))
    assert fetched == [
        weights.Fetched(zoo.cache / "nets" / "tiny.caffemodel", was_there=False),
        weights.Fetched(zoo.cache / "nets" / "tiny_mean.binaryproto", was_there=False),
    ]
    assert told == {("tiny.caffemodel", len(WEIGHTS)), ("means.tar.gz", len(ARCHIVE))}
    assert weights.weights_path("tiny").read_bytes() == WEIGHTS
    mean = weights.mean_path("tiny")
    assert mean is not None
    assert mean.read_bytes() == MEAN
    assert sorted(path.name for path in mean.parent.iterdir()) == ["tiny.caffemodel", "tiny_mean.binaryproto"]


def test_what_is_there_is_not_fetched_again(zoo: TinyZoo) -> None:
    weights.fetch_net("tiny")
    asked = len(zoo.files.log), len(zoo.means.log)
    assert [file.was_there for file in weights.fetch_net("tiny")] == [True, True]
    assert (len(zoo.files.log), len(zoo.means.log)) == asked


def test_a_changed_file_is_refused_and_fetched_anew(zoo: TinyZoo) -> None:
    path = zoo.place("tiny.caffemodel", WEIGHTS[:-1])
    with pytest.raises(
        WeightsError, match=rf"SHA-1 is .*, want .*incomplete.*delete {path} and run `predicdiff fetch tiny`"
    ):
        weights.weights_path("tiny")
    weights.fetch_net("tiny")
    assert weights.weights_path("tiny").read_bytes() == WEIGHTS


def test_either_of_two_files_under_one_name_will_do(zoo: TinyZoo) -> None:
    zoo.write(in_parts=True)
    path = zoo.place("tiny.caffemodel", WEIGHTS)
    assert weights.weights_path("tiny") == path
    zoo.place("tiny.caffemodel", (DATA / "tiny_v2.caffemodel").read_bytes())
    with pytest.raises(WeightsError, match=f"SHA-1 is .*, want [0-9a-f]{{40}} or {OF_PARTS}"):
        weights.weights_path("tiny")
    path.unlink()
    with pytest.raises(WeightsError, match=f"put the file whose SHA-1 is [0-9a-f]{{40}} or {OF_PARTS} at {path}"):
        weights.weights_path("tiny")


def test_missing_weights_name_the_command_and_the_place(zoo: TinyZoo) -> None:
    with pytest.raises(WeightsError, match=r"tiny.caffemodel is not there. Run `predicdiff fetch tiny`, or put .* at "):
        weights.weights_path("tiny")
    with pytest.raises(WeightsError, match=r"tiny_mean.npy is not there. Run `predicdiff fetch tiny`"):
        weights.mean_path("tiny")
    assert weights.weights_path("tiny", fetch=True).is_file()


def test_a_mean_of_one_colour_needs_no_file() -> None:
    assert weights.mean_path("googlenet") is None


def test_one_look_shows_all_that_cannot_be_had(zoo: TinyZoo) -> None:
    zoo.write("status/500", "html")
    with pytest.raises(DownloadError) as caught:
        weights.fetch_net("tiny")
    message = str(caught.value)
    for part in (
        "tiny.caffemodel: no host",
        "HTTP 500",
        "tiny_mean.npy: no host",
        "HTTP 404",
        "in place of it, means.tar",
    ):
        assert part in message
    assert message.count("By hand: ") == 3


def test_another_file_under_the_name_is_a_wrong_file(zoo: TinyZoo) -> None:
    zoo.write("other")
    with pytest.raises(WeightsError, match=r"tiny.caffemodel: SHA-1 is .*, want"):
        weights.fetch_net("tiny")
    assert not (zoo.cache / "nets" / "tiny.caffemodel").exists()


def test_far_too_much_is_not_taken(zoo: TinyZoo) -> None:
    zoo.write("endless")
    with pytest.raises(DownloadError, match=f"sent more than {2 * len(WEIGHTS):,} bytes"):
        weights.fetch_net("tiny")


def test_status_says_what_is_missing(zoo: TinyZoo) -> None:
    tiny, packed = weights.status()
    assert (tiny.name, tiny.size, tiny.exact, tiny.path) == ("tiny", len(WEIGHTS), False, None)
    assert tiny.missing == ("tiny.caffemodel", "tiny_mean.npy")
    assert tiny.command == "predicdiff fetch tiny"
    assert (packed.size, packed.exact, packed.command) == (6, True, 'pip install "a-package==1.0"')
    weights.fetch_net("tiny")
    tiny, packed = weights.status()
    assert tiny.path == zoo.cache / "nets" / "tiny.caffemodel"
    assert tiny.missing == ()
    assert packed.missing == ("data.bin",)


def test_weights_that_come_with_a_package(zoo: TinyZoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for attempt in (weights.weights_path, weights.fetch_net):
        with pytest.raises(WeightsError, match=r'packed: data.bin is not there. Run `pip install "a-package==1.0"`'):
            attempt("packed")
    package = tmp_path / "site" / "a_package_for_tests"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('never imported')")
    (package / "models" / "data.bin").write_bytes(b"packed")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert weights.weights_path("packed") == package / "models" / "data.bin"
    assert weights.fetch_net("packed") == [weights.Fetched(package / "models" / "data.bin", was_there=True)]


def test_weights_of_a_package_put_into_the_cache_by_hand(zoo: TinyZoo) -> None:
    path = zoo.place("data.bin", b"packed")
    assert weights.weights_path("packed") == path
