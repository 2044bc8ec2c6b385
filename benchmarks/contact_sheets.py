"""Pictures to look at: `python benchmarks/contact_sheets.py OUT [MAP …]`.

Writes one sheet per map to OUT: a row per weather, and in it every look from two places on the road and one above it.
A map is one of ours or an .xodr file (also .xodr.gz); without any, all of ours.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from phipd_sim2real.geometry import pose_from_carla
from phipd_sim2real.simulator.actors_mesh import ActorShape
from phipd_sim2real.simulator.looks import LOOKS
from phipd_sim2real.simulator.maps import MAPS, RoadMap, read_map
from phipd_sim2real.simulator.renderer import CameraView, Renderer
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.scene import Scene
from phipd_sim2real.simulator.signal_heads import LightShown
from phipd_sim2real.simulator.sky import Weather

WIDTH, HEIGHT = 240, 144
WEATHERS = {
    "clear noon": Weather(sun_altitude_deg=60.0, cloudiness=5.0),
    "cloudy": Weather(cloudiness=85.0),
    "wet": Weather(cloudiness=30.0, wetness=80.0, precipitation_deposits=60.0),
    "rain": Weather(cloudiness=90.0, wetness=100.0, precipitation_deposits=90.0, precipitation=80.0),
    "fog": Weather(cloudiness=60.0, fog_density=60.0),
    "sunset": Weather(sun_altitude_deg=3.0, cloudiness=25.0),
    "night": Weather(sun_altitude_deg=-30.0, cloudiness=20.0),
}
CAR_LIGHTS = 3
"""Position lights and low beam."""


def main() -> None:
    """Writes the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("maps", nargs="*", default=list(MAPS))
    parser.add_argument("--seed", type=int, default=0, help="of the places")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.maps:
        road_map = _read(name)
        path = options.out / f"{road_map.name.rsplit('/', 1)[-1]}.jpg"
        cv2.imwrite(str(path), sheet(road_map, options.seed)[..., ::-1])
        print(path, flush=True)


def _read(name: str) -> RoadMap:
    if not name.endswith(".gz"):
        return read_map(name)
    path = Path(name)
    return RoadMap(path.name.split(".", 1)[0], gzip.decompress(path.read_bytes()).decode())


def sheet(road_map: RoadMap, seed: int) -> np.ndarray:
    """(rows, columns, 3) uint8: all weathers of one map, each in all looks."""
    renderer = Renderer(Scene.from_opendrive(road_map.name, road_map.xodr))
    roads = Roads(road_map.name, road_map.xodr)
    lights = [LightShown(signal.signal_id, 900 + k, k % 3) for k, signal in enumerate(roads.signals)]
    points = np.random.default_rng(seed).permutation(len(roads.spawn_points))
    places = [pose_from_carla(*roads.spawn_points[k]) for k in points[: 3 * len(WEATHERS)]]
    rows = []
    for number, (name, weather) in enumerate(WEATHERS.items()):
        first, second, third = (places[(3 * number + k) % len(places)] for k in range(3))
        views = [_moved(first, 0.0, 1.4, 0.0), _moved(second, 0.0, 1.4, 0.0), _moved(third, -18.0, 22.0, 30.0)]
        row = []
        for pose in views:
            for look in LOOKS:
                view = CameraView(WIDTH, HEIGHT, 90.0, pose)
                row.append(renderer.render(view, [_car_ahead(first)], look, weather, number, lights=lights).rgb)
        cv2.putText(row[0], name, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 0, 255), 1, cv2.LINE_AA)
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def _moved(pose: np.ndarray, ahead: float, up: float, down_degrees: float) -> np.ndarray:
    """A camera beside a place on the road, tilted down."""
    offset = np.eye(4)
    offset[:3, :3] = Rotation.from_euler("y", down_degrees, degrees=True).as_matrix()
    offset[:3, 3] = ahead, 0.0, up
    return pose @ offset


def _car_ahead(pose: np.ndarray) -> ActorShape:
    extent = (2.4, 1.0, 0.74)
    foot = _moved(pose, 14.0, -0.2, 0.0)
    return ActorShape(1, "vehicle.tesla.model3", (40, 60, 140), foot, extent, (0, 0, extent[2]), lights=CAR_LIGHTS)


if __name__ == "__main__":
    main()
