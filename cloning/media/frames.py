"""Read the sound of one stream of a media file: blocks of samples in order, with pauses kept and holes counted.

Runs in the decoder's process. Only the time between two frames is taken from the container: a clock may start anywhere,
and the length in a header is often a guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import av.error
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from errors import InvalidInput

MAX_RATE = 48_000
"""Hertz; higher rates are reduced to this one: speech has nothing above, and memory stays bounded."""
MAX_CHANNELS = 8
"""7.1 has eight channels. Of a file with more, the first ones are read."""
_KNOWN_RATES = range(4_000, 384_001)
_TOLERATED_ERRORS = 0.1
"""The share of packets that may fail to decode before a file counts as damaged; one always may, at a cut-off end."""
_SHORTEST_PAUSE = 0.05
"""Seconds between two frames that count as a pause. Less is rounding: Matroska counts milliseconds, and Vorbis is off
by up to 9 ms."""
_LONGEST_PAUSE = 30.0
"""The longest pause in seconds that is kept. In a longer one, the clock was set or the recorder was suspended."""
_GAPLESS = {"wav", "w64", "flac", "mp3", "ogg", "aac", "aiff", "caf", "amr", "au"}
"""Formats in which a gap in time means a loss. The others store pauses as gaps."""
_LOST_BYTES = 1_000
"""Skipping more bytes than this means a hole, at which FFmpeg goes on at the next cluster. The headers between two
frames of Matroska are shorter."""
_ABSURD = 2.0**32
"""No format's full scale is greater: larger values are not sound."""

DAMAGED = "This recording is damaged or was cut off. Save or upload it again, or save it as a 16-bit WAV or an MP3."
TOO_BIG = "This recording needs too much memory to decode. Cut out a part of about 10 seconds and send that."

Channels = npt.NDArray[np.float32]
"""(N, C) samples of C channels. Full scale is 1, but floating-point files may go beyond."""
_SCALES = {"uint8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
"""The full scale of FFmpeg's integer formats; the others are floating point already."""


@dataclass
class Tally:
    """The progress of reading. `seconds`: of sound and pauses, decoded or skipped. `holes`: parts lost in between."""

    keep_seconds: float
    max_seconds: float
    seconds: float = 0.0
    holes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether enough was decoded, so that the rest is only counted."""
        return self.seconds >= self.keep_seconds

    @property
    def is_too_long(self) -> bool:
        """Whether the recording exceeds the limit."""
        return self.seconds > self.max_seconds

    def add(self, seconds: float) -> None:
        """Count `seconds` of sound or pause. Raises InvalidInput beyond the limit."""
        self.seconds += seconds
        if self.is_too_long:
            raise _too_long(self.max_seconds)


def _too_long(max_seconds: float) -> InvalidInput:
    limit = f"{max_seconds / 60:.0f} minutes" if max_seconds >= 120 else f"{max_seconds:.0f} seconds"
    return InvalidInput(f"This recording is longer than {limit}. Cut out a part of about 10 seconds and send that.")


def blocks(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[tuple[int, Channels]]:
    """Yield (sample rate, samples) of each frame and of each pause between two, until the tally is full.

    Stops where the file ends or can be read no further. Raises InvalidInput if it is too long or too damaged.
    """
    clock = _PauseDetector(container)
    for packet, frames in _decoded(container, stream, tally):
        for frame in frames:
            if frame.sample_rate not in _KNOWN_RATES:
                raise InvalidInput(
                    f"This recording claims {frame.sample_rate} samples a second. Send it at 44100 or 48000."
                )
            pause = clock.pause_before(packet, frame.time, frame.samples / frame.sample_rate)
            if clock.has_lost_something:
                tally.holes += 1
            samples = _channels(frame)
            if pause:
                yield frame.sample_rate, np.zeros((round(pause * frame.sample_rate), samples.shape[1]), np.float32)
            yield frame.sample_rate, samples
            tally.add(pause + frame.samples / frame.sample_rate)
        if tally.is_full and packet.pts is not None and not frames:
            # FFmpeg gives the last packet of an Ogg Vorbis file a negative duration.
            seconds = float(max(packet.duration or 0, 0) * packet.time_base)
            tally.add(seconds + clock.pause_before(packet, float(packet.pts * packet.time_base), seconds))


class _PauseDetector:
    """Detects pauses by the time stamps of consecutive frames."""

    def __init__(self, container: InputContainer) -> None:
        self._is_gapless = container.format.name in _GAPLESS
        self._is_alone = len(container.streams) == 1
        self._end: float | None = None
        self._position: int | None = None
        self.has_lost_something = False
        """Whether the last pause is a part that cannot be read."""

    def pause_before(self, packet: Packet, start: float | None, seconds: float) -> float:
        """Return the seconds of silence before a frame of `packet` that starts at `start` by the container's clock."""
        gap = start - self._end if start is not None and self._end is not None else 0.0
        skipped = packet.pos - self._position if packet.pos is not None and self._position is not None else 0
        self._position = packet.pos + packet.size if packet.pos is not None else None
        if start is not None:
            self._end = start + seconds
        elif self._end is not None:
            self._end += seconds
        is_pause = gap > _SHORTEST_PAUSE
        self.has_lost_something = is_pause and (self._is_gapless or (self._is_alone and skipped > _LOST_BYTES))
        return min(gap, _LONGEST_PAUSE) if is_pause else 0.0


def _decoded(container: InputContainer, stream: AudioStream, tally: Tally) -> Iterator[tuple[Packet, list[AudioFrame]]]:
    """Yield every packet with its frames, or without them once the tally is full. Raises InvalidInput if too many are
    damaged."""
    packets = 0
    errors = 0
    is_broken = False
    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed, None)
            if packet is None:
                break
            packets += 1
            frames = [] if tally.is_full else stream.decode(packet)
        except av.error.MemoryError as error:
            raise InvalidInput(TOO_BIG) from error
        except av.error.FFmpegError:
            # A generator that has raised is finished, so an error of the demuxer ends the loop at the next packet.
            errors += 1
            is_broken = True
            continue
        if frames and is_broken and tally.seconds > 0:
            tally.holes += 1
        is_broken = is_broken and not frames
        yield packet, frames
    if errors > max(1.0, _TOLERATED_ERRORS * packets):
        raise InvalidInput(DAMAGED)


def _channels(frame: AudioFrame) -> Channels:
    """Return the samples of a frame (N, C), at most MAX_CHANNELS; NaN becomes silence."""
    array = frame.to_ndarray()
    array = array.T if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels)
    array = array[:, :MAX_CHANNELS]
    if array.dtype.name not in _SCALES:
        with np.errstate(invalid="ignore", over="ignore"):
            kept: Channels = np.where(np.abs(array) < _ABSURD, array, 0.0).astype(np.float32)
        return kept
    centre = 2.0**7 if array.dtype == np.uint8 else 0.0
    scaled: Channels = ((array - centre) / _SCALES[array.dtype.name]).astype(np.float32)
    return scaled


def at_one_rate(incoming: Iterator[tuple[int, Channels]]) -> Iterator[tuple[int, Channels]]:
    """Yield (rate, block) at the rate of the first block, at most MAX_RATE. Rates and channels may change."""
    target = 0
    current = (0, 0)
    resampler: soxr.ResampleStream | None = None
    for rate, block in incoming:
        target = target or min(rate, MAX_RATE)
        if (rate, block.shape[1]) != current:
            if resampler is not None:
                yield target, _resampled(resampler, np.zeros((0, current[1]), np.float32), last=True)
            current = (rate, block.shape[1])
            resampler = soxr.ResampleStream(rate, target, current[1], dtype="float32") if rate != target else None
        yield target, _resampled(resampler, block) if resampler is not None else block
    if resampler is not None:
        yield target, _resampled(resampler, np.zeros((0, current[1]), np.float32), last=True)


def _resampled(resampler: soxr.ResampleStream, block: Channels, *, last: bool = False) -> Channels:
    """Resample a block; soxr uses one dimension for one channel."""
    flat = block[:, 0] if block.shape[1] == 1 else np.ascontiguousarray(block)
    samples = resampler.resample_chunk(flat, last=last)
    return samples.reshape(-1, block.shape[1])
