"""Clone by the trained quantizer: HuBERT features of the clip become semantic tokens."""

from typing import TYPE_CHECKING

from cloning.methods.subject import SEMANTIC, ClonedPrompt, Subject, codes_of, prompt_of
from cloning.progress import Watch

if TYPE_CHECKING:
    from cloning.model_set import LoadedModels  # brings torch, which the list of methods does not need


def by_quantizer(models: "LoadedModels", subject: Subject, watch: Watch) -> ClonedPrompt:
    """Make semantic tokens from the clip's HuBERT features with a trained quantizer. This is the default method."""
    watch.report(SEMANTIC, 0.0)
    semantic, name = models.semantic_tokens(subject.clip, subject.language)
    watch.report(SEMANTIC, 1.0)
    return ClonedPrompt(prompt_of(semantic, codes_of(models, subject.clip, watch), models.engine.spec), name)
