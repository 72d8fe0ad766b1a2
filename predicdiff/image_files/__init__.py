"""From whatever holds a picture (a file, open or not, a PIL image, an array) to RGB."""

from .exact import read_exact
from .greys import Intensity, Picture, check_intensity
from .reading import BinaryFile, Piped, Source, called, is_pil, read_picture

__all__ = [
    "BinaryFile", "Intensity", "Picture", "Piped", "Source", "called", "check_intensity", "is_pil", "read_exact",
    "read_picture",
]  # fmt: skip
