"""Which attachment is meant, and what is said when it is gone."""

from typing import Any
from unittest.mock import create_autospec

import aiohttp
import discord
import pytest

from cogs.files import read_recording, recording_in
from errors import InvalidInput, Unavailable
from tests.cogs.ui.test_errors import http_error, response


def attachment(name: str, kind: str | None = None, *, voice: bool = False) -> Any:
    made = create_autospec(discord.Attachment, instance=True)
    made.filename = name
    made.content_type = kind
    made.is_voice_message.return_value = voice
    return made


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.bin", "audio/ogg"),
        ("a", "video/mp4"),
        ("A.WAV", None),
        *((f"talk{ending}", "application/octet-stream") for ending in (".m4a", ".caf", ".mka", ".m4b", ".3ga")),
        ("talk", "application/octet-stream"),
        ("talk", None),
    ],
)
def test_sound_is_recognised_by_type_or_name(name: str, kind: str | None) -> None:
    found = attachment(name, kind)
    assert recording_in([attachment("a.png", "image/png"), found]) is found


def test_what_looks_like_sound_comes_before_what_may_be() -> None:
    found = attachment("a.caf", "application/octet-stream")
    assert recording_in([attachment("a", "application/octet-stream"), found]) is found


def test_a_voice_message_comes_first() -> None:
    voice = attachment("voice-message.ogg", "audio/ogg", voice=True)
    assert recording_in([attachment("a.mp3", "audio/mpeg"), voice]) is voice


def test_the_first_of_several_is_meant() -> None:
    first = attachment("1.mp3")
    assert recording_in([first, attachment("2.mp3")]) is first


@pytest.mark.parametrize("names", [[], ["a.png"], ["a.txt", "b.pdf"]])
def test_without_sound_there_is_a_sentence(names: list[str]) -> None:
    with pytest.raises(InvalidInput, match="no recording"):
        recording_in([attachment(name) for name in names])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (discord.NotFound(response(404), "gone"), InvalidInput),
        (discord.Forbidden(response(403), "signed"), InvalidInput),
        (http_error(500), Unavailable),
        (aiohttp.ClientConnectionError(), Unavailable),
        (TimeoutError(), Unavailable),
    ],
)
async def test_a_recording_that_cannot_be_read_is_a_sentence(error: Exception, kind: type[Exception]) -> None:
    made = attachment("a.wav")
    made.read.side_effect = error
    with pytest.raises(kind):
        await read_recording(made)


async def test_the_bytes_are_read_as_they_are() -> None:
    made = attachment("a.wav")
    made.read.return_value = b"RIFF"
    assert await read_recording(made) == b"RIFF"
