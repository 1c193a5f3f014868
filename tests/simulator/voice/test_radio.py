import asyncio
import io

import av

from simulator.voice.packets import SILENCE, Packet
from simulator.voice.radio import AHEAD, Radio
from tests.cogs.channel.conftest import packets_of, tone


async def test_a_listener_gets_every_packet_as_it_is_and_silence_around() -> None:
    radio = Radio()
    said = packets_of(tone(0, 0.3))
    received = b""
    stream = radio.stream()
    received += await anext(stream)
    for number, opus in enumerate(said):
        radio.hear(1)(Packet(0.0, number, number * 960, opus))
    radio.hear(1)(Packet(0.0, 99, 0, None))  # what nobody can decrypt
    async with asyncio.timeout(10):
        while len(received) < sum(map(len, said)) + 1500:
            received += await anext(stream)
    await stream.aclose()
    assert not radio._listeners
    with av.open(io.BytesIO(received), "r") as container:
        heard = [bytes(packet) for packet in container.demux() if packet.size]
    assert heard[:AHEAD] == [SILENCE] * AHEAD
    assert [packet for packet in heard if packet != SILENCE] == said
