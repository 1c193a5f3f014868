"""Token sampling as in `suno-ai/bark` (`bark/generation.py`): the most likely tokens are kept, then a temperature.

Nothing here waits for the device. `torch.multinomial` of one draw divides the probabilities by exponential noise and
takes the largest (the exponential race); the same done explicitly lets rows with their own generators draw together.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

END = -1
"""Replaces a row's token when its speech ends."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """Samples one stage of one utterance, with its own generator. Temperature 0 takes the most likely token.

    top_p: the most likely tokens are kept until their probabilities before the temperature reach it. top_k: the maximum
    number of those. None keeps all.
    """

    temperature: float
    generator: torch.Generator
    top_k: int | None = None
    top_p: float | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether every token may be drawn. The most likely one is never removed."""
        return self.temperature == 0 or (self.top_k is None and self.top_p is None)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return probabilities in float32 from logits (..., vocabulary), with all tokens; temperature 0 counts as 1."""
        return (logits.float() / (self.temperature or 1.0)).softmax(-1)

    def draw(self, probabilities: Tensor) -> Tensor:
        """(rows, vocabulary) -> (rows,)"""
        if self.temperature == 0:
            return probabilities.argmax(-1)
        return torch.multinomial(probabilities, 1, generator=self.generator)[:, 0]


class BatchSampler:
    """Samples the rows in the slots of a batch, each with its own sampler, on `device`.

    vocabulary: the number of tokens of a head. end: the token that ends the speech; None: there is none.
    """

    def __init__(self, slots: int, vocabulary: int, end: int | None, device: torch.device) -> None:
        self._end = end
        self._vocabulary = vocabulary
        self._noise = torch.ones(slots, vocabulary, device=device)
        self._warm = torch.zeros(slots, 1, dtype=torch.bool, device=device)
        self._divisor = torch.ones(slots, 1, device=device)
        """The temperature, but 1 where that is 0."""
        self._top_k = torch.ones(slots, 1, dtype=torch.int64, device=device)
        self._top_p = torch.ones(slots, 1, device=device)
        self._likely_end = torch.ones(slots, device=device)

    def enter(self, slot: int, sampler: Sampler, min_eos_p: float) -> None:
        """Assign a row to a slot. Its speech ends when its end is at least `min_eos_p` likely; 0 switches that off."""
        self._warm[slot] = sampler.temperature > 0
        self._divisor[slot] = sampler.temperature or 1.0
        self._top_k[slot] = min(sampler.top_k or self._vocabulary, self._vocabulary)
        self._top_p[slot] = sampler.top_p or torch.inf
        self._likely_end[slot] = min_eos_p or torch.inf

    def draw_noise(self, slot: int, sampler: Sampler) -> None:
        """Draw noise for one token."""
        if sampler.temperature > 0:
            self._noise[slot].exponential_(generator=sampler.generator)

    def choose(self, logits: Tensor, rows: slice | Tensor, *, keep_all: bool) -> Tensor:
        """Draw one token for each of `rows` (slots) from logits (rows, vocabulary) -> int64 (rows,), or END.

        keep_all: no row removes tokens, which avoids sorting them.
        """
        logits, warm = logits.float(), self._warm[rows]
        kept = logits if keep_all else torch.where(warm, self._likeliest(logits, rows), logits)
        probabilities = (kept / self._divisor[rows]).softmax(-1)
        tokens = torch.where(warm, probabilities / self._noise[rows], logits).argmax(-1)
        if self._end is None:
            return tokens
        ends = (tokens == self._end) | (probabilities[:, self._end] >= self._likely_end[rows])
        return tokens.masked_fill(ends, END)

    def _likeliest(self, logits: Tensor, rows: slice | Tensor) -> Tensor:
        """Set the logits of removed tokens to -inf: first by top_p, then by top_k of the rest, as in Suno's code."""
        ordered, order = logits.sort(-1, descending=True)
        reached = ordered.softmax(-1).cumsum(-1) > self._top_p[rows]
        left_out = torch.zeros_like(reached)
        left_out[:, 1:] = reached[:, :-1]  # the token that reaches top_p is kept
        ordered = ordered.masked_fill(left_out, -torch.inf)
        least = ordered.gather(-1, self._top_k[rows] - 1)  # tokens as likely as the last one stay too
        ordered = ordered.masked_fill(ordered < least, -torch.inf)
        return torch.empty_like(ordered).scatter_(-1, order, ordered)
