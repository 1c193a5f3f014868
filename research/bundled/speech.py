"""Clips as concatenated tokens in memory, and the positions of training batches in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from errors import InvalidInput
from research.bundled.clip_buffer import split_of_clip
from research.bundled.codes import Codes
from research.bundled.layout import BOOKS
from training.shards import ClipShards, Split

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class SpeechTokens:
    """Clips of speakers, ordered by speaker.

    `semantic`, int16 (T,), and `codes`, int16 (books, T), are tokens of the same frames. `prompts`, int16 (books, T),
    are the codes of the same sound by the codec's own encoder, which voice prompts contain. Clip i starts at
    `starts[i]`, has `lengths[i]` frames, and speaker number `speakers[i]`. `texts` are the clips' texts, `names` the
    speakers' names.
    """

    semantic: NDArray[np.int16]
    codes: NDArray[np.int16]
    prompts: NDArray[np.int16]
    starts: Numbers
    lengths: Numbers
    speakers: Numbers
    texts: Sequence[str]
    names: Sequence[str]

    @classmethod
    def load(cls, corpus: Path, codes: Path, prompts: Path, split: Split) -> Self:
        """Load the clips of a split that have codes in both folders. Raises InvalidInput if there are none."""
        shards, known, heard = ClipShards(corpus), Codes(codes), Codes(prompts)
        chosen = [
            index
            for index, (key, speaker, text) in enumerate(zip(shards.keys, shards.speakers, shards.texts, strict=True))
            if key in known and key in heard and split_of_clip(speaker, text) == split
        ]
        return cls.of(
            [shards.semantic(index) for index in chosen],
            [known[shards.keys[index]] for index in chosen],
            [heard[shards.keys[index]] for index in chosen],
            [shards.speakers[index] for index in chosen],
            [shards.texts[index] for index in chosen],
        )

    @classmethod
    def of(
        cls,
        semantic: Sequence[NDArray[np.integer]],
        codes: Sequence[NDArray[np.integer]],
        prompts: Sequence[NDArray[np.integer]],
        speakers: Sequence[str],
        texts: Sequence[str],
    ) -> Self:
        """Build from the tokens of each clip: (S,), and twice (books, T). They are cut to the shortest of the three.

        Raises InvalidInput without clips.
        """
        if not semantic:
            raise InvalidInput("There are no clips with codes to train on; make the corpus and its codes first.")
        names = sorted(set(speakers))
        number = {name: place for place, name in enumerate(names)}
        order = sorted(range(len(semantic)), key=lambda clip: number[speakers[clip]])
        lengths = np.array(
            [min(len(semantic[clip]), codes[clip].shape[1], prompts[clip].shape[1]) for clip in order], np.int64
        )
        return cls(
            semantic=np.concatenate(
                [semantic[clip][:length] for clip, length in zip(order, lengths, strict=True)], dtype=np.int16
            ),
            codes=_concatenated([codes[clip] for clip in order], lengths),
            prompts=_concatenated([prompts[clip] for clip in order], lengths),
            starts=np.cumsum(lengths) - lengths,
            lengths=lengths,
            speakers=np.array([number[speakers[clip]] for clip in order], np.int64),
            texts=[texts[clip] for clip in order],
            names=names,
        )

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.lengths)

    @property
    def hours(self) -> float:
        """The hours of speech, at 50 frames per second."""
        return len(self.semantic) / 50 / 3600

    def codes_at(self, places: Numbers, in_prompt: NDArray[np.bool_], books: int) -> Numbers:
        """Return the codes (B, N, books) at positions (B, N): from `prompts` where `in_prompt` (B, N), else `codes`."""
        codes = np.where(in_prompt, self.prompts[:books, places], self.codes[:books, places])
        return codes.transpose(1, 2, 0).astype(np.int64)

    def of_same_speaker(self, random: np.random.Generator, clips: Numbers) -> Numbers:
        """Return for each of `clips` (B,) another random clip of its speaker, or itself if it is the only one, (B,)."""
        first = np.searchsorted(self.speakers, self.speakers[clips])
        count = np.searchsorted(self.speakers, self.speakers[clips], side="right") - first
        step = 1 + (random.random(len(clips)) * np.maximum(count - 1, 1)).astype(np.int64)
        others: Numbers = first + (clips - first + step) % count
        return others


def _concatenated(codes: Sequence[NDArray[np.integer]], lengths: Numbers) -> NDArray[np.int16]:
    cut = [code[:BOOKS, :length] for code, length in zip(codes, lengths, strict=True)]
    return np.concatenate(cut, axis=1, dtype=np.int16)


@dataclass(frozen=True)
class Joined:
    """B rows, each with a prompt of `before` frames from `past` on, then a clip of `length` frames from `start` on.

    All are (B,); `past` and `start` are positions in the concatenated clips.
    """

    past: Numbers
    before: Numbers
    start: Numbers
    length: Numbers

    def places(self, frames: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """Return the positions (B, N) of the frames with numbers `frames` (B, N) in each row, and which ones exist."""
        behind = frames - self.before[:, None]
        places = np.where(behind < 0, self.past[:, None] + frames, self.start[:, None] + behind)
        exists = behind < self.length[:, None]
        return np.where(exists, places, 0), exists


def draw_joined(
    speech: SpeechTokens, random: np.random.Generator, rows: int, *, most_before: int, alone: float, whole: float
) -> Joined:
    """Draw `rows` clips, each after a piece of another clip of its speaker, like speech after a voice prompt.

    `most_before`: the maximum length of a prompt, in frames. `alone`: the share of rows without a prompt. `whole`: the
    share of the other rows with the longest possible prompt; the rest have prompts of random length. Half of the
    prompts end at the end of their clip, the others somewhere in its second half.
    """
    clips = random.integers(0, len(speech), rows)
    prompts = speech.of_same_speaker(random, clips)
    available = speech.lengths[prompts]
    end = np.where(random.random(rows) < 0.5, available, (available * random.uniform(0.5, 1.0, rows)).astype(np.int64))
    before = np.minimum(end, most_before)
    before = np.where(random.random(rows) < whole, before, (before * random.random(rows)).astype(np.int64))
    before = np.where(random.random(rows) < alone, 0, before)
    return Joined(
        past=speech.starts[prompts] + end - before,
        before=before,
        start=speech.starts[clips],
        length=speech.lengths[clips],
    )
