"""What can speak: a server's voices, and the speakers that come with the model's files. Knows how Suno names them."""

import re

from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.text.splitting import LANGUAGES
from cloning.worker.protocol import Executor
from storage.records import VoiceRecord
from studio.values import Voice

PREFIX = "s:"
_SUNO = re.compile(r"(?P<version>v\d+/)?(?P<language>[a-z]{2})_speaker_(?P<number>\d+)")


def voice_of(record: VoiceRecord) -> Voice:
    """A record of the library as a voice."""
    return Voice(f"v:{record.id}", record.name, record=record)


def speaker_voice(speaker: str) -> Voice:
    """A built-in speaker as a voice: "v2/en_speaker_6" is called "English speaker 6"."""
    return Voice(PREFIX + speaker, _name(speaker), speaker=speaker)


def speaker_language(speaker: str) -> str:
    """The language a speaker was recorded in; English where the name does not say."""
    match = _SUNO.fullmatch(speaker)
    return match["language"] if match and match["language"] in LANGUAGES else "en"


def language_of(voice: Voice) -> str:
    """The language that a voice speaks where none is chosen."""
    return voice.record.language if voice.record is not None else speaker_language(voice.speaker or "")


def speakers_of(executor: Executor) -> tuple[Voice, ...] | None:
    """The speakers of the loaded models; None while they are not known yet."""
    ready = executor.health().ready
    return None if ready is None else tuple(speaker_voice(speaker) for speaker in ready.speakers)


def languages_read(executor: Executor) -> tuple[str, ...]:
    """The languages that the loaded models read; () while that is not known, or where they do not say."""
    ready = executor.health().ready
    return () if ready is None else ready.languages


def first_speaker(executor: Executor) -> Voice | None:
    """The one that speaks where no voice is chosen; None if the models have none.

    Before they are loaded it has no name of its own: the worker takes its first one.
    """
    speakers = speakers_of(executor)
    if speakers is None:
        return speaker_voice(ANY_SPEAKER)
    return speakers[0] if speakers else None


def speaker_that_spoke(executor: Executor, speaker: str) -> Voice:
    """A built-in speaker by its own name, which a line that was accepted before the models were loaded lacks."""
    first = first_speaker(executor) if speaker == ANY_SPEAKER else None
    return first or speaker_voice(speaker)


def _name(speaker: str) -> str:
    if speaker == ANY_SPEAKER:
        return "Built-in speaker"
    match = _SUNO.fullmatch(speaker)
    if match is None or match["language"] not in LANGUAGES:
        return speaker
    older = "" if match["version"] else " (first edition)"
    return f"{LANGUAGES[match['language']]} speaker {match['number']}{older}"
