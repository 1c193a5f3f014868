"""Bark, the engine that speaks.

Exact: in float32 and at temperature 0 its tokens are those of transformers' BarkModel and of `suno-ai/bark`. On a CPU
an utterance's tokens do not depend on what is generated beside it; on a GPU the last bit of a sum may. Knows nothing of
sentences.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from pathlib import Path
from typing import Any

import torch

from cloning.bark.config import BarkSpec, read_json
from cloning.bark.engine import Generated, GenerationOptions, Utterance
from cloning.bark.scheduler import Scheduler
from cloning.bark.shape import MemoryPlan
from cloning.bark.stages import Decode, Order, Stages
from cloning.checkpoints import load_bark
from cloning.libraries import transformers
from cloning.prompt import Tokens, VoicePrompt
from cloning.watch import Watch
from errors import Unavailable

_log = logging.getLogger(__name__)


class BarkEngine:
    """Implements `cloning.bark.engine.SpeechEngine`. Takes the matrices of `model`, which is of no use afterwards.

    batch: how many windows are generated at once. fast: see `Recipe.fast`; its tokens are others than the reference's.
    """

    def __init__(self, model: Any, tokenizer: Any, decode: Decode, *, batch: int, fast: bool = False) -> None:
        self._tokenizer = tokenizer
        self._stages = Stages(model, self._text_tokens, decode, fast=fast)
        self._scheduler = Scheduler(self._stages, batch)

    @classmethod
    def load(
        cls,
        directory: Path,
        *,
        dtype: torch.dtype,
        device: torch.device,
        decode: Decode,
        batch: int,
        fast: bool = False,
    ) -> "BarkEngine":
        """Load a checkpoint in the hub's layout. Raises Unavailable that names what is missing or damaged."""
        plan = MemoryPlan.for_bark(read_json(directory / "config.json"), batch=batch, itemsize=dtype.itemsize)
        _log.info(
            "Bark takes %d MB for its weights, and up to %d MB while it generates %d sentences at once",
            plan.weights // 2**20,
            plan.caches // 2**20,
            batch,
        )
        model = load_bark(directory, dtype, device)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
        except (OSError, ValueError, KeyError) as fault:
            raise Unavailable(
                f"The tokenizer in {directory} is missing or damaged; download the model again."
            ) from fault
        return cls(model, tokenizer, decode, batch=batch, fast=fast)

    @property
    def spec(self) -> BarkSpec:
        """The checkpoint's rates, vocabularies and lengths."""
        return self._stages.spec

    def count_text_tokens(self, text: str) -> int:
        """How many text tokens `text` has; `spec.max_text_tokens` fit one window."""
        return len(self._text_tokens(text))

    def semantic(self, text: str, history: VoicePrompt | None, options: GenerationOptions, watch: Watch) -> Tokens:
        """The first stage alone: semantic tokens, int64 (S,), S may be 0. Raises InvalidInput for a text too long."""
        order = Order(Utterance(text, history, options, watch), object(), semantic_only=True)
        return self._collect([order])[0].prompt.semantic

    def generate(self, text: str, history: VoicePrompt | None, options: GenerationOptions, watch: Watch) -> Generated:
        """Speak `text` in the voice of `history`, or in any voice. See `SpeechEngine.generate`."""
        return self.generate_many([Utterance(text, history, options, watch)])[0]

    def generate_many(self, utterances: Sequence[Utterance]) -> list[Generated]:
        """Speak several windows together. See `SpeechEngine.generate_many`."""
        party = object()
        return self._collect([Order(utterance, party) for utterance in utterances])

    def _collect(self, orders: list[Order]) -> list[Generated]:
        """Have the orders done. Whatever goes wrong with one, or here, the others are dropped, and have ended then."""
        results = [order.result for order in orders]
        try:
            for order in orders:
                self._scheduler.submit(order)
            wait(results, return_when=FIRST_EXCEPTION)
            for result in results:
                if result.done():
                    result.result()
            return [result.result() for result in results]
        finally:
            for order in orders:
                order.dropped.set()
            wait(results)

    def _text_tokens(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens
