"""Train the coarse model on windows exactly as `cloning.bark.coarse` builds them.

A window holds the semantic tokens around a position in the speech, the infer token, and the interleaved codes of the
first two books for the frames before the position. In training, the frames after the position follow, and the loss
covers all frames of the window.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from research.bundled.gpt import TransformerRunner, align, cross_entropy, new_coarse, spread_like, to_device
from research.bundled.layout import (
    COARSE_BOOKS,
    COARSE_FRAMES,
    COARSE_FRAMES_AT_ONCE,
    COARSE_FRAMES_BEFORE,
    COARSE_INFER,
    COARSE_OFFSETS,
    COARSE_PAD,
    COARSE_SEMANTIC,
    CODEBOOK_SIZE,
    Size,
)
from research.bundled.phones import SEMANTIC_SIZE
from research.bundled.speech import Joined, Numbers, SpeechTokens, draw_joined
from training.loop import TOKENS, NotLearning

LEAST_GAP = 0.2
"""The minimum increase of the loss, in nats, with wrong semantic tokens; below it, a model does not use them."""
GATE_STEP = 500

_ALONE, _WHOLE_PROMPT = 0.15, 0.7
"""See `draw_joined`."""
_MANY_WRONG, _FEW_WRONG = 0.6, 0.15
"""The shares of wrong coarse tokens after the prompt, of which each row gets one."""
_SHARE_WITH_MANY = 0.3
_WRONG_IN_PROMPT = 0.05
_SHARE_WITH_OWN, _OWN_TEMPERATURE = 0.5, 0.5
"""The share of rows with tokens drawn from the model, and the temperature at which they are drawn."""
_WRONG_SEMANTIC = 0.3
"""The largest share of wrong semantic tokens in a row."""
_VALIDATION_BATCHES, _VALIDATION_ROWS = 4, 16


@dataclass(frozen=True)
class CoarseWindows:
    """A batch of windows: `inputs` (B, COARSE_SEMANTIC + books * frames), and `targets` (B, frames, books), the codes.

    `known` (B, frames) marks the frames that exist, `spoken` (B, frames) those after the prompt.
    """

    inputs: Numbers
    targets: Numbers
    known: NDArray[np.bool_]
    spoken: NDArray[np.bool_]


def windows(speech: SpeechTokens, rows: Joined, done: Numbers) -> CoarseWindows:
    """Return the window at frame `done` (B,) of each row's clip."""
    past = rows.before - (rows.before > 0)  # the engine drops the last frame of a voice's coarse tokens
    places, exists = rows.places(_from(rows.before + done, COARSE_SEMANTIC))
    semantic = np.where(exists, speech.semantic[places], COARSE_PAD)

    frames = _from(past + done, COARSE_FRAMES)
    spoken = frames >= past[:, None]
    places, exists = rows.places(frames + spoken * (rows.before - past)[:, None])
    codes = speech.codes_at(places, ~spoken, COARSE_BOOKS)
    tokens = (codes + COARSE_OFFSETS).reshape(len(done), -1)
    infer = np.full((len(done), 1), COARSE_INFER)
    return CoarseWindows(np.concatenate([semantic, infer, tokens[:, :-1]], axis=1), codes, exists, spoken & exists)


def _from(place: Numbers, count: int) -> Numbers:
    """Return the frame numbers (B, count) of the first `count` frames of the windows at frames `place` (B,)."""
    return np.maximum(0, place - COARSE_FRAMES_BEFORE)[:, None] + np.arange(count)


def draw_windows(speech: SpeechTokens, random: np.random.Generator, rows: int) -> tuple[Joined, Numbers]:
    """Draw rows, and for each the frame of its window: a multiple of COARSE_FRAMES_AT_ONCE, (B,)."""
    joined = draw_joined(speech, random, rows, most_before=COARSE_FRAMES_BEFORE, alone=_ALONE, whole=_WHOLE_PROMPT)
    turns = -(-joined.length // COARSE_FRAMES_AT_ONCE)
    return joined, (random.random(rows) * turns).astype(np.int64) * COARSE_FRAMES_AT_ONCE


def spoil(batch: CoarseWindows, random: np.random.Generator) -> Numbers:
    """Return the inputs with some coarse and semantic tokens replaced; after the prompt, few or many by row.

    From correct previous tokens only, a model would learn to continue them without using the prompt.
    """
    inputs, rows = batch.inputs, len(batch.inputs)
    share = np.where(random.random((rows, 1)) < _SHARE_WITH_MANY, _MANY_WRONG, _FEW_WRONG)
    coarse = inputs[:, COARSE_SEMANTIC + 1 :]
    offsets = np.resize(COARSE_OFFSETS, coarse.shape[1])
    drawn = random.integers(0, CODEBOOK_SIZE, coarse.shape) + offsets
    semantic = inputs[:, :COARSE_SEMANTIC]
    share_of_semantic = _WRONG_SEMANTIC * random.random((rows, 1)) ** 4  # mostly near zero
    wrong = (random.random(semantic.shape) < share_of_semantic) & (semantic != COARSE_PAD)
    return np.concatenate(
        [
            np.where(wrong, random.integers(0, SEMANTIC_SIZE, semantic.shape), semantic),
            inputs[:, COARSE_SEMANTIC : COARSE_SEMANTIC + 1],
            np.where(random.random(coarse.shape) < np.where(_spoken(batch), share, _WRONG_IN_PROMPT), drawn, coarse),
        ],
        axis=1,
    )


def mix_in(inputs: Numbers, drawn: Numbers, spoken: NDArray[np.bool_], random: np.random.Generator) -> Numbers:
    """Return inputs with a random share of each row's `spoken` coarse tokens replaced by `drawn` codes.

    drawn: (B, frames, books), for the targets. spoken: (B, books * frames - 1).
    """
    coarse = inputs[:, COARSE_SEMANTIC + 1 :]
    replaced = (random.random(coarse.shape) < random.random((len(coarse), 1))) & spoken
    tokens = (drawn + COARSE_OFFSETS).reshape(len(coarse), -1)[:, :-1]
    return np.concatenate([inputs[:, : COARSE_SEMANTIC + 1], np.where(replaced, tokens, coarse)], axis=1)


def window_losses(
    module: Any, run: TransformerRunner, inputs: Numbers, targets: Numbers, device: torch.device
) -> Tensor:
    """Return a coarse model's loss in nats for each target of CoarseWindows, (B, frames, books)."""
    wanted = to_device(targets, device)
    logits = window_logits(module, run, inputs, device)
    return torch.stack([cross_entropy(one, wanted[..., book]) for book, one in enumerate(logits)], dim=-1)


def window_logits(module: Any, run: TransformerRunner, inputs: Numbers, device: torch.device) -> list[Tensor]:
    """Return a coarse model's logits for the targets of CoarseWindows: (B, frames, entries) of each book."""
    ids = to_device(inputs, device)
    hidden = run(module, module.input_embeds_layer(ids), causal=True, since=COARSE_SEMANTIC)
    hidden = hidden.reshape(len(ids), COARSE_FRAMES, COARSE_BOOKS, -1)
    return [
        functional.linear(hidden[:, :, book], module.lm_head.weight[_entries(book)]) for book in range(COARSE_BOOKS)
    ]


class CoarseJob:
    """Trains a coarse model, for training/loop.py. `codebooks` (books, entries, latent): the vectors of the codes."""

    def __init__(
        self,
        size: Size,
        train: SpeechTokens,
        valid: SpeechTokens,
        codebooks: Tensor,
        *,
        batch: int,
        device: torch.device,
    ) -> None:
        self.module: Any = new_coarse(size)
        align(self.module, _times())
        for book in range(COARSE_BOOKS):
            spread_like(self.module.input_embeds_layer.weight[_entries(book)], codebooks[book])
        self._train = train
        self._batch = batch
        self._device = device
        self._run = TransformerRunner(device)
        self._validation = [_validation_batch(valid, seed) for seed in range(_VALIDATION_BATCHES)]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the mean loss of both books, on inputs with some replaced tokens."""
        batch = windows(self._train, *draw_windows(self._train, random, self._batch))
        inputs = self._with_own_tokens(spoil(batch, random), _spoken(batch), random)
        first, second = self._means(self._losses(inputs, batch.targets), batch.known)
        loss = (first + second) / 2
        return loss, {"book 1": first.detach(), "book 2": second.detach(), TOKENS: float(batch.inputs.size)}

    def validate(self) -> dict[str, float]:
        """Return the losses on held-out clips, and the increase of book 1's loss with wrong inputs.

        "gap" is the increase with another row's semantic tokens, "voice gap" that with another row's prompt, on the
        frames after the prompt.
        """
        figures = [self._validate(true, other) for true, other in self._validation]
        return {name: float(np.mean([part[name] for part in figures])) for name in figures[0]}

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise NotLearning if the gap is under LEAST_GAP from step GATE_STEP on."""
        if step >= GATE_STEP and figures["gap"] < LEAST_GAP:
            raise NotLearning(
                f"After {step} steps the coarse model ignores its semantic tokens: wrong ones cost "
                f"{figures['gap']:.2f} nats, but must cost {LEAST_GAP}. Check the data and the initialisation."
            )

    def _validate(self, true: CoarseWindows, other: CoarseWindows) -> dict[str, float]:
        semantic = np.roll(true.inputs[:, :COARSE_SEMANTIC], 1, axis=0)
        wrong_inputs = np.concatenate([semantic, true.inputs[:, COARSE_SEMANTIC:]], axis=1)
        losses = self._losses(true.inputs, true.targets)
        first, second = self._means(losses, true.known)
        wrong, _ = self._means(self._losses(wrong_inputs, true.targets), true.known)
        own, _ = self._means(losses, true.spoken)
        others, _ = self._means(self._losses(other.inputs, true.targets), true.spoken)
        return {
            "loss": float(first + second) / 2,
            "book 1": float(first),
            "book 2": float(second),
            "gap": float(wrong - first),
            "voice gap": float(others - own),
        }

    def _with_own_tokens(self, inputs: Numbers, spoken: NDArray[np.bool_], random: np.random.Generator) -> Numbers:
        """Return the inputs with tokens drawn from the model after the prompts of some rows.

        In use, all tokens after the prompt are drawn from the model, and they drift away from the prompt's voice.
        """
        rows = np.flatnonzero(random.random(len(inputs)) < _SHARE_WITH_OWN)
        if not len(rows):
            return inputs
        with torch.no_grad():
            logits = torch.stack(window_logits(self.module, self._run, inputs[rows], self._device), dim=2).float()
            noise = -torch.empty_like(logits).exponential_().log()  # the index of the largest sum is a sample (Gumbel)
            drawn = (logits / _OWN_TEMPERATURE + noise).argmax(-1).cpu().numpy()
        mixed = inputs.copy()
        mixed[rows] = mix_in(inputs[rows], drawn, spoken[rows], random)
        return mixed

    def _losses(self, inputs: Numbers, targets: Numbers) -> Tensor:
        return window_losses(self.module, self._run, inputs, targets, self._device)

    def _means(self, losses: Tensor, where: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Average losses (B, frames, books) over frames (B, frames) for each book."""
        weights = to_device(where, self._device)[..., None] / where.sum()
        first, second = (losses * weights).sum((0, 1))
        return first, second


def _entries(book: int) -> slice:
    """Return the range of a book's tokens."""
    begin = SEMANTIC_SIZE + book * CODEBOOK_SIZE
    return slice(begin, begin + CODEBOOK_SIZE)


def _spoken(batch: CoarseWindows) -> NDArray[np.bool_]:
    """Return which of the coarse input tokens (B, books * frames - 1) come after the prompt."""
    return np.repeat(batch.spoken, COARSE_BOOKS, axis=1)[:, :-1]


def _times() -> Tensor:
    """Return the time of each position of the block in frames: that of a coarse position is the frame of its target."""
    behind = torch.arange(COARSE_BOOKS * COARSE_FRAMES) // COARSE_BOOKS
    last = behind[-1:] + 1  # a position of the block that is never used
    return torch.cat([torch.arange(COARSE_SEMANTIC), behind, last]).float()


def _validation_batch(speech: SpeechTokens, seed: int) -> tuple[CoarseWindows, CoarseWindows]:
    """Return the same windows with their own prompts and with the prompts of other rows."""
    rows, done = draw_windows(speech, np.random.default_rng(seed), _VALIDATION_ROWS)
    ends = np.roll(rows.past + rows.before, 1)
    return windows(speech, rows, done), windows(speech, replace(rows, past=np.maximum(0, ends - rows.before)), done)
