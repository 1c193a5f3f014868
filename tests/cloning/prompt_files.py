"""Voice files of every shape, for the tests of prompts."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest

from cloning.prompt import BARK, PromptSpec, Tokens, VoicePrompt
from errors import InvalidInput


def tokens(length: int = 200, *, spec: PromptSpec = BARK, seed: int = 0) -> VoicePrompt:
    random = np.random.default_rng(seed)
    frames = int(length * spec.frame_rate / spec.semantic_rate)
    fine = random.integers(0, spec.codebook_size, (spec.fine_books, frames))
    return VoicePrompt(random.integers(0, spec.semantic_vocab, length), fine[: spec.coarse_books].copy(), fine)


def npz(**changes: Any) -> bytes:
    sound = tokens()
    arrays = {"semantic_prompt": sound.semantic, "coarse_prompt": sound.coarse, "fine_prompt": sound.fine} | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return buffer.getvalue()


def npy(array: Tokens) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def members(**changes: bytes) -> dict[str, bytes]:
    sound = tokens()
    return {
        "semantic_prompt.npy": npy(sound.semantic),
        "coarse_prompt.npy": npy(sound.coarse),
        "fine_prompt.npy": npy(sound.fine),
    } | {f"{name}.npy": data for name, data in changes.items()}


def refusal(data: bytes, spec: PromptSpec = BARK) -> str:
    with pytest.raises(InvalidInput) as caught:
        VoicePrompt.load(data, spec)
    return caught.value.message
