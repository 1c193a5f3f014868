"""Voices that can speak: those of a server, and the built-in speakers of the model, in Suno's naming."""

import re

from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.text.splitting import LANGUAGES
from cloning.worker.protocol import Executor
from storage.records import VoiceRecord, voice_key
from studio.values import Voice

PREFIX = "s:"
_SUNO = re.compile(r"(?P<version>v\d+/)?(?P<language>[a-z]{2})_speaker_(?P<number>\d+)")


def voice_of(record: VoiceRecord) -> Voice:
    """Return a library record as a voice."""
    return Voice(voice_key(record.id), record.name, record=record)


def speaker_voice(speaker: str) -> Voice:
    """Return a built-in speaker as a voice: "v2/en_speaker_6" is called "English speaker 6"."""
    return Voice(PREFIX + speaker, _name(speaker), speaker=speaker)


def speaker_language(speaker: str) -> str:
    """Return the language of a speaker by its name, or English."""
    match = _SUNO.fullmatch(speaker)
    return match["language"] if match and match["language"] in LANGUAGES else "en"


def language_of(voice: Voice) -> str:
    """Return the language that a voice speaks if none is chosen."""
    return voice.record.language if voice.record is not None else speaker_language(voice.speaker or "")


def speakers_of(executor: Executor) -> tuple[Voice, ...] | None:
    """Return the speakers of the loaded models; None while they are unknown."""
    ready = executor.health().ready
    return None if ready is None else tuple(speaker_voice(speaker) for speaker in ready.speakers)


def languages_read(executor: Executor) -> tuple[str, ...]:
    """Return the languages that the loaded models read; () if they are unknown."""
    ready = executor.health().ready
    return () if ready is None else ready.languages


def first_speaker(executor: Executor) -> Voice | None:
    """Return the speaker that is used if no voice is chosen; None if the models have none.

    Before the models are loaded this is ANY_SPEAKER, for which the worker uses its first speaker.
    """
    speakers = speakers_of(executor)
    if speakers is None:
        return speaker_voice(ANY_SPEAKER)
    return speakers[0] if speakers else None


def _name(speaker: str) -> str:
    if speaker == ANY_SPEAKER:
        return "First built-in speaker"
    match = _SUNO.fullmatch(speaker)
    if match is None or match["language"] not in LANGUAGES:
        return speaker
    older = "" if match["version"] else " (first edition)"
    return f"{LANGUAGES[match['language']]} speaker {match['number']}{older}"
