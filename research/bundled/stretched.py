"""Make the corpus at the codec's rate: every clip of Kokoro's, and stretched copies that sound like other speakers.

Stretching plays the samples at another rate through an equaliser: formants, pitch and speed change together, the timbre
changes independently, and the times of the phonemes stay exact. In a warped copy, the formants change independently,
too. Each copy counts as another speaker, and all clips of a speaker are changed in the same way.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cloning.media.audio import Recording, resample
from errors import InvalidInput
from research.bundled.formants import warp_formants
from research.bundled.kokoro import BUILT_IN
from research.bundled.phones import frame_tokens
from research.bundled.spectra import HOP, SAMPLE_RATE
from training.noise import equalise
from training.shards import Clip, ClipShards, ShardWriter, split_of

_CLIPS_PER_SHARD = 200
_FULL_SCALE = 32_768
_STRETCHED, _WARPED = ("stretched", "stretched-2", "stretched-3"), ("warped", "warped-2")
_LEAST, _MOST = np.log(1.06), np.log(1.2)
"""Minimum and maximum of the natural logarithm of the factor, or its inverse, by which stretching changes the pitch."""
_FORMANTS = np.log(1.25)
"""Maximum of the natural logarithm of the factor, or its inverse, by which a warped copy changes the formants."""
_EQUALISER = 8.0
"""The largest standard deviation of a copy's equaliser, in dB."""
_SOFTEST, _LOUDEST = -26.0, -20.0
"""RMS level of a speaker's clip, in dB below full scale."""
_PEAK = 0.95


def write_corpus(speech: Path, folder: Path) -> None:
    """Add the clips that `folder` lacks, made from those in `speech`. Raises InvalidInput if a clip has no sound."""
    said = ClipShards(speech)
    made = 0
    with ShardWriter(folder, _CLIPS_PER_SHARD, "corpus") as writer:
        for index, (key, speaker) in enumerate(zip(said.keys, said.speakers, strict=True)):
            wanted = [name for name in speakers_of(speaker) if _key(key, name, speaker) not in writer.keys]
            for name in wanted:
                writer.add(as_said_by(said[index], name))
            made += len(wanted)
    print(f"made {made} clips from {len(said)}", flush=True)


def speakers_of(speaker: str) -> Iterator[str]:
    """Yield a speaker's names in the corpus: its own, and one for each copy if it is a random training speaker.

    Held-out speakers are not stretched, and copies whose names would be held out are left out.
    """
    yield speaker
    if speaker in BUILT_IN or split_of(speaker) != "train":
        return
    for copy in (*_STRETCHED, *_WARPED):
        if split_of(name := f"{speaker}-{copy}") == "train":
            yield name


def as_said_by(clip: Clip, name: str) -> Clip:
    """Return a clip at the codec's rate and the speaker's level, stretched and filtered if `name` is that of a copy.

    Raises InvalidInput if the clip has no sound.
    """
    if clip.audio is None:
        raise InvalidInput(f"The clip {clip.key} has no sound; make the speech again.")
    random = np.random.default_rng(list(name.encode()))
    level = random.uniform(_SOFTEST, _LOUDEST)
    higher = 1.0 if name == clip.speaker else float(np.exp(random.choice([-1, 1]) * random.uniform(_LEAST, _MOST)))
    rate = round(clip.sample_rate * higher)
    durations = np.array(clip.facts["durations"]) * (clip.sample_rate / rate)
    semantic = frame_tokens(clip.facts["phonemes"], durations).tokens
    said = Recording(clip.audio.astype(np.float32) / np.float32(_FULL_SCALE), rate)
    samples = resample(said, SAMPLE_RATE).samples
    missing = max(0, len(semantic) * HOP - len(samples))  # a few samples, from the filter's rounding
    samples = np.pad(samples[: len(semantic) * HOP], (0, missing))
    if name != clip.speaker:
        samples = equalise(torch.from_numpy(samples)[None], random, random.uniform(0, _EQUALISER))[0].numpy()
    if name.removeprefix(f"{clip.speaker}-") in _WARPED:
        samples = warp_formants(samples, float(np.exp(random.uniform(-_FORMANTS, _FORMANTS))) / higher)
    return replace(
        clip,
        key=_key(clip.key, name, clip.speaker),
        speaker=name,
        sample_rate=SAMPLE_RATE,
        audio=np.round(_levelled(samples, level) * (_FULL_SCALE - 1)).astype(np.int16),
        semantic=semantic,
        facts={**clip.facts, "durations": durations.round(4).tolist(), "higher": round(higher, 4)},
    )


def _key(key: str, name: str, speaker: str) -> str:
    return key + name.removeprefix(speaker)


def _levelled(samples: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Return the samples at `level` dB, or lower if the peaks would clip."""
    power = max(float(np.sqrt(np.mean(samples**2))), 1e-6)
    gain = min(10 ** (level / 20) / power, _PEAK / max(float(np.abs(samples).max()), 1e-6))
    return (gain * samples).astype(np.float32)
