"""The blueprint library: vehicles with sizes of our own, sensors, and the marks of a stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phipd_sim2real.simulator.attributes import Attribute, AttributeType
from phipd_sim2real.simulator.sensor_blueprints import sensor_attributes

SYNTHETIC = "phipd carla-protocol simulator"
"""Value of the `synthetic` attribute that every blueprint carries and CARLA's do not."""


@dataclass(frozen=True)
class Body:
    """Size and mass of a vehicle.

    Attributes:
        half_size: half length, width and height, metres.
        wheelbase: between the axles, metres; the actor's origin is midway between them, on the ground.
        mass: kg.
        wheel_radius: metres.
        colours: paints on offer, "r,g,b".
    """

    half_size: tuple[float, float, float]
    wheelbase: float
    mass: float
    wheel_radius: float
    colours: tuple[str, ...]


@dataclass(frozen=True)
class Blueprint:
    """What can be spawned.

    Attributes:
        uid: index in the library.
        type_id: CARLA's id, such as `vehicle.tesla.model3`.
        attributes: by name.
        body: of a vehicle, else None.
    """

    uid: int
    type_id: str
    attributes: Mapping[str, Attribute]
    body: Body | None = None

    def wire(self) -> list[Any]:
        """`ActorDefinition` on the wire."""
        tags = ",".join(self.type_id.split("."))
        return [self.uid, self.type_id, tags, [attribute.wire() for attribute in self.attributes.values()]]


_PAINTS = ("224,224,220", "18,20,24", "120,124,128", "140,24,22", "24,48,110", "180,178,170", "52,70,58")
_BOLD = ("196,160,24", "20,104,140", "190,70,20")

_BODIES = {
    "vehicle.tesla.model3": Body((2.35, 0.93, 0.72), 2.88, 1750.0, 0.34, _PAINTS),
    "vehicle.lincoln.mkz_2020": Body((2.45, 0.93, 0.74), 2.85, 1700.0, 0.35, _PAINTS),
    "vehicle.audi.a2": Body((1.91, 0.84, 0.77), 2.41, 1050.0, 0.30, _PAINTS),
    "vehicle.audi.tt": Body((2.09, 0.92, 0.68), 2.50, 1350.0, 0.33, _PAINTS + _BOLD),
    "vehicle.audi.etron": Body((2.45, 0.97, 0.82), 2.93, 2500.0, 0.38, _PAINTS),
    "vehicle.bmw.grandtourer": Body((2.28, 0.90, 0.82), 2.78, 1550.0, 0.33, _PAINTS),
    "vehicle.citroen.c3": Body((2.00, 0.87, 0.74), 2.54, 1150.0, 0.31, _PAINTS + _BOLD),
    "vehicle.dodge.charger_2020": Body((2.50, 0.95, 0.74), 3.05, 1900.0, 0.36, _PAINTS + _BOLD),
    "vehicle.jeep.wrangler_rubicon": Body((2.10, 0.94, 0.92), 2.46, 1900.0, 0.40, _PAINTS + _BOLD),
    "vehicle.mercedes.coupe": Body((2.35, 0.91, 0.70), 2.84, 1700.0, 0.34, _PAINTS),
    "vehicle.mini.cooper_s": Body((1.92, 0.86, 0.71), 2.50, 1250.0, 0.31, _PAINTS + _BOLD),
    "vehicle.nissan.micra": Body((1.90, 0.83, 0.76), 2.45, 1000.0, 0.30, _PAINTS + _BOLD),
    "vehicle.nissan.patrol": Body((2.55, 0.99, 0.95), 3.07, 2700.0, 0.40, _PAINTS),
    "vehicle.seat.leon": Body((2.14, 0.90, 0.73), 2.63, 1300.0, 0.32, _PAINTS),
    "vehicle.toyota.prius": Body((2.27, 0.88, 0.74), 2.70, 1400.0, 0.32, _PAINTS),
    "vehicle.volkswagen.t2_2021": Body((2.25, 0.90, 0.98), 2.45, 1500.0, 0.33, _PAINTS + _BOLD),
    "vehicle.mercedes.sprinter": Body((2.95, 1.00, 1.30), 3.67, 2300.0, 0.36, _PAINTS),
    "vehicle.mitsubishi.fusorosa": Body((3.50, 1.02, 1.35), 3.95, 4500.0, 0.40, _PAINTS),
}


def library(looks: tuple[str, ...]) -> dict[str, Blueprint]:
    """All blueprints by type id.

    Args:
        looks: the renderer's families of appearance; the first is the RGB camera's default.
    """
    kinds: list[tuple[str, list[Attribute], Body | None]] = [
        (type_id, _vehicle_attributes(body), body) for type_id, body in _BODIES.items()
    ]
    kinds += [(type_id, attributes, None) for type_id, attributes in sensor_attributes(looks).items()]
    mark = Attribute("synthetic", AttributeType.STRING, SYNTHETIC)
    return {
        type_id: Blueprint(uid, type_id, {item.name: item for item in (*attributes, mark)}, body)
        for uid, (type_id, attributes, body) in enumerate(kinds, start=1)
    }


def spectator_blueprint() -> Blueprint:
    """The spectator: always there, not in the library."""
    return Blueprint(0, "spectator", {})


def _role(value: str) -> Attribute:
    roles = ("autopilot", "scenario", "ego_vehicle", "hero") if value == "autopilot" else ()
    return Attribute("role_name", AttributeType.STRING, value, roles, True)


def _vehicle_attributes(body: Body) -> list[Attribute]:
    base = "bus" if body.half_size[0] > 3.2 else "van" if body.half_size[2] > 0.97 else "car"
    return [
        Attribute("number_of_wheels", AttributeType.INT, "4"),
        Attribute("base_type", AttributeType.STRING, base),
        Attribute("special_type", AttributeType.STRING, ""),
        Attribute("generation", AttributeType.INT, "2"),
        Attribute("has_lights", AttributeType.BOOL, "true"),
        Attribute("sticky_control", AttributeType.BOOL, "True", (), True),
        Attribute("color", AttributeType.COLOUR, body.colours[0], body.colours, True, True),
        _role("autopilot"),
    ]
