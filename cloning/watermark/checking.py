"""Detect the mark in a recording, window by window, since only one sentence of a long one may be generated."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from cloning.media.audio import Recording, Samples, resample
from cloning.media.decoding import decode
from cloning.media.voice_activity import FRAME_SECONDS, analyse
from cloning.watermark.finding import Finding, Verdict
from cloning.watermark.marking import HOP_SECONDS, confidence, levels, perth, shortest, sounding, spectrum
from errors import InvalidInput

LISTENED_SECONDS = 180.0
"""The seconds of a long recording that are checked."""
WINDOW_SECONDS = 1.5
STEP_SECONDS = 0.1
SHORTEST_SECONDS = 0.5
MARKED, UNCLEAR = 0.8, 0.6
"""The least confidence of a window that counts as marked, and of one that may be marked.

Chosen on 600 recordings of six people (the 300 that were checked in windows of this length had a maximum of 0.63) and
on 30 marked replies, whose minimum was 0.87 after the codecs of `research evaluate-mark`. They were evaluated on other
recordings of the same people: docs/privacy.md.
"""
_RATE = 16_000
_PIECE_SECONDS = 30.0
"""The seconds processed at once, to bound memory; pieces overlap by a window."""
_CHANNELS = 2

Confidences = npt.NDArray[np.float32]


def check_file(path: Path, *, memory_mb: int = 1024, scratch: Path | None = None) -> Finding:
    """Detect the mark in the first soundtrack of a media file, in the first two channels of each of its pieces.

    `memory_mb` and `scratch`: see `decode`. Raises as `decode` and `check`.
    """
    decoded = decode(path, keep_seconds=LISTENED_SECONDS, memory_mb=memory_mb, scratch=scratch)
    found = [
        check([Recording(np.ascontiguousarray(channel), decoded.sample_rate) for channel in piece.T[:_CHANNELS]])
        for piece in decoded.pieces
        if piece.shape[0] >= SHORTEST_SECONDS * decoded.sample_rate
    ]
    if not found:
        raise _too_short()
    return _joined(found, decoded.seconds)


def check(channels: Sequence[Recording]) -> Finding:
    """Detect the mark in channels of equal length.

    Raises InvalidInput for less than half a second or digital silence, Unavailable without the network.
    """
    length = channels[0].seconds
    if length < SHORTEST_SECONDS:
        raise _too_short()
    per_channel = [_in_speech(_resampled(channel)) for channel in channels if _is_sound(channel.samples)]
    if not per_channel:
        raise InvalidInput("This recording is silent, so there is nothing that could carry a mark. Choose another.")
    surest = np.max(np.stack(per_channel), axis=0)
    best = float(np.clip(surest.max(), 0.0, 1.0))
    return Finding(_verdict(best), round(best, 3), _spans(surest >= MARKED, length), round(length, 2), round(length, 2))


def _in_speech(samples: Samples) -> Confidences:
    """Return the confidences, with 0 for windows without speech: the detector reports a mark in some pure tones."""
    found = confidences(samples)
    if found.max() < UNCLEAR:
        return found
    has_speech = np.zeros(found.size, np.float32)
    for start, end in analyse(Recording(samples, _RATE)).segments:
        first = math.ceil((start * FRAME_SECONDS - WINDOW_SECONDS) / STEP_SECONDS)
        has_speech[max(0, first) : math.floor(end * FRAME_SECONDS / STEP_SECONDS) + 1] = 1.0
    result: Confidences = found * has_speech
    return result


def confidences(samples: Samples) -> Confidences:
    """Return the detector's confidence for each window of float32 (N,) at 16 kHz that is not silent, every 0.1 s.

    A recording that is shorter than a window counts as one.
    """
    piece, overlap = round(_PIECE_SECONDS * _RATE), round(WINDOW_SECONDS * _RATE)
    *starts, last = range(0, max(1, samples.size - overlap), piece - overlap)
    own = round((_PIECE_SECONDS - WINDOW_SECONDS) / STEP_SECONDS)  # the next window is the first of the next piece
    per_piece = [_of_piece(samples[start : start + piece])[:own] for start in starts]
    return np.concatenate([*per_piece, _of_piece(samples[last:])])


def _of_piece(samples: Samples) -> Confidences:
    """Return the confidences of a piece. Means over windows are differences of cumulative sums."""
    padded = np.pad(samples, (0, max(0, shortest(_RATE) - samples.size)))
    with torch.inference_mode():
        frames = levels(spectrum(torch.from_numpy(padded)[None], _RATE))
        has_sound = sounding(frames)[0].double()  # (T,)
        outputs = perth().detector(frames)[0].double() * has_sound  # (3, 2, T)
        size = min(round(WINDOW_SECONDS / HOP_SECONDS), has_sound.numel())
        starts = torch.arange(0, has_sound.numel() - size + 1, round(STEP_SECONDS / HOP_SECONDS))
        sums, counts = _sums(outputs, starts, size), _sums(has_sound, starts, size)
        means = (sums / counts.clamp_min(1.0)).permute(2, 0, 1)
        result: Confidences = confidence(means).float().numpy()
    return result


def _sums(values: torch.Tensor, starts: torch.Tensor, size: int) -> torch.Tensor:
    """(..., T) -> (..., windows): the sum of each window."""
    running = torch.nn.functional.pad(values.cumsum(-1), (1, 0))
    return running[..., starts + size] - running[..., starts]


def _resampled(recording: Recording) -> Samples:
    """Resample to the detector's rate; samples beyond full scale are scaled down."""
    louder = max(1.0, float(np.abs(recording.samples).max()))
    return resample(Recording(recording.samples / np.float32(louder), recording.sample_rate), _RATE).samples


def _is_sound(samples: Samples) -> bool:
    return bool(np.isfinite(samples).all()) and bool(np.any(samples))


def _verdict(best: float) -> Verdict:
    if best >= MARKED:
        return "marked"
    return "unclear" if best >= UNCLEAR else "unmarked"


def _spans(marked: npt.NDArray[np.bool_], length: float) -> tuple[tuple[float, float], ...]:
    """Return the stretches that marked windows cover."""
    spans: list[tuple[float, float]] = []
    for number in np.flatnonzero(marked):
        start = float(number * STEP_SECONDS)
        end = min(start + WINDOW_SECONDS, length)
        if spans and start <= spans[-1][1]:
            start, _ = spans.pop()
        spans.append((round(start, 1), round(end, 1)))
    return tuple(spans)


def _joined(found: Sequence[Finding], total_seconds: float) -> Finding:
    """Join the findings of consecutive pieces."""
    spans: list[tuple[float, float]] = []
    before = 0.0
    for one in found:
        spans += [(round(start + before, 1), round(end + before, 1)) for start, end in one.spans]
        before += one.seconds
    best = max(one.confidence for one in found)
    return Finding(_verdict(best), best, tuple(spans), round(before, 2), round(total_seconds, 2))


def _too_short() -> InvalidInput:
    return InvalidInput(
        f"This recording is shorter than {SHORTEST_SECONDS:g} seconds, too short to tell. Choose a longer one."
    )
