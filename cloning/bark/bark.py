"""Bark, the speech engine.

In float32 and at temperature 0 its tokens equal those of transformers' BarkModel and of `suno-ai/bark`. On a CPU the
tokens of an utterance do not depend on what is generated beside it; on a GPU the last bit of a sum may.
"""

import logging
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, as_completed, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from cloning.bark.config import BarkSpec, Windows, read_json
from cloning.bark.engine import Generated, GenerationOptions, Utterance
from cloning.bark.linear import halve, quantise
from cloning.bark.precision import Precision, memory_of, refuse_too_large, refuse_unsupported
from cloning.bark.scheduler import Decode, DecodeTogether, Generation, Scheduler, Stages
from cloning.checkpoints.libraries import transformers
from cloning.checkpoints.weights import load_bark
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from errors import ModelUnavailable

_log = logging.getLogger(__name__)

_OF_IMPOSSIBLE_VALUES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions of reading a configuration with values of other types, or beyond the model's."""


class BarkEngine:
    """Implements `cloning.bark.engine.SpeechEngine`. Takes over the matrices of `model`, which becomes unusable.

    batch: the number of windows that are generated at once. windows: see `Stages`. decode_together: the codec for
    several windows at once, if that is faster. refined_together: the number of windows that share a pass of the fine
    stage; by default one on a CPU, where sharing only adds latency.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        decode: Decode,
        *,
        batch: int,
        windows: Windows = Windows.EXACT,
        decode_together: DecodeTogether | None = None,
        refined_together: int | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._stages = Stages(model, self._text_tokens, decode_together or _one_by_one(decode), windows)
        alone = self._stages.fine.transformer.device.type == "cpu"
        self._scheduler = Scheduler(self._stages, batch, refined_together or (1 if alone else batch))

    @classmethod
    def load(
        cls,
        directory: Path,
        *,
        precision: Precision,
        device: torch.device,
        decode: Decode,
        batch: int,
        windows: Windows = Windows.EXACT,
        decode_together: DecodeTogether | None = None,
    ) -> "BarkEngine":
        """Load a checkpoint in the hub's layout.

        Raises Unavailable that names what is missing or damaged, or the setting to change if this machine cannot run
        it.
        """
        refuse_unsupported(precision, device)
        with _impossible_values_named(directory):
            plan = precision.plan(read_json(directory / "config.json"), batch)
        refuse_too_large(plan, memory_of(device), batch=batch, precision=precision)
        _log.info(
            "Bark takes %d MB for its weights in %s, and up to %d MB while it generates %d sentences at once",
            plan.weights // 2**20,
            precision.name,
            plan.caches // 2**20,
            batch,
        )
        model = load_bark(directory, precision.dtype, device)
        if precision.is_int8:
            quantise(model)
        elif precision.has_half_matrices:
            halve(model)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnavailable(
                f"The tokenizer in {directory} is missing or damaged; download the model again."
            ) from error
        with _impossible_values_named(directory):
            engine = cls(model, tokenizer, decode, batch=batch, windows=windows, decode_together=decode_together)
            engine._stages.semantic.refuse_text_beyond(max(tokenizer.get_vocab().values(), default=0))
        return engine

    @property
    def spec(self) -> BarkSpec:
        """The checkpoint's rates, vocabularies and lengths."""
        return self._stages.spec

    def count_text_tokens(self, text: str) -> int:
        """Return the number of text tokens of `text`; `spec.max_text_tokens` fit one window."""
        return len(self._text_tokens(text))

    def semantic(
        self, text: str, history: VoicePrompt | None, options: GenerationOptions, reporter: ProgressReporter
    ) -> Tokens:
        """Run the first stage alone: semantic tokens, int64 (S,), S >= 0. Raises InvalidInput for a text too long."""
        generation = Generation(Utterance(text, history, options, reporter), object(), semantic_only=True)
        with self._submitted([generation]):
            return generation.result.result().prompt.semantic

    def generate(
        self, text: str, history: VoicePrompt | None, options: GenerationOptions, reporter: ProgressReporter
    ) -> Generated:
        """Speak `text` in the voice of `history`, or in a random voice. See `SpeechEngine.generate`."""
        return self.generate_many([Utterance(text, history, options, reporter)])[0]

    def generate_many(self, utterances: Sequence[Utterance]) -> list[Generated]:
        """Speak several windows together. See `SpeechEngine.generate_many`."""
        done = dict(self.generate_each(utterances))
        return [done[index] for index in range(len(utterances))]

    def generate_each(self, utterances: Sequence[Utterance]) -> Generator[tuple[int, Generated], None, None]:
        """Speak several windows together, and yield each as it is done. See `SpeechEngine.generate_each`."""
        party = object()
        generations = [Generation(utterance, party) for utterance in utterances]
        places = {generation.result: index for index, generation in enumerate(generations)}
        with self._submitted(generations) as results:
            for result in results:
                yield places[result], result.result()

    @contextmanager
    def _submitted(self, generations: list[Generation]) -> Iterator[Iterator[Future[Generated]]]:
        """Submit the generations and yield their results as they are done. On exit, the unfinished are dropped."""
        results = [generation.result for generation in generations]
        try:
            for generation in generations:
                self._scheduler.submit(generation)
            yield as_completed(results)
        finally:
            for generation in generations:
                generation.dropped.set()
            wait(results)

    def _text_tokens(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens


def _one_by_one(decode: Decode) -> DecodeTogether:
    return lambda codes: [decode(one) for one in codes]


@contextmanager
def _impossible_values_named(directory: Path) -> Iterator[None]:
    try:
        yield
    except _OF_IMPOSSIBLE_VALUES as error:
        raise ModelUnavailable(
            f"The configuration in {directory} has values that no Bark can have ({type(error).__name__}: {error}); "
            "download the model again."
        ) from error
