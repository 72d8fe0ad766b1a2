from __future__ import annotations

import numpy as np
import pytest

from predicdiff.errors import SamplerError, SettingsError, WindowError
from predicdiff.samplers.common import check_request, fingerprint, numeric

PIXELS = np.zeros((3, 8, 9), np.float32)
GOOD = {"window": 3, "samples": 2, "seed": 0}


def test_a_request_comes_back_as_arrays():
    pixels, origins, window = check_request(PIXELS.astype(np.uint8), [(0, 1), (5, 6)], **GOOD)
    assert (pixels.dtype, window) == (np.float32, (3, 3))
    assert origins.tolist() == [[0, 1], [5, 6]]
    assert check_request(PIXELS, [], **GOOD)[1].shape == (0, 2)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"samples": 0}, SettingsError, "samples S = 0"),
        ({"samples": 1.5}, SettingsError, "whole number"),
        ({"window": 0}, WindowError, "window k = 0"),
        ({"window": 2.0}, WindowError, "whole number"),
        ({"seed": -1}, SettingsError, "seed -1"),
        ({"origins": [(6, 0)]}, WindowError, "row 6, column 0 reaches over the border"),
        ({"origins": [(-1, 0)]}, WindowError, "row -1, column 0"),
        ({"origins": [(0.5, 0)]}, WindowError, "want whole numbers"),
        ({"origins": [0, 1]}, WindowError, r"int64 \(2,\)"),
        ({"pixels": PIXELS[0]}, SamplerError, r"shape \(8, 9\): want \(channels, height, width\)"),
        ({"pixels": PIXELS * np.nan}, SamplerError, "not finite"),
    ],
)
def test_a_bad_request_is_refused(change, kind, message):
    request = {"pixels": PIXELS, "origins": [(0, 0)], **GOOD, **change}
    with pytest.raises(kind, match=message):
        check_request(request.pop("pixels"), request.pop("origins"), **request)


def test_fingerprint_tells_values_shapes_and_types_apart():
    values = np.arange(6.0)
    others = [values, values[::-1], values.reshape(2, 3), values.astype(np.float32), values + 1e-12]
    assert len({fingerprint([other]) for other in others}) == len(others)


def test_fingerprint_does_not_depend_on_layout_or_byte_order():
    values = np.arange(6.0).reshape(2, 3)
    assert fingerprint([values]) == fingerprint([np.asfortranarray(values)]) == fingerprint([values.astype(">f8")])


@pytest.mark.parametrize("values", [[[1, 2], [3]], "text", [object()]])
def test_what_is_no_array_of_numbers_is_refused(values):
    with pytest.raises(SamplerError, match="the images are no array of numbers"):
        numeric(values, "the images", np.float32)
