"""Measure the codec's sound on held-out clips: word errors, speaker similarity and DNSMOS.

The clips are decoded from the teacher's codes (which measures the decoder alone) and, if there is an encoder, from its
codes.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from errors import InvalidInput
from research.bundled.clip_buffer import split_of_clip
from research.bundled.spectra import SAMPLE_RATE
from research.bundled.teacher import BOOKS, Teacher
from research.metrics.dnsmos import opinion
from research.metrics.recogniser import recognise, word_error_rate
from research.metrics.speakers import embed, similarity
from training.shards import Clip, ClipShards, Split

_FULL_SCALE = 32_768.0
_BOOKS_HEARD = (BOOKS, 2)


class Quality(NamedTuple):
    """The quality of one way to code the same clips."""

    way: str
    words_wrong: float
    """Whisper tiny's word error rate."""
    similarity: float
    """The similarity of the voice to that of the uncoded clip; 1 for the clip itself."""
    overall: float
    """DNSMOS, 1 to 5."""

    def __str__(self) -> str:
        return (
            f"{self.way:<32} word error {self.words_wrong:6.1%}   similarity {self.similarity:.3f}   "
            f"DNSMOS {self.overall:.2f}"
        )


def held_out(corpus: Path, count: int, split: Split = "test") -> list[Clip]:
    """Return `count` clips of a split, sampled from the whole corpus. Raises InvalidInput if there is none."""
    shards = ClipShards(corpus)
    places = [
        index
        for index, (speaker, text) in enumerate(zip(shards.speakers, shards.texts, strict=True))
        if split_of_clip(speaker, text) == split
    ]
    if not places:
        raise InvalidInput(f"There are no clips of the split {split} in {corpus}; make the corpus first.")
    drawn = np.random.default_rng(0).permutation(np.array(places, np.int64))[:count]
    return [shards[int(place)] for place in drawn]


def measure(clips: list[Clip], teacher: Teacher, decoder: nn.Module, encoder: nn.Module | None) -> Iterator[Quality]:
    """Yield the quality of the uncoded clips, then with 8 and 2 books of the teacher's and of the encoder's codes.

    All modules are on the CPU. Without an encoder, only the teacher's codes are measured.
    """
    originals = [_samples(clip) for clip in clips]
    yield _quality("uncoded", clips, originals, originals)
    sources: dict[str, Callable[[Tensor], Tensor]] = {"teacher's codes": teacher.latents}
    if encoder is not None:
        sources["encoder's codes"] = lambda samples: encoder(samples[:, None]).transpose(1, 2)
    for name, latents in sources.items():
        for books in _BOOKS_HEARD:
            coded = [_through(samples, latents, teacher, decoder, books) for samples in originals]
            yield _quality(f"{name}, {books} books", clips, originals, coded)


def decoded(clips: list[Clip], teacher: Teacher, decoder: nn.Module) -> Quality:
    """Return the quality with all books of the teacher's codes.

    Everything is computed on the CPU: `teacher` must be there, and `decoder` is moved there and back.
    """
    originals = [_samples(clip) for clip in clips]
    place = next(decoder.parameters()).device
    decoder.cpu()
    coded = [_through(samples, teacher.latents, teacher, decoder, BOOKS) for samples in originals]
    decoder.to(place)
    return _quality("teacher's codes", clips, originals, coded)


@torch.inference_mode()
def _through(
    samples: NDArray[np.float32], latents: Callable[[Tensor], Tensor], teacher: Teacher, decoder: Any, books: int
) -> NDArray[np.float32]:
    codes = teacher.quantizer.encode(latents(torch.from_numpy(samples)[None]))[:, :books]
    decoded: NDArray[np.float32] = decoder(teacher.quantizer.decode(codes).transpose(1, 2))[0, 0].numpy()
    return decoded


def _quality(
    way: str, clips: list[Clip], originals: list[NDArray[np.float32]], coded: list[NDArray[np.float32]]
) -> Quality:
    transcripts = [(clip.text, recognise(samples)) for clip, samples in zip(clips, coded, strict=True)]
    voices = [similarity(embed(one), embed(other)) for one, other in zip(originals, coded, strict=True)]
    opinions = [opinion(samples, SAMPLE_RATE).overall for samples in coded]
    return Quality(way, word_error_rate(transcripts), float(np.mean(voices)), float(np.mean(opinions)))


def _samples(clip: Clip) -> NDArray[np.float32]:
    if clip.audio is None:
        raise InvalidInput(f"The clip {clip.key} has no sound to measure; make the corpus again.")
    samples: NDArray[np.float32] = (clip.audio / np.float32(_FULL_SCALE)).astype(np.float32)
    return samples
