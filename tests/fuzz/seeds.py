"""Small whole files of each format, which changes begin with."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable

import numpy as np
from helpers.caffe_bytes import floats, legacy_shape, shape
from helpers.places import DATA, MODELS

PROTOTXT = b"""
name: "today's"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 24 dim: 24 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"  # a comment
  param { lr_mult: 1 decay_mult: 0 } convolution_param { num_output: 8 kernel_size: 5 stride: 2 pad: 2 dilation: 1
  weight_filler { type: "xavier" std: 1e-3 } } }
layer { name: "s" type: "Slice" bottom: "conv1" top: "a" top: "b" slice_param { axis: 1 slice_point: 4 } }
layer { name: "m" type: "Eltwise" bottom: "a" bottom: "b" top: "m" eltwise_param { operation: SUM coeff: 1 coeff: -1 } }
layer { name: "p" type: "Power" bottom: "m" top: "p" power_param { power: 2 scale: 0.5 shift: 1 } }
layer { name: "l" type: "LRN" bottom: "p" top: "l" lrn_param { local_size: 3 alpha: 0.1 norm_region: WITHIN_CHANNEL } }
layer { name: "c" type: "Concat" bottom: "l" bottom: "a" top: "c" concat_param { axis: 1 } }
layer { name: "pool" type: "Pooling" bottom: "c" top: "pool"
  pooling_param { pool: MAX kernel_h: 3 kernel_w: 2 stride: 2 } }
layer { name: "r" type: "Reshape" bottom: "pool" top: "r" reshape_param { shape { dim: 0 dim: -1 dim: 1 dim: 1 } } }
layer { name: "prob" type: "Softmax" bottom: "r" top: "prob" }
"""
TRAINING = b"""
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 24 mean_value: 104 mean_value: 117 mean_value: 123 mirror: true }
  data_param { source: "train_lmdb" batch_size: 32 backend: LMDB } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 5 stride: 2 } }
layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "pool" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "pool" bottom: "label" include { phase: TEST stage: "x" } }
"""
MANIFEST = b"""
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
input_shape = [3, 24, 24]
[[tiny.weights]]
file = "tiny.caffemodel"
sha1 = "6d758c408ea14ec1ac3b619e66b2110bace4cef7"
size = 5738
urls = ["https://example.org/tiny"]
[[tiny.weights]]
file = "tiny.caffemodel"
sha1 = "6d758c408ea14ec1ac3b619e66b2110bace4cef7"
parts = { folder = "a/b", urls = ["https://example.org/parts"] }
[[tiny.mean]]
file = "mean.binaryproto"
sha1 = "6d758c408ea14ec1ac3b619e66b2110bace4cef7"
archive = { file = "m.tar.gz", sha256 = "00", size = 10, urls = ["https://example.org/m"] }
[tiny.preprocessing]
view = { mode = "warp", size = 24 }
channels = "bgr"
"""


def prototxt() -> list[bytes]:
    return [(DATA / "tiny_v1.prototxt").read_bytes(), PROTOTXT, TRAINING]


def caffemodel() -> list[bytes]:
    return [(DATA / name).read_bytes() for name in ("tiny_v1.caffemodel", "tiny_v2.caffemodel")]


def caffemodel_h5() -> list[bytes]:
    return [(DATA / "tiny.caffemodel.h5").read_bytes()]


def binaryproto() -> list[bytes]:
    small = np.full(3 * 24 * 24, 99.0)
    return [(DATA / "tiny_mean.binaryproto").read_bytes(), legacy_shape((1, 3, 24, 24)) + floats(small),
            shape((3, 1, 1)) + floats(small[:3])]  # fmt: skip


def npy() -> list[bytes]:
    return [_npy(np.full((3, 24, 24), 100, np.float32)), _npy(np.array([104.0, 117.0, 123.0]))]


def segments() -> list[bytes]:
    numbers = np.arange(720).reshape(24, 30) // 100
    return [_npy(numbers), _npy(numbers.astype(np.uint8)), _picture(numbers.astype(np.uint8) * 30, "PNG"),
            _picture(np.stack([numbers] * 3, 2).astype(np.uint8), "GIF")]  # fmt: skip


def mask() -> list[bytes]:
    white = np.zeros((24, 30), np.uint8)
    white[4:20, 5:22] = 255
    return [_picture(white, "PNG"), _picture(white, "PNG", bits=1), _picture(white, "TIFF")]


def result() -> list[bytes]:
    old = [(DATA / "first_wave" / name).read_bytes() for name in ("tiny.h5", "tiny_on_image.h5")]
    return [*old, _saved(_explanation().save)]


def _explanation() -> Any:
    """With everything that a result may hold."""
    from predicdiff.explanation import Explanation, Target
    from predicdiff.images import View

    maps = np.random.default_rng(0).standard_normal((2, 12, 10))
    net = {"name": "tiny", "preprocessing": {"channels": "rgb", "raw_scale": 255.0}}
    return Explanation(
        maps, np.abs(maps) / 10, [Target("prob", [1], "cat", "dog"), Target("conv1", [1, 2, 3], "conv1[1]")],
        np.array([0.25, 0.5]), np.full((3, 12, 10), 100, np.float32), "bits",
        settings={"window": [3, 4], "samples": 5, "stride": [2, 1], "seed": 0, "measure": "evidence",
                  "training_instances": 100, "classes": 5, "between": "linear", "region": [0, 0, 12, 10], "until": 0.9},
        provenance={"net": net, "sampler": {"kind": "marginal"}, "seconds": 3.5, "batch_size": 20, "windows_before": 4,
                    "stages": [{"stride": 4}], "versions": {"numpy": "1"}},
        notes=["A note."], image=np.full((24, 20, 3), 90, np.uint8), frame=View().frame((24, 20), (12, 10)),
        interpolation_error=np.abs(maps) / 20, reliability=np.array([0.9, np.nan]),
        segments=np.arange(120).reshape(12, 10) // 20,
    )  # fmt: skip


def sampler() -> list[bytes]:
    from predicdiff.samplers import GaussianSampler, GreyPatch, MarginalSampler

    images = np.random.default_rng(0).integers(0, 256, (12, 3, 9, 8)).astype(np.float32)
    made = [GaussianSampler.fit(images, 4, patches=100, clip="corpus"), MarginalSampler(images), GreyPatch()]
    old = (DATA / "first_wave" / "gaussian_clipped.h5").read_bytes()
    return [old, *(_saved(one.save) for one in made)]


def tiles() -> list[bytes]:
    names = ("tiny_torch.tiles", "tiny_caffe.tiles", "lite0.tiles")
    return [(DATA / "first_wave" / name).read_bytes() for name in names]


def image() -> list[bytes]:
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    files = [_picture(colours, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA")]
    deep = (colours[..., 0].astype(np.uint16) << 4).astype(np.uint16)
    files += [_picture(deep, "PNG"), _picture(deep, "TIFF"), _picture(colours[..., 0] / np.float32(255), "TIFF")]
    exif = Image.Exif()
    exif[0x0112] = 6
    files += [_picture(colours, "JPEG", exif=exif.tobytes(), progressive=True)]
    files += [_picture(colours, "TIFF", compression="tiff_lzw"), _picture(colours[..., 0], "PNG", transparency=5)]
    return files + [made for way in (_dicom, _heif) for made in way(colours)]


def _dicom(colours: np.ndarray) -> list[bytes]:
    try:
        from pydicom.dataset import FileDataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
    except ImportError:
        return []
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    file = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
    file.Rows, file.Columns, file.SamplesPerPixel = *colours.shape[:2], 1
    file.PhotometricInterpretation, file.PixelRepresentation = "MONOCHROME2", 1
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 12, 11
    file.RescaleSlope, file.RescaleIntercept, file.WindowCenter, file.WindowWidth = 2, -1024, 40, 400
    file.PixelData = colours[..., 0].astype("<i2").tobytes()
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return [buffer.getvalue()]


def _heif(colours: np.ndarray) -> list[bytes]:
    try:
        import pillow_heif
    except ImportError:
        return []
    buffer = io.BytesIO()
    pillow_heif.encode("RGB", colours.shape[1::-1], colours.tobytes(), buffer)
    return [buffer.getvalue()]


def labels() -> list[bytes]:
    words = ["cat", "dog, hound", "cow", "hen", "pig"]
    forms = ("{word}", "n0000000{number} {word}", "{number}\tn1\t{word}")
    return ["\n".join(form.format(word=w, number=n) for n, w in enumerate(words)).encode() for form in forms]


def onnx() -> list[bytes]:
    from helpers.onnx_models import model, node

    weights = {"w": np.ones((4, 3, 3, 3), np.float32), "b": np.zeros(4, np.float32), "two": np.float32(2)}
    nodes = [node("Conv", "x w b", "c", pads=[1] * 4), node("Relu", "c", "r"), node("Mul", "r two", "m"),
             node("MaxPool", "m", "p", kernel_shape=[2, 2], strides=[2, 2]), node("GlobalAveragePool", "p", "g"),
             node("Flatten", "g", "last")]  # fmt: skip
    soft = [*nodes[:-1], node("Flatten", "g", "f"), node("Softmax", "f", "last")]
    return [model(way, weights, outputs={"last": ("N", 4)}).SerializeToString() for way in (nodes, soft)]


def _state() -> dict[str, Any]:
    import torch

    return {"0.weight": torch.ones(4, 3, 3, 3), "0.bias": torch.zeros(4)}


def safetensors() -> list[bytes]:
    from safetensors.torch import save

    return [save(_state()), save({f"module.{name}": value for name, value in _state().items()})]


def pth() -> list[bytes]:
    import torch

    files = []
    for held, form in ((_state(), True), ({"state_dict": _state(), "epoch": 3}, True), (_state(), False)):
        buffer = io.BytesIO()
        torch.save(held, buffer, _use_new_zipfile_serialization=form)
        files.append(buffer.getvalue())
    return files


def archive() -> list[bytes]:
    return [_tar(kind) for kind in ("w:gz", "w", "w:xz")]


def _tar(kind: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=kind) as tar:
        link = tarfile.TarInfo("a_link")
        link.type, link.linkname = tarfile.SYMTYPE, "nowhere"
        tar.addfile(link)
        item = tarfile.TarInfo("./wanted")
        item.size = 5
        tar.addfile(item, io.BytesIO(b"12345"))
    return buffer.getvalue()


def manifest() -> list[bytes]:
    return [MANIFEST, (MODELS / "manifest.toml").read_bytes()]


def _npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _picture(values: np.ndarray, kind: str, **options: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind, **options)
    return buffer.getvalue()


def _saved(save: Callable[[Path], object]) -> bytes:
    with TemporaryDirectory() as folder:
        save(Path(folder) / "it.h5")
        return (Path(folder) / "it.h5").read_bytes()
