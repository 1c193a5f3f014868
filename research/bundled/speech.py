"""Clips as tokens in memory, end to end, from which batches are gathered by arithmetic on positions.

Knows nothing of models: a batch says which stretches of which clips it wants, and gets them in one operation.
"""

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
from training.shards import Shards, Split

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Speech:
    """Clips of speakers, ordered by speaker.

    `semantic` int16 (T,) and `codes` int16 (books, T), frame by frame; clip i lies from `starts[i]` for `lengths[i]`
    frames and is spoken by number `speakers[i]`. `texts` is what the clips say, `names` the speakers' names.
    """

    semantic: NDArray[np.int16]
    codes: NDArray[np.int16]
    starts: Numbers
    lengths: Numbers
    speakers: Numbers
    texts: Sequence[str]
    names: Sequence[str]

    @classmethod
    def load(cls, corpus: Path, codes: Path, split: Split) -> Self:
        """The clips of a split that have codes. Raises InvalidInput if there are none."""
        shards, known = Shards(corpus), Codes(codes)
        chosen = [
            index
            for index, (key, speaker, text) in enumerate(zip(shards.keys, shards.speakers, shards.texts, strict=True))
            if key in known and split_of_clip(speaker, text) == split
        ]
        return cls.of(
            [shards.semantic(index) for index in chosen],
            [known[shards.keys[index]] for index in chosen],
            [shards.speakers[index] for index in chosen],
            [shards.texts[index] for index in chosen],
        )

    @classmethod
    def of(
        cls,
        semantic: Sequence[NDArray[np.integer]],
        codes: Sequence[NDArray[np.integer]],
        speakers: Sequence[str],
        texts: Sequence[str],
    ) -> Self:
        """From the tokens of each clip, (S,) and (books, T); what one is longer than the other is left out."""
        if not semantic:
            raise InvalidInput("There are no clips with codes to train on; make the corpus and its codes first.")
        names = sorted(set(speakers))
        number = {name: place for place, name in enumerate(names)}
        order = sorted(range(len(semantic)), key=lambda clip: number[speakers[clip]])
        lengths = np.array([min(len(semantic[clip]), codes[clip].shape[1]) for clip in order], np.int64)
        return cls(
            semantic=np.concatenate(
                [semantic[clip][:length] for clip, length in zip(order, lengths, strict=True)], dtype=np.int16
            ),
            codes=np.concatenate(
                [codes[clip][:BOOKS, :length] for clip, length in zip(order, lengths, strict=True)],
                axis=1,
                dtype=np.int16,
            ),
            starts=np.cumsum(lengths) - lengths,
            lengths=lengths,
            speakers=np.array([number[speakers[clip]] for clip in order], np.int64),
            texts=[texts[clip] for clip in order],
            names=names,
        )

    def __len__(self) -> int:
        """How many clips there are."""
        return len(self.lengths)

    @property
    def hours(self) -> float:
        """At 50 frames a second."""
        return len(self.semantic) / 50 / 3600

    def of_same_speaker(self, random: np.random.Generator, clips: Numbers) -> Numbers:
        """For each clip one of its speaker's, another one where there is another one."""
        first = np.searchsorted(self.speakers, self.speakers[clips])
        count = np.searchsorted(self.speakers, self.speakers[clips], side="right") - first
        step = 1 + (random.random(len(clips)) * np.maximum(count - 1, 1)).astype(np.int64)
        others: Numbers = first + (clips - first + step) % count
        return others


@dataclass(frozen=True)
class Joined:
    """For each row: `before` frames of a clip that begin at `past`, then a clip of `length` frames at `start`.

    All (B,), positions in the `Speech` that they belong to.
    """

    past: Numbers
    before: Numbers
    start: Numbers
    length: Numbers

    def places(self, frames: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """Where frames of each row, (B, N) and not negative, lie in the `Speech`, (B, N), and which exist."""
        behind = frames - self.before[:, None]
        places = np.where(behind < 0, self.past[:, None] + frames, self.start[:, None] + behind)
        exists = behind < self.length[:, None]
        return np.where(exists, places, 0), exists


def draw_joined(
    speech: Speech, random: np.random.Generator, rows: int, *, most_before: int, alone: float, whole: float
) -> Joined:
    """Draw rows: a clip behind the end of another clip of its speaker, as a voice prompt stands before what it says.

    `alone`: the share of rows without anything before. `whole`: the share of the others whose prompt is as long as can
    be; the rest have a prompt of any length. Half of the prompts end where their clip ends.
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
