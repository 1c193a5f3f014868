"""Neural voice conversion by coqui-tts, an optional package that is imported on first use.

coqui-tts (MPL-2.0) downloads a model on its first use. Written for its API of version 0.27.
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


_PACKAGE = "TTS"
"""The import name of coqui-tts."""
_NEEDS = (
    "It needs torchaudio and torchcodec that were built for the torch in use. Those on PyPI need CUDA and do not load "
    "with a CPU build of torch; with that, use the converter world."
)


class CoquiConverter:
    """A `converters.Converter` that runs one of coqui-tts's models.

    Raises Unavailable with the reason if coqui-tts is missing or cannot be imported, or if its model cannot be loaded
    or fails.
    """

    def __init__(self, model: str) -> None:
        try:
            self._tts = _api().TTS(model, progress_bar=False)
        except Unavailable:
            raise
        except Exception as error:  # a missing network, a full disk or a changed catalogue raise errors of any type
            raise Unavailable(
                f"coqui-tts could not load {model}. It needs a network the first time. Or use the converter world."
            ) from error

    def __call__(self, speech: Recording, target: Recording) -> Recording:
        """See `converters.Converter`. coqui-tts accepts files only, so the audio passes through a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="barkeep-") as folder:
            source_path, target_path, made_path = (
                Path(folder) / name for name in ("source.wav", "target.wav", "made.wav")
            )
            write(source_path, speech.samples, speech.sample_rate, tags={})
            write(target_path, target.samples, target.sample_rate, tags={})
            try:
                self._tts.voice_conversion_to_file(str(source_path), str(target_path), file_path=str(made_path))
            except Exception as error:  # its file libraries raise errors of their own
                raise Unavailable(
                    f"coqui-tts could not convert the voice: {_first_line(error)}. Use the converter world."
                ) from error
            made = resample(read_clip(made_path), speech.sample_rate).samples
        samples = np.zeros(speech.samples.size, np.float32)
        samples[: made.size] = made[: samples.size]
        return Recording(samples, speech.sample_rate)


def _api() -> Any:
    """Import coqui-tts's module `TTS.api`. Raises Unavailable with the reason if that fails."""
    try:
        return importlib.import_module(f"{_PACKAGE}.api")
    except ModuleNotFoundError as error:
        if error.name in {_PACKAGE, f"{_PACKAGE}.api"}:
            raise Unavailable(f"This converter needs coqui-tts, which is not installed. {_NEEDS}") from error
        raise _unloadable(f"the package {error.name}, which it needs, is missing") from error
    except Exception as error:  # libraries built for another torch raise OSError and others
        raise _unloadable(_first_line(error)) from error


def _unloadable(reason: str) -> Unavailable:
    return Unavailable(f"coqui-tts is installed, but does not load: {reason}. {_NEEDS}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
