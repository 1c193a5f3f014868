"""A studio whose bot can come to voice channels, and two people who sit in the lounge."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.channel.lines import Piece
from studio.channel.rooms import Room
from tests.fake_voice import FakeVoice
from tests.studio.conftest import ANN, BOB, GUILD, StudioHarness

LOUNGE, CELLAR = 70, 71
ANN_THERE, BOB_THERE = (replace(who, voice_channel_id=LOUNGE) for who in (ANN, BOB))
NOTICE = Piece(Path("notice.ogg"))


@pytest.fixture
async def voice(harness: StudioHarness) -> FakeVoice:
    """The platform; the bot sits nowhere yet."""
    voice = FakeVoice()
    harness.studio.channels.attend(voice, NOTICE)
    return voice


@pytest.fixture
async def lounge(harness: StudioHarness, voice: FakeVoice) -> FakeVoice:
    """The bot sits in the lounge."""
    await harness.studio.channels.join(ANN_THERE)
    return voice


def room_of(harness: StudioHarness) -> Room:
    """Where the bot sits."""
    room = harness.studio.dispatcher.rooms.get(GUILD)
    assert room is not None
    return room


async def seat_of(harness: StudioHarness) -> int | None:
    """The channel to which a later process comes back."""
    return next((seat.channel_id for seat in await harness.storage.seats.all()), None)
