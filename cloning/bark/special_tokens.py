"""How Bark's causal models are fed: the special tokens and the windows of `generation_config.json`.

Free of torch. The defaults are those of `suno-ai/bark`, which transformers uses too where a key is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from cloning.bark.config import BarkSpec


@dataclass(frozen=True, slots=True)
class Recipe:
    """Special tokens are ids of the vocabulary of the model that they are named for; lengths are in its tokens."""

    text_offset: int
    """What is added to the tokenizer's ids."""
    text_pad: int
    semantic_end: int
    """Ends the speech; it also fills up a short semantic history."""
    semantic_infer: int
    """Stands between what the semantic model is given and what it generates."""
    coarse_pad: int
    """Fills up the semantic tokens that the coarse model is given."""
    coarse_infer: int
    coarse_input: int
    """How many semantic tokens the coarse model is given."""
    coarse_history: int
    """The most coarse tokens that it is given."""
    coarse_window: int
    """How many coarse tokens it generates before it is given everything anew."""

    @classmethod
    def from_config(cls, generation: Mapping[str, Any]) -> Self:
        """The recipe in a checkpoint's generation configuration."""
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

    def fast(self, spec: BarkSpec, block: int) -> Self:
        """The same with the largest windows that fit `block` positions, and a history as long as a window.

        Published: 384 and 384 instead of 630 and 60, which `generate_coarse` of `suno-ai/bark` accepts as well. The
        model is given everything anew a sixth as often, and hears 2.6 s of what came before instead of 4.2 s.
        """
        ratio = spec.frame_rate / spec.semantic_rate * spec.coarse_books
        room = min(block - self.coarse_input, int(self.coarse_input * ratio))
        half = room // 2 - room // 2 % spec.coarse_books
        return replace(self, coarse_history=half, coarse_window=half)
