"""`predicdiff --version`."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.places import ROOT

from predicdiff._version import __version__
from predicdiff.cli import versions


def lines(cli) -> list[str]:
    result = cli("--version")
    assert result.exit_code == 0
    return result.output.splitlines()


def test_it_says_this_program_python_and_numpy(cli):
    assert lines(cli)[:2] == [
        f"predicdiff {__version__}",
        f"Python {platform.python_version()}, numpy {np.__version__}",
    ]


def test_it_says_torch_and_what_it_was_built_for(cli):
    torch = pytest.importorskip("torch")
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    version, _, told = lines(cli)[2].partition(", ")
    assert told == built
    # some wheels of torch say behind a plus sign what they were built for, others leave it to torch
    assert version.partition("+")[0] == f"torch: {torch.__version__}".partition("+")[0]


def test_it_says_what_is_not_there(cli, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(versions, "find_spec", lambda name: None)
    told = lines(cli)
    assert told[2:5] == [
        'torch: not installed (pip install "predicdiff[torch]")',
        "pycaffe: not installed",
        "further packages: none",
    ]
    assert told[5].startswith("not installed: torchvision, timm, ")
    assert told[5].endswith(", distributed, pyarrow")


def test_it_says_where_pycaffe_is_and_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe" / "__init__.py").write_text("raise SystemExit('imported')")
    script = (
        f"import sys; sys.path[:0] = {[str(ROOT), str(tmp_path)]!r}\n"
        "from predicdiff.cli.versions import told; print(told()[3])\n"
        "print(*{'torch', 'timm', 'pydicom', 'caffe'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"pycaffe: {tmp_path / 'caffe'}", ""]
