"""Clone by the trained quantizer: HuBERT features of the clip become semantic tokens."""

from typing import TYPE_CHECKING

from cloning.methods.subject import SEMANTIC, ClonedPrompt, Subject, codes_of, prompt_of
from cloning.progress import ProgressReporter

if TYPE_CHECKING:
    from cloning.model_set import LoadedModels  # brings torch, which the list of methods does not need


def by_quantizer(models: "LoadedModels", subject: Subject, reporter: ProgressReporter) -> ClonedPrompt:
    """Make semantic tokens from the clip's HuBERT features with a trained quantizer. This is the default method."""
    reporter.report(SEMANTIC, 0.0)
    semantic, name = models.semantic_tokens(subject.clip, subject.language)
    reporter.report(SEMANTIC, 1.0)
    return ClonedPrompt(prompt_of(semantic, codes_of(models, subject.clip, reporter), models.engine.spec), name)
