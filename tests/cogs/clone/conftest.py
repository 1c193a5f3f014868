"""A server whose members agree to a clone by saying a sentence."""

import pytest
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from tests.cogs.replies import answer


@pytest.fixture
async def spoken_consent(channel: ChannelHandle, moderator: MemberActor) -> None:
    """A moderator has chosen spoken consent."""
    shown = answer(await moderator.slash(channel, "admin settings", consent="spoken"))
    fields = {field.name: field.value for field in shown.embeds[0].fields}
    assert fields["Members agree to a clone"] == "by saying a sentence"
