"""Streams a voice channel to browsers: Opus in WebM without an end, silence included."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from fractions import Fraction

import av
from av.audio.stream import AudioStream

from simulator.voice.packets import SILENCE, Hear, Packet

RATE = 48_000
PACKET_SECONDS = 0.02
AHEAD = 5
"""Packets of silence that a stream begins with, so that a late packet makes no gap."""
LIMIT = 500
"""The most packets that wait for one listener: 10 s. A slower browser loses the oldest."""


class Radio:
    """Sends the packets of all channels to all listeners: the bot is in one channel at a time."""

    def __init__(self) -> None:
        self._listeners: dict[object, deque[bytes]] = {}

    def hear(self, _channel_id: int) -> Hear:
        """Return the function that gets the packets of a channel."""
        return self._take

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the stream from now on, 20 ms at a time, in real time."""
        packets: deque[bytes] = deque([SILENCE] * AHEAD, LIMIT)
        listener = object()
        self._listeners[listener] = packets
        writer = _Writer()
        started = time.perf_counter()
        try:
            with _Muxer(writer) as muxer:
                while True:
                    due = int((time.perf_counter() - started) / PACKET_SECONDS) + AHEAD
                    while muxer.written < due:
                        muxer.write(packets.popleft() if packets else SILENCE)
                    yield writer.taken()
                    await asyncio.sleep(PACKET_SECONDS)
        finally:
            del self._listeners[listener]

    def _take(self, packet: Packet) -> None:
        if packet.opus is not None:
            for packets in self._listeners.values():
                packets.append(packet.opus)


class _Writer:
    """A file in memory that PyAV writes into."""

    def __init__(self) -> None:
        self._content = bytearray()

    def write(self, data: bytes) -> int:
        self._content += data
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        content, self._content = bytes(self._content), bytearray()
        return content


class _Muxer:
    """Writes packets unchanged into short clusters of WebM."""

    def __init__(self, writer: _Writer) -> None:
        self.written = 0
        options = {"live": "1", "cluster_time_limit": "100", "flush_packets": "1"}
        self._container = av.open(writer, "w", format="webm", options=options)
        stream = self._container.add_stream("libopus", rate=RATE, layout="mono")
        if not isinstance(stream, AudioStream):
            raise TypeError("libopus is a codec of sound")
        self._stream = stream

    def __enter__(self) -> "_Muxer":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def write(self, opus: bytes) -> None:
        samples = round(RATE * PACKET_SECONDS)
        packet = av.Packet(opus)
        packet.stream = self._stream
        packet.time_base = Fraction(1, RATE)
        packet.pts = packet.dts = self.written * samples
        packet.duration = samples
        self._container.mux(packet)
        self.written += 1
