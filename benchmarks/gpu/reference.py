"""Generate the tokens of transformers' BarkModel at temperature 0, stage by stage, and compare tokens with them."""

from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.gpu.models import CODES, SEMANTIC_VOCABULARY
from cloning.prompt import Tokens, VoicePrompt

_ROOM = 256
"""Text tokens per window."""


def stages(
    model: Any, text: str, voice: VoicePrompt | None, *, tokens: int, min_eos_p: float = 0.0
) -> dict[str, Tokens]:
    """Return the tokens of a text of `models.Numbers`, by stage: (S,) without the end, (2, T) and (8, T)."""
    ids = [int(number) for number in text.split()]
    padded = torch.tensor([ids + [0] * (_ROOM - len(ids))], device=model.device)
    with (
        mock.patch.object(model.coarse_acoustics, "generate", wraps=model.coarse_acoustics.generate) as coarse,
        mock.patch.object(model.fine_acoustics, "generate", wraps=model.fine_acoustics.generate) as fine,
        mock.patch.object(model, "codec_decode", wraps=model.codec_decode) as codec,
    ):
        model.generate(
            padded,
            _history(model, voice),
            attention_mask=(torch.arange(_ROOM, device=model.device) < len(ids))[None].long(),
            do_sample=False,
            temperature=1.0,
            semantic_max_new_tokens=tokens,
            **({"semantic_min_eos_p": min_eos_p} if min_eos_p else {}),
        )
    semantic = _numpy(coarse.call_args.args[0][0])
    codes = (_numpy(fine.call_args.args[0][0]) - SEMANTIC_VOCABULARY) % CODES
    return {
        "semantic": semantic[semantic < SEMANTIC_VOCABULARY],
        "coarse": codes.reshape(-1, 2).T,
        "fine": _numpy(codec.call_args.args[0][0]),
    }


def compared(ours: VoicePrompt, theirs: dict[str, Tokens]) -> dict[str, Any]:
    """Return for each stage the number of tokens, the number that differ, and the index of the first that differs."""
    return {stage: _differences(getattr(ours, stage), tokens) for stage, tokens in theirs.items()}


def same(compared: Sequence[dict[str, Any]]) -> bool:
    """Return whether no token differs in any result of `compared`."""
    return all(stage["others"] == 0 for one in compared for stage in one.values())


def _differences(ours: Tokens, theirs: Tokens) -> dict[str, Any]:
    if ours.shape != theirs.shape:
        return {
            "tokens": int(theirs.size),
            "others": int(theirs.size),
            "shapes": [list(ours.shape), list(theirs.shape)],
        }
    others = np.flatnonzero((ours != theirs).T.ravel())  # counted frame by frame, in each frame book by book
    return {
        "tokens": int(theirs.size),
        "others": int(others.size),
        **({"first": int(others[0])} if others.size else {}),
    }


def _history(model: Any, voice: VoicePrompt | None) -> dict[str, torch.Tensor] | None:
    if voice is None:
        return None
    parts = ("semantic", "coarse", "fine")
    return {f"{part}_prompt": torch.from_numpy(getattr(voice, part)).to(model.device) for part in parts}


def _numpy(tokens: torch.Tensor) -> Tokens:
    numbers: Tokens = tokens.cpu().numpy()
    return numbers
