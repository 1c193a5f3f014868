"""The methods that make a voice prompt from a clip, by name: quantizer, transcript, codebook and conversion."""

from typing import TYPE_CHECKING

import numpy as np

from cloning.bark.engine import GenerationOptions
from cloning.methods.conversion import by_conversion
from cloning.methods.subject import SEMANTIC, ClonedPrompt, Method, Subject, codes_of, prompt_of, seed_of
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens
from cloning.sentences import pieces_of
from errors import InvalidInput

if TYPE_CHECKING:
    from cloning.model_set import LoadedModels  # imports torch, which the list of methods does not need


def by_quantizer(models: "LoadedModels", subject: Subject, reporter: ProgressReporter) -> ClonedPrompt:
    """Make semantic tokens from the clip's HuBERT features with a trained quantizer. This is the default method."""
    reporter.report(SEMANTIC, 0.0)
    semantic, name = models.semantic_tokens(subject.clip, subject.language)
    reporter.report(SEMANTIC, 1.0)
    return ClonedPrompt(prompt_of(semantic, codes_of(models, subject.clip, reporter), models.engine.spec), name)


def by_transcript(models: "LoadedModels", subject: Subject, reporter: ProgressReporter) -> ClonedPrompt:
    """Generate semantic tokens from the clip's words, at most as long as the clip.

    The tokens are those of a random speaker and not aligned with the codec tokens, so the result resembles the clip
    less. Neither HuBERT nor a quantizer is needed.
    """
    if not subject.transcript or not subject.transcript.strip():
        raise InvalidInput("The method transcript needs the words of the clip. Give them with --transcript.")
    spec = models.engine.spec
    left = spec.semantic_tokens(subject.clip.seconds)
    generated: list[Tokens] = []
    for number, piece in enumerate(pieces_of(models.engine, subject.transcript, subject.language)):
        options = GenerationOptions(seed=seed_of(subject, number), max_semantic_tokens=left)
        generated.append(models.engine.semantic(piece, None, options, reporter))
        left -= generated[-1].size
        if left <= 0:
            break
    semantic = np.concatenate(generated)
    return ClonedPrompt(prompt_of(semantic, codes_of(models, subject.clip, reporter), spec), "transcript")


def by_codebook(models: "LoadedModels", subject: Subject, reporter: ProgressReporter) -> ClonedPrompt:
    """Make semantic tokens from the clusters of the clip's HuBERT features, frame by frame.

    The lengths match, but similar sounds share a cluster and a token, so the speech is less intelligible.
    """
    reporter.report(SEMANTIC, 0.0)
    semantic, name = models.clustered_tokens(subject.clip)
    reporter.report(SEMANTIC, 1.0)
    return ClonedPrompt(prompt_of(semantic, codes_of(models, subject.clip, reporter), models.engine.spec), name)


METHODS: dict[str, Method] = {
    "quantizer": by_quantizer,
    "transcript": by_transcript,
    "codebook": by_codebook,
    "conversion": by_conversion,
}
"""Name on the command line -> method."""
