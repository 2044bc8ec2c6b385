"""Our own generated maps: two-lane circuits and whole towns for two domains, and any OpenDRIVE file beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator.circuit import CircuitShape, closed_circuit
from phipd_sim2real.simulator.network import Network
from phipd_sim2real.simulator.network_xml import network_opendrive
from phipd_sim2real.simulator.opendrive import RoadStyle, circuit_opendrive
from phipd_sim2real.simulator.town_plans import avenue, hill_country, hill_town, motorway, roundabout, town_grid

FOLDER = "Simulator/Maps"


@dataclass(frozen=True)
class Circuit:
    """A closed two-lane circuit.

    Attributes:
        shape: its course.
        style: paint, cross-section and speed limit.
    """

    shape: CircuitShape
    style: RoadStyle


@dataclass(frozen=True)
class MapSpec:
    """One generated map.

    Attributes:
        name: short name, the key of `MAPS`.
        domain: "source" or "target"; no map serves both, so that a planner never sees its test roads.
        plan: a circuit, or what lays out a network of roads with junctions.
    """

    name: str
    domain: str
    plan: Circuit | Callable[[], Network]


_SPECS = (
    MapSpec("Riverside01", "source", Circuit(CircuitShape(1500.0, 0.35, 0.45, (120.0, 260.0), 0.002, 0.022, 34),
            RoadStyle("broken", "white", "solid", 0.0, 2.5, 45))),
    MapSpec("Hillcrest01", "source", Circuit(CircuitShape(2000.0, 0.1, 0.42, (130.0, 400.0), 0.003, 0.020, 51),
            RoadStyle("solid", "yellow", "solid", 0.8, 2.0, 50))),
    MapSpec("Orchard01", "source", Circuit(CircuitShape(1150.0, 0.0, 0.40, (110.0, 230.0), 0.001, 0.024, 27),
            RoadStyle("broken", "yellow", "none", 0.0, 3.0, 40))),
    MapSpec("Lakeside01", "source", Circuit(CircuitShape(1700.0, 0.2, 0.42, (130.0, 300.0), 0.002, 0.022, 12),
            RoadStyle("solid", "white", "solid", 0.8, 2.0, 45))),
    MapSpec("Canyon01", "source", Circuit(CircuitShape(1900.0, 0.3, 0.45, (120.0, 320.0), 0.003, 0.023, 18),
            RoadStyle("solid", "yellow", "none", 0.0, 2.5, 45))),
    MapSpec("Vineyard01", "source", Circuit(CircuitShape(1400.0, 0.1, 0.40, (120.0, 260.0), 0.002, 0.021, 6),
            RoadStyle("broken", "white", "broken", 0.8, 3.0, 50))),
    MapSpec("Harbour01", "target", Circuit(CircuitShape(1800.0, 0.25, 0.50, (150.0, 300.0), 0.002, 0.020, 57),
            RoadStyle("broken", "yellow", "solid", 0.0, 2.5, 45))),
    MapSpec("Wharf01", "target", Circuit(CircuitShape(1700.0, 0.2, 0.45, (130.0, 320.0), 0.003, 0.022, 1),
            RoadStyle("solid", "white", "broken", 0.8, 2.5, 45))),
    MapSpec("Meadow01", "target", Circuit(CircuitShape(2300.0, 0.45, 0.40, (120.0, 400.0), 0.004, 0.023, 30),
            RoadStyle("broken", "white", "none", 0.8, 2.0, 50))),
    MapSpec("Quarry01", "target", Circuit(CircuitShape(1350.0, 0.15, 0.45, (140.0, 280.0), 0.003, 0.022, 9),
            RoadStyle("solid", "yellow", "solid", 0.0, 3.0, 40))),
    MapSpec("Valley01", "target", Circuit(CircuitShape(1600.0, 0.25, 0.42, (130.0, 300.0), 0.002, 0.022, 23),
            RoadStyle("broken", "yellow", "none", 0.8, 2.5, 45))),
    MapSpec("Market01", "source", town_grid),
    MapSpec("Circus01", "source", roundabout),
    MapSpec("Motorway01", "source", motorway),
    MapSpec("Fells01", "target", hill_country),
    MapSpec("Boulevard01", "target", avenue),
    MapSpec("Terrace01", "target", hill_town),
)  # fmt: skip

MAPS: dict[str, MapSpec] = {spec.name: spec for spec in _SPECS}
SOURCE_MAPS: tuple[str, ...] = tuple(spec.name for spec in _SPECS if spec.domain == "source")
TARGET_MAPS: tuple[str, ...] = tuple(spec.name for spec in _SPECS if spec.domain == "target")


@dataclass(frozen=True)
class RoadMap:
    """A map as it is served: its full name ("Simulator/Maps/Riverside01") and its OpenDRIVE text."""

    name: str
    xodr: str


@cache
def opendrive(name: str) -> str:
    """OpenDRIVE text of one of our maps, the same bytes every time.

    Args:
        name: a key of `MAPS`, with or without folders before it.

    Raises:
        UsageError: no such map.
    """
    spec = MAPS.get(name.rsplit("/", 1)[-1])
    if spec is None:
        raise UsageError(
            f"There is no map {name!r}; the maps are {', '.join(MAPS)}, or give the path of an .xodr file."
        )
    if isinstance(spec.plan, Circuit):
        return circuit_opendrive(spec.name, closed_circuit(spec.plan.shape), spec.plan.style)
    return network_opendrive(spec.plan())


def read_map(name_or_path: str) -> RoadMap:
    """One of our maps by name, or any OpenDRIVE file by path.

    Raises:
        UsageError: no such map or file, or a file that is not OpenDRIVE.
    """
    if not name_or_path.endswith(".xodr"):
        return RoadMap(f"{FOLDER}/{name_or_path.rsplit('/', 1)[-1]}", opendrive(name_or_path))
    path = Path(name_or_path)
    if not path.is_file():
        raise UsageError(f"There is no OpenDRIVE file {path}; give an existing .xodr file or one of {', '.join(MAPS)}.")
    xodr = path.read_text(encoding="utf-8")
    if "<OpenDRIVE" not in xodr:
        raise UsageError(f"{path} holds no <OpenDRIVE> element; give an OpenDRIVE 1.4 file.")
    return RoadMap(f"{FOLDER}/{path.stem}", xodr)
