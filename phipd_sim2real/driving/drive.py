"""One drive: the ego on its route, what it sees at every planning moment, and what happens to it at every tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from phipd_sim2real.capture import rows
from phipd_sim2real.capture.cameras import CameraArray, Frames
from phipd_sim2real.capture.connection import ServerInfo, import_carla
from phipd_sim2real.capture.rig import Rig
from phipd_sim2real.capture.session import Episode
from phipd_sim2real.capture.traffic import places, random_car
from phipd_sim2real.drivelog import decode_jpeg, encode_jpeg
from phipd_sim2real.driving.incidents import CollisionWatch, RoadWatch
from phipd_sim2real.driving.reference import reference_path
from phipd_sim2real.driving.routes import Route, choose_route, stop_lines
from phipd_sim2real.driving.settings import DrivingSettings
from phipd_sim2real.errors import StageError
from phipd_sim2real.geometry import ego_states, invert, transform_points
from phipd_sim2real.waymo import PlannerSample, SampleKey

if TYPE_CHECKING:
    import carla

Array = NDArray[np.float64]

INTENT_LOOK_AHEAD_S = 5.0
LOG = "closed loop"


@dataclass(frozen=True)
class Control:
    """What a driver does.

    Attributes:
        throttle: 0…1.
        brake: 0…1.
        steer: angle of the front wheels, rad, positive to the left.
    """

    throttle: float
    brake: float
    steer: float


@dataclass(frozen=True, eq=False)
class Moment:
    """The ego after one tick.

    Attributes:
        frame: of the server.
        time_s: since the planner took over; negative in the warm-up.
        pose_vehicle_in_world: (4, 4) rear axle, right-handed.
        speed: m/s.
        along_m: how far it has come along its route at most.
        off_route_m: distance to the route.
        off_road: its middle is on no lane that may be driven on.
        oncoming: its middle is on a lane of the other direction.
        ran_red: it crossed a stop line of its route while the light was red in this tick.
    """

    frame: int
    time_s: float
    pose_vehicle_in_world: Array
    speed: float
    along_m: float
    off_route_m: float
    off_road: bool
    oncoming: bool
    ran_red: bool


class Drive:
    """A world with the ego on a route: `step` along its `reference` until `is_warm`, then along plans.

    A plan is made of `sample` wherever `is_planning_moment`.

    Attributes:
        route: to be driven.
        now: the last moment.
        wheelbase_m: of the ego.
        max_steer_rad: front wheel angle at full steer.
        collisions: what the ego hit, by the server's frame.
        jpegs: camera -> encoded picture of the last planning moment.
    """

    def __init__(
        self,
        held: Episode,
        settings: DrivingSettings,
        rig: Rig,
        info: ServerInfo,
        name: str,
        cameras: tuple[int, ...],
        rng: np.random.Generator,
    ) -> None:
        carla = import_carla()
        self._held, self._settings, self._rig, self._info = held, settings, rig, info
        self._mounts = {mount.camera: mount for mount in rig.cameras if mount.camera in cameras}
        held.world.set_weather(getattr(carla.WeatherParameters, settings.weather))
        warm_up_m = settings.warm_up_s * settings.cruise_m_s
        self.route: Route = choose_route(held.map, name, warm_up_m + settings.length_m, rng)
        self._ego = self._spawn(rng)
        lights = held.world.get_actors().filter("traffic.traffic_light*")
        self._stops = stop_lines(self.route, list(lights))
        self._road = RoadWatch(held.map)
        self.collisions = CollisionWatch(held, self._ego)
        self.wheelbase_m = 2 * rig.rear_axle_behind_origin_m
        self.max_steer_rad = float(np.radians(self._ego.get_physics_control().wheels[0].max_steer_angle))
        self.jpegs: dict[int, bytes] = {}
        self._cameras: CameraArray | None = None
        self._moments: list[Moment] = []
        self._clock_ticks = round(held.tick().timestamp.elapsed_seconds / settings.delta_s)
        # Planning moments fall on the clock's multiples of the period, at which the simulator's cameras expose.
        self._warm_up_ticks = round(settings.warm_up_s / settings.delta_s)
        self._warm_up_ticks += -(self._clock_ticks + self._warm_up_ticks) % settings.ticks_per_plan

    @property
    def now(self) -> Moment:
        """The moment after the last tick."""
        return self._moments[-1]

    @property
    def started_at_m(self) -> float:
        """Where along the route the planner took over."""
        return self._moments[self._warm_up_ticks - 1].along_m

    @property
    def is_warm(self) -> bool:
        """Whether the planner may take over."""
        return len(self._moments) >= self._warm_up_ticks

    @property
    def is_planning_moment(self) -> bool:
        """Whether `sample` is to be called before the next step."""
        return (len(self._moments) - self._warm_up_ticks) % self._settings.ticks_per_plan == 0

    def reference(self) -> Array:
        """(20, 2) metres in the vehicle frame of now: how a careful driver would go on."""
        return self._in_vehicle(self._reference_in_world())

    def sample(self) -> PlannerSample:
        """What the planner sees now. Its `future` is the reference, for oracles and for the warm-up."""
        times = np.array([moment.time_s for moment in self._moments])
        poses = np.stack([moment.pose_vehicle_in_world for moment in self._moments])
        past = ego_states(times, poses, times[-1]).past.astype(np.float32).astype(np.float64)
        key = SampleKey(LOG, self.route.name, round(self.now.time_s * 1e6))
        pictures = {camera: decode_jpeg(jpeg) for camera, jpeg in self.jpegs.items()}
        calibrations = {camera: mount.calibration() for camera, mount in self._mounts.items()}
        intent = self.route.intent(self.now.along_m, INTENT_LOOK_AHEAD_S * self.now.speed)
        return PlannerSample(key, pictures, calibrations, past, intent, self.reference(), np.ones(20, dtype=bool))

    def step(self, control: Control) -> Moment:
        """Applies a control for one tick."""
        carla = import_carla()
        steer = float(np.clip(-control.steer / self.max_steer_rad, -1.0, 1.0))
        self._ego.apply_control(carla.VehicleControl(float(control.throttle), steer, float(control.brake)))
        planning = (len(self._moments) + 1 - self._warm_up_ticks) % self._settings.ticks_per_plan == 0
        needed = planning and len(self._moments) + 1 >= self._warm_up_ticks
        if self._mounts and self._cameras is None and needed:
            self._cameras = self._attach()
        snapshot = self._held.tick()
        if self._cameras is not None and (needed or not self._info.is_embedded):
            frames = self._cameras.take(snapshot.frame)
            if needed:
                self.jpegs = self._encoded(frames)
        self._moments.append(self._moment(snapshot))
        return self.now

    def settle(self) -> None:
        """Two more ticks, in which collisions of the last ones are told."""
        for _ in range(2):
            self._held.tick()

    def _encoded(self, frames: dict[int, Frames]) -> dict[int, bytes]:
        quality = self._settings.jpeg_quality
        return {camera: encode_jpeg(seen.decode().rgb, quality) for camera, seen in frames.items()}

    def _moment(self, snapshot: carla.WorldSnapshot) -> Moment:
        ego = rows.ego_moment(snapshot.find(self._ego.id), self._rig, 0)
        pose = ego.pose_vehicle_in_world
        before = self.now.along_m if self._moments else 0.0
        along, away = self.route.project(pose[:2, 3], before)
        off_road, oncoming = self._road.look(self._ego.get_transform())
        front = along + self.wheelbase_m
        ran_red = any(
            before + self.wheelbase_m < stop <= front and str(light.get_state()) == "Red" for stop, light in self._stops
        )
        time_s = (len(self._moments) + 1 - self._warm_up_ticks) * self._settings.delta_s
        speed = float(np.linalg.norm(ego.velocity_in_world[:2]))
        return Moment(snapshot.frame, time_s, pose, speed, max(along, before), away, off_road, oncoming, ran_red)

    def _reference_in_world(self) -> Array:
        along, speed = (self.now.along_m, self.now.speed) if self._moments else (0.0, 0.0)
        closed = (
            stop for stop, light in self._stops if stop > along + self.wheelbase_m and str(light.get_state()) != "Green"
        )
        return reference_path(self.route, along, speed, self._settings.cruise_m_s, next(closed, None))

    def _in_vehicle(self, points_world: Array) -> Array:
        pose = self.now.pose_vehicle_in_world
        height = np.full((len(points_world), 1), pose[2, 3])
        return transform_points(invert(pose), np.hstack([points_world, height]))[:, :2]

    def _spawn(self, rng: np.random.Generator) -> carla.Vehicle:
        """Puts the ego on its start and the others around it."""
        held, points = self._held, self._held.map.get_spawn_points()
        blueprint = held.world.get_blueprint_library().find(self._rig.vehicle)
        blueprint.set_attribute("role_name", "hero")
        ego = held.spawn_vehicle(blueprint, points[self.route.start], autopilot=False)
        if ego is None:
            raise StageError(f"Something stands at the start of route {self.route.name}.")
        for point in places(points, rng.permutation(len(points)), self.route.start)[: self._settings.cars]:
            car = held.spawn_vehicle(random_car(held, rng), point)
            if car is not None:
                held.traffic_manager.auto_lane_change(car, False)
        return ego

    def _attach(self) -> CameraArray:
        attributes = {}
        if self._info.is_embedded:
            attributes["sensor_tick"] = str(self._settings.plan_period_s)
        if self._settings.look is not None:
            attributes["look"] = self._settings.look
        rig = self._rig.model_copy(update={"cameras": tuple(self._mounts.values())})
        return CameraArray(self._held, self._ego, rig, labels=False, attributes=attributes)
