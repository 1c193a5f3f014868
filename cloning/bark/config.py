"""Read the configuration of a Bark checkpoint from its two JSON files, for any size of model: rates, sizes, the input
of its causal models, and their windows.

Does not import torch. The defaults are those of `suno/bark` and its code, which transformers also uses for missing
keys.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Self

from cloning.prompt import PromptSpec
from errors import ModelUnavailable

TEMPERATURES = (0.7, 0.7, 0.5)
"""Those of `suno-ai/bark`'s `generate_audio`, and of `suno/bark` and `suno/bark-small`."""
STAGES = ("semantic_config", "coarse_acoustics_config", "fine_acoustics_config")


@dataclass(frozen=True, slots=True)
class BarkSpec:
    """Rates (per second), vocabularies (sizes) and lengths (tokens or frames) of one checkpoint."""

    sample_rate: int
    codebook_size: int
    semantic_vocab: int
    semantic_rate: float
    frame_rate: float
    coarse_books: int
    fine_books: int
    max_text_tokens: int
    max_semantic_tokens: int
    """The maximum number of semantic tokens of one window of speech."""
    max_fine_history: int
    max_fine_input: int
    width: int
    """The largest hidden width of the three models."""
    languages: tuple[str, ...] = ()
    """The languages whose letters the model reads, ISO 639-1, from the key `languages`; () if it is missing."""
    temperatures: tuple[float, float, float] = TEMPERATURES
    """The temperatures of the semantic, coarse and fine stage, unless a request has one."""
    envelope_correction: float = 0.0
    """The strength of `cloning.envelope`, from the key `envelope_correction`; 0: speech is not corrected."""

    @classmethod
    def from_directory(cls, directory: Path) -> Self:
        """Read `config.json` and `generation_config.json`. Raises Unavailable if they are missing or contradictory."""
        return cls.from_configs(read_json(directory / "config.json"), read_json(directory / "generation_config.json"))

    @classmethod
    def from_configs(cls, config: Mapping[str, Any], generation: Mapping[str, Any]) -> Self:
        """Build the spec from a checkpoint's configuration. Raises Unavailable if it is contradictory."""
        semantic = generation.get("semantic_config") or {}
        coarse = generation.get("coarse_acoustics_config") or {}
        fine = generation.get("fine_acoustics_config") or {}
        codec = config.get("codec_config") or {}
        block = (config.get("semantic_config") or {}).get("block_size", 1024)
        max_text = semantic.get("max_input_semantic_length", 256)
        spec = cls(
            sample_rate=codec.get("sampling_rate", 24_000),
            codebook_size=generation.get("codebook_size", 1024),
            semantic_vocab=semantic.get("semantic_vocab_size", 10_000),
            semantic_rate=semantic.get("semantic_rate_hz", 49.9),
            frame_rate=float(coarse.get("coarse_rate_hz", 75)),
            coarse_books=coarse.get("n_coarse_codebooks", 2),
            fine_books=fine.get("n_fine_codebooks", 8),
            max_text_tokens=max_text,
            # The text and one infer token come first; the last token is drawn but never read again.
            max_semantic_tokens=min(semantic.get("max_new_tokens", 768), block - max_text),
            max_fine_history=fine.get("max_fine_history_length", 512),
            max_fine_input=fine.get("max_fine_input_length", 1024),
            languages=tuple(generation.get("languages") or ()),
            temperatures=(
                semantic.get("temperature", TEMPERATURES[0]),
                coarse.get("temperature", TEMPERATURES[1]),
                fine.get("temperature", TEMPERATURES[2]),
            ),
            envelope_correction=generation.get("envelope_correction", 0.0),
            width=max((config.get(stage) or {}).get("hidden_size", 768) for stage in STAGES),
        )
        spec._check(codec, (config.get("fine_acoustics_config") or {}).get("block_size", 1024))
        return spec

    @property
    def prompt(self) -> PromptSpec:
        """The shape of a voice prompt for this checkpoint."""
        return PromptSpec(
            semantic_vocab=self.semantic_vocab,
            coarse_books=self.coarse_books,
            fine_books=self.fine_books,
            codebook_size=self.codebook_size,
            semantic_rate=self.semantic_rate,
            frame_rate=self.frame_rate,
        )

    def frames(self, semantic_tokens: int) -> int:
        """Return the number of codec frames of `semantic_tokens`, rounded down as in Suno's generation and presets."""
        return math.floor(round(semantic_tokens * self.frame_rate / self.semantic_rate, 6))

    def semantic_tokens_within(self, frames: int) -> int:
        """Return the maximum number of semantic tokens with at most `frames` frames."""
        return math.ceil(round((frames + 1) * self.semantic_rate / self.frame_rate, 6)) - 1

    @property
    def window_seconds(self) -> float:
        """The longest speech of one generation, less a seventh for pauses: 13.2 s where Suno recommends 13."""
        return self.max_semantic_tokens / self.semantic_rate * 6 / 7

    def semantic_tokens(self, seconds: float) -> int:
        """Return the number of semantic tokens in `seconds` of speech, at least one and at most a window."""
        return max(1, min(self.max_semantic_tokens, math.floor(seconds * self.semantic_rate)))

    def _check(self, codec: Mapping[str, Any], fine_block: int) -> None:
        if not 1 <= self.max_fine_history < self.max_fine_input <= fine_block:
            raise ModelUnavailable(
                f"This Bark checkpoint contradicts itself: its fine model has {fine_block} positions, and is to read "
                f"{self.max_fine_input} at once, {self.max_fine_history} of them again. Download the model again."
            )
        if not 1 <= self.semantic_rate <= 1000:
            raise ModelUnavailable(
                "This Bark checkpoint has a rate of semantic tokens that is not from 1 to 1000 a second. Download the "
                "model again."
            )
        if min(self.semantic_vocab, self.codebook_size, self.coarse_books, self.max_text_tokens) < 1:
            raise ModelUnavailable(
                "This Bark checkpoint has no tokens, no codebooks or no room for text. Download the model again."
            )
        hop = math.prod(codec.get("upsampling_ratios", (8, 5, 4, 2)))
        if self.sample_rate / hop != self.frame_rate:
            raise ModelUnavailable(
                f"This Bark checkpoint contradicts itself: its codec has {self.sample_rate / hop:g} frames a second, "
                f"its coarse model {self.frame_rate:g}. Download the model again."
            )
        if not all(isinstance(one, int | float) and 0 <= one <= 2 for one in self.temperatures):
            raise ModelUnavailable(
                "This Bark checkpoint has a temperature that is no number from 0 to 2. Download the model again."
            )
        if not isinstance(self.envelope_correction, int | float) or not 0 <= self.envelope_correction <= 5:
            raise ModelUnavailable(
                "This Bark checkpoint has an envelope_correction that is no number from 0 to 5. Download the model "
                "again."
            )
        if self.max_semantic_tokens < 1:
            raise ModelUnavailable(
                "This Bark checkpoint has no room for speech after the text. Download the model again."
            )


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of one of Bark's three models. `block` is the maximum number of positions."""

    layers: int
    heads: int
    width: int
    block: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read a sub-model's configuration. The defaults are transformers'."""
        return cls(
            layers=config.get("num_layers", 12),
            heads=config.get("num_heads", 12),
            width=config.get("hidden_size", 768),
            block=config.get("block_size", 1024),
        )

    @property
    def head_width(self) -> int:
        """Channels of an attention head."""
        return self.width // self.heads

    @property
    def matrices(self) -> int:
        """The number of values in the matrices of its blocks."""
        return 12 * self.layers * self.width**2

    @property
    def cache(self) -> int:
        """The number of values in the keys and values of one row."""
        return 2 * self.layers * self.block * self.width


class Windows(Enum):
    """What is read for one window of the coarse and the fine stage, and how many tokens it generates."""

    EXACT = "exact"
    """As in `suno-ai/bark`."""
    LONG = "long"
    """With the same history, but a coarse window fills the model's positions."""
    SHORT_HISTORY = "short history"
    """Coarse windows are as long as their history, which is shorter. Fine ones read half as much of the voice, and end
    with the text instead of being filled up."""


@dataclass(frozen=True, slots=True)
class InputLayout:
    """The input of the causal models. Special tokens are ids in the vocabulary of the model that they are named for;
    lengths are in its tokens.
    """

    text_offset: int
    """The offset of the tokenizer's ids."""
    text_pad: int
    semantic_end: int
    """Ends the speech; also pads a short semantic history."""
    semantic_infer: int
    """Separates the semantic model's input from its output."""
    coarse_pad: int
    """Pads the coarse model's semantic tokens."""
    coarse_infer: int
    coarse_input: int
    """The number of semantic tokens in the coarse model's input."""
    coarse_history: int
    """The maximum number of coarse tokens in its input."""
    coarse_window: int
    """The number of coarse tokens that it generates before its input is rebuilt."""

    @classmethod
    def from_config(cls, generation: Mapping[str, Any]) -> Self:
        """Read the layout from a checkpoint's generation configuration."""
        semantic = generation.get("semantic_config") or {}
        coarse = generation.get("coarse_acoustics_config") or {}
        return cls(
            text_offset=semantic.get("text_encoding_offset", 10_048),
            text_pad=semantic.get("text_pad_token", 129_595),
            semantic_end=semantic.get("eos_token_id", 10_000),
            semantic_infer=semantic.get("semantic_infer_token", 129_599),
            coarse_pad=coarse.get("coarse_semantic_pad_token", 12_048),
            coarse_infer=coarse.get("coarse_infer_token", 12_050),
            coarse_input=coarse.get("max_coarse_input_length", 256),
            coarse_history=coarse.get("max_coarse_history", 630),
            coarse_window=coarse.get("sliding_window_len", 60),
        )

    def with_windows(self, windows: Windows, spec: BarkSpec, block: int) -> Self:
        """Return the layout for such windows in a coarse model of `block` positions.

        Of the published models, with history and window of 630 and 60: LONG 630 and 138, so that the model's input is
        rebuilt half as often; SHORT_HISTORY 384 and 384, a sixth as often, with 2.6 s of history instead of 4.2 s.
        `generate_coarse` of `suno-ai/bark` accepts these too. No window is longer than the semantic tokens it reads.

        Raises Unavailable for lengths that do not fit into the positions.
        """
        self._check(block)
        ratio = spec.frame_rate / spec.semantic_rate * spec.coarse_books
        room = min(block - self.coarse_input, int(self.coarse_input * ratio))
        if windows is Windows.LONG:
            rest = room - self.coarse_history
            return replace(self, coarse_window=max(self.coarse_window, rest - rest % spec.coarse_books))
        if windows is Windows.SHORT_HISTORY:
            half = room // 2 - room // 2 % spec.coarse_books
            return replace(self, coarse_history=half, coarse_window=half)
        return self

    def _check(self, block: int) -> None:
        lengths = (self.coarse_input, self.coarse_history, self.coarse_window)
        if min(lengths) < 1 or sum(lengths) > block:
            raise ModelUnavailable(
                f"This Bark checkpoint contradicts itself: its coarse model has {block} positions for "
                f"{self.coarse_input} semantic tokens, a history of {self.coarse_history} tokens and a window of "
                f"{self.coarse_window}. Download the model again."
            )


def pick_windows(preset: str, dtype: str, device: str) -> Windows:
    """Return the windows of a preset (auto, exact, fast) and a precision in the settings, on a device of torch's kind.

    auto is LONG, which was measured to speak as well (docs/operations.md), but EXACT with float32, whose tokens are
    Suno's, and on a GPU, where it was not measured.
    """
    if preset == "auto":
        return Windows.LONG if device == "cpu" and dtype != "float32" else Windows.EXACT
    return Windows.SHORT_HISTORY if preset == "fast" else Windows.EXACT


def refuse_beyond(vocabulary: int, model: str, *ids: int, source: str = "configuration") -> None:
    """Raise Unavailable unless all `ids`, which its `source` names, are among the `vocabulary` tokens of a model."""
    if not all(0 <= one < vocabulary for one in ids):
        raise ModelUnavailable(
            f"This Bark checkpoint contradicts itself: its {model} model has {vocabulary} tokens, and its {source} "
            "names others. Download the model again."
        )


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a configuration file. Raises Unavailable if it is missing or not a configuration."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelUnavailable(f"The model file {path} is missing; download the model again.") from error
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"The model file {path} cannot be read; download the model again.") from error
    if not isinstance(body, dict):
        raise ModelUnavailable(f"The model file {path} is not a configuration; download the model again.")
    return body
