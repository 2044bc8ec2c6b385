"""The server that is driven on: our simulator, started for it, or a running CARLA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.capture.connection import ServerInfo, connect, server_info
from phipd_sim2real.capture.rig import Rig, load_rig
from phipd_sim2real.capture.session import WorldMode, episode, world_mode
from phipd_sim2real.capture.settings import EMBEDDED, short_map_name
from phipd_sim2real.driving.drive import Drive
from phipd_sim2real.driving.settings import DrivingSettings
from phipd_sim2real.errors import UsageError

if TYPE_CHECKING:
    import carla


@dataclass(frozen=True)
class Server:
    """A connected server.

    Attributes:
        client: to it.
        info: what it says of itself.
        settings: of the driving.
        rig: ego vehicle and cameras.
        restore_to: settings that the world gets back after every drive.
    """

    client: carla.Client
    info: ServerInfo
    settings: DrivingSettings
    rig: Rig
    restore_to: WorldMode

    @contextmanager
    def drive(self, number: int, cameras: tuple[int, ...]) -> Iterator[Drive]:
        """A fresh world with the ego on a route, warmed up. Everything random comes from the seed and the number.

        Args:
            number: of the route.
            cameras: ids of the cameras whose pictures the samples have.
        """
        settings = self.settings
        map_name = settings.maps[number % len(settings.maps)]
        seeds = np.random.SeedSequence([settings.seed, number])
        traffic_seed = 1 + int(seeds.generate_state(1)[0] % 2**30)
        with episode(self.client, map_name, settings.delta_s, traffic_seed, self.restore_to) as held:
            name = f"{short_map_name(map_name)}-{number:03d}"
            yield Drive(held, settings, self.rig, self.info, name, cameras, np.random.default_rng(seeds))


@contextmanager
def drive_server(settings: DrivingSettings) -> Iterator[Server]:
    """Connects to the endpoint, which our simulator is started for where it is `embedded`.

    Raises:
        UsageError: nobody answers, or the server lacks a map, the vehicle or the look.
    """
    from phipd_sim2real.simulator.process import simulator_process

    rig = load_rig(settings.rig)
    with ExitStack() as stack:
        if settings.endpoint == EMBEDDED:
            served = stack.enter_context(simulator_process(settings.maps[0], settings.seed))
            host, port = served.host, served.port
        else:
            host, _, number = settings.endpoint.rpartition(":")
            port = int(number)
        client = connect(host, port, settings.connect_s)
        info = server_info(client)
        _check(settings, rig, info)
        yield Server(client, info, settings, rig, world_mode(client))


def _check(settings: DrivingSettings, rig: Rig, info: ServerInfo) -> None:
    known = {short_map_name(name) for name in info.maps}
    if unknown := {name for name in settings.maps if short_map_name(name) not in known}:
        raise UsageError(
            f"The server has no map {', '.join(sorted(unknown))} to drive on; it has {', '.join(sorted(known))}."
        )
    if rig.vehicle not in info.vehicles:
        raise UsageError(f"The server has no vehicle {rig.vehicle!r}; it has {', '.join(info.vehicles)}.")
    if settings.look is not None and settings.look not in info.looks:
        given = ", ".join(info.looks) or "none, as its appearance comes from its maps and weather"
        raise UsageError(f"The server has no look {settings.look!r}; it has {given}.")
