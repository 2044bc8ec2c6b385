"""CARLA's own towns: loaded, stood on, lit and seen; the two smallest here, the others by the same code."""

from __future__ import annotations

import gzip
import random

import numpy as np
import pytest

from phipd_sim2real.simulator.road_mesh import road_mesh
from phipd_sim2real.simulator.roads import Roads
from phipd_sim2real.simulator.signals import TRAFFIC_LIGHT

carla = pytest.importorskip("carla", reason="needs the carla wheel: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")


@pytest.fixture(scope="module", params=["Town02", "Town01"])
def town(request, shared_data) -> tuple[str, str]:
    name = request.param
    return name, gzip.decompress((shared_data / "maps" / f"{name}.xodr.gz").read_bytes()).decode()


def test_wheels_stand_where_waypoints_are(town):
    roads, world_map = Roads(*town), carla.Map(*town)
    for waypoint in random.Random(1).sample(world_map.generate_waypoints(2.0), 200):
        at = waypoint.transform.location
        assert roads.heights(np.array([[at.x, at.y, at.z + 0.3]]))[0] == pytest.approx(at.z, abs=0.05)


def test_every_light_has_a_stop_and_a_group(town):
    lights = [signal for signal in Roads(*town).signals if signal.kind == TRAFFIC_LIGHT]
    assert len(lights) == {"Town01": 36, "Town02": 24}[town[0]]
    assert all(light.stops and light.group and light.group.junction >= 0 for light in lights)


def test_junctions_have_no_holes(town):
    mesh, world_map = road_mesh(*town), carla.Map(*town)
    rng = np.random.default_rng(0)
    inside = [w for w in world_map.generate_waypoints(2.0) if w.is_junction]
    inside = [w for w in inside if all(v.is_junction for v in (*w.next(2.0), *w.previous(2.0)))]
    at = [w.transform.location for w in inside]
    points = np.repeat(np.array([(p.x, -p.y, p.z) for p in at]), 20, axis=0)
    points[:, :2] += rng.uniform(-1.4, 1.4, (len(points), 2))
    assert np.isfinite(mesh.surface.heights(points)).mean() > 0.998


def test_the_ground_lies_below_the_roads(town):
    mesh = road_mesh(*town)
    centres = np.array(mesh.centres)
    assert (mesh.grade.height(centres[:, :2]) < centres[:, 2] - 0.1).all()
