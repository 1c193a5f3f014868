"""Neural voice conversion by coqui-tts, which is no part of Barkeep: it is loaded when it is wanted, and may be absent.

coqui-tts (MPL-2.0) downloads a model when it is first used. Written against its API of version 0.27.
"""

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cloning.media.audio import Recording, read_clip, resample, write
from errors import Unavailable

FREEVC = "voice_conversion_models/multilingual/vctk/freevc24"
"""J. Li et al.: "FreeVC: towards high-quality text-free one-shot voice conversion", 2022."""
KNNVC = "voice_conversion_models/multilingual/multi-dataset/knnvc"
"""M. Baas et al.: "Voice conversion with just nearest neighbors", 2023."""


class CoquiConverter:
    """A `conversion.Converter` by one of coqui-tts's models.

    Raises Unavailable, with what to install, if coqui-tts is missing, or if its model cannot be loaded.
    """

    def __init__(self, model: str) -> None:
        try:
            api: Any = importlib.import_module("TTS.api")
        except ImportError as fault:
            raise Unavailable(
                "This converter needs coqui-tts. Install it with `pip install coqui-tts`, or use the converter world."
            ) from fault
        try:
            self._tts = api.TTS(model, progress_bar=False)
        except Exception as fault:  # a missing network, a full disk or a changed catalogue fail with errors of any kind
            raise Unavailable(
                f"coqui-tts could not load {model}. It needs a network the first time; or use the converter world."
            ) from fault

    def __call__(self, speech: Recording, target: Recording) -> Recording:
        """See `conversion.Converter`. coqui-tts takes files only, so these lie in a temporary folder for a moment."""
        with tempfile.TemporaryDirectory(prefix="barkeep-") as folder:
            source_path, target_path, made_path = (
                Path(folder) / name for name in ("source.wav", "target.wav", "made.wav")
            )
            write(source_path, speech.samples, speech.sample_rate, tags={})
            write(target_path, target.samples, target.sample_rate, tags={})
            self._tts.voice_conversion_to_file(str(source_path), str(target_path), file_path=str(made_path))
            made = resample(read_clip(made_path), speech.sample_rate).samples
        samples = np.zeros(speech.samples.size, np.float32)
        samples[: made.size] = made[: samples.size]
        return Recording(samples, speech.sample_rate)
