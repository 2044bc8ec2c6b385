"""Connecting: nobody there, and a server of another version."""

import socketserver
import threading

import pytest

from phipd_sim2real.capture.connection import connect, free_port
from phipd_sim2real.errors import UsageError

pytest.importorskip("carla", reason="needs the carla wheel")
msgpack = pytest.importorskip("msgpack", reason="needs msgpack, part of the carla extra")


class _OldServer(socketserver.BaseRequestHandler):
    """Answers every call with the version 0.9.15."""

    def handle(self):
        unpacker = msgpack.Unpacker()
        while data := self.request.recv(4096):
            unpacker.feed(data)
            for _, call_id, *_ in unpacker:
                self.request.sendall(msgpack.packb([1, call_id, None, [[1, "0.9.15"]]]))


def test_nobody_there_is_a_sentence():
    with pytest.raises(UsageError, match=r"No CARLA server answered at 127\.0\.0\.1"):
        connect("127.0.0.1", free_port(), wait_s=1.0)


def test_another_version_is_refused():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _OldServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(UsageError, match=r"is CARLA 0\.9\.15 and the client is 0\.9\.16"):
            connect("127.0.0.1", server.server_address[1], wait_s=10.0)
        server.shutdown()


def test_a_server_that_comes_late_is_found():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _OldServer, bind_and_activate=False)
    server.allow_reuse_address = True
    server.server_address = ("127.0.0.1", free_port())

    def start():
        server.server_bind()
        server.server_activate()
        server.serve_forever()

    threading.Timer(2.5, start).start()
    try:
        with pytest.raises(UsageError, match=r"0\.9\.15"):
            connect("127.0.0.1", server.server_address[1], wait_s=20.0)
    finally:
        server.shutdown()
        server.server_close()
