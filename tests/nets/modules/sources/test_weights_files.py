"""Weights from files: what goes in comes out, wrapped or not; anything else is refused, and no code is run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from predicdiff.errors import WeightsError
from predicdiff.nets.modules.sources.weights_files import load_weights, read_weights


def module() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("key", [None, "state_dict", "model"])
@pytest.mark.parametrize("wrapper", ["", "module."])
def test_weights_come_from_checkpoints_however_wrapped(tmp_path: Path, key: str | None, wrapper: str) -> None:
    wanted = {f"{wrapper}{name}": value for name, value in module().state_dict().items()}
    path = saved(wanted if key is None else {"epoch": 3, key: wanted}, tmp_path / "some.pth")
    net = module()
    load_weights(net, path)
    for name, value in net.state_dict().items():
        assert torch.equal(value, wanted[wrapper + name])


def test_weights_come_from_safetensors(tmp_path: Path) -> None:
    files = pytest.importorskip("safetensors.torch")
    wanted = module().state_dict()
    files.save_file(wanted, str(tmp_path / "some.safetensors"))
    read = read_weights(tmp_path / "some.safetensors")
    assert set(read) == set(wanted)
    assert all(torch.equal(read[name], wanted[name]) for name in wanted)
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "some.safetensors").read_bytes()[:40])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: cannot be read as safetensors"):
        read_weights(tmp_path / "cut.safetensors")


def test_a_file_that_could_run_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"a": Path}))
    saved(module(), tmp_path / "whole.pth")
    for name in ("evil.pth", "whole.pth"):
        with pytest.raises(WeightsError, match=rf"{name}: cannot be read as torch weights") as told:
            read_weights(tmp_path / name)
        assert "weights_only" not in str(told.value)


def test_another_nets_weights_and_other_files_are_refused(tmp_path: Path) -> None:
    state = module().state_dict()
    other = {**state, "0.bias": torch.zeros(5)}
    del other["1.weight"]
    other["2.weight"] = torch.zeros(1)
    with pytest.raises(
        WeightsError,
        match=r"other\.pth: 1 of the net's are missing, 1\.weight the first; 1 are not the net's, 2\.weight the first; "
        r"0\.bias is \(5,\), and the net's is \(4,\): the weights are another net's",
    ):
        load_weights(module(), saved(other, tmp_path / "other.pth"))
    with pytest.raises(WeightsError, match=r"epoch\.pth: holds no weights by name"):
        read_weights(saved({"epoch": 3}, tmp_path / "epoch.pth"))
    with pytest.raises(WeightsError, match=r"nowhere\.pth: no such file"):
        read_weights(tmp_path / "nowhere.pth")
