"""Waymo's lens and rolling shutter: known bodies lie where the camera model says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("carla", reason="needs carla: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

from straight_road import straight_road

from phipd_sim2real.errors import UsageError
from phipd_sim2real.geometry import invert, transform_points
from phipd_sim2real.simulator.actors_mesh import ActorShape, actors_triangles
from phipd_sim2real.simulator.casting import Stage
from phipd_sim2real.simulator.optics import DIRECTIONS, Optics, Readout, pinhole
from phipd_sim2real.simulator.rays import CameraView
from phipd_sim2real.simulator.renderer import Renderer
from phipd_sim2real.simulator.rigid_motion import RigidMotion
from phipd_sim2real.simulator.scene import Scene
from phipd_sim2real.simulator.sky import Weather
from phipd_sim2real.waymo.camera_model import Calibration, project

WIDTH, HEIGHT = 320, 216
INTRINSIC = (343.0, 341.0, 164.0, 105.0, -0.15, 0.05, 0.003, -0.002, 0.02)
"""Of the kind of Waymo's cameras, with a stronger lens."""
DELTA = 0.1


@pytest.fixture(scope="module")
def renderer():
    return Renderer(Scene.from_opendrive("straight", straight_road()))


def pose(x, y, z, yaw=0.0):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("z", yaw, degrees=True).as_matrix()
    matrix[:3, 3] = x, y, z
    return matrix


def targets(drift=0.0):
    """Small cars that float before the camera; `drift` is what they moved to the left since the tick before, metres."""
    places = [
        (56 + 0.4 * k, y, z) for k, (y, z) in enumerate([(-2.1, 0.7), (0, 1.6), (1.9, 2.4), (2.0, 0.6), (-2, 2.6)])
    ]
    return [
        ActorShape(5 + k, "vehicle.audi.a2", (9, 9, 9), pose(*place), (0.15, 0.15, 0.06), (0, 0, 0.06),
                   pose(place[0], place[1] - drift, place[2]))
        for k, place in enumerate(places)
    ]  # fmt: skip


def middle(pixels):
    return (pixels.min(0) + pixels.max(0)) / 2


def seen_middle(frame, actor):
    rows, columns = np.nonzero(frame.instances == actor.actor_id)
    assert len(rows) > 12
    return np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2


def test_bodies_lie_where_waymos_projection_says(renderer):
    camera = pose(50, 0, 1.6, yaw=1.0)
    calibration = Calibration(np.array(INTRINSIC), camera, WIDTH, HEIGHT)
    frame = renderer.render(
        CameraView(WIDTH, HEIGHT, 50.0, camera, INTRINSIC), targets(), "source", Weather(), 0, frozenset()
    )
    bare = CameraView(WIDTH, HEIGHT, 50.0, camera, (*INTRINSIC[:4], 0.0, 0.0, 0.0, 0.0, 0.0))
    straight = renderer.render(bare, targets(), "source", Weather(), 0, frozenset())
    bent = []
    for actor in targets():
        corners = actors_triangles([actor]).vertices.reshape(-1, 3)
        pixels, valid = project(corners, calibration)
        assert valid.all()
        assert np.abs(seen_middle(frame, actor) - middle(pixels)).max() < 0.5
        bent.append(np.abs(seen_middle(straight, actor) - middle(pixels)).max())
    assert max(bent) > 1.0, "without the lens they would lie elsewhere"


def test_depth_comes_back_through_waymos_projection(renderer):
    camera = pose(50, 0, 1.6)
    view = CameraView(WIDTH, HEIGHT, 50.0, camera, INTRINSIC)
    frame = renderer.render(view, [], "source", Weather(), 0, frozenset())
    right, down = view.optics.plane(0.0, 0.0)
    points = np.stack([np.ones_like(right), -right, -down], axis=-1) * frame.depth[..., None]
    ground = frame.depth < 60
    world = transform_points(camera, points)[ground]
    pixels, valid = project(world, Calibration(np.array(INTRINSIC), camera, WIDTH, HEIGHT))
    row, column = np.nonzero(ground)
    assert valid.all()
    np.testing.assert_allclose(pixels, np.stack([column + 0.5, row + 0.5], axis=-1), atol=0.01)
    assert np.abs(world[frame.semantics[ground] == 1][:, 2]).max() < 2e-3


@pytest.mark.parametrize("intrinsic", [None, INTRINSIC])
def test_bundles_leave_out_no_ray_that_meets_an_actor(renderer, intrinsic):
    kinds = ("tesla.model3", "mitsubishi.fusorosa", "mercedes.sprinter", "yamaha.yzf", "audi.a2")
    near = [ActorShape(20 + k, f"vehicle.{kind}", (9, 9, 9), pose(53.5 + 2 * k, 7 * (-1) ** k, 0, 40 * k),
                       (2.4, 1.0, 0.8), (0, 0, 0.8)) for k, kind in enumerate(kinds)]  # fmt: skip
    view = CameraView(WIDTH, HEIGHT, 90.0, pose(50, 0, 1.6), intrinsic)
    stage = Stage(renderer.scene, "modern", targets() + near, view.pose_camera_in_world[:3, 3])
    for rays in (view.rays(), view.rays_within(np.arange(0, WIDTH * HEIGHT, 7), [(-0.4, -0.4), (0.4, 0.4)])):
        seen, whole = stage.see(rays), stage.see(replace(rays, bundles=None))
        assert len(rays.bundles.meeting(np.array([[0.0, 0.0, 50.0]]), np.ones(1))) == 0
        assert len(whole.layers[1].rows) > 300
        np.testing.assert_array_equal(seen.distance, whole.distance)
        np.testing.assert_array_equal(seen.layers[1].rows, whole.layers[1].rows)


def test_optics_undo_themselves():
    optics = Optics(WIDTH, HEIGHT, *INTRINSIC)
    right, down = optics.plane(0.0, 0.0)
    pixels = optics.project(np.stack([np.ones_like(right), -right, -down], axis=-1).reshape(-1, 3))
    column, row = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    np.testing.assert_allclose(pixels, np.stack([column, row], axis=-1).reshape(-1, 2), atol=0.005)
    plain = pinhole(WIDTH, HEIGHT, 90.0)
    pixels = plain.project(np.array([[1.0, 1.0, 0.0], [-1.0, 0, 0]]))
    np.testing.assert_allclose(pixels, [[0, HEIGHT / 2], [np.nan] * 2], atol=1e-9)


def test_a_lens_that_folds_is_refused():
    with pytest.raises(UsageError, match="folds"):
        Optics(WIDTH, HEIGHT, 200.0, 200.0, 240.0, 160.0, k1=-0.5).require_sound()


@pytest.mark.parametrize("direction", sorted(DIRECTIONS))
def test_every_line_of_a_rolling_shutter_has_its_own_moment(renderer, direction):
    camera = RigidMotion(pose(50, 0, 1.6, yaw=1.5), pose(49.0, -0.9, 1.6, yaw=-1.0), DELTA)
    readout = Readout(direction, 0.06)
    view = CameraView(WIDTH, HEIGHT, 50.0, camera.now, INTRINSIC, camera.before, DELTA, readout)
    frame = renderer.render(view, targets(1.2), "source", Weather(), 0, frozenset())
    calibration = Calibration(np.array(INTRINSIC), np.eye(4), WIDTH, HEIGHT)
    moved = []
    for actor in targets(1.2):
        corners = actors_triangles([actor]).vertices.reshape(-1, 3).astype(np.float64)
        at_once, _ = project(transform_points(invert(camera.now), corners), calibration)
        rolled = _rolled(corners, np.array([0, 12.0, 0]), camera, calibration, direction, readout.duration_s)
        assert np.abs(seen_middle(frame, actor) - middle(rolled)).max() < 0.5
        moved.append(np.abs(middle(rolled) - middle(at_once)).max())
    assert max(moved) > 2.0, "a global shutter would see them elsewhere"


def _rolled(corners, velocity, camera, calibration, direction, duration_s):
    """Pixels of moving points, each at the moment of the line on which it lies: a fixed point."""
    axis, size, sign = {
        "TOP_TO_BOTTOM": (1, HEIGHT, 1), "BOTTOM_TO_TOP": (1, HEIGHT, -1),
        "LEFT_TO_RIGHT": (0, WIDTH, 1), "RIGHT_TO_LEFT": (0, WIDTH, -1),
    }[direction]  # fmt: skip
    delays = np.zeros(len(corners))
    for _ in range(6):
        there = corners + delays[:, None] * velocity
        local = np.stack(
            [transform_points(invert(at), point) for at, point in zip(camera.at(delays), there, strict=True)]
        )
        pixels, _ = project(local, calibration)
        delays = sign * (pixels[:, axis] / size - 0.5) * duration_s
    return pixels


def test_a_path_meets_both_its_poses():
    path = RigidMotion(pose(3, 2, 1, 40), pose(1, 1, 1, 10), 0.5)
    np.testing.assert_allclose(path.at(np.array([-0.5, 0.0])), [path.before, path.now], atol=1e-12)
    np.testing.assert_allclose(path.angular_velocity, [0, 0, np.radians(60)], atol=1e-12)
