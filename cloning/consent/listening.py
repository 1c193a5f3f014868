"""Compare a recording of a consent sentence with the sentence, and its voice with the clip that is to be cloned."""

from pathlib import Path

import numpy as np

from cloning.consent.answer import SpokenAnswer
from cloning.consent.recogniser import Whisper
from cloning.consent.sentences import found_in_order, parts, tokens
from cloning.consent.speaker import SpeakerEncoder, similarity
from cloning.media import recordings, reference
from cloning.media.audio import Recording
from cloning.progress import ProgressReporter
from cloning.watermark.checking import check
from errors import InvalidInput

ANSWER_SECONDS = 30.0
"""A longer answer is refused. A sentence takes five to ten seconds."""
PART_SECONDS = 3.4
"""The length of the parts of the clip that are compared, too: a third of ten seconds."""
_RATE = 16_000


def listen(
    source: Path, answer: Path, sentence: str, reporter: ProgressReporter, *, memory_mb: int, scratch: Path
) -> SpokenAnswer:
    """Compare the media file `answer` with the consent sentence, and its voice with the media file `source`, the clip.

    The models are loaded for this call and freed after it. `scratch`: the folder for temporary files. Raises
    InvalidInput for a file without usable speech, Unavailable without the models.
    """
    try:
        clip = recordings.choose(source, reporter, rate=_RATE, memory_mb=memory_mb, scratch=scratch).clip
    except InvalidInput as error:
        raise InvalidInput(f"The recording that is to be cloned cannot be used. {error.message}") from error
    return judge(
        recordings.read(answer, max_seconds=ANSWER_SECONDS, memory_mb=memory_mb, scratch=scratch), clip, sentence
    )


def judge(spoken: Recording, clip: Recording, sentence: str) -> SpokenAnswer:
    """Compare the spoken words with the sentence, and their voice with the clip's. Raises as `listen`."""
    speech = reference.choose(spoken, rate=_RATE, max_seconds=ANSWER_SECONDS).clip
    encoder = SpeakerEncoder()
    voice = encoder.embed(speech)
    likeness = similarity(voice, encoder.embed(clip))
    weakest = min(similarity(voice, encoder.embed(part)) for part in _parts(clip))
    statement, drawn = parts(sentence)
    text = Whisper()(spoken)
    heard = tokens(text)
    return SpokenAnswer(
        text=text,
        words=found_in_order(drawn, heard),
        of=len(drawn),
        statement=round(found_in_order(statement, heard) / len(statement), 3),
        length=round(len(heard) / (len(statement) + len(drawn)), 3),
        likeness=round(likeness, 3),
        weakest=round(weakest, 3),
        is_generated=check([spoken]).verdict == "marked",
    )


def _parts(clip: Recording) -> list[Recording]:
    """Return the clip in parts of about PART_SECONDS. Bark continues the voice at the prompt's end, so each counts."""
    number = max(1, round(clip.seconds / PART_SECONDS))
    return [Recording(part, clip.sample_rate) for part in np.array_split(clip.samples, number)]
