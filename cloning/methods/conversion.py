"""Clone by conversion: Bark speaks in a random voice, and a converter changes that speech to the clip's voice."""

from typing import TYPE_CHECKING

import numpy as np

from cloning.bark.engine import Generated, GenerationOptions
from cloning.media import audio
from cloning.media.audio import Recording
from cloning.methods.converters import convert, load_converter
from cloning.methods.subject import ClonedPrompt, Subject, codes_of, prompt_of, seed_of
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from cloning.sentences import ENOUGH_SECONDS, pieces_of
from cloning.text import durations
from cloning.text.passages import PASSAGES
from errors import Unavailable

if TYPE_CHECKING:
    from cloning.model_set import LoadedModels  # imports torch, which the list of methods does not need

CONVERTED = "converting the voice"
"""The name of the stage, as members see it."""


def by_conversion(models: "LoadedModels", subject: Subject, reporter: ProgressReporter) -> ClonedPrompt:
    """Make a prompt from Bark's own speech, converted to the clip's voice: the tokens match, the voice is close.

    Bark says the clip's words if they are known, else a passage in its language. The result is as good as the
    converter; neither HuBERT nor a quantizer is needed.
    """
    converter = load_converter(subject.converter)  # Before generation, since it may be missing.
    semantic, speech = _spoken(models, subject, reporter)
    reporter.report(CONVERTED, 0.0)
    converted = convert(speech, subject.clip, converter)
    reporter.report(CONVERTED, 1.0)
    return ClonedPrompt(
        prompt_of(semantic, codes_of(models, converted, reporter), models.engine.spec), subject.converter
    )


def _spoken(models: "LoadedModels", subject: Subject, reporter: ProgressReporter) -> tuple[Tokens, Recording]:
    """Generate speech in a random voice: return its semantic tokens, int64 (S,), and its sound."""
    spec = models.engine.spec
    pieces = pieces_of(models.engine, subject.transcript or PASSAGES[subject.language], subject.language)
    voice: VoicePrompt | None = None
    windows: list[Generated] = []
    for number, piece in enumerate(pieces):
        limit = spec.semantic_tokens(durations.longest_seconds(piece, subject.language))
        options = GenerationOptions(seed=seed_of(subject, number), max_semantic_tokens=limit)
        window = models.engine.generate(
            piece, voice, options, reporter.within(f"sentence {number + 1} of {len(pieces)}: ")
        )
        windows.append(window)
        if voice is None and window.prompt.seconds(spec.prompt) >= ENOUGH_SECONDS:
            voice = window.prompt
    samples = np.concatenate([window.samples for window in windows])
    if not audio.is_usable(samples):
        raise Unavailable("The model made no sound to convert. Clone by another method, or give the clip's words.")
    return np.concatenate([window.prompt.semantic for window in windows]), Recording(samples, spec.sample_rate)
