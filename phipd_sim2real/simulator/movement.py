"""What a tick does to bodies: they move, run into each other and into the map, and settle on the ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phipd_sim2real.simulator.actors import Solid
from phipd_sim2real.simulator.collisions import Collision, collide, static_kind
from phipd_sim2real.simulator.episode import Episode
from phipd_sim2real.simulator.surroundings import OFF_ROAD_M
from phipd_sim2real.simulator.vehicles import Vehicle
from phipd_sim2real.simulator.walkers import Walker


def move(episode: Episode, solids: Sequence[Solid], delta_s: float) -> None:
    """Moves bodies through one tick: each on the plane, out of what it runs into, and onto the ground.

    Args:
        episode: whose map they are on; its collisions are those of this tick afterwards.
        solids: all bodies, in order of birth.
        delta_s: of the tick, seconds.
    """
    free = [solid for solid in solids if solid.simulated and not solid.parent_id]
    start = [solid.xy for solid in free]
    for solid in free:
        solid.move(delta_s)
    episode.collisions = _scrapes(episode, free, start)
    episode.collisions += collide([solid for solid in solids if solid.collides and not solid.parent_id])
    _settle(episode, solids, free, delta_s)


def _settle(episode: Episode, solids: Sequence[Solid], free: Sequence[Solid], delta_s: float) -> None:
    """Sets vehicles and walkers on the ground where they came to be."""
    vehicles = [solid for solid in solids if isinstance(solid, Vehicle)]
    if vehicles:
        places = np.array([(*car.xy, car.transform.location[2]) for car in vehicles])
        yaws = np.array([car.motion.yaw for car in vehicles])
        wheelbases = np.array([car.body.wheelbase for car in vehicles])
        for car, ground in zip(vehicles, episode.roads.ground(places, yaws, wheelbases), strict=True):
            car.settle(ground)
    walkers = [solid for solid in free if isinstance(solid, Walker) and solid.moves and not solid.carried]
    if walkers:
        heights = episode.roads.heights(np.array([walker.foot.location for walker in walkers]))
        for walker, height in zip(walkers, heights.tolist(), strict=True):
            walker.settle(height, delta_s)


def _scrapes(episode: Episode, free: Sequence[Solid], start: Sequence[tuple[float, float]]) -> list[Collision]:
    """Stops bodies at what stands beside the road; they stay where the tick began."""
    moved = [(solid, place) for solid, place in zip(free, start, strict=True) if solid.collides and solid.xy != place]
    if not moved:
        return []
    places = np.array([(*solid.xy, solid.transform.location[2]) for solid, _ in moved])
    far = np.flatnonzero(episode.roads.lanes.distance(places) > OFF_ROAD_M).tolist()
    if not far:
        return []
    beside = [moved[index] for index in far]
    labels = episode.surroundings.hits(
        [solid.footprint for solid, _ in beside], [solid.foot.location[2] for solid, _ in beside]
    )
    events = []
    for (solid, place), label in zip(beside, labels, strict=True):
        if label is not None:
            x, y, _ = solid.velocity
            impulse = (-solid.mass * x, -solid.mass * y, 0.0)
            events.append(Collision(solid.actor_id, 0, impulse, static_kind(label), label))
            solid.shift(*place, (0.0, 0.0, solid.velocity[2]))
    return events
