"""Write the trained parts as one Bark checkpoint in the hub's layout, which `cloning` loads like `suno/bark`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from cloning.checkpoints.libraries import transformers
from cloning.prompt import PromptSpec, VoicePrompt
from research.bundled import spelling
from research.bundled.layout import (
    BOOKS,
    COARSE_BOOKS,
    CODEBOOK_SIZE,
    Sizes,
    coarse_config,
    fine_config,
    generation_config,
    semantic_config,
)
from research.bundled.phones import SEMANTIC_SIZE, TOKEN_RATE
from research.bundled.speech import SpeechTokens

SPEC = PromptSpec(
    semantic_vocab=SEMANTIC_SIZE,
    coarse_books=COARSE_BOOKS,
    fine_books=BOOKS,
    codebook_size=CODEBOOK_SIZE,
    semantic_rate=TOKEN_RATE,
    frame_rate=TOKEN_RATE,
)
"""The shape of the model's voice prompts."""

_LONGEST_PROMPT = 500
"""The maximum length of a built-in speaker's prompt, in frames: more than any stage uses."""


def assemble(sizes: Sizes, semantic: Any, coarse: Any, fine: Any, codec: Any) -> transformers.BarkModel:
    """Return transformers' BarkModel with copies of its four parts, in evaluation mode."""
    config = transformers.BarkConfig(
        semantic_config=semantic_config(sizes.semantic),
        coarse_acoustics_config=coarse_config(sizes.coarse),
        fine_acoustics_config=fine_config(sizes.fine),
        codec_config=codec.config.to_dict(),
    )
    bark: Any = transformers.BarkModel(config)
    bark.semantic.load_state_dict(semantic.state_dict())
    bark.coarse_acoustics.load_state_dict(coarse.state_dict())
    bark.fine_acoustics.load_state_dict(fine.state_dict())
    bark.codec_model.load_state_dict(codec.state_dict())
    whole: transformers.BarkModel = bark.eval()
    return whole


def write(bark: Any, speakers: Mapping[str, VoicePrompt], directory: Path) -> None:
    """Write a BarkModel's configuration, weights in half precision, tokenizer, and built-in speakers to `directory`.

    speakers: prompts by the names that members see. Raises InvalidInput if a prompt is not for this model.
    """
    for speaker in speakers.values():
        speaker.validate(SPEC)
    directory.mkdir(parents=True, exist_ok=True)
    bark.config.save_pretrained(directory)
    _write_json(directory / "generation_config.json", generation_config())
    spelling.write(directory)
    write_speakers(speakers, directory)
    weights = {
        _hub_name(name): tensor.half().contiguous()
        for name, tensor in bark.state_dict().items()
        if not name.endswith(".attn.bias") and ".lm_heads." not in name  # computed, or tied
    }
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def prompts_of(speech: SpeechTokens, name: str, most: int = 1) -> list[VoicePrompt]:
    """Return the ends of up to `most` clips of a speaker as voice prompts, the longest clips first.

    Raises ValueError if there is no such speaker.
    """
    clips = np.flatnonzero(speech.speakers == speech.names.index(name))
    longest = clips[np.argsort(-speech.lengths[clips], kind="stable")][:most]
    return [_prompt_at(speech, int(clip)) for clip in longest]


def write_speakers(speakers: Mapping[str, VoicePrompt], directory: Path) -> None:
    """Write the built-in speakers of a checkpoint, by the names that members see."""
    listed: dict[str, Any] = {"repo_or_path": "bundled"}
    for name, speaker in speakers.items():
        parts = {"semantic_prompt": speaker.semantic, "coarse_prompt": speaker.coarse, "fine_prompt": speaker.fine}
        listed[name] = {part: f"speaker_embeddings/{name}_{part}.npy" for part in parts}
        for part, tokens in parts.items():
            path = directory / listed[name][part]
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, tokens)
    _write_json(directory / "speaker_embeddings_path.json", listed)


def _prompt_at(speech: SpeechTokens, clip: int) -> VoicePrompt:
    end = int(speech.starts[clip] + speech.lengths[clip])
    stretch = slice(max(int(speech.starts[clip]), end - _LONGEST_PROMPT), end)
    fine = speech.prompts[:, stretch].astype(np.int64)
    return VoicePrompt(speech.semantic[stretch].astype(np.int64), fine[:COARSE_BOOKS], fine)


def _hub_name(name: str) -> str:
    """Return a weight's name in published checkpoints, which use the older names of weight norm's parameters."""
    return name.replace("parametrizations.weight.original0", "weight_g").replace(
        "parametrizations.weight.original1", "weight_v"
    )


def _write_json(path: Path, body: dict[str, Any]) -> None:
    path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
