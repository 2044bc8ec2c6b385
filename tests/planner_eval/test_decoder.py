"""Geometry of the tokens, and what the decoder does before it has learnt anything."""

import cv2
import numpy as np
import pytest
import torch
from synthetic import TINY

from phipd_sim2real.waymo import Calibration
from planner_eval.decoder import ASIDE_M, aside
from planner_eval.planner import CameraPlanner
from planner_eval.projection import ground_features, in_picture, lookup, ray_features
from planner_eval.tensors import as_arrays, seen_projection

SHAPE = (8, 12)


def projection(yaw: float = 0.0) -> torch.Tensor:
    """(1, 1, 3, 4) of a camera 1.5 m above the ground, turned left by `yaw`."""
    extrinsic = np.eye(4)
    extrinsic[:3, :3] = cv2.Rodrigues(np.array([0.0, 0.05, yaw]))[0]
    extrinsic[:3, 3] = 1.0, 0.1, 1.5
    calibration = Calibration(np.array([60.0, 60, 60, 36, 0, 0, 0, 0, 0]), extrinsic, 120, 72)
    return torch.from_numpy(seen_projection(calibration, (0.25, 1.0)))[None, None]


def test_rays_end_where_the_ground_is_seen():
    """A cell's ground point projects to the middle of the cell."""
    matrix = projection(yaw=0.3)
    rays = ray_features(matrix, SHAPE)[0, 0]
    below, near = rays[:, -2] == 1, rays[:, -1] == 1
    assert 0 < near.sum() < below.sum() < len(rays)
    torch.testing.assert_close(rays[:, :3].norm(dim=-1), torch.ones(len(rays)))
    direction, position = rays[near, :3], 2 * rays[near, 3:6]
    ground = (position - direction * (position[:, 2:] / direction[:, 2:]))[:, :2]
    torch.testing.assert_close(rays[near, 6:-2], ground_features(ground), atol=1e-3, rtol=0)
    shares, seen = in_picture(ground[None], matrix)
    rows, columns = np.unravel_index(torch.nonzero(near)[:, 0].numpy(), SHAPE)
    centres = torch.from_numpy(np.stack([(columns + 0.5) / SHAPE[1], (rows + 0.5) / SHAPE[0]], axis=-1)).float()
    torch.testing.assert_close(shares[0, 0], centres, atol=1e-4, rtol=0)
    assert seen.all()


def test_a_look_up_is_bilinear_and_blind_outside_the_picture():
    """Looking up a map that is linear in the picture gives the picture's coordinates back."""
    ground = torch.tensor([[[8.0, 0.3], [12.0, -2.0], [6.0, 1.0], [-5.0, 0.0], [5.0, 30.0]]])
    matrix = projection()
    v, u = torch.meshgrid(torch.arange(SHAPE[0]) + 0.5, torch.arange(SHAPE[1]) + 0.5, indexing="ij")
    cells = torch.stack([u / SHAPE[1], v / SHAPE[0]], dim=-1).flatten(0, 1)
    weights = lookup(ground, matrix, SHAPE)
    torch.testing.assert_close(weights.sum(dim=-1), torch.tensor([[1.0, 1, 1, 0, 0]]))
    shares, _ = in_picture(ground, matrix)
    torch.testing.assert_close((weights @ cells)[0, :3], shares[0, 0, :3], atol=1e-5, rtol=0)


def test_two_cameras_that_see_a_point_share_it():
    ground = torch.tensor([[[8.0, 0.0], [5.0, 9.0]]])
    both = torch.cat([projection(), projection(yaw=0.5)], dim=1)
    alone, together = lookup(ground, both[:, :1], SHAPE), lookup(ground, both, SHAPE)
    cells = SHAPE[0] * SHAPE[1]
    torch.testing.assert_close(together.sum(dim=-1), torch.ones(1, 2))
    torch.testing.assert_close(together[0, 0, :cells], alone[0, 0] / 2)
    assert together[0, 1, :cells].sum() == 0


def test_aside_is_left_of_the_direction_of_travel():
    path = torch.tensor([[0.0, 5.0], [0.0, 10.0]]).view(1, 1, 2, 2)  # drives to the left
    around = aside(path)[0, 0]
    torch.testing.assert_close(around[1, :, 0], -torch.tensor(ASIDE_M), atol=1e-2, rtol=0)
    torch.testing.assert_close(around[1, :, 1], torch.full((len(ASIDE_M),), 10.0), atol=1e-2, rtol=0)


def test_the_first_plans_are_arcs_of_the_present_speed(dusk_samples):
    """Before training the middle proposal keeps its velocity, and the outer ones drive circles."""
    planner = CameraPlanner(TINY.model_copy(update={"proposals": 3, "fan_curvature": 0.02}))
    plans = planner.plan(dusk_samples[:2])
    np.testing.assert_allclose(plans.probabilities, 1 / 3, atol=1e-6)
    velocity = as_arrays(dusk_samples[:2], TINY).past[:, -1, 2:4]
    np.testing.assert_allclose(plans.trajectories[:, 1, -1], 5 * velocity, atol=1e-4)
    forward = velocity[0] / np.linalg.norm(velocity[0])
    left = np.array([-forward[1], forward[0]])
    for proposal, side in ((0, -1), (2, 1)):
        centre = side * left / 0.02
        np.testing.assert_allclose(
            np.linalg.norm(plans.trajectories[0, proposal] - centre, axis=-1), 1 / 0.02, rtol=1e-4
        )


@pytest.mark.parametrize("cameras", [2, 8])
def test_any_number_of_cameras(cameras):
    planner = CameraPlanner(TINY.model_copy(update={"cameras": tuple(range(1, cameras + 1)), "proposals": 2}))
    images = torch.zeros(3, cameras, 3, TINY.image_height, TINY.image_width, dtype=torch.uint8)
    matrices = torch.cat([projection(yaw=0.7 * index) for index in range(cameras)], dim=1).expand(3, -1, -1, -1)
    past, intent = torch.rand(3, 16, 6), torch.zeros(3, dtype=torch.long)
    layers, logits = planner(images, matrices, past, intent, torch.ones(3, dtype=torch.bool))
    assert [paths.shape for paths in layers] == [(3, 2, 20, 2)] * TINY.layers
    assert logits.shape == (3, 2)
