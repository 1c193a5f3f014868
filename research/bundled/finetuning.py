"""Train the decoder on codes predicted by the fine model, which it decodes in use.

The first two books of a clip are its true codes; the fine model predicts the others after a voice prompt. So the clip's
sound is still the target, frame by frame, but the codes are wrong or silent where they are in use.
"""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloning.bark.config import BarkSpec
from cloning.bark.fine import FineModel, FineWork, Refiner
from cloning.bark.sampling import Sampler
from cloning.checkpoints.weights import load_into, load_state
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from research.bundled.clip_buffer import ClipBuffer
from research.bundled.codec import codec_config
from research.bundled.codec_training import DecoderJob, inner
from research.bundled.codes import Codes
from research.bundled.gpt import new_fine
from research.bundled.layout import COARSE_BOOKS, TEMPERATURE, Size, generation_config
from research.bundled.teacher import MARGIN, Teacher
from training.shards import Clip, ClipShards

_WITH_VOICE = 0.9
"""The share of clips that are predicted after a voice prompt."""


def load_fine(weights: Path, size: Size) -> FineModel:
    """Load a fine model of the recipe into the speech engine's class. Raises Unavailable if missing or damaged."""
    module = new_fine(size)
    load_into(module, load_state(weights), weights)
    spec = BarkSpec.from_configs({"codec_config": codec_config().to_dict()}, generation_config())
    return FineModel(module, spec)


class Predictor:
    """Predicts the fine books of clips. `codes`: the teacher's codes of the clips; `prompts`: the encoder's."""

    def __init__(self, fine: FineModel, codes: Codes, prompts: Codes, shards: ClipShards) -> None:
        self._fine, self._codes, self._prompts = fine, codes, prompts
        self._keys = _keys_of_speakers(shards)

    @torch.inference_mode()
    def __call__(self, clip: Clip) -> NDArray[np.uint16]:
        """Return the predicted codes (books, T) of a clip. Deterministic. Raises NotFound if the clip has no codes.

        The voice prompt is another clip of the speaker, or the clip itself if it is the only one.
        """
        number = zlib.crc32(clip.key.encode())
        random = np.random.default_rng(number)
        others = [key for key in self._keys[clip.speaker] if key != clip.key] or [clip.key]
        voice = self._prompts[others[random.integers(len(others))]].astype(np.int64)
        history = VoicePrompt(np.zeros(voice.shape[1], np.int64), voice[:COARSE_BOOKS], voice)
        work = FineWork(
            self._fine,
            self._codes[clip.key][:COARSE_BOOKS].astype(np.int64),
            history if random.random() < _WITH_VOICE else None,
            Sampler(TEMPERATURE, torch.Generator().manual_seed(number)),
            ProgressReporter(),
        )
        refiner = Refiner(self._fine, together=1)
        refiner.add(work)
        while not work.done:
            refiner.step()
        return work.codes.astype(np.uint16)


class FinetuneJob(DecoderJob):
    """Trains a decoder on predicted and on the teacher's codes, half of each, for training/loop.py.

    `train` and `valid` are the clips of a DecoderJob, `predicted` and `predicted_valid` clips with predicted codes.
    """

    def __init__(
        self,
        decoder: nn.Module,
        teacher: Teacher,
        train: ClipBuffer,
        valid: ClipBuffer,
        predicted: ClipBuffer,
        predicted_valid: ClipBuffer,
        batch: int,
    ) -> None:
        super().__init__(decoder, teacher, train, valid, batch - batch // 2)
        self._predicted, self._predictions = predicted, batch // 2
        self._predicted_valid = predicted_valid.crops(np.random.default_rng(0), len(self._valid), self._crop)

    def restored(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return one batch of crops without margins, decoded and original, (B, N) each.

        Crops with predicted codes are neither amplified nor equalised, since their codes belong to the original sound.
        """
        latents, target = self._examples(random)
        samples, codes = self._predicted.crops(random, self._predictions, self._crop)
        decoded: Tensor = self.module(torch.cat([latents, self._decoded(codes)]))
        return decoded[:, 0], torch.cat([target, inner(samples)])

    def validate(self) -> dict[str, float]:
        """Return the spectral losses with the teacher's codes and with predicted codes; "loss" is the mean of both."""
        figures = super().validate()
        samples, codes = self._predicted_valid
        predicted = float(self.spectral(self.module(self._decoded(codes))[:, 0], inner(samples)))
        return {**figures, "loss": (figures["loss"] + predicted) / 2, "predicted": predicted}

    def _decoded(self, codes: Tensor) -> Tensor:
        """Return the latents (B, LATENT, T) of crops' codes (B, books, T with both margins)."""
        with torch.no_grad():
            return self._teacher.quantizer.decode(codes[:, :, MARGIN:-MARGIN]).transpose(1, 2)


def _keys_of_speakers(shards: ClipShards) -> Mapping[str, Sequence[str]]:
    keys: dict[str, list[str]] = {}
    for key, speaker in zip(shards.keys, shards.speakers, strict=True):
        keys.setdefault(speaker, []).append(key)
    return keys
