"""Clone by a transcript: Bark's semantic stage reads the clip's words."""

from typing import TYPE_CHECKING

import numpy as np

from cloning.bark.engine import GenerationOptions
from cloning.methods.subject import ClonedPrompt, Subject, codes_of, pieces_of, prompt_of, seed_of
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens
from errors import InvalidInput

if TYPE_CHECKING:
    from cloning.model_set import LoadedModels  # brings torch, which the list of methods does not need


def by_transcript(models: "LoadedModels", subject: Subject, reporter: ProgressReporter) -> ClonedPrompt:
    """Generate semantic tokens from the clip's words, at most as long as the clip.

    They are a random speaker's and not aligned with the codec tokens, so the result resembles the clip less. Neither
    HuBERT nor a quantizer is needed.
    """
    if not subject.transcript or not subject.transcript.strip():
        raise InvalidInput("The method transcript needs the words of the clip. Give them with --transcript.")
    spec = models.engine.spec
    left = spec.semantic_tokens(subject.clip.seconds)
    said: list[Tokens] = []
    for number, piece in enumerate(pieces_of(models, subject.transcript, subject.language)):
        options = GenerationOptions(seed=seed_of(subject, number), max_semantic_tokens=left)
        said.append(models.engine.semantic(piece, None, options, reporter))
        left -= said[-1].size
        if left <= 0:
            break
    return ClonedPrompt(prompt_of(np.concatenate(said), codes_of(models, subject.clip, reporter), spec), "transcript")
