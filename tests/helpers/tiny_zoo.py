"""A manifest of one small Caffe net, whose files lie on servers of this machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from helpers.local_server import LocalServer
from helpers.places import DATA
from helpers.raw_parts import FOLDER, parts_list, raw_parts
from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.fetching import door, manifest, parts, weights

WEIGHTS = (DATA / "tiny_v1.caffemodel").read_bytes()
MEAN = (DATA / "tiny_mean.binaryproto").read_bytes()
#: The same weights a blob a file, by path.
PARTS = raw_parts(read_caffemodel(DATA / "tiny_v2.caffemodel"))


def archive() -> bytes:
    """A tar.gz with the mean image in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        item = tarfile.TarInfo("./tiny_mean.binaryproto")
        item.size = len(MEAN)
        tar.addfile(item, io.BytesIO(MEAN))
    return buffer.getvalue()


ARCHIVE = archive()


#: SHA-1 of the caffemodel that they make, from its bytes as `caffe_bytes` has them.
OF_PARTS = "6d758c408ea14ec1ac3b619e66b2110bace4cef7"


class TinyZoo:
    """The folder ``models`` with the manifest, the ``cache``, and the servers of weights, their parts, and means."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.models, self.cache = folder / "models", folder / "cache"
        self.files = LocalServer(WEIGHTS)
        self.means = LocalServer(ARCHIVE)
        self.parts = LocalServer(b"", PARTS)
        self.models.mkdir()
        (self.models / "parts.tsv").write_text(parts_list(PARTS))
        (self.models / "tiny.prototxt").write_bytes((DATA / "tiny_v1.prototxt").read_bytes())
        (self.models / "labels.txt").write_text("cat\ndog\ncow\nhen\npig\n")
        self.write()
        monkeypatch.setenv("PREDICDIFF_CACHE", str(self.cache))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        for module in (manifest, door, parts, weights):
            monkeypatch.setattr(module, "models_dir", lambda: self.models)

    def write(
        self, way: str = "good", mean_way: str = "good", npy_way: str = "status/404", *, in_parts: bool = False
    ) -> None:
        """Write the manifest; each file comes in the way named (see `local_server`), or the weights in parts."""
        second = f"""
[[tiny.weights]]
file = "tiny.caffemodel"
sha1 = "{OF_PARTS}"
parts = {{ folder = "{FOLDER}", urls = ["{self.parts.url("files")}"] }}
"""
        (self.models / "manifest.toml").write_text(
            f"""
[tiny]
title = "a tiny net"
kind = "caffe"
prototxt = "tiny.prototxt"
scores = "fc"
output = "prob"
labels = "labels.txt"
training_instances = 77
licence = "none"
citation = "nobody"

[[tiny.weights]]
file = "tiny.caffemodel"
sha1 = "{hashlib.sha1(WEIGHTS).hexdigest()}"
about = {len(WEIGHTS)}
urls = ["{self.files.url(way)}"]
{second if in_parts else ""}
[[tiny.mean]]
file = "tiny_mean.npy"
sha1 = "{"0" * 40}"
size = 10
urls = ["{self.means.url(npy_way)}"]

[[tiny.mean]]
file = "tiny_mean.binaryproto"
sha1 = "{hashlib.sha1(MEAN).hexdigest()}"

[tiny.mean.archive]
file = "means.tar.gz"
sha256 = "{hashlib.sha256(ARCHIVE).hexdigest()}"
size = {len(ARCHIVE)}
urls = ["{self.means.url(mean_way)}"]

[tiny.preprocessing]
view = {{ mode = "warp", size = 24 }}
channels = "bgr"

[packed]
title = "a net in a package"
kind = "torch"
module = "efficientnet_lite0"
scores = "logits"
output = "prob"
input_shape = [3, 224, 224]
labels = "labels.txt"
training_instances = 77
licence = "none"
citation = "nobody"
preprocessing = {{ view = {{ mode = "warp" }} }}

[[packed.weights]]
file = "data.bin"
sha1 = "{hashlib.sha1(b"packed").hexdigest()}"
size = 6
package = {{ requirement = "a-package==1.0", module = "a_package_for_tests", folder = "models" }}
"""
        )
        manifest.manifest.cache_clear()

    def place(self, file: str, content: bytes) -> Path:
        """Put a file where fetched ones lie."""
        path = weights.cache_dir() / "nets" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def __enter__(self) -> TinyZoo:
        self.files.__enter__()
        self.means.__enter__()
        self.parts.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.files.__exit__()
        self.means.__exit__()
        self.parts.__exit__()
        manifest.manifest.cache_clear()
