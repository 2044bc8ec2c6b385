"""The decoder: proposals that look at the ground along their own paths, attend to the picture, and bend.

Each proposal is a path through points on the ground. A layer looks the cells of the cameras' maps up around every
point of every path, lets the points attend to each other, to all cells and to what is known of the vehicle, and
moves the paths; the next layer looks around the moved paths. Looking up is attention too, whose weights are those of
bilinear interpolation: a product of matrices, with the same bytes on every run.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from planner_eval.config import PlannerSettings
from planner_eval.projection import GROUND_FEATURES, constant, ground_features, lookup
from planner_eval.rfs import WAYPOINTS

ASIDE_M = (-8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0)
"""Where a point looks, to the left of its path."""

STRIDE = 2
"""Waypoints per point of a path."""

POINTS = WAYPOINTS // STRIDE


class ProposalDecoder(nn.Module):
    """Bends K paths in `layers` steps."""

    def __init__(self, settings: PlannerSettings) -> None:
        super().__init__()
        width = settings.width
        self.paths = nn.Parameter(0.02 * torch.randn(settings.proposals, 1, width))
        self.times = nn.Parameter(0.02 * torch.randn(POINTS, width))
        self.layers = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.layers))
        self.choice = nn.Linear(width, 1)
        nn.init.zeros_(self.choice.weight)

    def forward(
        self, cells: Tensor | None, projection: Tensor, shape: tuple[int, int], known: Tensor, paths: Tensor,
        scale: Tensor,
    ) -> tuple[list[Tensor], Tensor]:  # fmt: skip
        """Bends the paths.

        Args:
            cells: (N, C * h * w, width) tokens of the cameras' maps; None for a blind planner.
            projection: (N, C, 3, 4) from the vehicle frame to shares of the picture.
            shape: (h, w).
            known: (N, M, width) tokens of past and intent.
            paths: (N, K, 20, 2) metres, where they start from.
            scale: (20, 2) metres, the size of a bend.

        Returns:
            (N, K, 20, 2) paths after each layer, and (N, K) logits.
        """
        count = len(paths)
        points = (self.paths + self.times).expand(count, -1, -1, -1) + known.mean(dim=1)[:, None, None]
        bent = []
        for layer in self.layers:
            points, paths = layer(points, cells, projection, shape, known, paths.detach(), scale)
            bent.append(paths)
        return bent, self.choice(points.mean(dim=2)).squeeze(-1).float()


class DecoderLayer(nn.Module):
    """One look, one exchange, one bend."""

    def __init__(self, settings: PlannerSettings) -> None:
        super().__init__()
        width = settings.width
        looked_up = len(ASIDE_M) * settings.cell_width if settings.vision else 0
        self.seen = nn.Linear(width, settings.cell_width) if settings.vision else None
        self.look = nn.Sequential(nn.Linear(looked_up + GROUND_FEATURES, width), nn.GELU(), nn.Linear(width, width))
        self.exchange = Attention(width, settings.heads)
        self.attend = Attention(width, settings.heads)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.bend = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, STRIDE * 2))
        nn.init.zeros_(self.bend[1].weight)
        nn.init.zeros_(self.bend[1].bias)

    def forward(
        self, points: Tensor, cells: Tensor | None, projection: Tensor, shape: tuple[int, int], known: Tensor,
        paths: Tensor, scale: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        count, proposals = paths.shape[:2]
        ground = paths[:, :, STRIDE - 1 :: STRIDE]
        features = [ground_features(ground)]
        if cells is not None:
            around = aside(ground).flatten(1, 3)
            weights = lookup(around, projection, shape).to(cells.dtype)
            features.append((weights @ self.seen(cells)).view(count, proposals, POINTS, -1))
        points = points + self.look(torch.cat(features, dim=-1))
        flat = points.flatten(1, 2)
        flat = flat + self.exchange(flat, flat)
        context = known if cells is None else torch.cat([cells, known], dim=1)
        flat = flat + self.attend(flat, context)
        flat = flat + self.think(flat)
        points = flat.view(count, proposals, POINTS, -1)
        with torch.autocast(points.device.type, enabled=False):  # eight bits would round to centimetres
            bend = self.bend(points.float()).view(count, proposals, WAYPOINTS, 2) * scale
        return points, paths + bend


class Attention(nn.Module):
    """Pre-norm attention of queries to a context."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.context_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, context: Tensor) -> Tensor:
        query = self.query(self.norm(queries)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        both = self.key_value(self.context_norm(context)).unflatten(-1, (2, self.heads, -1))
        key, value = both.permute(2, 0, 3, 1, 4)
        # Plain products have the same bytes on every run, and for so few queries they are the faster ones on a CPU.
        weights = (query * query.shape[-1] ** -0.5 @ key.mT).softmax(dim=-1)
        return self.out((weights.to(value.dtype) @ value).transpose(1, 2).flatten(2))


def aside(ground: Tensor) -> Tensor:
    """(N, K, P, A, 2): points at `ASIDE_M` to the left of each point of the (N, K, P, 2) paths."""
    steps = torch.diff(ground, dim=2, prepend=torch.zeros_like(ground[:, :, :1]))
    steps = steps + constant((1e-3, 0.0), ground.dtype, ground.device)  # a standing vehicle looks ahead
    along = steps / steps.norm(dim=-1, keepdim=True)
    left = torch.stack([-along[..., 1], along[..., 0]], dim=-1)
    offsets = constant(ASIDE_M, ground.dtype, ground.device)
    return ground[..., None, :] + offsets[:, None] * left[..., None, :]
