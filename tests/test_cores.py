"""How many processors there are to compute on: a container's quota counts, the host's number does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from predicdiff import cores as counting
from predicdiff.cores import cores


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where control groups lie, on a machine on which the process is bound to eight processors of many."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 96)
    monkeypatch.setattr(counting, "MEMBERSHIP", tmp_path / "cgroup")
    monkeypatch.setattr(counting, "GROUPS", tmp_path / "groups")
    return tmp_path / "groups"


def member(groups: Path, line: str, limits: dict[str, str]) -> None:
    """A process that is in one group, and what files around it say."""
    (groups.parent / "cgroup").write_text(f"7:pids:/elsewhere\n{line}\n")
    for name, text in limits.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)


@pytest.mark.parametrize(
    ("line", "limits", "wanted"),
    [
        ("0::/", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/", {"cpu.max": "150000 100000\n"}, 2),  # the one that pauses holds nobody up
        ("0::/", {"cpu.max": "20000 100000\n"}, 1),
        ("0::/", {"cpu.max": "max 100000\n"}, 8),
        ("0::/", {"cpu.max": "6400000 100000\n"}, 8),
        ("0::/docker/a1", {"cpu.max": "300000 100000\n"}, 3),  # the host's path, seen from inside
        ("0::/slice/run", {"slice/cpu.max": "400000 100000\n", "slice/run/cpu.max": "max 100000\n"}, 4),
        ("4:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ("4:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "50000\n", "cpu/a/cpu.cfs_period_us": "50000\n"}, 1),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "0\n"}, 8),
        ("", {}, 8),
    ],
)
def test_the_tightest_limit_counts(groups: Path, line: str, limits: dict[str, str], wanted: int) -> None:
    member(groups, line, limits)
    assert cores() == wanted


def test_where_there_are_no_control_groups(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores() == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == 96
