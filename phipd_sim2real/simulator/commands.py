"""Batch commands: what `apply_batch` can do to the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from phipd_sim2real.simulator import orders
from phipd_sim2real.simulator.wire import Transform
from phipd_sim2real.simulator.world import RequestError, World

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


def require_attachment(kind: int) -> None:
    """Rigid, SpringArm and SpringArmGhost are taken; all of them hold rigidly, for there is no lag to damp.

    Raises:
        RequestError: another number.
    """
    if kind not in (0, 1, 2):
        raise RequestError(f"attachment {kind} is unknown; use AttachmentType.Rigid, SpringArm or SpringArmGhost")


def _spawn(
    world: World,
    description: Sequence[Any],
    place: Sequence[Any],
    parent: Sequence[Any],
    attachment: int,
    socket_name: str,
    do_after: Sequence[Any],
) -> int:
    parent_id = int(parent[1]) if parent[0] else 0
    # The attachment says nothing: where a script gives none, the client leaves its byte as it finds it.
    actor_id = world.spawn(description, Transform.read(place), parent_id).actor_id
    for (kind, fields), *_ in do_after:
        own = [actor_id if fields[0] == _FUTURE_ACTOR else fields[0], *fields[1:]] if kind != _SPAWN else fields
        apply_command(world, kind, own)
    return actor_id


def _destroy(world: World, actor_id: int) -> None:
    if not world.destroy(actor_id):
        raise RequestError(f"there is no actor {actor_id} to destroy")


_ACTIONS: dict[str, Callable[..., None]] = {
    "DestroyActor": _destroy,
    "ApplyVehicleControl": orders.control,
    "ApplyVehicleAckermannControl": orders.ackermann,
    "ApplyWalkerControl": orders.walk,
    "ApplyVehiclePhysicsControl": orders.physics,
    "ApplyTransform": orders.place,
    "ApplyWalkerState": orders.carry,
    "ApplyTargetVelocity": orders.velocity,
    "ApplyTargetAngularVelocity": orders.spin,
    "ApplyImpulse": orders.impulse,
    "ApplyForce": orders.force,
    "ApplyAngularImpulse": orders.angular_impulse,
    "ApplyTorque": orders.torque,
    "SetSimulatePhysics": orders.simulate,
    "SetEnableGravity": orders.nothing,
    "SetAutopilot": orders.nothing,
    "ShowDebugTelemetry": orders.nothing,
    "SetVehicleLightState": orders.lamps,
    "ApplyLocation": orders.locate,
    "SetTrafficLightState": orders.show,
}
