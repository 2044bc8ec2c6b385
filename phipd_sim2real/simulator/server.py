"""The server: RPC connections, ticks and their pacing, and the streams that follow."""

from __future__ import annotations

import asyncio
import struct
import sys
import traceback
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator import actor_requests, requests, scene_requests, wire  # noqa: F401 - they enter their methods
from phipd_sim2real.simulator.blueprints import library
from phipd_sim2real.simulator.connection import Connection
from phipd_sim2real.simulator.episode import EpisodeSettings
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.maps import RoadMap
from phipd_sim2real.simulator.methods import METHODS, Answer, Method
from phipd_sim2real.simulator.pacing import Pacer
from phipd_sim2real.simulator.sensing import Exposure, due, expose, readings
from phipd_sim2real.simulator.streams import Streams
from phipd_sim2real.simulator.studio import Studio
from phipd_sim2real.simulator.world import WORLD_STREAM, RequestError, World

_REFUSED = (RequestError, UsageError)
_MALFORMED = (TypeError, ValueError, LookupError, AttributeError, struct.error, OverflowError)


@dataclass(frozen=True)
class TrafficManagerAddress:
    """Where a client's Traffic Manager listens, and the connection that it lives and dies with."""

    host: str
    connection: Connection


class Server:
    """One world, served to any number of clients on loopback.

    Attributes:
        world: the state.
        streams: the stream port.
        pacer: holds ticks back for synchronous Traffic Managers.
        traffic_managers: by port.
        start_map: the map that it was started with.
        uploaded: the map of `generate_opendrive_world`.
        ticker: the connection that ticked last.
    """

    def __init__(self, road_map: RoadMap, seed: int) -> None:
        self.world = World(road_map, library(tuple(LOOKS)), seed)
        self.streams = Streams(lambda stream: self.world.snapshot() if stream == WORLD_STREAM else None)
        self.pacer = Pacer()
        self.traffic_managers: dict[int, TrafficManagerAddress] = {}
        self.start_map = road_map
        self.uploaded: RoadMap | None = None
        self.ticker: Connection | None = None
        self._seed = seed
        self._studio = Studio(tuple(LOOKS), seed)
        self._ticking = asyncio.Lock()
        self._developing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task] = set()
        self._connections: set[Connection] = set()
        self._listeners: tuple[asyncio.Server, ...] = ()

    async def start(self, host: str, port: int) -> int:
        """Listens for RPC on `port` (0: any) and for streams on the next one; returns the RPC port."""
        calls = self._connections.add, self._receive, self._forget
        rpc = await asyncio.get_running_loop().create_server(lambda: Connection(*calls), host, port)
        chosen = rpc.sockets[0].getsockname()[1]
        self._listeners = (rpc, await self.streams.start(host, chosen + 1 if port else 0))
        self._keep(asyncio.create_task(self._run_free()))
        return chosen

    async def stop(self) -> None:
        """Hangs up on everybody and ends what is under way; clients that call again find nobody."""
        for listener in self._listeners:
            listener.close()
        for connection in self._connections:
            connection.transport.abort()
        self.streams.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0.05)  # lets tasks and connections see their end

    async def tick(self) -> int:
        """One frame: waits for subscribers, Traffic Managers and the last pictures, then advances.

        Returns:
            The new frame's number.

        Raises:
            RequestError: the pictures of the last tick could not be made.
        """
        async with self._ticking:
            await self.streams.settled()
            await self.pacer.ready(bool(self.traffic_managers))
            await self._developed()
            return self.advance()

    @property
    def at_rest(self) -> bool:
        """Whether a tick has nothing to wait for."""
        busy = self.traffic_managers or self._developing is not None
        return not (busy or self.streams.awaited or self._ticking.locked())

    def advance(self) -> int:
        """One frame at once, of a server that is at rest; returns its number."""
        self.world.tick()
        self._publish()
        return self.world.frame

    async def load(self, road_map: RoadMap, reset_settings: bool) -> None:
        """Starts a fresh episode and shows it to everybody."""
        async with self._ticking:
            await self._developed()
            self.world.load(road_map, self.world.episode.episode_id + 1)
            if reset_settings:
                self.world.settings = EpisodeSettings()
            self.world.tick()
            self._publish()

    def add_traffic_manager(self, host: str, port: int, connection: Connection) -> bool:
        """Registers a Traffic Manager; False where the port is taken."""
        if port in self.traffic_managers:
            return False
        self.traffic_managers[port] = TrafficManagerAddress(host, connection)
        return True

    def _publish(self) -> None:
        self.streams.publish(WORLD_STREAM, self.world.snapshot())
        self.pacer.frame_sent()
        sensors = due(self.world, self.streams.listened)
        for stream_id, payload in readings(self.world, sensors, self._seed):
            self.streams.publish(stream_id, payload)
        exposure = expose(self.world, sensors, self._seed)
        if exposure is not None:
            self._developing = asyncio.create_task(self._develop(exposure))

    async def _develop(self, exposure: Exposure) -> None:
        # In a thread, so that Traffic Managers get their answers while the pictures are made.
        for stream_id, payload in await asyncio.to_thread(self._studio.develop, exposure):
            self.streams.publish(stream_id, payload)

    async def _developed(self) -> None:
        task, self._developing = self._developing, None
        if task is None:
            return
        try:
            await task
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            raise RequestError(f"the cameras' pictures could not be made: {error!r}") from error

    async def _run_free(self) -> None:
        while True:
            await asyncio.sleep(self.world.delta_s)
            if not self.world.settings.synchronous:
                try:
                    await self.tick()
                except RequestError as error:
                    print(error, file=sys.stderr)

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        # Traffic Managers of a lost client would hold back every later tick.
        lost = [port for port, address in self.traffic_managers.items() if address.connection is connection]
        for port in lost:
            del self.traffic_managers[port]
        # Nor may a world stand still for all others because the client that ticked it is gone.
        if self.ticker is connection:
            self.ticker = None
            self.world.settings = self.world.settings._replace(synchronous=False)

    def _receive(self, connection: Connection, message: Any) -> None:
        if not (isinstance(message, list) and len(message) == 4 and message[0] == 0 and message[3]):
            raise ValueError("not a CARLA request of the form [0, id, method, [meta, ...]]")
        _, request_id, name, (meta, *arguments) = message
        method = METHODS.get(name)
        if method is None:
            connection.answer(request_id, *_unknown(name, meta))
            return
        try:
            result = method.call(self, connection, *arguments)
        except (*_REFUSED, *_MALFORMED) as error:
            self._finish(connection, request_id, meta, method, error)
            return
        if isawaitable(result):
            self._keep(asyncio.create_task(self._await(connection, request_id, meta, method, result)))
        else:
            self._finish(connection, request_id, meta, method, result)

    async def _await(self, connection: Connection, request_id: int, meta: Any, method: Method, pending: Any) -> None:
        try:
            result = await pending
        except (*_REFUSED, *_MALFORMED) as error:
            result = error
        self._finish(connection, request_id, meta, method, result)

    def _finish(self, connection: Connection, request_id: int, meta: Any, method: Method, result: Any) -> None:
        fire_and_forget = bool(meta and meta[0])
        connection.answer(request_id, None, None if fire_and_forget else _wrapped(method.answer, result))

    def _keep(self, task: asyncio.Task) -> None:
        """The loop holds tasks weakly: without this one could vanish half done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unknown(name: Any, meta: Any) -> tuple[str | None, None]:
    if meta and meta[0]:
        return None, None
    return f"this simulator has no method {name!r}", None


def _wrapped(answer: Answer, result: Any) -> Any:
    if answer is Answer.BARE:
        return [] if isinstance(result, Exception) else result
    if isinstance(result, Exception):
        message = str(result) if isinstance(result, _REFUSED) else f"malformed request: {result}"
        return wire.void_refusal(message) if answer is Answer.VOID else wire.value_refusal(message)
    return wire.void_reply() if answer is Answer.VOID else wire.value_reply(result)
