"""Weights from files: what comes is what torch, or safetensors, was given to write."""

from __future__ import annotations

import argparse
import contextlib
import zipfile
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from torch import nn

from predicdiff import budget
from predicdiff.errors import InputWarning, WeightsError
from predicdiff.nets.modules.weight_files import load_state, read_state

#: What modules are written as; each is given a state dict and a path.
Writer = Callable[[Any, Path], None]


def small(seed: int, classes: int = 5) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, classes))


def as_safetensors(state: Any, path: Path) -> None:
    pytest.importorskip("safetensors.torch").save_file(state, path)


WRITERS: dict[str, tuple[str, Writer, str | None]] = {
    "a state dict": ("w.pth", torch.save, None),
    "torch's old format": ("w.pt", lambda s, path: torch.save(s, path, _use_new_zipfile_serialization=False), None),
    "safetensors": ("w.safetensors", as_safetensors, None),
    "safetensors by another name": ("w.bin", as_safetensors, None),
    "a training script's": (
        "w.pth", lambda s, path: torch.save({"epoch": 3, "model": s, "optimizer": {"state": {}}}, path),
        "under 'model' are taken, not epoch, optimizer",
    ),
    "the only one": ("w.pth", lambda s, path: torch.save({"teacher": s}, path), "under 'teacher' are taken"),
    "of two": ("w.pth", lambda s, path: torch.save({"model": {}, "net": s, "state_dict": s}, path), "'state_dict' are"),
    "DataParallel's": (
        "w.pth", lambda s, path: torch.save({f"module.{name}": value for name, value in s.items()}, path),
        r"without 'module\.' in front",
    ),
    "that of a compiled one in a trainer": (
        "w.pth", lambda s, path: torch.save({f"model._orig_mod.{name}": value for name, value in s.items()}, path),
        r"without 'model\._orig_mod\.' in front",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", WRITERS)
def test_a_module_gets_what_was_written(form: str, tmp_path: Path) -> None:
    name, write, told = WRITERS[form]
    wanted = small(0).state_dict()
    write(wanted, tmp_path / name)
    module = small(1)
    with contextlib.nullcontext() if told is None else pytest.warns(InputWarning, match=told):
        load_state(module, tmp_path / name)
    assert module.state_dict().keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in module.state_dict().items())


def test_what_lies_in_one_place_may_be_written_once(tmp_path: Path) -> None:
    def tied(seed: int) -> nn.Module:
        module = nn.Sequential(small(seed)[3], nn.Linear(5, 144))
        module[0].weight = nn.Parameter(module[0].weight.detach().clone().T.contiguous().T)
        module.register_parameter("again", module[0].weight)
        return module

    wanted = tied(0).state_dict()
    torch.save({name: value for name, value in wanted.items() if name != "again"}, tmp_path / "w.pth")
    module = tied(1)
    load_state(module, tmp_path / "w.pth")
    assert torch.equal(module.again, wanted["again"])


def test_half_precision_fills_a_module_of_single_precision(tmp_path: Path) -> None:
    torch.save(small(0).half().state_dict(), tmp_path / "w.pth")
    module = small(1)
    load_state(module, tmp_path / "w.pth")
    assert module[0].weight.dtype == torch.float32
    assert torch.equal(module[0].weight, small(0)[0].weight.half().float())


REFUSED: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "another net's": ("w.pth", lambda path: torch.save({"a": torch.zeros(1), "b": torch.ones(1)}, path),
                      r"has no 0\.weight, 0\.bias, 1\.weight and 5 more and holds a, b, .* Want the weights of th"),
    "another shape": ("w.pth", lambda path: torch.save(small(0, 7).state_dict(), path),
                      r"has 3\.weight of shape \(7, 144\), not \(5, 144\); 3\.bias of shape \(7,\), not \(5,\)\. Want"),
    "a whole module": ("w.pth", lambda path: torch.save(small(0), path),
                       r"more than tensors \(torch\.nn.*\), and to read that may run any code, so it is not read\. If"),
    "a script's settings": ("w.pth", lambda path: torch.save({"args": argparse.Namespace(), "model": {}}, path),
                            r"more than tensors \(argparse\.Namespace\)"),
    "TorchScript": ("w.pt", lambda path: torch.jit.save(torch.jit.script(small(0)), path), "is TorchScript, which"),
    "no tensors": ("w.pth", lambda path: torch.save({"epoch": 3}, path), "holds a dict with epoch, want a state dict"),
    "two modules": ("w.pth", lambda path: torch.save({n: small(0).state_dict() for n in "ab"}, path), "with a, b"),
    "a tensor": ("w.pth", lambda path: torch.save(torch.zeros(3), path), "holds a Tensor, want a state dict"),
    "a page of the web": ("w.pth", lambda path: path.write_text("<!DOCTYPE html>"), r"as torch weights \(no file of"),
    "half a file": ("w.pth", lambda path: path.write_bytes(_written(path)[:900]), r"be read as torch weights \("),
    "nothing": ("w.pth", lambda path: None, r"w\.pth: no such file\. Give"),
    "a folder": ("w.pth", lambda path: path.mkdir(), "a folder, want the path of a file"),
}  # fmt: skip


def _written(path: Path) -> bytes:
    torch.save(small(0).state_dict(), path)
    return path.read_bytes()


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
def test_what_is_no_weights_of_this_module_ends_in_a_sentence(what: str, tmp_path: Path) -> None:
    name, write, told = REFUSED[what]
    write(tmp_path / name)
    with pytest.raises(WeightsError, match=told) as caught:
        load_state(small(1), tmp_path / name)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_damaged_safetensors_are_told_of(tmp_path: Path) -> None:
    pytest.importorskip("safetensors.torch")
    (tmp_path / "w.safetensors").write_bytes(b"junk" * 30)
    with pytest.raises(WeightsError, match="is damaged, or no file of safetensors"):
        read_state(tmp_path / "w.safetensors")


def test_more_tensors_than_any_module_has_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predicdiff.nets.modules.weight_files.MOST_HEADER", 1000)
    as_safetensors({"w": torch.zeros(300)}, tmp_path / "few.safetensors")
    assert list(read_state(tmp_path / "few.safetensors")) == ["w"]
    as_safetensors({f"w{number}": torch.zeros(1) for number in range(30)}, tmp_path / "many.safetensors")
    with pytest.raises(WeightsError, match=r"many\.safetensors: its header has .* bytes, want 1,000 at most"):
        read_state(tmp_path / "many.safetensors")


def test_what_is_packed_in_a_file_is_counted_before_it_is_unpacked(tmp_path: Path) -> None:
    """A million zeros, which take a thousandth of their 4 MB where somebody packs them."""
    torch.save({"w": torch.zeros(10**6)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain, zipfile.ZipFile(
        tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED
    ) as packed:
        for part in plain.infolist():
            packed.writestr(part.filename, plain.read(part))
    assert (tmp_path / "w.pth").stat().st_size < 10**5
    with budget.within(10**6), pytest.raises(
        WeightsError, match=r"w\.pth: what it holds wants 4 MB .* 1 MB are allowed"
    ):
        read_state(tmp_path / "w.pth")
