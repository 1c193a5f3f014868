"""The corpus at the codec's rate: every clip that Kokoro said, and once more as if a smaller or larger person said it.

A stretched clip is the same samples played faster or slower: formants, pitch and pace move together, which costs
nothing and adds no noise, and the times of the phonemes stay exact. Its speaker has a name of its own.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloning.media.audio import Recording, resample
from errors import InvalidInput
from research.bundled.kokoro import BUILT_IN
from research.bundled.phones import spoken
from research.bundled.spectra import HOP, SAMPLE_RATE
from training.shards import Clip, Shards, ShardWriter, split_of

_CLIPS_PER_SHARD = 200
_FULL_SCALE = 32_768
_LEAST, _MOST = np.log(1.06), np.log(1.2)
"""Natural logarithms of how much higher or lower a stretched speaker is."""
_SOFTEST, _LOUDEST = -26.0, -20.0
"""dB below full scale, root mean square of a speaker's clip."""
_PEAK = 0.95


def write_corpus(speech: Path, folder: Path) -> None:
    """Make the clips of `speech` that `folder` lacks; prints how many. Raises InvalidInput for clips without sound."""
    said = Shards(speech)
    made = 0
    with ShardWriter(folder, _CLIPS_PER_SHARD, "corpus") as writer:
        for index, (key, speaker) in enumerate(zip(said.keys, said.speakers, strict=True)):
            wanted = [name for name in speakers_of(speaker) if _key(key, name, speaker) not in writer.keys]
            for name in wanted:
                writer.add(as_said_by(said[index], name))
            made += len(wanted)
    print(f"{made} clips made of {len(said)} that were said", flush=True)


def speakers_of(speaker: str) -> Iterator[str]:
    """The names under which a speaker's clips are in the corpus: its own, and one more for a drawn one that trains.

    Held-out speakers are not stretched, and neither is one whose second name would be held out.
    """
    yield speaker
    second = f"{speaker}-stretched"
    if speaker not in BUILT_IN and split_of(speaker) == split_of(second) == "train":
        yield second


def as_said_by(clip: Clip, name: str) -> Clip:
    """A clip at the codec's rate and the speaker's level, stretched if `name` is not its speaker's.

    Raises InvalidInput if it has no sound.
    """
    if clip.audio is None:
        raise InvalidInput(f"The clip {clip.key} has no sound; make the speech anew.")
    random = np.random.default_rng(list(name.encode()))
    level = random.uniform(_SOFTEST, _LOUDEST)
    higher = 1.0 if name == clip.speaker else float(np.exp(random.choice([-1, 1]) * random.uniform(_LEAST, _MOST)))
    rate = round(clip.sample_rate * higher)
    durations = np.array(clip.facts["durations"]) * (clip.sample_rate / rate)
    semantic = spoken(clip.facts["phonemes"], durations).tokens
    said = Recording(clip.audio.astype(np.float32) / np.float32(_FULL_SCALE), rate)
    samples = resample(said, SAMPLE_RATE).samples
    missing = max(0, len(semantic) * HOP - len(samples))  # a few samples, from the filter's rounding
    samples = np.pad(samples[: len(semantic) * HOP], (0, missing))
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
    return key if name == speaker else f"{key}-stretched"


def _levelled(samples: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """The same sound at `level` dB, softer if its peaks would not fit."""
    power = max(float(np.sqrt(np.mean(samples**2))), 1e-6)
    gain = min(10 ** (level / 20) / power, _PEAK / max(float(np.abs(samples).max()), 1e-6))
    return (gain * samples).astype(np.float32)
