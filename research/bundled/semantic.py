"""Train the semantic model: from text and a voice's last semantic tokens to semantic tokens.

The input is that of `cloning.bark.semantic`. Besides the prediction of the next token, two attention heads are trained
to attend to the characters of the current word, which is known from the synthesiser's durations. Without this guidance
a small model learns to do so very late. The guidance adds no weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from research.bundled.gpt import TransformerRunner, align, cross_entropy, new_semantic, to_device
from research.bundled.layout import (
    SEMANTIC_END,
    SEMANTIC_INFER,
    SEMANTIC_OUTPUTS,
    SEMANTIC_ROOM,
    TEXT_OFFSET,
    TEXT_PAD,
    TEXT_ROOM,
    Size,
)
from research.bundled.phones import PAUSE_BASE, THIRDS
from research.bundled.sentences import AlignedSentence, Sentences
from research.bundled.speech import Numbers
from training.loop import TOKENS, NotLearning

LEAST_GAP = 0.2
"""The minimum increase of the loss, in nats, with a wrong text; below it, a model does not read its text."""
GATE_STEP = 1000

_GUIDED_LAYERS = (2, 3)
"""The layers whose last heads are guided."""
_GUIDANCE = 0.2
"""The weight of the guided heads' loss."""
_FIRST_CHARACTER, _EVERY_CHARACTER = 17.0, 3.2
"""The mean time of the first character and the mean duration of a character in the corpus, in frames."""
_ENDS, _PAIRS = 0.2, 0.25
"""See `Sentences.draw`."""
_WITH_HISTORY = 0.5
"""The share of rows with a voice."""
_WRONG = 0.05
"""The share of previous tokens that are replaced by random ones."""
_NONE = -100
"""The target at positions without a token."""
_VALIDATION_BATCHES, _VALIDATION_ROWS = 4, 16


@dataclass(frozen=True)
class SemanticBatch:
    """A batch. `text` and `history` (B, TEXT_ROOM), whose embeddings are added, and `spoken` (B, S), earlier tokens.

    `targets` (B, S + 1) are the next tokens, -100 where there is none. `spans` (B, S + 1, 2) are the first character of
    each target's word and the one after its last.
    """

    text: Numbers
    history: Numbers
    spoken: Numbers
    targets: Numbers
    spans: Numbers


def batch_of(rows: Sequence[AlignedSentence], histories: Sequence[NDArray[np.int16]], multiple: int) -> SemanticBatch:
    """Return a batch of rows, each with the semantic tokens (H,) of a voice, or with an empty array for no voice.

    S + 1 is a multiple of `multiple`, up to SEMANTIC_ROOM.
    """
    longest = max(len(row.tokens) for row in rows) + 1
    length = min(SEMANTIC_ROOM, -(-longest // multiple) * multiple)
    text = np.full((len(rows), TEXT_ROOM), TEXT_PAD, np.int64)
    history = np.full((len(rows), TEXT_ROOM), SEMANTIC_END, np.int64)
    targets = np.full((len(rows), length), _NONE, np.int64)
    spans = np.zeros((len(rows), length, 2), np.int64)
    for number, (row, voice) in enumerate(zip(rows, histories, strict=True)):
        text[number, : len(row.characters)] = row.characters + TEXT_OFFSET
        history[number, : len(voice[-TEXT_ROOM:])] = voice[-TEXT_ROOM:]
        targets[number, : len(row.tokens)] = row.tokens
        targets[number, len(row.tokens)] = SEMANTIC_END
        spans[number, : len(row.tokens) + 1] = row.spans()
    spoken = np.where(targets == _NONE, SEMANTIC_END, targets)[:, :-1]
    return SemanticBatch(text, history, spoken, targets, spans)


class SemanticJob:
    """Trains a semantic model, for training/loop.py."""

    def __init__(self, size: Size, train: Sentences, valid: Sentences, *, batch: int, device: torch.device) -> None:
        self.module: Any = new_semantic(size)
        align(self.module, _times())
        self._train = train
        self._batch = batch
        self._device = device
        self._run = TransformerRunner(device)
        self._multiple = 160 if device.type == "cuda" else 32  # CUDA compiles every length
        self._validation = [
            self._drawn(valid, np.random.default_rng(seed), _VALIDATION_ROWS) for seed in range(_VALIDATION_BATCHES)
        ]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the loss of the next token plus the loss of the guided heads."""
        batch = self._drawn(self._train, random, self._batch)
        logits, scores = self._outputs(batch, _with_errors(batch.spoken, random))
        targets = to_device(batch.targets, self._device)
        loss = _mean(cross_entropy(logits, targets.clamp(min=0)), targets != _NONE)
        astray = self._guidance_loss(scores, batch)
        tokens = float(batch.text.size + batch.targets.size)
        return loss + _GUIDANCE * astray, {"next": loss.detach(), "astray": astray.detach(), TOKENS: tokens}

    def validate(self) -> dict[str, float]:
        """Return figures on held-out sentences: "loss", and "gap", its increase with another text.

        "phones" is the share of wrong predictions where a new phone starts, after right tokens; "astray" is the loss of
        the guided heads.
        """
        figures = [self._validate(batch) for batch in self._validation]
        return {name: float(np.mean([part[name] for part in figures])) for name in figures[0]}

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise NotLearning if the gap is under LEAST_GAP from step GATE_STEP on."""
        if step >= GATE_STEP and figures["gap"] < LEAST_GAP:
            raise NotLearning(
                f"After {step} steps the semantic model does not read its text: another one costs "
                f"{figures['gap']:.2f} nats, but must cost {LEAST_GAP}. Check the data and the initialisation."
            )

    def _drawn(self, sentences: Sentences, random: np.random.Generator, rows: int) -> SemanticBatch:
        drawn = sentences.draw(random, rows, ends=_ENDS, pairs=_PAIRS)
        voices = random.integers(0, len(sentences.all), rows)
        silent = random.random(rows) >= _WITH_HISTORY
        histories = [
            sentences.all[voice].tokens[: 0 if none else None] for voice, none in zip(voices, silent, strict=True)
        ]
        return batch_of(drawn, histories, self._multiple)

    def _validate(self, batch: SemanticBatch) -> dict[str, float]:
        targets = to_device(batch.targets, self._device)
        known = targets != _NONE
        logits, scores = self._outputs(batch, batch.spoken)
        loss = _mean(cross_entropy(logits, targets.clamp(min=0)), known)
        wrong, _ = self._outputs(replace(batch, text=np.roll(batch.text, 1, 0)), batch.spoken)
        return {
            "loss": float(loss),
            "gap": float(_mean(cross_entropy(wrong, targets.clamp(min=0)), known) - loss),
            "phones": _wrong_phones(logits.float().cpu().numpy(), batch),
            "astray": float(self._guidance_loss(scores, batch)),
        }

    def _outputs(self, batch: SemanticBatch, spoken: Numbers) -> tuple[Tensor, list[Tensor]]:
        """Return logits (B, S + 1, SEMANTIC_OUTPUTS), and the scores of the guided heads, (B, T, T) each."""
        table = self.module.input_embeds_layer
        text, history, ids = (to_device(part, self._device) for part in (batch.text, batch.history, spoken))
        infer = torch.full((len(ids), 1), SEMANTIC_INFER, device=self._device)
        x = torch.cat([table(text) + table(history), table(torch.cat([infer, ids], dim=1))], dim=1)
        hidden, scores = self._run.with_scores(self.module, x, _GUIDED_LAYERS, since=TEXT_ROOM)
        return functional.linear(hidden, self.module.lm_head.weight[:SEMANTIC_OUTPUTS]), scores

    def _guidance_loss(self, scores_of_heads: list[Tensor], batch: SemanticBatch) -> Tensor:
        """Return the loss of the guided heads: the negative logarithm of their attention to the current word."""
        spans, targets = to_device(batch.spans, self._device), to_device(batch.targets, self._device)
        place = torch.arange(TEXT_ROOM, device=self._device)
        inside = (place >= spans[..., :1]) & (place < spans[..., 1:])  # (B, S + 1, room)
        costs = []
        for scores in scores_of_heads:
            spoken = scores[:, TEXT_ROOM:].float()
            word = spoken[..., :TEXT_ROOM].masked_fill(~inside, -1e4)
            costs.append(_mean(spoken.logsumexp(-1) - word.logsumexp(-1), targets != _NONE))
        return torch.stack(costs).mean()


def _mean(values: Tensor, where: Tensor) -> Tensor:
    mean: Tensor = (values * where).sum() / where.sum()
    return mean


def _with_errors(spoken: Numbers, random: np.random.Generator) -> Numbers:
    """Replace some previous tokens by random ones, so that the model relies more on the text."""
    drawn = random.integers(0, SEMANTIC_END, spoken.shape)
    return np.where((random.random(spoken.shape) < _WRONG) & (spoken != SEMANTIC_END), drawn, spoken)


def _wrong_phones(logits: NDArray[np.float32], batch: SemanticBatch) -> float:
    """Return the share of phone starts where the most likely phone, other than the previous one, is wrong."""
    before, after = batch.spoken, batch.targets[:, 1:]
    new = (after < PAUSE_BASE) & (after >= 0) & (after // THIRDS != before // THIRDS)
    rows, places = np.nonzero(new)
    likely = logits[rows, places + 1, :PAUSE_BASE].reshape(len(rows), -1, THIRDS).max(-1)
    old = before[rows, places] // THIRDS
    spoken = old < likely.shape[1]
    likely[spoken, old[spoken]] = -np.inf
    return float((likely.argmax(-1) != after[rows, places] // THIRDS).mean())


def _times() -> Tensor:
    """Return the time of each position of the block in frames: characters at mean speed, then tokens."""
    characters = _FIRST_CHARACTER + torch.arange(TEXT_ROOM) * _EVERY_CHARACTER
    return torch.cat([characters, torch.arange(SEMANTIC_ROOM).float()])
