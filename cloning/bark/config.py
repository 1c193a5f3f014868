"""Read the configuration of a Bark checkpoint from its two JSON files, for any size of model.

Does not import torch. The defaults are those of `suno/bark`, which transformers also uses for missing keys.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cloning.prompt import PromptSpec
from errors import ModelUnavailable

TEMPERATURES = (0.7, 0.7, 0.5)
"""Those of `suno-ai/bark`'s `generate_audio`, and of `suno/bark` and `suno/bark-small`."""
_STAGES = ("semantic_config", "coarse_acoustics_config", "fine_acoustics_config")


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
            width=max((config.get(stage) or {}).get("hidden_size", 768) for stage in _STAGES),
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
        if self.max_semantic_tokens < 1:
            raise ModelUnavailable(
                "This Bark checkpoint has no room for speech after the text. Download the model again."
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
