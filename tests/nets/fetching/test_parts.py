"""Weights in parts from a server on this machine: whole, cut, changed, missing, and put together."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from helpers.caffe_bytes import floats, legacy_shape, v1
from helpers.engines import ENGINES
from helpers.local_server import LocalServer
from helpers.places import MODELS
from helpers.raw_parts import FOLDER, parts_list, raw_parts
from helpers.tiny_zoo import OF_PARTS, PARTS, WEIGHTS, TinyZoo

from predicdiff.errors import DownloadError
from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.resolved import resolve
from predicdiff.nets.fetching import download, manifest, parts, weights
from predicdiff.nets.fetching.part_file import part_file
from predicdiff.nets.fetching.parts import fetch_parts
from predicdiff.nets.zoo import load_net

TOTAL = sum(map(len, PARTS.values()))
FC = f"{FOLDER}/fc_filter.bin"
CONV = f"{FOLDER}/conv2a_filter.bin"


@pytest.fixture(autouse=True)
def only_in_parts(zoo: TinyZoo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny net's file has gone, its parts are there; no pauses between tries."""
    zoo.write("status/404", in_parts=True)
    monkeypatch.setattr(download, "PAUSE", 0.0)


def left(zoo: TinyZoo) -> list[str]:
    """Names of all files in the cache but the mean's."""
    nets = zoo.cache / "nets"
    files = (path.relative_to(nets).as_posix() for path in nets.rglob("*") if path.is_file())
    return sorted(name for name in files if "mean" not in name)


def digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


def refused() -> list[str]:
    """The lines of what is said when the tiny net can't be had, from the parts on."""
    with pytest.raises(DownloadError, match=r"no host gave the file\.\n.*HTTP 404") as caught:
        weights.fetch_net("tiny")
    lines = str(caught.value).splitlines()
    return lines[next(i for i, line in enumerate(lines) if " in parts: " in line) :]


def test_parts_become_one_file_where_the_whole_cannot_be_had(zoo: TinyZoo) -> None:
    told: list[tuple[str, int, int | None]] = []
    fetched = weights.fetch_net("tiny", progress=lambda *at: told.append(at))
    assert fetched[0] == weights.Fetched(zoo.cache / "nets" / "tiny.caffemodel", was_there=False)
    assert len(zoo.files.log) == 1
    assert sorted(zoo.parts.asked()) == sorted(PARTS)
    assert left(zoo) == ["tiny.caffemodel"]
    assert digest(weights.weights_path("tiny")) == OF_PARTS
    received = [have for file, have, total in told if (file, total) == ("tiny.caffemodel", TOTAL)]
    assert received == sorted(received)
    assert received[-1] == TOTAL
    assert weights.fetch_net("tiny")[0].was_there
    assert weights.status()[0].size == fetched[0].path.stat().st_size


def test_the_whole_file_is_asked_for_first_and_ends_what_was_begun(zoo: TinyZoo) -> None:
    zoo.parts.ways[FC] = "status/404"
    refused()
    assert len(left(zoo)) == len(PARTS) - 1
    asked = len(zoo.parts.log)
    zoo.write("good", in_parts=True)
    assert weights.fetch_net("tiny")[0].path.read_bytes() == WEIGHTS
    assert len(zoo.parts.log) == asked
    assert left(zoo) == ["tiny.caffemodel"]


def test_what_came_of_the_whole_file_is_not_mixed_in(zoo: TinyZoo) -> None:
    zoo.write("good/100", in_parts=True)
    weights.fetch_net("tiny")
    assert digest(weights.weights_path("tiny")) == OF_PARTS
    assert left(zoo) == ["tiny.caffemodel"]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("status/404", "HTTP 404 Not Found"),
        ("other", f"sent another file ({hashlib.sha1(bytes(255 - b for b in PARTS[FC])).hexdigest()})"),
        ("claims/7", f"offers 7 bytes, want {len(PARTS[FC]):,}"),
    ],
)
def test_a_part_that_does_not_come_keeps_none_of_the_others(zoo: TinyZoo, way: str, reason: str) -> None:
    zoo.parts.ways[FC] = way
    assert refused() == [
        f"Or, in place of it, tiny.caffemodel in parts: 1 of {len(PARTS)} did not come.",
        f"  {zoo.parts.url('files')}/{FC}: {reason}",
        "The same command goes on with those that are there.",
        f"By hand: put the file whose SHA-1 is {OF_PARTS} at {zoo.cache}/nets/tiny.caffemodel",
    ]
    assert f"tiny.caffemodel.parts/{FC[len(FOLDER) + 1 :]}" not in left(zoo)
    zoo.parts.ways.clear()
    zoo.parts.log.clear()
    weights.fetch_net("tiny")
    assert zoo.parts.asked() == [FC]
    assert digest(weights.weights_path("tiny")) == OF_PARTS


def test_parts_that_a_second_call_does_not_leave_are_not_promised(zoo: TinyZoo) -> None:
    zoo.parts.ways[FC] = "status/404"
    with part_file(zoo.cache / "nets" / "tiny.caffemodel"):
        assert "The same command goes on with those that are there." not in refused()
    assert left(zoo) == []


def test_a_cut_line_is_taken_up_where_it_was_cut(zoo: TinyZoo) -> None:
    zoo.parts.ways[FC] = "good/1000"
    weights.fetch_net("tiny")
    assert [start for path, start in zoo.parts.log if path.endswith(FC)] == [None, "bytes=1000-"]
    assert digest(weights.weights_path("tiny")) == OF_PARTS


def test_a_changed_part_is_fetched_anew(zoo: TinyZoo) -> None:
    zoo.parts.ways[FC] = "status/404"
    refused()
    (zoo.cache / "nets" / "tiny.caffemodel.parts" / "conv1_bias.bin").write_bytes(b"damaged")
    zoo.parts.ways.clear()
    zoo.parts.log.clear()
    weights.fetch_net("tiny")
    assert sorted(zoo.parts.asked()) == [f"{FOLDER}/conv1_bias.bin", FC]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_the_keyboard_ends_it_at_once_and_what_is_there_stays(zoo: TinyZoo) -> None:
    """Two hosts have fallen silent in the middle of a part, which would be waited for; all else is there."""
    zoo.parts.ways.update({FC: "mute", CONV: "mute"})
    there = TOTAL - len(PARTS[FC]) - len(PARTS[CONV]) + len(PARTS[FC]) // 2 + len(PARTS[CONV]) // 2

    def press(file: str, have: int, total: int | None) -> None:
        if have == there:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            weights.fetch_net("tiny", progress=press)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (zoo.cache / "nets" / "tiny.caffemodel").exists()
    zoo.parts.ways.clear()
    zoo.parts.log.clear()
    weights.fetch_net("tiny")
    assert sorted(zoo.parts.asked()) == [CONV, FC]
    assert digest(weights.weights_path("tiny")) == OF_PARTS


def test_a_host_that_is_away_is_waited_for_once(zoo: TinyZoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PATIENCE", download.Patience(0.2, 5.0))
    zoo.parts.ways.update(dict.fromkeys(PARTS, "silent"))
    assert refused() == [
        f"Or, in place of it, tiny.caffemodel in parts: {len(PARTS)} of {len(PARTS)} did not come.",
        f"  {zoo.parts.url('files')}/{FOLDER}/conv1_filter.bin and {len(PARTS) - 1} others: no answer within 0.2 s",
        f"By hand: put the file whose SHA-1 is {OF_PARTS} at {zoo.cache}/nets/tiny.caffemodel",
    ]
    assert len(zoo.parts.log) == 1
    assert [path.name for path in (zoo.cache / "nets").iterdir()] == ["tiny_mean.binaryproto"]


def test_two_at_once_do_not_disturb_each_other(zoo: TinyZoo) -> None:
    source = manifest.entry("tiny").weights[1]
    assert source.parts is not None
    ask = (source, source.parts, resolve(read_prototxt(zoo.models / "tiny.prototxt")), zoo.cache / "nets" / source.file)
    fetched: list[Path] = []
    threads = [threading.Thread(target=lambda: fetched.append(fetch_parts(*ask))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert fetched == [zoo.cache / "nets" / "tiny.caffemodel"] * 2
    assert left(zoo) == ["tiny.caffemodel"]
    assert digest(fetched[0]) == OF_PARTS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{FOLDER}/conv1_bias.bin": None}, r"layer 'conv1' wants parts of \[2400, 32\] bytes, found \[2400\]"),
        ({FC: b"1234"}, r"layer 'fc' wants parts of \[1800, 20\] bytes, found \[4, 20\]"),
        ({f"{FOLDER}/loss1/fc_bias.bin": b"1234"}, "the net has no layer for loss1/fc_bias.bin"),
    ],
)
def test_a_list_that_does_not_fit_the_net(zoo: TinyZoo, change: dict[str, bytes | None], message: str) -> None:
    files = {path: content for path, content in {**PARTS, **change}.items() if content is not None}
    (zoo.models / "parts.tsv").write_text(parts_list(files))
    with pytest.raises(DownloadError, match=f"tiny.caffemodel: the list of its parts does not fit .*: {message}"):
        weights.fetch_net("tiny")
    assert zoo.parts.log == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_net_has_one_hash_whichever_way_its_weights_came(zoo: TinyZoo, engine: str) -> None:
    """From the old format, with shapes of four axes and the heads of training; and from parts."""
    head = v1(
        "loss1/classifier", legacy_shape((1, 1, 2, 3)) + floats(range(6)), legacy_shape((1, 1, 1, 2)) + floats([1, 2])
    )
    trained = zoo.place("trained.caffemodel", head + WEIGHTS + v1("loss2/fc", legacy_shape((1, 1, 1, 1)) + floats([3])))
    assert "loss2/fc" in read_caffemodel(trained)
    weights.fetch_net("tiny")
    whole, in_parts = load_net("tiny", weights=trained, engine=engine), load_net("tiny", engine=engine)
    assert whole.provenance["weights"] == in_parts.provenance["weights"]
    arrays = read_caffemodel(weights.weights_path("tiny")).values()
    numbers = b"".join(array.tobytes() for of_layer in arrays for array in of_layer)
    assert whole.provenance["weights"] == "sha1:" + hashlib.sha1(numbers).hexdigest()


@pytest.mark.parametrize(("name", "count"), [("googlenet", 116), ("squeezenet1.1", 52)])
def test_the_published_nets(
    name: str, count: int, zoo: TinyZoo, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts made of the real weights are those of the list, and make the file whose SHA-1 the manifest has."""
    listed = {}
    for line in (MODELS / "parts.tsv").read_text().splitlines()[1:]:
        path, size, sha1 = line.split("\t")
        listed[path] = (int(size), sha1)
    net = manifest.parse((MODELS / "manifest.toml").read_text(), "manifest.toml")[name]
    (source,) = (source for source in net.weights if source.parts)
    assert source.parts is not None
    published = shared / "nets" / source.file
    files = raw_parts(read_caffemodel(published), source.parts.folder)
    assert len(files) == count
    for path, content in files.items():
        assert listed[path] == (len(content), hashlib.sha1(content).hexdigest())
    monkeypatch.setattr(parts, "models_dir", lambda: MODELS)
    with LocalServer(b"", files) as server:
        where = manifest.Parts(source.parts.folder, (server.url("files"),))
        spec = read_prototxt(MODELS / (net.prototxt or ""))
        made = fetch_parts(source, where, resolve(spec), tmp_path / source.file)
    assert made.stat().st_size == source.size
    assert digest(made) == digest(published) == source.sha1
    assert [path.name for path in tmp_path.iterdir() if "parts" in path.name] == []
