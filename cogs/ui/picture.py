"""Draws a waveform as a small PNG, and puts it into the card of a voice."""

import asyncio
import io
import itertools
from collections.abc import Sequence

import discord
from PIL import Image, ImageDraw

from storage.records import VoiceRecord

PICTURE = "waveform.png"
"""The file name of the picture in a card."""
WIDTH, HEIGHT = 720, 144
_BACKGROUND = (30, 31, 34)
_AXIS = (64, 66, 73)
_BAR = (224, 164, 88)
_BARS = 120
_MARGIN = 12


async def add_waveform(card: discord.Embed, record: VoiceRecord) -> tuple[tuple[str, bytes], ...]:
    """Show a voice's waveform in its card. Return the files to attach as (name, bytes); none without a report."""
    if record.report is None:
        return ()
    picture = await asyncio.to_thread(waveform_png, record.report["waveform"])
    card.set_image(url=f"attachment://{PICTURE}")
    return ((PICTURE, picture),)


def waveform_png(peaks: Sequence[float]) -> bytes:
    """Return a PNG of WIDTH x HEIGHT pixels, with one bar for each stretch of `peaks`: levels, clamped to 0..1."""
    image = Image.new("RGB", (WIDTH, HEIGHT), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    middle = HEIGHT / 2
    draw.line([(_MARGIN, middle), (WIDTH - _MARGIN, middle)], fill=_AXIS)
    bars = _loudest(peaks, _BARS)
    step = (WIDTH - 2 * _MARGIN) / max(1, len(bars))
    for index, level in enumerate(bars):
        half = max(1.0, level * (middle - _MARGIN))
        left = _MARGIN + index * step
        draw.rounded_rectangle((left, middle - half, left + step * 0.7, middle + half), radius=2, fill=_BAR)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _loudest(peaks: Sequence[float], count: int) -> list[float]:
    """Return at most `count` levels: the loudest of each equal stretch, so that no peak is lost."""
    levels = [min(1.0, max(0.0, float(peak))) for peak in peaks]
    if len(levels) <= count:
        return levels
    edges = [round(index * len(levels) / count) for index in range(count + 1)]
    return [max(levels[start:end]) for start, end in itertools.pairwise(edges)]
