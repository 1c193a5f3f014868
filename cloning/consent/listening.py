"""Compare a recording of a consent sentence with the sentence, and its voice with the clip that is to be cloned."""

from pathlib import Path

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
"""A longer answer is refused: a sentence takes five to ten seconds."""
_RATE = 16_000


def listen(
    source: Path, answer: Path, sentence: str, reporter: ProgressReporter, *, memory_mb: int, scratch: Path
) -> SpokenAnswer:
    """Listen to the media file `answer` to the consent sentence for a clone of the media file `source`.

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
    """Compare what is spoken with the sentence, and its voice with the clip's. Raises as `listen`."""
    speech = reference.choose(spoken, rate=_RATE, max_seconds=ANSWER_SECONDS).clip
    encoder = SpeakerEncoder()
    likeness = similarity(encoder.embed(speech), encoder.embed(clip))
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
        is_generated=check([spoken]).verdict == "marked",
    )
