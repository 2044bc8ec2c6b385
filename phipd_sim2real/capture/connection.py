"""A connection to a CARLA server, made patiently and checked."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phipd_sim2real.errors import UsageError

if TYPE_CHECKING:
    import carla

FIRST_ANSWER_S = 2.0
CALL_LIMIT_S = 60.0
"""A real server needs tens of seconds to load a map."""
LEAVE_LIMIT_S = 5.0
"""Tidying up does not wait long for a server that may be gone."""


@dataclass(frozen=True)
class ServerInfo:
    """What a server says of itself.

    Attributes:
        version: of CARLA's protocol.
        domain: `carla`, or `carla-protocol simulator` where the blueprints say that pictures are synthetic.
        maps: names of its maps.
        vehicles: blueprints of vehicles.
        looks: families of appearance; CARLA has none.
    """

    version: str
    domain: str
    maps: tuple[str, ...]
    vehicles: tuple[str, ...]
    looks: tuple[str, ...]

    @property
    def is_embedded(self) -> bool:
        """Whether it is our simulator."""
        return self.domain != "carla"


def connect(host: str, port: int, wait_s: float) -> carla.Client:
    """Connects to a server and checks its version.

    A client made before the server listens never connects, so every try makes a new one.

    Args:
        host: name or address.
        port: RPC port.
        wait_s: how long to try.

    Raises:
        UsageError: nobody answers, or the server's version is not the client's.
    """
    carla = import_carla()
    deadline = time.monotonic() + wait_s
    while True:
        client = carla.Client(host, port)
        client.set_timeout(min(FIRST_ANSWER_S, wait_s))
        try:
            server = client.get_server_version()
            break
        except RuntimeError:
            if time.monotonic() > deadline:
                raise UsageError(
                    f"No CARLA server answered at {host}:{port} within {wait_s:g} s; start one there, "
                    "or set endpoint to 'embedded' for the simulator that comes with this package."
                ) from None
    if server != client.get_client_version():
        raise UsageError(
            f"The server at {host}:{port} is CARLA {server} and the client is {client.get_client_version()}; "
            f"start a server of version {client.get_client_version()}."
        )
    client.set_timeout(CALL_LIMIT_S)
    return client


def import_carla() -> Any:
    """The carla module.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import carla
    except ImportError as error:
        raise UsageError(
            "The carla package is missing; run `make setup`, or pip install 'phipd-sim2real[carla]'."
        ) from error
    return carla


def server_info(client: carla.Client) -> ServerInfo:
    """Asks a server what it is."""
    library = client.get_world().get_blueprint_library()
    camera = library.find("sensor.camera.rgb")
    looks = camera.get_attribute("look").recommended_values if camera.has_attribute("look") else ()
    return ServerInfo(
        version=client.get_server_version(),
        domain="carla-protocol simulator" if camera.has_attribute("synthetic") else "carla",
        maps=tuple(sorted(client.get_available_maps())),
        vehicles=tuple(sorted(blueprint.id for blueprint in library.filter("vehicle.*"))),
        looks=tuple(looks),
    )


def semantic_labels() -> dict[int, str]:
    """The client's CityObjectLabel: id in semantic pictures -> name. Ids have moved between versions of CARLA."""
    names = {int(label): name for name, label in import_carla().CityObjectLabel.names.items()}
    return dict(sorted(names.items()))


def free_port() -> int:
    """A TCP port of this machine that nobody listens on, so that no two Traffic Managers meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
