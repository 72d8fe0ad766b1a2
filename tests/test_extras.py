"""Optional packages that are absent, too old, or don't go with the rest end in one sentence each."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from predicdiff.errors import DependencyError
from predicdiff.extras import imported


def test_a_package_that_is_not_there_is_named_with_what_installs_it() -> None:
    with pytest.raises(DependencyError, match=r'^nowhere is not installed \(.*\): pip install "predicdiff\[some\]"\.$'):
        imported("nowhere.deep", "some")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (r"RuntimeError('operator unfit::nms does not exist.\nmore')", r"operator .* exist\): "),
        ("ImportError('unfit.so: failed to map segment from shared object')", r"unfit\.so: failed to map"),
    ],
    ids=["damaged", "kept out by a limit of memory"],
)
def test_a_package_that_cannot_be_imported_is_not_called_missing(
    reason: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "unfit.py").write_text(f"raise {reason}")
    with pytest.raises(DependencyError, match=rf"^unfit is installed and cannot be imported \({said}"):
        imported("unfit", "some")


def test_what_a_package_warns_of_while_it_is_imported_is_not_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "noisy.py").write_text("import warnings\nwarnings.warn('old', DeprecationWarning)\nloud = 3")
    assert imported("noisy", "some").loud == 3


def test_filters_of_warnings_are_left_alone_where_nothing_is_imported_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of all threads: one that puts them back undoes what another has just done."""
    imported("numpy.fft", "some")  # numpy itself imports it when it is asked for
    monkeypatch.delattr("warnings.catch_warnings")
    assert imported("numpy.fft", "some").fft


def test_a_package_that_is_too_old_is_named_with_its_version() -> None:
    version = metadata.version("numpy")
    assert imported("numpy.fft", "some", least=version).fft
    with pytest.raises(DependencyError, match=rf"^numpy {version} is too old, want 99\.0 at least: pip install "):
        imported("numpy", "some", least="99.0")
