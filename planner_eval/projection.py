"""Where pixels look, and where points on the ground lie in the pictures, from one matrix per camera."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

GROUND_WAVES_M = (200.0, 100.0, 50.0, 25.0, 12.5)
GROUND_FEATURES = 2 * (2 * len(GROUND_WAVES_M) + 1)
RAY_FEATURES = 3 + 3 + GROUND_FEATURES + 2
REACH_M = 80.0
"""Ground that is farther away has no features: a ray near the horizon says too little about where it ends."""


def fourier(values: Tensor, wavelengths: tuple[float, ...]) -> Tensor:
    """(..., D * 2 * W) sines and cosines of (..., D) values."""
    phase = values[..., None] * (2 * torch.pi / constant(wavelengths, values.dtype, values.device))
    return torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(-2)


@cache
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(N,) tensor of N numbers, made once: a copy from the host in every step would keep a GPU waiting."""
    return torch.tensor(values, dtype=dtype, device=device)


def ground_features(ground: Tensor) -> Tensor:
    """(..., 22) of (..., 2) points on the ground in the vehicle frame: waves, and metres by 30."""
    return torch.cat([fourier(ground, GROUND_WAVES_M), ground / 30.0], dim=-1)


def in_picture(ground: Tensor, projection: Tensor) -> tuple[Tensor, Tensor]:
    """Projects points on the ground.

    Args:
        ground: (N, P, 2) metres, vehicle frame, z = 0.
        projection: (N, C, 3, 4), vehicle frame to shares of the picture.

    Returns:
        (N, C, P, 2) shares of width and height, and (N, C, P) 1.0 where the point is in the picture, else 0.0.
    """
    plane = torch.cat([projection[..., :2], projection[..., 3:]], dim=-1)
    points = torch.cat([ground, torch.ones_like(ground[..., :1])], dim=-1)
    with torch.autocast(ground.device.type, enabled=False):  # eight bits would miss the pixel
        homogeneous = torch.einsum("ncij,npj->ncpi", plane, points)
    depth = homogeneous[..., 2]
    shares = homogeneous[..., :2] / depth.clamp(min=0.1)[..., None]
    seen = (depth > 0.1) & (shares >= 0).all(dim=-1) & (shares <= 1).all(dim=-1)
    return shares, seen.float()


def ray_features(projection: Tensor, shape: tuple[int, int]) -> Tensor:
    """Where the cells of a camera's map look.

    Args:
        projection: (..., 3, 4), vehicle frame to shares of the picture.
        shape: (h, w) of the map.

    Returns:
        (..., h * w, 30): unit ray and camera position (in units of 2 m) in the vehicle frame, the features of the
        point where the ray meets the plane z = 0, and two marks: 1 where it does so, and does so near.
    """
    rows, columns = shape
    v, u = torch.meshgrid(
        (torch.arange(rows, device=projection.device) + 0.5) / rows,
        (torch.arange(columns, device=projection.device) + 0.5) / columns,
        indexing="ij",
    )
    pixels = torch.stack([u, v, torch.ones_like(u)], dim=-1).flatten(0, 1)
    with torch.autocast(projection.device.type, enabled=False):
        inverse = inverse_3x3(projection[..., :3])
        position = -(inverse @ projection[..., 3:]).squeeze(-1)[..., None, :]
        rays = pixels @ inverse.mT
    rays = rays / rays.norm(dim=-1, keepdim=True)
    position = position.expand_as(rays)
    below = rays[..., 2:] < -0.01
    reach = torch.where(below, position[..., 2:] / torch.where(below, -rays[..., 2:], 1.0), 0.0)
    ground = position[..., :2] + reach * rays[..., :2]
    near = below & (ground.norm(dim=-1, keepdim=True) < REACH_M)
    features = torch.where(near, ground_features(ground), 0.0)
    return torch.cat([rays, 0.5 * position, features, below.float(), near.float()], dim=-1)


def inverse_3x3(matrices: Tensor) -> Tensor:
    """Inverses of regular (..., 3, 3) matrices, by cross products: no solver, whose checks would keep a GPU waiting."""
    first, second, third = matrices.unbind(dim=-2)
    columns = [torch.linalg.cross(a, b) for a, b in ((second, third), (third, first), (first, second))]
    determinant = (first * columns[0]).sum(dim=-1)[..., None, None]
    return torch.stack(columns, dim=-1) / determinant


def resized(cells: Tensor, shape: tuple[int, int]) -> Tensor:
    """Bilinear (..., H, W) of (..., h, w) maps, as products of matrices: with the same bytes on every run."""
    down, across = (
        _hat((torch.arange(size, device=cells.device) + 0.5) * (given / size) - 0.5, given).to(cells.dtype)
        for size, given in zip(shape, cells.shape[-2:], strict=True)
    )
    return down @ cells @ across.mT


def lookup(ground: Tensor, projection: Tensor, shape: tuple[int, int]) -> Tensor:
    """Weights with which points on the ground see the cells of all cameras' maps.

    Args:
        ground: (N, P, 2) metres, vehicle frame, z = 0.
        projection: (N, C, 3, 4).
        shape: (h, w) of the maps.

    Returns:
        (N, P, C * h * w), bilinear; rows sum to 1, or to 0 where no camera sees the point.
    """
    shares, seen = in_picture(ground, projection)  # (N, C, P, 2)
    rows, columns = shape
    across = _hat(shares[..., 0] * columns - 0.5, columns)
    down = _hat(shares[..., 1] * rows - 0.5, rows)
    weights = down[..., :, None] * across[..., None, :] * seen[..., None, None]
    weights = weights.flatten(3).transpose(1, 2).flatten(2)
    return weights / seen.sum(dim=1).clamp(min=1)[..., None]


def _hat(position: Tensor, size: int) -> Tensor:
    """(..., size) linear interpolation weights of positions in cells, held at the border."""
    cells = torch.arange(size, device=position.device)
    return (1 - (position.clamp(0, size - 1)[..., None] - cells).abs()).clamp(min=0)
