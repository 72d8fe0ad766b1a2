"""One file out of a tar archive."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path, PurePosixPath

from ...errors import WeightsError
from .part_file import Hash, PartFile, part_file

CHUNK = 1 << 16


def extract(archive: Path, member: str, target: Path, *, wanted: Hash) -> Path:
    """Take a plain file, by its name without folders, out of a tar archive; its hash is checked before it is named so.

    Raises
    ------
    WeightsError
        If the archive is damaged, has no such file, or the file has another hash.
    DownloadError
        If the file cannot be written.
    """
    with part_file(target) as part:
        part.clear()
        try:
            _unpack(archive, member, part)
        except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
            part.clear()
            raise WeightsError(f"{archive}: cannot be unpacked ({error}). Delete it and fetch it again.") from error
        digest = part.keep_if(wanted)
        if digest != wanted.digest:
            raise WeightsError(
                f"{member} in {archive}: {wanted.title} is {digest}, want {wanted.digest}. "
                "The archive is another one: delete it and fetch it again."
            )
    return target


def _unpack(archive: Path, member: str, part: PartFile) -> None:
    with tarfile.open(archive) as tar:
        for item in tar:
            wanted = item.isreg() and PurePosixPath(item.name).name == member  # a link may lead nowhere
            source = tar.extractfile(item) if wanted else None
            if source is not None:
                while chunk := source.read(CHUNK):
                    part.write(chunk)
                return
    raise WeightsError(f"{archive}: has no file {member}. Delete the archive and fetch it again.")
