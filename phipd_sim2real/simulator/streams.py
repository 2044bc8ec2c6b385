"""The stream port: one TCP connection per subscription, bounded queues, frames dropped for who does not read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable

QUEUE_FRAMES = 32
SEND_BUFFER_BYTES = 8 << 20
CONNECT_LIMIT_S = 1.0

_LENGTH = struct.Struct("<I")
_SMALL_BYTES = 1 << 16
"""Up to here a length and its payload go out in one call, which is dearer than the copy that joins them."""


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
        self._subscribers: dict[int, dict[Subscriber, None]] = {}
        self._promised: Counter[int] = Counter()
        self._arrived = asyncio.Event()
        self._connected: set[Subscriber] = set()

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Listens; port 0 takes any."""
        server = await asyncio.get_running_loop().create_server(lambda: Subscriber(self), host, port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def stop(self) -> None:
        """Hangs up on all subscribers."""
        for subscriber in self._connected:
            subscriber.transport.abort()

    def promise(self, stream_id: int) -> None:
        """Notes that a token was handed out, so that a subscription is on its way."""
        self._promised[stream_id] += 1

    def listened(self, stream_id: int) -> bool:
        """Whether anybody reads a stream."""
        return bool(self._subscribers.get(stream_id))

    @property
    def awaited(self) -> bool:
        """Whether a token was handed out that nobody has connected with yet."""
        return bool(self._promised)

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
        """Sends a payload to every subscriber, as far as they read."""
        for subscriber in self._subscribers.get(stream_id, ()):
            subscriber.offer(payload)

    def connect(self, subscriber: Subscriber) -> None:
        """Notes a connection that has not said yet what it wants."""
        self._connected.add(subscriber)

    def subscribe(self, subscriber: Subscriber, stream_id: int) -> None:
        """Enters a subscriber, who gets the stream's present payload at once."""
        first = self._on_subscribe(stream_id)
        if first is not None:
            subscriber.offer(first)
        self._subscribers.setdefault(stream_id, {})[subscriber] = None
        if self._promised[stream_id] <= 1:
            del self._promised[stream_id]
        else:
            self._promised[stream_id] -= 1
        self._arrived.set()

    def forget(self, subscriber: Subscriber) -> None:
        """Takes out a subscriber that has left."""
        self._connected.discard(subscriber)
        for subscribers in self._subscribers.values():
            subscribers.pop(subscriber, None)


class Subscriber(asyncio.Protocol):
    """One subscription: it says the stream's id and then only reads.

    Attributes:
        transport: the connection.
    """

    transport: asyncio.Transport

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._said, self._full = b"", False
        self._waiting: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._streams.connect(self)

    def data_received(self, data: bytes) -> None:
        self._said += data
        if len(self._said) == _LENGTH.size:
            self._streams.subscribe(self, _LENGTH.unpack(self._said)[0])
        elif len(self._said) > _LENGTH.size:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.forget(self)

    def offer(self, payload: bytes) -> None:
        """Sends a payload, or queues it where the last ones are still under way; a full queue loses it."""
        if not self._full:
            self._send(payload)
        elif len(self._waiting) < QUEUE_FRAMES:
            self._waiting.append(payload)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        while self._waiting and not self._full:
            self._send(self._waiting.popleft())

    def _send(self, payload: bytes) -> None:
        length = _LENGTH.pack(len(payload))
        if len(payload) <= _SMALL_BYTES:
            self.transport.write(length + payload)
        else:
            self.transport.write(length)
            self.transport.write(payload)
