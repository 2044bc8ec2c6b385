"""The blueprint library: vehicles, walkers and props with sizes of our own, sensors, and the marks of a stand-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator.attributes import Attribute, AttributeType
from phipd_sim2real.simulator.bodies import PROPS, VEHICLES, Body, VehicleKind, prop_body, walker_body
from phipd_sim2real.simulator.sensor_blueprints import require_sound, sensor_attributes

SYNTHETIC = "phipd carla-protocol simulator"
"""Value of the `synthetic` attribute that every blueprint carries and CARLA's do not."""


@dataclass(frozen=True)
class Blueprint:
    """What can be spawned.

    Attributes:
        uid: index in the library.
        type_id: CARLA's id, such as `vehicle.tesla.model3`.
        attributes: by name.
        body: of a vehicle, a walker or a prop, else None.
    """

    uid: int
    type_id: str
    attributes: Mapping[str, Attribute]
    body: Body | None = None

    def wire(self) -> list[Any]:
        """`ActorDefinition` on the wire."""
        tags = ",".join(self.type_id.split("."))
        return [self.uid, self.type_id, tags, [attribute.wire() for attribute in self.attributes.values()]]

    def filled_in(self, changes: Sequence[Sequence[Any]]) -> dict[str, str]:
        """Its values with a client's [name, type, value] changes.

        Raises:
            UsageError: an attribute that it has not, or a value that it cannot have.
        """
        values = {name: item.value for name, item in self.attributes.items()}
        for name, _, value in changes:
            if name not in values:
                raise UsageError(f"{self.type_id} has no attribute {name!r}")
            values[name] = self.attributes[name].checked(value)
        require_sound(self.type_id, values)
        return values


WALKERS = 52
"""CARLA 0.9.16 numbers its pedestrians up to this."""

WALKER_CONTROLLER = "controller.ai.walker"
"""Listed so that scripts find it, and refused when it is spawned: its client walks on a navigation mesh (Recast's
binary format), which our maps do not have."""

_AGES = ("adult", "adult", "adult", "elderly", "adult", "teenager", "child")


def library(looks: tuple[str, ...]) -> dict[str, Blueprint]:
    """All blueprints by type id.

    Args:
        looks: the renderer's families of appearance; the first is the RGB camera's default.
    """
    kinds: list[tuple[str, list[Attribute], Body | None]] = [
        (type_id, _vehicle_attributes(kind), kind.body) for type_id, kind in VEHICLES.items()
    ]
    kinds += [(type_id, attributes, None) for type_id, attributes in sensor_attributes(looks).items()]
    kinds += [_walker(number) for number in range(1, WALKERS + 1)]
    kinds += [(type_id, _prop_attributes(type_id), prop_body(type_id)) for type_id in PROPS]
    kinds.append((WALKER_CONTROLLER, [], None))
    mark = Attribute("synthetic", AttributeType.STRING, SYNTHETIC)
    return {
        type_id: Blueprint(uid, type_id, {item.name: item for item in (*attributes, mark)}, body)
        for uid, (type_id, attributes, body) in enumerate(kinds, start=1)
    }


def spectator_blueprint() -> Blueprint:
    """The spectator: always there, not in the library."""
    return Blueprint(0, "spectator", {})


def signal_blueprint(type_id: str) -> Blueprint:
    """A traffic light or sign: the map's, not in the library."""
    return Blueprint(0, type_id, {})


def _role(value: str, roles: tuple[str, ...] = ()) -> Attribute:
    return Attribute("role_name", AttributeType.STRING, value, roles, True)


def _vehicle_attributes(kind: VehicleKind) -> list[Attribute]:
    return [
        Attribute("object_type", AttributeType.STRING, ""),
        Attribute("base_type", AttributeType.STRING, kind.base_type),
        Attribute("special_type", AttributeType.STRING, kind.special_type),
        Attribute("number_of_wheels", AttributeType.INT, str(kind.wheels)),
        Attribute("generation", AttributeType.INT, str(kind.generation)),
        Attribute("has_dynamic_doors", AttributeType.BOOL, str(kind.doors).lower()),
        Attribute("has_lights", AttributeType.BOOL, str(kind.lamps).lower()),
        Attribute("sticky_control", AttributeType.BOOL, "True", (), True),
        Attribute("terramechanics", AttributeType.BOOL, "False", (), True),
        Attribute("color", AttributeType.COLOUR, kind.body.colours[0], kind.body.colours, True, True),
        _role("autopilot", ("autopilot", "scenario", "ego_vehicle", "hero")),
    ]


def _walker(number: int) -> tuple[str, list[Attribute], Body]:
    age = _AGES[number % len(_AGES)]
    speeds = ("0.0", "1.2", "2.0") if age == "child" else ("0.0", "1.4", "2.6")
    attributes = [
        Attribute("gender", AttributeType.STRING, "female" if number % 2 else "male", ("female", "male")),
        Attribute("age", AttributeType.STRING, age, ("child", "teenager", "adult", "elderly")),
        Attribute("generation", AttributeType.INT, "1" if number < 15 else "2"),
        Attribute("speed", AttributeType.FLOAT, speeds[1], speeds, True),
        Attribute("is_invincible", AttributeType.BOOL, "true", (), True),
        Attribute("can_use_wheelchair", AttributeType.BOOL, "false"),
        Attribute("use_wheelchair", AttributeType.BOOL, "false", (), True),
        _role("pedestrian", ("pedestrian",)),
    ]
    return f"walker.pedestrian.{number:04d}", attributes, walker_body(number, age)


def _prop_attributes(type_id: str) -> list[Attribute]:
    half_size, _ = PROPS[type_id]
    size = "small" if max(half_size) < 0.4 else "medium" if max(half_size) < 0.9 else "big"
    return [Attribute("size", AttributeType.STRING, size), _role("prop", ("prop",))]
