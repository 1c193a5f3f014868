"""The waveform is a readable PNG, whatever the levels."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cogs.ui.picture import HEIGHT, WIDTH, waveform_png

BAR = (224, 164, 88)


def open_png(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def height_at(image: Image.Image, x: int) -> int:
    return sum(image.getpixel((x, y)) == BAR for y in range(HEIGHT))


@given(st.lists(st.floats(-2, 2), max_size=300))
def test_any_levels_make_a_picture(peaks: list[float]) -> None:
    image = open_png(waveform_png(peaks))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))


def test_louder_is_higher() -> None:
    image = open_png(waveform_png([0.1] * 60 + [0.9] * 60))
    quiet = max(height_at(image, x) for x in range(20, 200))
    loud = max(height_at(image, x) for x in range(400, 700))
    assert loud > 4 * quiet > 0


@pytest.mark.parametrize("length", [121, 500, 6000])
def test_a_single_peak_is_never_lost(length: int) -> None:
    peaks = [0.0] * length
    peaks[length // 2] = 1.0
    image = open_png(waveform_png(peaks))
    assert max(height_at(image, x) for x in range(WIDTH)) > HEIGHT // 2
