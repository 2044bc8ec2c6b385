"""Puts the ego and the other cars on the road, under the Traffic Manager."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from phipd_sim2real.capture.connection import import_carla
from phipd_sim2real.capture.plan import PlannedSegment, Variation, conditions
from phipd_sim2real.capture.rig import Rig
from phipd_sim2real.capture.session import Episode
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.capture.staging import LeadCar, next_junction, place_ahead, reach, route, start_order
from phipd_sim2real.capture.variety import NEED_TRAFFIC
from phipd_sim2real.errors import StageError

if TYPE_CHECKING:
    import carla

NEARBY_M = 150.0
"""Other cars start this near the ego where there is room: traffic out of sight teaches nothing."""
ROOM_M = 9.0
"""Least distance between two cars at the start."""
OTHERS_SLOWER_PERCENT = (-10.0, 40.0)
DUSK_DEGREES = 3.0
"""Height of the sun below which everybody drives with lights on; CARLA leaves them off unless told."""
CARS = [
    "audi.a2",
    "audi.etron",
    "audi.tt",
    "bmw.grandtourer",
    "citroen.c3",
    "dodge.charger_2020",
    "jeep.wrangler_rubicon",
    "lincoln.mkz_2020",
    "mercedes.coupe",
    "mercedes.sprinter",
    "mini.cooper_s",
    "mitsubishi.fusorosa",
    "nissan.micra",
    "nissan.patrol",
    "seat.leon",
    "tesla.model3",
    "toyota.prius",
    "volkswagen.t2_2021",
]
"""Who takes part, by name: draws do not change with a server's library."""


@dataclass(frozen=True)
class Cast:
    """Who drives.

    Attributes:
        ego: the vehicle with the cameras.
        lead: the car ahead of it, where one is staged and there was room for it.
    """

    ego: carla.Vehicle
    lead: LeadCar | None = None

    def before_tick(self, tick: int) -> None:
        """Lets the staged car act; ticks are counted from the start of the recording."""
        if self.lead is not None:
            self.lead.before_tick(tick)


def start_traffic(
    episode: Episode, rig: Rig, settings: CaptureSettings, segment: PlannedSegment, variation: Variation
) -> Cast:
    """Spawns ego and traffic and tells the Traffic Manager how each drives.

    Raises:
        StageError: the map has no place for the ego.
    """
    carla = import_carla()
    episode.world.set_weather(carla.WeatherParameters(**variation.weather))
    points = episode.map.get_spawn_points()
    order = variation.rng.permutation(len(points))
    starts = order if segment.scene is None else _staged(episode, points, order, settings, segment, variation)
    ego_index, ego = _spawn_ego(episode, rig, points, starts, segment)
    manager = episode.traffic_manager
    manager.auto_lane_change(ego, False)
    manager.vehicle_percentage_speed_difference(ego, variation.slower_percent)
    manager.vehicle_lane_offset(ego, variation.lane_offset_m)
    lead = _stage(episode, ego, points[ego_index], settings, segment, variation) if segment.scene else None
    traffic, _ = conditions(settings, segment)
    for point in places(points, order, ego_index)[: traffic.cars]:
        car = episode.spawn_vehicle(random_car(episode, variation.rng), point)
        if car is not None:
            manager.auto_lane_change(car, False)
            manager.vehicle_percentage_speed_difference(car, float(variation.rng.uniform(*OTHERS_SLOWER_PERCENT)))
    if variation.weather["sun_altitude_angle"] < DUSK_DEGREES:
        _light_up(episode)
    return Cast(ego, lead)


def _light_up(episode: Episode) -> None:
    """Switches on the driving lights of all cars."""
    carla = import_carla()
    state = carla.VehicleLightState(carla.VehicleLightState.Position | carla.VehicleLightState.LowBeam)
    for car in episode.vehicles:
        car.set_light_state(state)


def _staged(
    episode: Episode,
    points: list[carla.Transform],
    order: np.ndarray,
    settings: CaptureSettings,
    segment: PlannedSegment,
    variation: Variation,
) -> np.ndarray:
    """The spawn points, those first that suit the scene."""
    junctions = [next_junction(episode.map.get_waypoint(point.location)) for point in points]
    reach_m = reach(variation.slower_percent, settings.warm_up_s, settings.seconds)
    return start_order(segment.scene, segment.turn, junctions, order, reach_m)


def _stage(
    episode: Episode,
    ego: carla.Vehicle,
    start: carla.Transform,
    settings: CaptureSettings,
    segment: PlannedSegment,
    variation: Variation,
) -> LeadCar | None:
    """Fixes the way, and puts a car ahead of the ego where the scene needs one."""
    manager, words = episode.traffic_manager, route(segment.scene, segment.turn)
    manager.set_route(ego, words)
    if segment.scene not in NEED_TRAFFIC:
        return None
    place = place_ahead(episode.map.get_waypoint(start.location))
    car = None if place is None else episode.spawn_vehicle(random_car(episode, variation.rng), place)
    if car is None:
        return None
    manager.set_route(car, words)
    manager.auto_lane_change(car, False)
    return LeadCar(manager, car, segment.scene, variation.slower_percent, settings.total_ticks)


def _spawn_ego(
    episode: Episode, rig: Rig, points: list[carla.Transform], order: np.ndarray, segment: PlannedSegment
) -> tuple[int, carla.Vehicle]:
    blueprint = episode.world.get_blueprint_library().find(rig.vehicle)
    blueprint.set_attribute("role_name", "hero")
    for index in order:
        ego = episode.spawn_vehicle(blueprint, points[index])
        if ego is not None:
            return int(index), ego
    raise StageError(f"{segment.map_name} has no free spawn point for the ego of {segment.name}.")


def places(points: list[carla.Transform], order: np.ndarray, ego_index: int) -> list[carla.Transform]:
    """Spawn points with room between them, those near the ego first, in random order otherwise."""
    xy = np.array([[point.location.x, point.location.y] for point in points])
    far = np.linalg.norm(xy - xy[ego_index], axis=1) > NEARBY_M
    taken = [ego_index]
    for index in sorted(order, key=lambda candidate: far[candidate]):
        if np.linalg.norm(xy[taken] - xy[index], axis=1).min() >= ROOM_M:
            taken.append(int(index))
    return [points[index] for index in taken[1:]]


def random_car(episode: Episode, rng: np.random.Generator) -> carla.ActorBlueprint:
    """One of `CARS` in one of its colours."""
    library = episode.world.get_blueprint_library().filter("vehicle.*")
    cars = sorted((b for b in library if b.id.removeprefix("vehicle.") in CARS), key=lambda b: b.id)
    car = cars[rng.integers(len(cars))]
    if car.has_attribute("color"):
        colours = car.get_attribute("color").recommended_values
        car.set_attribute("color", colours[rng.integers(len(colours))])
    return car
