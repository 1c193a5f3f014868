"""Clone by a codebook: each frame of HuBERT features becomes the semantic token of its cluster."""

from typing import TYPE_CHECKING

from cloning.methods.subject import SEMANTIC, ClonedPrompt, Subject, codes_of, prompt_of
from cloning.progress import ProgressReporter

if TYPE_CHECKING:
    from cloning.model_set import LoadedModels  # brings torch, which the list of methods does not need


def by_codebook(models: "LoadedModels", subject: Subject, reporter: ProgressReporter) -> ClonedPrompt:
    """Make semantic tokens from the clusters of the clip's HuBERT features, frame by frame.

    The lengths match, but similar sounds share a cluster and a token, so the speech is less intelligible.
    """
    reporter.report(SEMANTIC, 0.0)
    semantic, name = models.clustered_tokens(subject.clip)
    reporter.report(SEMANTIC, 1.0)
    return ClonedPrompt(prompt_of(semantic, codes_of(models, subject.clip, reporter), models.engine.spec), name)
