"""Files out of tar archives: whole, damaged, and of another kind."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from predicdiff.errors import WeightsError
from predicdiff.nets.fetching.archive import extract
from predicdiff.nets.fetching.part_file import Hash

BODY = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes()
SHA1 = Hash("sha1", hashlib.sha1(BODY).hexdigest())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "net.caffemodel"


def left(target: Path) -> list[str]:
    """Names of what lies in the target's folder."""
    return sorted(path.name for path in target.parent.iterdir())


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "aux.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in (("./synsets.txt", b"n01440764\n"), ("./imagenet_mean.binaryproto", BODY)):
            item = tarfile.TarInfo(name)
            item.size = len(content)
            tar.addfile(item, io.BytesIO(content))
        kinds = {"./train.txt": tarfile.DIRTYPE, "./hard.txt": tarfile.LNKTYPE, "./soft.txt": tarfile.SYMTYPE}
        for name, kind in kinds.items():
            other = tarfile.TarInfo(name)
            other.type, other.linkname = kind, "nowhere"
            tar.addfile(other)
    return path


def test_a_member_is_taken_out_of_an_archive(archive: Path, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("net.caffemodel.part").write_bytes(b"of an earlier attempt")
    assert extract(archive, "imagenet_mean.binaryproto", target, wanted=SHA1) == target
    assert target.read_bytes() == BODY
    assert left(target) == ["net.caffemodel"]


@pytest.mark.parametrize("member", ["absent.txt", "train.txt", "hard.txt", "soft.txt"])
def test_an_archive_without_the_member_is_said(archive: Path, target: Path, member: str) -> None:
    with pytest.raises(WeightsError, match=f"aux.tar.gz: has no file {member}"):
        extract(archive, member, target, wanted=SHA1)
    assert left(target) == []


def test_a_member_with_another_hash_is_refused(archive: Path, target: Path) -> None:
    with pytest.raises(WeightsError, match=r"synsets.txt in .*: SHA-1 is .* want"):
        extract(archive, "synsets.txt", target, wanted=SHA1)
    assert left(target) == []


@pytest.mark.parametrize("keep", [0, 10, 1000, 150_000])
def test_a_damaged_archive_is_said(archive: Path, target: Path, keep: int) -> None:
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"aux.tar.gz: (cannot be unpacked|has no file)"):
        extract(archive, "imagenet_mean.binaryproto", target, wanted=SHA1)
    assert left(target) == []
