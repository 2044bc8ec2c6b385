"""One client's RPC connection: msgpack-RPC requests in, replies out."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Any

import msgpack

LARGEST_REQUEST_BYTES = 256 << 20


class Connection(asyncio.Protocol):
    """Reads requests and sends replies; who speaks no msgpack-RPC is hung up on.

    Attributes:
        transport: the connection.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        on_open: Callable[[Connection], None],
        on_message: Callable[[Connection, Any], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        """
        Args:
            on_open: called when it stands.
            on_message: called with every message; a ValueError drops the client.
            on_lost: called when it is gone.
        """
        self._on_open, self._on_message, self._on_lost = on_open, on_message, on_lost
        self._unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=LARGEST_REQUEST_BYTES)
        self._packer = msgpack.Packer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._unpacker.feed(data)
            for message in self._unpacker:
                self._on_message(self, message)
        except (ValueError, msgpack.exceptions.UnpackException) as error:
            _say_dropped(error)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            _say_dropped(exc)
        self._on_lost(self)

    def answer(self, request_id: int, error: str | None, result: Any) -> None:
        """Sends one reply."""
        if not self.transport.is_closing():
            self.transport.write(self._packer.pack([1, request_id, error, result]))


def _say_dropped(error: Exception) -> None:
    print(f"a client was dropped: {error!r}", file=sys.stderr)
