"""Traffic lights and signs as actors: cycles of a junction, and which light a vehicle drives up to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from phipd_sim2real.simulator.actors import Actor
from phipd_sim2real.simulator.blueprints import signal_blueprint
from phipd_sim2real.simulator.signal_heads import HEAD_CENTRE, HEAD_HALF_SIZE, LightShown
from phipd_sim2real.simulator.signals import SPEED_LIMIT, STOP, TRAFFIC_LIGHT, YIELD, RoadSignal
from phipd_sim2real.simulator.snapshots import ActorEntry, LightEntry, LightSeen, SignEntry
from phipd_sim2real.simulator.triangles import Label
from phipd_sim2real.simulator.vehicles import Vehicle
from phipd_sim2real.simulator.wire import Transform

_LANE_M, _DEPTH_M = 3.5, 1.5
_BRAKING_M_S2 = 7.0
_NEAR_M, _PAST_M = 1.5, 2.0


class LightState(IntEnum):
    """CARLA's TrafficLightState."""

    RED, YELLOW, GREEN, OFF, UNKNOWN = 0, 1, 2, 3, 4


@dataclass
class TrafficSign(Actor):
    """A sign of the map; its transform looks along the stop line, as CARLA's do: x to the right of who stops.

    Attributes:
        signal: what the map says of it.
    """

    signal: RoadSignal = None  # type: ignore[assignment] # always given; the base class has defaults before it

    def entry(self) -> ActorEntry:
        return ActorEntry(self.actor_id, self.transform, state=SignEntry(self.signal.signal_id))

    def semantic_tags(self) -> bytes:
        return bytes([Label.TRAFFIC_SIGNS])

    def bounding_box(self) -> list[Any]:
        """The trigger volume: over the lanes that stop, just before their line, in the sign's frame."""
        stops = [stop.transform for stop in self.signal.stops]
        if not stops:
            return super().bounding_box()
        (x, y, z), yaw = self.transform.location, math.radians(self.transform.rotation[1])
        across, along = (math.cos(yaw), math.sin(yaw)), (-math.sin(yaw), math.cos(yaw))
        gaps = [(stop.location[0] - x, stop.location[1] - y, stop.location[2] - z) for stop in stops]
        right = [gap[0] * across[0] + gap[1] * across[1] for gap in gaps]
        back = [gap[0] * along[0] + gap[1] * along[1] for gap in gaps]
        centre = [(min(right) + max(right)) / 2.0, (min(back) + max(back)) / 2.0, gaps[0][2] + 1.0]
        half_size = [(max(right) - min(right)) / 2.0 + 0.35 * _LANE_M, _DEPTH_M, 1.0]
        return [centre, half_size, [0.0, 0.0, 0.0], self.actor_id]


@dataclass
class TrafficLight(TrafficSign):
    """One traffic light.

    Attributes:
        state: what it shows.
        green_s, yellow_s, red_s: seconds; red is the pause before the next of its junction turns green.
        elapsed_s: in this state.
        frozen: whether its cycle stands still.
        pole_index: its number at its junction.
    """

    state: LightState = LightState.RED
    green_s: float = 10.0
    yellow_s: float = 3.0
    red_s: float = 2.0
    elapsed_s: float = 0.0
    frozen: bool = False
    pole_index: int = 0

    def show(self, state: LightState) -> None:
        """Turns to a state."""
        self.state, self.elapsed_s = state, 0.0

    def entry(self) -> ActorEntry:
        times = (self.green_s, self.yellow_s, self.red_s, self.elapsed_s)
        state = LightEntry(self.signal.signal_id, *times, self.pole_index, self.frozen, int(self.state))
        return ActorEntry(self.actor_id, self.transform, state=state)

    def semantic_tags(self) -> bytes:
        return bytes([Label.TRAFFIC_LIGHT])

    def lamp_box(self) -> list[Any]:
        """`BoundingBox` of its lamps in the world, on the wire."""
        (x, y, z), rotation = self.signal.foot
        ahead, _, up = HEAD_CENTRE
        yaw = math.radians(rotation[1])
        centre = [x + ahead * math.cos(yaw), y + ahead * math.sin(yaw), z + up]
        return [centre, list(HEAD_HALF_SIZE), list(rotation), self.actor_id]


class Cycle:
    """The lights of one junction, of which one phase at a time is green, then yellow, then all are red.

    Attributes:
        phases: lights that change together, in order.
    """

    def __init__(self, phases: Sequence[Sequence[TrafficLight]]) -> None:
        self.phases = [list(phase) for phase in phases]
        self._current, self._stage, self._elapsed_s = 0, LightState.GREEN, 0.0
        self.reset()

    @property
    def lights(self) -> list[TrafficLight]:
        """All of them, phase by phase."""
        return [light for phase in self.phases for light in phase]

    def phase_of(self, light: TrafficLight) -> list[TrafficLight]:
        """The lights that change with one of them."""
        return next(phase for phase in self.phases if light in phase)

    def reset(self) -> None:
        """Begins anew with the first phase green."""
        self._current, self._elapsed_s = 0, 0.0
        for light in self.lights:
            light.show(LightState.RED)
        self._turn(LightState.GREEN)

    def freeze(self, frozen: bool) -> None:
        """Lets the cycle stand still, or go on."""
        for light in self.lights:
            light.frozen = frozen

    def advance(self, delta_s: float) -> None:
        """One tick."""
        leader = self.phases[self._current][0]
        if leader.frozen:
            return
        for light in self.lights:
            light.elapsed_s += delta_s
        self._elapsed_s += delta_s
        lasts = {LightState.GREEN: leader.green_s, LightState.YELLOW: leader.yellow_s, LightState.RED: leader.red_s}
        if self._elapsed_s < lasts[self._stage] - 1e-9:
            return
        if self._stage is LightState.GREEN:
            self._turn(LightState.YELLOW)
        elif self._stage is LightState.YELLOW:
            self._turn(LightState.RED)
        else:
            self._current = (self._current + 1) % len(self.phases)
            self._turn(LightState.GREEN)

    def _turn(self, stage: LightState) -> None:
        self._stage, self._elapsed_s = stage, 0.0
        for light in self.phases[self._current]:
            light.show(stage)


class TrafficLights:
    """All lights of a map.

    Attributes:
        cycles: of the junctions, in the order of the map.
    """

    def __init__(self, lights: Sequence[TrafficLight]) -> None:
        groups: dict[Any, dict[Any, list[TrafficLight]]] = {}
        for light in lights:
            group = light.signal.group
            junction, phase = (group.junction, (group.phase, group.controller)) if group else (light.actor_id, (0, 0))
            groups.setdefault((group is None, junction), {}).setdefault(phase, []).append(light)
        self.cycles = [Cycle([phases[key] for key in sorted(phases)]) for phases in groups.values()]
        for cycle in self.cycles:
            for index, light in enumerate(cycle.lights):
                light.pole_index = index
        self._stops = [(light, stop.transform) for light in lights for stop in light.signal.stops]
        rows = [(*place.location[:2], math.radians(place.rotation[1])) for _, place in self._stops]
        x, y, yaw = np.array(rows).reshape(-1, 3).T
        self._x, self._y, self._c, self._s = x, y, np.cos(yaw), np.sin(yaw)

    def cycle_of(self, light: TrafficLight) -> Cycle:
        """The cycle that a light belongs to."""
        return next(cycle for cycle in self.cycles if light in cycle.lights)

    def advance(self, delta_s: float) -> None:
        """One tick of every cycle."""
        for cycle in self.cycles:
            cycle.advance(delta_s)

    def shown(self) -> tuple[LightShown, ...]:
        """What all of them show now."""
        lights = [light for cycle in self.cycles for light in cycle.lights]
        return tuple(LightShown(light.signal.signal_id, light.actor_id, int(light.state)) for light in lights)

    def show_to(self, vehicles: Sequence[Vehicle], delta_s: float) -> None:
        """Tells each vehicle the light that it drives up to: the one before which it can just still brake.

        The client's Traffic Manager brakes fully where it first sees a red light, so a reach that grows with the
        braking distance lets cars stop at the line at any speed.
        """
        if not self._stops or not vehicles:
            return
        motions = np.array([(*vehicle.motion[:4], vehicle.body.half_size[0]) for vehicle in vehicles])
        x, y, yaw, speed, half_length = motions.T[:, :, None]
        dx, dy = self._x - x, self._y - y
        ahead = dx * self._c + dy * self._s - half_length
        aside = np.abs(dy * self._c - dx * self._s)
        braking = speed**2 / (2.0 * _BRAKING_M_S2)
        reach = np.maximum(_NEAR_M, braking + np.abs(speed) * 2.0 * delta_s + 1.0)
        aligned = np.cos(yaw) * self._c + np.sin(yaw) * self._s > 0.7
        seen = (ahead > -_PAST_M) & (ahead <= reach) & (aside < 0.5 * _LANE_M) & aligned
        nearest = np.where(seen, ahead, np.inf).argmin(1)
        for index, vehicle in enumerate(vehicles):
            column = int(nearest[index])
            light = self._stops[column][0]
            if not seen[index, column]:
                vehicle.light = LightSeen()
            elif _just_turned_yellow(light) and ahead[index, column] >= braking[index, 0]:
                # The Traffic Manager keeps a green that it saw; a look away makes it see the yellow.
                vehicle.light = LightSeen()
            else:
                vehicle.light = LightSeen(int(light.state), light.actor_id)


def _just_turned_yellow(light: TrafficLight) -> bool:
    return light.state is LightState.YELLOW and light.elapsed_s == 0.0


def signal_actor(signal: RoadSignal) -> TrafficSign:
    """The actor of a light or sign, without an id yet.

    CARLA turns them so that their x axis points to the right of those who stop.
    """
    (x, y, z), (_, yaw, _) = signal.foot
    place = Transform((x, y, z), (0.0, math.remainder(yaw - 90.0, 360.0), 0.0))
    if signal.kind == TRAFFIC_LIGHT:
        return TrafficLight(0, signal_blueprint("traffic.traffic_light"), {}, place, signal=signal)
    names = {STOP: "traffic.stop", YIELD: "traffic.yield", SPEED_LIMIT: f"traffic.speed_limit.{signal.value:.0f}"}
    return TrafficSign(0, signal_blueprint(names.get(signal.kind, "traffic.unknown")), {}, place, signal=signal)
