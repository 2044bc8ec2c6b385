"""The stream port: one TCP connection per subscription, bounded queues, frames dropped for who does not read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable

QUEUE_FRAMES = 32
SEND_BUFFER_BYTES = 8 << 20
CONNECT_LIMIT_S = 1.0

_LENGTH = struct.Struct("<I")


class Streams:
    """Subscriptions by stream id.

    Attributes:
        port: where it listens, set by `start`.
    """

    def __init__(self, on_subscribe: Callable[[int], bytes | None]) -> None:
        """
        Args:
            on_subscribe: called with the stream id; what it returns is the subscriber's first payload.
        """
        self.port = 0
        self._on_subscribe = on_subscribe
        self._queues: dict[int, set[asyncio.Queue[bytes]]] = {}
        self._promised: Counter[int] = Counter()
        self._arrived = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Listens; port 0 takes any."""
        server = await asyncio.start_server(self._serve, host, port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def stop(self) -> None:
        """Hangs up on all subscribers."""
        for writer in self._writers:
            writer.transport.abort()

    def promise(self, stream_id: int) -> None:
        """Notes that a token was handed out, so that a subscription is on its way."""
        self._promised[stream_id] += 1

    def listened(self, stream_id: int) -> bool:
        """Whether anybody reads a stream."""
        return bool(self._queues.get(stream_id))

    async def settled(self) -> None:
        """Waits until every token handed out is connected, at most `CONNECT_LIMIT_S`.

        A client's `listen` asks for the token and connects in the background: without this, the tick after
        it would be lost.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_LIMIT_S):
                while self._promised:
                    self._arrived.clear()
                    await self._arrived.wait()
        self._promised.clear()

    def publish(self, stream_id: int, payload: bytes) -> None:
        """Queues a payload for every subscriber; a full queue loses it."""
        for queue in self._queues.get(stream_id, ()):
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(payload)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._feed(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _feed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        try:
            stream_id = _LENGTH.unpack(await reader.readexactly(4))[0]
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_FRAMES)
        self._subscribe(stream_id, queue)
        sending = asyncio.create_task(_send(queue, writer))
        try:
            with contextlib.suppress(ConnectionError):
                await reader.read(1)  # a subscriber never speaks again: this returns when it leaves
        finally:
            self._queues[stream_id].discard(queue)
            sending.cancel()

    def _subscribe(self, stream_id: int, queue: asyncio.Queue[bytes]) -> None:
        first = self._on_subscribe(stream_id)
        if first is not None:
            queue.put_nowait(first)
        self._queues.setdefault(stream_id, set()).add(queue)
        if self._promised[stream_id] <= 1:
            del self._promised[stream_id]
        else:
            self._promised[stream_id] -= 1
        self._arrived.set()


async def _send(queue: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            payload = await queue.get()
            writer.write(_LENGTH.pack(len(payload)))
            writer.write(payload)
            await writer.drain()
