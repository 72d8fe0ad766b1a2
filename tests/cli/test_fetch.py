"""`predicdiff fetch`, against servers on this machine."""

from __future__ import annotations

import pytest
from helpers.engines import ENGINES, needed
from helpers.tiny_zoo import WEIGHTS


def test_fetch_brings_a_net_and_nets_says_so(cli, zoo):
    result = cli("fetch", "tiny")
    folder = zoo.cache / "nets"
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [f"tiny: {folder}/tiny.caffemodel fetched", f"tiny: {folder}/tiny_mean.binaryproto fetched"],
    )
    assert f"ready: {folder}/tiny.caffemodel" in cli("nets").output
    again = cli("fetch", "tiny", "tiny")
    assert again.output.splitlines()[-1] == f"tiny: {folder}/tiny_mean.binaryproto was there"
    assert cli("fetch", "tiny", "-q").output == ""


def test_a_fetched_net_is_used_by_its_name(cli, zoo, picture):
    pytest.importorskip("torch")
    assert cli("fetch", "tiny", "-q").exit_code == 0
    result = cli("predict", picture, "--net", "tiny", "--top", 1)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1].split()[1] in ("cat", "dog", "cow", "hen", "pig")


def test_a_net_that_is_not_there_says_how_to_get_it(refused, zoo, picture):
    pytest.importorskip("torch")
    assert "Run `predicdiff fetch tiny`" in refused("predict", picture, "--net", "tiny")


@needed
def test_a_net_that_is_not_there_is_fetched_where_that_is_asked(cli, refused, zoo, picture, monkeypatch):
    monkeypatch.setenv("PREDICDIFF_FETCH", "1")
    assert cli("predict", picture, "--net", "tiny").exit_code == 0
    assert (zoo.cache / "nets" / "tiny.caffemodel").read_bytes() == WEIGHTS
    asked = len(zoo.files.ranges())
    assert cli("predict", picture, "--net", "tiny", "--fetch").exit_code == 0
    assert len(zoo.files.ranges()) == asked
    words = "Run `pip install" if ENGINES[0] == "torch" else "packed is a torch module, which Caffe can't run"
    assert words in refused("predict", picture, "--net", "packed")


def test_what_cannot_be_had_does_not_keep_the_others(cli, zoo):
    result = cli("fetch", "packed", "tiny")
    assert result.exit_code == 2
    assert "Error: packed: data.bin is not there. Run `pip install " in result.output
    assert (zoo.cache / "nets" / "tiny.caffemodel").read_bytes() == WEIGHTS


def test_a_host_without_the_file(cli, zoo):
    zoo.write("status/404")
    result = cli("fetch", "tiny")
    assert result.exit_code == 2
    assert "Error: tiny.caffemodel" in result.output
    assert "HTTP 404" in result.output
    assert "By hand" in result.output
    assert "Traceback" not in result.output
    assert not (zoo.cache / "nets" / "tiny.caffemodel").exists()


def test_an_unknown_net_is_said_before_anything_is_fetched(refused, zoo):
    assert "no net is called 'tinny'. Do you mean 'tiny'?" in refused("fetch", "tiny", "tinny")
    assert not (zoo.cache / "nets").exists()
