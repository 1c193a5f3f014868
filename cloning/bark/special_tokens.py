"""The input format of Bark's causal models: the special tokens and windows of `generation_config.json`.

Does not import torch. The defaults are those of `suno-ai/bark`, which transformers also uses for missing keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from cloning.bark.config import BarkSpec
from cloning.bark.windows import Windows
from errors import ModelUnavailable


def refuse_beyond(vocabulary: int, model: str, *ids: int, source: str = "configuration") -> None:
    """Raise Unavailable unless all `ids`, which its `source` names, are among the `vocabulary` tokens of a model."""
    if not all(0 <= one < vocabulary for one in ids):
        raise ModelUnavailable(
            f"This Bark checkpoint contradicts itself: its {model} model has {vocabulary} tokens, and its {source} "
            "names others. Download the model again."
        )


@dataclass(frozen=True, slots=True)
class InputLayout:
    """Special tokens are ids in the vocabulary of the model that they are named for; lengths are in its tokens."""

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
