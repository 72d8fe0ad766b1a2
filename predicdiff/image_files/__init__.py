"""From whatever holds a picture (a file, open or not, a PIL image, an array) to RGB."""

from .exact import read_exact
from .greys import Intensity, Picture, check_intensity
from .reading import BinaryFile, Content, Source, begins_as_image, called, content_of, is_pil, read_picture

__all__ = [
    "BinaryFile", "Content", "Intensity", "Picture", "Source", "begins_as_image", "called", "check_intensity",
    "content_of", "is_pil", "read_exact", "read_picture",
]  # fmt: skip
