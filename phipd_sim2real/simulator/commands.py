"""Batch commands: what `apply_batch` can do to the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phipd_sim2real.simulator.wire import Transform, VehicleControl, read_vector
from phipd_sim2real.simulator.world import RequestError, World, require_attachment

_NAMES = [
    "SpawnActor",
    "DestroyActor",
    "ApplyVehicleControl",
    "ApplyVehicleAckermannControl",
    "ApplyWalkerControl",
    "ApplyVehiclePhysicsControl",
    "ApplyTransform",
    "ApplyWalkerState",
    "ApplyTargetVelocity",
    "ApplyTargetAngularVelocity",
    "ApplyImpulse",
    "ApplyForce",
    "ApplyAngularImpulse",
    "ApplyTorque",
    "SetSimulatePhysics",
    "SetEnableGravity",
    "SetAutopilot",
    "ShowDebugTelemetry",
    "SetVehicleLightState",
    "ApplyLocation",
    "ConsoleCommand",
    "SetTrafficLightState",
]
_SPAWN = 0
_FUTURE_ACTOR = 0


def apply_command(world: World, kind: int, fields: Sequence[Any]) -> int:
    """Carries out one command.

    Args:
        world: the world.
        kind: index of the command in CARLA's variant.
        fields: its fields in the wire's order; all but SpawnActor begin with the actor's id.

    Returns:
        The id of the actor.

    Raises:
        RequestError: unknown actor, malformed fields, or a command that is not built.
    """
    name = _NAMES[kind] if 0 <= kind < len(_NAMES) else f"number {kind}"
    try:
        if kind == _SPAWN:
            return _spawn(world, *fields)
        if name not in _ACTIONS:
            raise RequestError(f"this simulator has no command {name}")
        _ACTIONS[name](world, *fields)
        return int(fields[0])
    except (TypeError, ValueError, IndexError) as error:
        raise RequestError(f"malformed command {name}: {error}") from error


def _spawn(
    world: World,
    description: Sequence[Any],
    place: Sequence[Any],
    parent: Sequence[Any],
    attachment: int,
    socket_name: str,
    do_after: Sequence[Any],
) -> int:
    require_attachment(attachment)
    parent_id = int(parent[1]) if parent[0] else 0
    actor_id = world.spawn(description, Transform.read(place), parent_id).actor_id
    for (kind, fields), *_ in do_after:
        own = [actor_id if fields[0] == _FUTURE_ACTOR else fields[0], *fields[1:]] if kind != _SPAWN else fields
        apply_command(world, kind, own)
    return actor_id


def _destroy(world: World, actor_id: int) -> None:
    if not world.destroy(actor_id):
        raise RequestError(f"there is no actor {actor_id} to destroy")


def _control(world: World, actor_id: int, control: Sequence[Any]) -> None:
    world.vehicle(actor_id).control = VehicleControl.read(control)


def _transform(world: World, actor_id: int, place: Sequence[Any]) -> None:
    world.place(actor_id, Transform.read(place))


def _location(world: World, actor_id: int, location: Sequence[float]) -> None:
    world.place(actor_id, Transform(read_vector(location), world.actor(actor_id).transform.rotation))


def _velocity(world: World, actor_id: int, velocity: Sequence[float]) -> None:
    world.vehicle(actor_id).push(read_vector(velocity))


def _physics(world: World, actor_id: int, enabled: bool) -> None:
    world.vehicle(actor_id).simulated = bool(enabled)


def _lights(world: World, actor_id: int, state: int | Sequence[int]) -> None:
    world.vehicle(actor_id).light_state = int(state if isinstance(state, int) else state[0])


def _nothing(world: World, actor_id: int, *_: Any) -> None:
    world.actor(actor_id)


_ACTIONS: dict[str, Callable[..., None]] = {
    "DestroyActor": _destroy,
    "ApplyVehicleControl": _control,
    "ApplyTransform": _transform,
    "ApplyLocation": _location,
    "ApplyTargetVelocity": _velocity,
    "SetSimulatePhysics": _physics,
    "SetVehicleLightState": _lights,
    "SetEnableGravity": _nothing,
    "SetAutopilot": _nothing,
    "ShowDebugTelemetry": _nothing,
}
