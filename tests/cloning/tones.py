"""A stand-in for Bark that hums, for the tests of everything above the engine."""

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from cloning.bark.config import BarkSpec
from cloning.bark.engine import Generated, GenerationOptions, Samples, Utterance
from cloning.checkpoints.model_choice import ModelChoice
from cloning.model_set import LoadedModels
from cloning.pipeline import SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt

SPEC = BarkSpec.from_configs({}, {})


class ToneEngine:
    """A SpeechEngine that hums for as long as the text takes, and remembers what it was asked."""

    spec = SPEC

    def __init__(self, silent_takes: int = 0) -> None:
        self.asked: list[tuple[str, VoicePrompt | None, GenerationOptions]] = []
        self._silent_takes = silent_takes

    def count_text_tokens(self, text: str) -> int:
        return len(text.replace("\u200b", "").split())

    def semantic(
        self, text: str, history: VoicePrompt | None, options: GenerationOptions, reporter: ProgressReporter
    ) -> Tokens:
        self.asked.append((text, history, options))
        return np.arange(min(80, options.max_semantic_tokens or 80))

    def generate(
        self, text: str, history: VoicePrompt | None, options: GenerationOptions, reporter: ProgressReporter
    ) -> Generated:
        self.asked.append((text, history, options))
        reporter.report("humming", 0.5)
        tokens = min(len(text) * 2, options.max_semantic_tokens or 768)
        frames = SPEC.frames(tokens)
        random = np.random.default_rng(options.seed)
        fine = random.integers(0, 1024, (8, frames))
        samples = random.normal(0, 0.1, frames * 320).astype(np.float32)
        if len(self.asked) <= self._silent_takes:
            samples[:] = 0
        return Generated(VoicePrompt(random.integers(0, 10_000, tokens), fine[:2], fine), samples)

    def generate_each(self, utterances: Sequence[Utterance]) -> Generator[tuple[int, Generated], None, None]:
        for index, wanted in enumerate(utterances):
            yield index, self.generate(wanted.text, wanted.history, wanted.options, wanted.reporter)

    def generate_many(self, utterances: Sequence[Utterance]) -> list[Generated]:
        return [self.generate(wanted.text, wanted.history, wanted.options, wanted.reporter) for wanted in utterances]


class ToneCodec:
    """A codec as far as takes are compared with a voice: whatever the tokens, one humming."""

    def decode(self, codes: Tokens) -> Samples:
        time = np.arange(codes.shape[1] * 320) / 24_000
        return np.asarray(0.3 * np.sin(2 * np.pi * 150 * time), np.float32)


def pipeline(engine: ToneEngine, model: Path | None = None, *, watermark: bool = False) -> SpeechPipeline:
    """Speaks with `engine`. model: where all else comes from; without it there is only a codec, and that hums too."""
    models = LoadedModels(ModelChoice(model=str(model or "tones"), device="cpu"))
    models.engine = engine
    if model is None:
        models.codec = ToneCodec()  # type: ignore[assignment]  # what speaking uses of it
    return SpeechPipeline(models, watermark=watermark)


def a_voice() -> VoicePrompt:
    return VoicePrompt(np.arange(100), np.zeros((2, 150), np.int64), np.zeros((8, 150), np.int64))
