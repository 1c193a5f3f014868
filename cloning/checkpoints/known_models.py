"""The models that have names, and what their voices look like, so that a refusal names the model that a voice is for.

Free of torch.
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
    """Name of a model -> what its voices look like; no download is needed. Raises Unavailable if a file is damaged."""
    bundled = BarkSpec.from_directory(BUNDLED_DIRECTORY / "bark").prompt
    return {BUNDLED: bundled, **dict.fromkeys(PUBLISHED, BARK)}


def models_of(prompt: VoicePrompt) -> list[str]:
    """The names of the models that could speak with `prompt`."""
    return [name for name, spec in prompt_specs().items() if reason_against(prompt, spec) is None]


def reason_against(prompt: VoicePrompt, spec: PromptSpec) -> str | None:
    """Why models of `spec` cannot speak with `prompt`, as a sentence; None if they can."""
    try:
        prompt.validate(spec)
    except InvalidInput as refusal:
        return refusal.message
    return None


def load_voice(source: Path | bytes, spec: PromptSpec) -> VoicePrompt:
    """As `VoicePrompt.load`; a sentence that refuses a voice of another model names that model."""
    prompt = VoicePrompt.read(source)
    reason = reason_against(prompt, spec)
    if reason is None:
        return prompt
    others = models_of(prompt)
    raise InvalidInput(f"{reason} It is a voice for the model {' or '.join(others)}." if others else reason)
