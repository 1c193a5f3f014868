"""A world in real time around a small bot."""

from collections.abc import AsyncIterator

import pytest

from simulator.demo_cog import DemoCog
from simulator.live import LiveEnv
from simulator.world import World, build
from tests.simulator.small_bot import SmallBot


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Started, with the demo's commands; ends without any error of the bot."""
    bot = SmallBot()
    world = build(LiveEnv(bot))
    await bot.add_cog(DemoCog(world))
    await world.env.start()
    yield world
    await world.env.shutdown()
    assert not world.env.errors
