"""Resample, measure, trim, level, join and write recordings as Ogg Opus, WAV or FLAC."""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from av.audio.stream import AudioStream
from pyloudnorm.meter import Meter

from cloning.atomic_files import write_atomically
from errors import InvalidInput, LimitReached, NotFound

SILENCE_LUFS = -70.0
"""The absolute gate of ITU-R BS.1770: quieter sound counts as silence."""
SPEECH_LUFS = -20.0
"""The target level of speech. EBU R128 asks for -23 in broadcasting; chat clips are commonly louder."""
_PEAK_CEILING = 10 ** (-1 / 20)
"""-1 dBTP, the maximum true peak of EBU R128."""
_LOUDNESS_BLOCK = 0.4
"""Seconds of a gating block in BS.1770."""

_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_OPUS_BIT_RATE = 64_000
_OPUS_MIN_BIT_RATE = 8_000
"""Bits per second: speech is transparent at the first and barely acceptable at the second."""
_WAV_TAGS = {"title", "artist", "comment", "copyright", "date", "genre", "language", "album", "track"}
"""The tags that have a field in a WAV file; others are added to the comment."""

_FRAME_SECONDS = 0.02
_SILENT_BELOW = 10 ** (-60 / 20)
"""A take whose peak is below -60 dBFS counts as silent: any room noise is louder."""
_QUIET_BELOW = 10 ** (-40 / 20)
"""A frame this far below the loudest one counts as silence; the softest fricatives are above it."""
_MARGIN_SECONDS = 0.06
"""The silence kept on both sides, so that soft beginnings and ends of words stay."""
_FADE_SECONDS = 0.01

Samples = npt.NDArray[np.float32]
Change = Callable[[Samples, int], Samples]
"""Samples and their rate -> the same number of samples."""


@dataclass(frozen=True)
class Recording:
    """`samples` float32 (N,), mono, in [-1, 1]; `sample_rate` in hertz."""

    samples: Samples
    sample_rate: int

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.samples.size / self.sample_rate


def resample(recording: Recording, rate: int) -> Recording:
    """Return the same sound at `rate` hertz."""
    if rate == recording.sample_rate:
        return recording
    samples = soxr.resample(recording.samples, recording.sample_rate, rate, quality="VHQ")
    return Recording(np.clip(samples, -1.0, 1.0), rate)


def read_clip(path: Path) -> Recording:
    """Read a FLAC or WAV file that Barkeep wrote itself. Raises NotFound or InvalidInput."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except FileNotFoundError as error:
        raise NotFound(f"The clip {path.name} is gone. Clone the voice again.") from error
    except (soundfile.LibsndfileError, OSError) as error:
        if not path.exists():
            raise NotFound(f"The clip {path.name} is gone. Clone the voice again.") from error
        raise InvalidInput(f"The clip {path.name} is damaged. Clone the voice again.") from error
    return Recording(samples.mean(axis=1, dtype=np.float32), int(rate))


def write(path: Path, samples: Samples, rate: int, *, tags: dict[str, str], max_bytes: int | None = None) -> None:
    """Write finite mono samples atomically in the format of the suffix: `.ogg` (Opus), `.wav` or `.flac` (16 bit).

    `tags` become Vorbis comments, or INFO fields in a WAV file. Opus lowers its bit rate to fit `max_bytes`. Raises
    LimitReached if the file cannot fit, InvalidInput for another suffix or no samples, Unavailable if it cannot be
    written.
    """
    if path.suffix not in _ENCODERS:
        raise InvalidInput(f"The file {path.name} must end in {', '.join(_ENCODERS)}. Choose one of these.")
    if samples.size == 0:
        raise InvalidInput("There is no sound to save.")
    encoder = _ENCODERS[path.suffix]
    data = _encode(encoder, Recording(samples, rate), tags, encoder.bit_rate)
    if max_bytes is not None and len(data) > max_bytes:
        data = _fit(encoder, Recording(samples, rate), tags, max_bytes)
    write_atomically(path, data)


@dataclass(frozen=True)
class _Encoder:
    """FFmpeg's names of a container, its codec and sample format. `bit_rate` in bits per second; None: lossless."""

    container: str
    codec: str
    sample_format: str
    bit_rate: int | None = None


_ENCODERS = {
    ".ogg": _Encoder("ogg", "libopus", "flt", _OPUS_BIT_RATE),
    ".wav": _Encoder("wav", "pcm_s16le", "s16"),
    ".flac": _Encoder("flac", "flac", "s16"),
}


def _fit(encoder: _Encoder, recording: Recording, tags: dict[str, str], max_bytes: int) -> bytes:
    """Encode with the highest bit rate that fits: first the exact one, then lower ones, as codecs may exceed it."""
    if encoder.bit_rate is not None:
        bit_rate = min(encoder.bit_rate, int(max_bytes * 8 / recording.seconds))
        while bit_rate >= _OPUS_MIN_BIT_RATE:
            data = _encode(encoder, recording, tags, bit_rate)
            if len(data) <= max_bytes:
                return data
            bit_rate = int(bit_rate * 0.85)
    raise LimitReached(
        f"{recording.seconds:.0f} seconds of sound do not fit into a file of {max_bytes / 2**20:.1f} MiB. "
        "Use a shorter text."
    )


def _encode(encoder: _Encoder, recording: Recording, tags: dict[str, str], bit_rate: int | None) -> bytes:
    if encoder.codec == "libopus" and recording.sample_rate not in _OPUS_RATES:
        recording = resample(recording, min((r for r in _OPUS_RATES if r > recording.sample_rate), default=48_000))
    samples = np.clip(recording.samples, -1.0, 1.0)
    if encoder.sample_format == "s16":
        frame = av.AudioFrame.from_ndarray(np.rint(samples * 32767).astype(np.int16)[None], "s16", "mono")
    else:
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], "flt", "mono")
    frame.sample_rate = recording.sample_rate
    # Without a time, the muxer takes Opus' lead-in for sound: everything starts 6.5 ms late, and a short file ends
    # late.
    frame.pts, frame.time_base = 0, Fraction(1, recording.sample_rate)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=encoder.container) as container:
        container.metadata.update(_wav_tags(tags) if encoder.container == "wav" else tags)
        stream = container.add_stream(
            encoder.codec, rate=recording.sample_rate, layout="mono", format=encoder.sample_format
        )
        if not isinstance(stream, AudioStream):
            raise TypeError(f"{encoder.codec} is not an audio codec")
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _wav_tags(tags: dict[str, str]) -> dict[str, str]:
    known = {name: text for name, text in tags.items() if name in _WAV_TAGS}
    others = [f"{name}={text}" for name, text in tags.items() if name not in _WAV_TAGS]
    comment = "; ".join([known.get("comment", ""), *others]).removeprefix("; ")
    return known | ({"comment": comment} if comment else {})


def peaks(samples: Samples, n: int = 64) -> tuple[float, ...]:
    """Return `n` peak levels, 0..1, of equal parts from start to end, for a picture."""
    if samples.size == 0:
        return (0.0,) * n
    levels = np.clip(np.abs(np.nan_to_num(samples)), 0.0, 1.0)
    edges = np.linspace(0, samples.size, n + 1).astype(int)
    starts, ends = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
    return tuple(round(float(levels[start:end].max(initial=0.0)), 4) for start, end in zip(starts, ends, strict=True))


def loudness(samples: Samples, rate: int) -> float:
    """Return the integrated loudness by EBU R128 (ITU-R BS.1770-4) in LUFS, at least SILENCE_LUFS.

    A clip shorter than one block of 0.4 s is measured as one block of its own length.
    """
    if not np.any(samples):
        return SILENCE_LUFS
    block = min(_LOUDNESS_BLOCK, samples.size / rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, for clips of which no block passes the gate
        meter = Meter(rate, block_size=block)  # type: ignore[no-untyped-call]  # pyloudnorm has no annotations
        measured = float(meter.integrated_loudness(samples.astype(np.float64)))  # type: ignore[no-untyped-call]  # same
    return max(measured, SILENCE_LUFS) if np.isfinite(measured) else SILENCE_LUFS


def normalise(samples: Samples, rate: int, target: float = SPEECH_LUFS) -> Samples:
    """Return the samples at `target` LUFS, or as near as true peaks of at most -1 dBTP allow. Silence is unchanged."""
    level = loudness(samples, rate)
    if level <= SILENCE_LUFS:
        return samples
    gain = 10 ** ((target - level) / 20)
    scaled: Samples = (samples * min(gain, _PEAK_CEILING / _true_peak(samples, rate))).astype(np.float32)
    return scaled


def _true_peak(samples: Samples, rate: int) -> float:
    """Return the peak at four times the rate, as BS.1770-4 (annex 2) measures it."""
    oversampled = soxr.resample(samples, rate, 4 * rate)
    return float(max(np.abs(oversampled).max(), np.abs(samples).max()))


def mel_edges(lowest: float, highest: float, bands: int) -> npt.NDArray[np.float64]:
    """Return the `bands + 1` edges in hertz of bands that are equally wide on O'Shaughnessy's mel scale,
    2595 log10(1 + f / 700)."""
    first, last = (2595 * float(np.log10(1 + hertz / 700)) for hertz in (lowest, highest))
    return np.asarray(700 * (10 ** (np.linspace(first, last, bands + 1) / 2595) - 1), np.float64)


def is_usable(samples: Samples) -> bool:
    """Return whether a take has sound: finite, not empty, not silent throughout."""
    return samples.size > 0 and bool(np.isfinite(samples).all()) and bool(np.abs(samples).max() > _SILENT_BELOW)


def trim(samples: Samples, rate: int) -> Samples:
    """Return the take without the silence before and after the speech, except a margin, with both edges faded."""
    frame = max(1, round(rate * _FRAME_SECONDS))
    padded = np.pad(samples, (0, -samples.size % frame))
    levels = np.sqrt(np.square(padded.reshape(-1, frame), dtype=np.float64).mean(axis=1))
    loud = np.flatnonzero(levels >= levels.max() * _QUIET_BELOW)
    margin = round(rate * _MARGIN_SECONDS)
    kept = samples[max(0, loud[0] * frame - margin) : (loud[-1] + 1) * frame + margin]
    return _faded(kept, rate)


def polish(take: Samples, rate: int, change: Change | None = None) -> Samples:
    """Trim a usable take, apply `change` if given, and normalise its loudness, with peaks in range."""
    trimmed = trim(take, rate)
    return normalise(trimmed if change is None else change(trimmed, rate), rate)


def gap(pause: float) -> float:
    """Return the seconds of silence to insert between two polished takes for a pause of `pause` seconds: each take
    already has a margin."""
    return max(0.0, pause - 2 * _MARGIN_SECONDS)


def join(takes: Sequence[Samples], gaps: Sequence[float], rate: int) -> Samples:
    """Join polished takes with `gaps[i]` seconds of silence between take i and the next."""
    pieces: list[Samples] = []
    for take, silence in zip(takes, [*gaps, 0.0], strict=True):
        pieces.append(take)
        pieces.append(np.zeros(round(silence * rate), np.float32))
    return np.concatenate(pieces[:-1])


def _faded(samples: Samples, rate: int) -> Samples:
    length = min(round(rate * _FADE_SECONDS), samples.size // 2)
    ramp = np.linspace(0.0, 1.0, length, endpoint=False, dtype=np.float32)
    faded = samples.astype(np.float32)
    faded[:length] *= ramp
    faded[samples.size - length :] *= ramp[::-1]
    return faded
