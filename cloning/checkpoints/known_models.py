"""The named models and the shape of their voices, so that an error can name the model that a voice is for.

Does not import torch.
"""

from functools import cache
from pathlib import Path

from cloning.bark.config import BarkSpec
from cloning.checkpoints.published import BARK as PUBLISHED
from cloning.checkpoints.published import BUNDLED, BUNDLED_DIRECTORY
from cloning.prompt import BARK, PromptSpec, VoicePrompt
from errors import InvalidInput


@cache
def prompt_specs() -> dict[str, PromptSpec]:
    """Return model name -> the shape of its voices; no download is needed. Raises Unavailable if a file is damaged."""
    bundled = BarkSpec.from_directory(BUNDLED_DIRECTORY / "bark").prompt
    return {BUNDLED: bundled, **dict.fromkeys(PUBLISHED, BARK)}


def models_of(prompt: VoicePrompt) -> list[str]:
    """Return the names of the models that can speak with `prompt`."""
    return [name for name, spec in prompt_specs().items() if reason_against(prompt, spec) is None]


def reason_against(prompt: VoicePrompt, spec: PromptSpec) -> str | None:
    """Return why models of `spec` cannot speak with `prompt`, as a sentence; None if they can."""
    try:
        prompt.validate(spec)
    except InvalidInput as refusal:
        return refusal.message
    return None


def load_voice(source: Path | bytes, spec: PromptSpec) -> VoicePrompt:
    """Load a voice as `VoicePrompt.load` does; the error for a voice of another model names that model."""
    prompt = VoicePrompt.read(source)
    reason = reason_against(prompt, spec)
    if reason is None:
        return prompt
    others = models_of(prompt)
    raise InvalidInput(f"{reason} It is a voice for the model {' or '.join(others)}." if others else reason)
