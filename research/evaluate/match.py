"""`python -m research match`: measure whether the two halves of a voice prompt must match.

The coarse stage gets prompts with the same sound but semantic tokens from several sources, followed by another sentence
of the speaker with its true tokens. Its loss (nats per coarse token of the actual sound) measures the prompt: less is
better. True tokens are known only for speakers of the bundled model's recipe. The other sentence is encoded by the
recipe's teacher, as in the stage's training data; the bundled encoder only approximates the teacher.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from cloning.checkpoints import model_choice
from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.published import BUNDLED
from cloning.checkpoints.weights import load_bark
from cloning.media import audio
from cloning.methods.registry import METHODS
from cloning.methods.subject import Subject
from cloning.model_set import LoadedModels
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens
from research.bundled.build import WORK
from research.bundled.coarse import window_losses, windows
from research.bundled.codec import TEACHER
from research.bundled.codec_steps import CODEC
from research.bundled.codes import encode_clip
from research.bundled.gpt import TransformerRunner
from research.bundled.layout import COARSE_FRAMES_AT_ONCE, COARSE_FRAMES_BEFORE
from research.bundled.phones import TOKEN_RATE
from research.bundled.speech import Joined, Numbers, SpeechTokens
from research.bundled.teacher import load_teacher
from research.evaluate.heldout import ARCHIVE, HeldOutVoices, KokoroVoices, require_true_tokens
from research.metrics.statistics import estimate, mean
from training.shards import Clip, recording_of

TRUE, ANOTHERS, NONE = "the true ones", "(another speaker's prompt)", "(no prompt)"
_KEEP_THE_SOUND = ("quantizer", "codebook", "transcript")
"""The methods whose prompts have the clip's own sound. `conversion`, which changes the sound, is left out."""
_LATE_SECONDS = (0.06, 0.2, 0.5)
_WINDOWS = COARSE_FRAMES_BEFORE // COARSE_FRAMES_AT_ONCE
"""The number of windows that contain a part of the prompt."""
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Shown:
    """Semantic tokens (S,) and codes (books, T) of one utterance, frame by frame. The longer of the two is cut."""

    semantic: NDArray[np.integer[Any]]
    codes: Tokens


Prompts = Sequence[Shown | None]
"""A prompt for each speaker; None: no prompt."""


def match_command(
    model: Annotated[str, typer.Option(help="bundled, or a directory that its recipe made.")] = BUNDLED,
    voices: Annotated[int, typer.Option(min=2, help="Held-out voices.")] = 40,
    quantizer: Annotated[str | None, typer.Option(help="A quantizer's file.")] = None,
    codebook: Annotated[str | None, typer.Option(help="A codebook's file.")] = None,
    teacher: Annotated[
        Path, typer.Option(help="The teacher of the recipe's codec, which `bundled --step teacher` makes.")
    ] = WORK / CODEC / TEACHER / "best.safetensors",
    kokoro_voices: KokoroVoices = ARCHIVE,
) -> None:
    """Measure the value of prompts for the coarse stage, by the source of their semantic tokens."""
    loaded = LoadedModels(ModelChoice(model=model, quantizer=quantizer, device="cpu", codebook=codebook))
    require_true_tokens(loaded)
    listener = load_teacher(teacher, _CPU)
    pairs = list(HeldOutVoices(kokoro_voices).labelled_pairs(voices))
    coarse = load_bark(model_choice.resolve_bark(loaded.choice), torch.float32, _CPU).coarse_acoustics
    said = [Shown(clip.semantic, encode_clip(clip, listener.encode, _CPU).astype(np.int64)) for _, clip in pairs]
    prompts = _prompts(loaded, [first for first, _ in pairs])
    surprises = {name: surprise(coarse, shown, said) for name, shown in prompts.items()}
    print("\n".join(table(prompts, surprises)))


def late(semantic: NDArray[np.integer[Any]], frames: int) -> NDArray[np.integer[Any]]:
    """Return semantic tokens (S,) delayed by `frames`; the first one fills the gap."""
    return np.concatenate([np.repeat(semantic[:1], frames), semantic])[: len(semantic)]


@torch.inference_mode()
def surprise(coarse: Any, prompts: Prompts, said: Sequence[Shown]) -> NDArray[np.float64]:
    """Return the loss of each speaker's sentence after its prompt, in nats per coarse token, (speakers,).

    It is measured in the engine's first windows, which contain the prompt. coarse: the coarse model of transformers, on
    the CPU. said: the sentences.
    """
    speech, rows = _joined(prompts, said)
    nats, frames = np.zeros(len(said)), np.zeros(len(said))
    for number in range(_WINDOWS):
        window = windows(speech, rows, np.full(len(said), number * COARSE_FRAMES_AT_ONCE))
        losses = (
            window_losses(coarse, TransformerRunner(_CPU), window.inputs, window.targets, _CPU)
            .double()
            .mean(dim=-1)
            .numpy()
        )
        nats += (losses * window.spoken).sum(axis=1)
        frames += window.spoken.sum(axis=1)
    means: NDArray[np.float64] = nats / frames
    return means


def table(prompts: Mapping[str, Prompts], surprises: Mapping[str, NDArray[np.float64]]) -> list[str]:
    """Return lines of Markdown: each source's share of right tokens, its loss, and the difference to true tokens."""
    lines = [
        "| semantic tokens of the prompt | right | nats a coarse token | more than with the true ones |",
        "| --- " * 4 + "|",
    ]
    for name, measured in surprises.items():
        more = estimate((measured - surprises[TRUE]).tolist(), mean)
        increase = f"{more.value:+.3f} ({more.low:+.3f} to {more.high:+.3f})" if more and name != TRUE else ""
        right = "–" if name in (ANOTHERS, NONE) else f"{_right(prompts[name], prompts[TRUE]) * 100:.0f} %"
        lines.append(f"| {name} | {right} | {measured.mean():.3f} | {increase} |")
    return lines


def _right(prompts: Prompts, true: Prompts) -> float:
    """Return the share of all frames that have their true token."""
    right, frames = 0, 0
    for one, other in zip(prompts, true, strict=True):
        if one is not None and other is not None:
            length = min(one.semantic.size, other.semantic.size)
            right += int(np.count_nonzero(one.semantic[:length] == other.semantic[:length]))
            frames += length
    return right / frames


def _prompts(loaded: LoadedModels, clips: Sequence[Clip]) -> dict[str, list[Shown | None]]:
    """Return the prompts of all clips, by the source of their semantic tokens."""
    true = [Shown(clip.semantic, _codes(loaded, clip)) for clip in clips]
    found: dict[str, list[Shown | None]] = {TRUE: [*true]}
    for method in _KEEP_THE_SOUND:
        found[method] = []
        for seed, clip in enumerate(clips):
            subject = Subject(recording_of(clip), "en", clip.text, seed)
            made = METHODS[method](loaded, subject, ProgressReporter()).prompt
            found[method].append(Shown(made.semantic, made.fine))
    for seconds in _LATE_SECONDS:
        frames = round(seconds * TOKEN_RATE)
        found[f"the true ones, {seconds:g} s late"] = [Shown(late(one.semantic, frames), one.codes) for one in true]
    others = [*true[1:], true[0]]
    found["another sentence's"] = [
        Shown(np.resize(other.semantic, one.codes.shape[1]), one.codes) for one, other in zip(true, others, strict=True)
    ]
    found[ANOTHERS] = [*others]
    found[NONE] = [None] * len(true)
    return found


def _codes(loaded: LoadedModels, clip: Clip) -> Tokens:
    codes: Tokens = loaded.codec.encode(audio.resample(recording_of(clip), loaded.codec.sample_rate).samples)
    return codes


def _joined(prompts: Prompts, said: Sequence[Shown]) -> tuple[SpeechTokens, Joined]:
    """Concatenate prompts and the speech after them, and return the positions of each row."""
    clips = [clip for pair in zip(prompts, said, strict=True) for clip in pair if clip is not None]
    codes, unnamed = [clip.codes for clip in clips], [""] * len(clips)
    speech = SpeechTokens.of([clip.semantic for clip in clips], codes, codes, unnamed, unnamed)
    has_prompt = np.array([prompt is not None for prompt in prompts])
    places: Numbers = np.cumsum(1 + has_prompt) - 1
    lengths = np.where(has_prompt, speech.lengths[places - has_prompt], 0)
    before = np.minimum(lengths, COARSE_FRAMES_BEFORE)
    start = speech.starts[places]
    return speech, Joined(start - before, before, start, speech.lengths[places])
