"""A server in real time around a small bot."""

from collections.abc import AsyncIterator

import pytest

from simulator.demo_cog import DemoCog
from simulator.live import LiveEnv
from simulator.simulated_server import SimulatedServer, build
from tests.simulator.small_bot import SmallBot


@pytest.fixture
async def server() -> AsyncIterator[SimulatedServer]:
    """Started, with the demo's commands; ends without any error of the bot."""
    bot = SmallBot()
    server = build(LiveEnv(bot))
    await bot.add_cog(DemoCog(server))
    await server.env.start()
    yield server
    await server.env.shutdown()
    assert not server.env.errors
