"""The camera planner: a vision backbone, ego history and intent to 20 waypoints.

The cells of the backbone's map carry the viewing rays of their camera, and the planner knows how far the vehicle
gets by each waypoint at its present speed. Its output is what to add to the path of constant velocity, in units
of the training set's spread. A plain network over all cells learns this in fewer steps than attention does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoBackbone, AutoConfig

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path, write_json
from phipd_sim2real.waymo import PlannerSample
from planner_eval.config import PlannerSettings
from planner_eval.plans import TIMES_S, Plans
from planner_eval.rfs import WAYPOINTS
from planner_eval.tensors import RAY_FEATURES, SampleArrays, as_arrays

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
PAST_SCALE = (20.0, 5.0, 10.0, 3.0, 3.0, 3.0)
"""Typical x, y, vx, vy, ax, ay in m, m/s, m/s²; only brings inputs near one."""

REACH_WAVELENGTHS_M = (200.0, 100.0, 50.0, 25.0)
INTENTS = 4


class CameraPlanner(nn.Module):
    """Plans K trajectories from pictures, past and intent.

    Attributes:
        settings: sizes and the backbone's configuration.
        cameras: ids of the cameras that a sample must have.
        history: whether the past path is used after training; the present speed always is.
    """

    def __init__(self, settings: PlannerSettings, history: bool = True) -> None:
        super().__init__()
        self.settings, self.history = settings, history
        self.cameras = settings.cameras if settings.vision else ()
        width = settings.width
        self.backbone = _backbone(settings).to(memory_format=torch.channels_last)
        self.image_tokens = nn.Linear(self.backbone.num_features[-1], width)
        self.ray_tokens = _mlp(RAY_FEATURES, width, width)
        self.cells = nn.Linear(width, settings.cell_width)
        self.history_token = _mlp(16 * 6, width, width)
        self.no_history = nn.Parameter(torch.zeros(width))
        self.intent_token = nn.Embedding(INTENTS, width)
        seen = len(self.cameras) * _cell_count(self.backbone, settings) * settings.cell_width
        inputs = seen + 2 * width + WAYPOINTS * (2 * len(REACH_WAVELENGTHS_M) + 2)
        self.mix = nn.Sequential(_mlp(inputs, settings.hidden, settings.hidden), nn.GELU())
        self.waypoint_head = nn.Linear(settings.hidden, settings.proposals * WAYPOINTS * 2)
        self.proposal_head = nn.Linear(settings.hidden, settings.proposals)
        self.register_buffer("residual_scale", torch.ones(WAYPOINTS, 2))
        self.register_buffer("image_mean", torch.tensor(IMAGE_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("image_std", torch.tensor(IMAGE_STD).view(3, 1, 1), persistent=False)
        self.register_buffer("past_scale", torch.tensor(PAST_SCALE), persistent=False)
        self.register_buffer("times", torch.tensor(TIMES_S, dtype=torch.float32), persistent=False)

    def forward(
        self, images: Tensor, rays: Tensor, past: Tensor, intent: Tensor, use_history: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Plans a batch.

        Args:
            images: (N, C, 3, H, W) uint8.
            rays: (N, C, 9, h, w) float32.
            past: (N, 16, 6) float32.
            intent: (N,) int64.
            use_history: (N,) bool; False hides all of the past but the present speed.

        Returns:
            trajectories: (N, K, 20, 2) float32 metres, vehicle frame at t = 0.
            logits: (N, K) float32 of the proposals.
        """
        history = self.history_token((past / self.past_scale).flatten(1))
        history = torch.where(use_history[:, None], history, self.no_history.to(history.dtype))
        velocity = past[:, -1, 2:4]
        known = [history, self.intent_token(intent), self._reach_features(velocity.norm(dim=-1)).flatten(1)]
        seen = [self._see(images, rays)] if self.settings.vision else []
        mixed = self.mix(torch.cat([*seen, *known], dim=1)).float()
        with torch.autocast(mixed.device.type, enabled=False):  # eight bits would round to centimetres
            residual = self.waypoint_head(mixed).view(len(past), -1, WAYPOINTS, 2) * self.residual_scale
            logits = self.proposal_head(mixed)
        constant_velocity = velocity[:, None] * self.times[:, None]
        return constant_velocity[:, None] + residual, logits

    def _see(self, images: Tensor, rays: Tensor) -> Tensor:
        """(N, C * cells * cell_width): what every cell of every camera shows."""
        pixels = (images.flatten(0, 1).float() / 255 - self.image_mean) / self.image_std
        cells = self.backbone(pixels.contiguous(memory_format=torch.channels_last)).feature_maps[-1]
        rays = nn.functional.interpolate(rays.flatten(0, 1), cells.shape[-2:], mode="bilinear", align_corners=False)
        tokens = self.image_tokens(cells.flatten(2).mT) + self.ray_tokens(rays.flatten(2).mT)
        return self.cells(nn.functional.gelu(tokens)).reshape(len(images), -1)

    def _reach_features(self, speed: Tensor) -> Tensor:
        """(N, 20, 10): how far each waypoint lies ahead at constant speed, as waves and as a number."""
        reach = speed[:, None] * self.times
        waves = reach[..., None] * (2 * torch.pi / reach.new_tensor(REACH_WAVELENGTHS_M))
        plain = torch.stack([reach / 50, (speed / 10)[:, None].expand_as(reach)], dim=-1)
        return torch.cat([waves.sin(), waves.cos(), plain], dim=-1)

    @torch.no_grad()
    def plan(self, samples: Sequence[PlannerSample]) -> Plans:
        """Plans for each sample, in order.

        Raises:
            ValueError: a sample lacks a camera that the planner needs.
        """
        return self.plan_arrays(as_arrays(samples, self.settings))

    @torch.no_grad()
    def plan_arrays(self, arrays: SampleArrays) -> Plans:
        """Like `plan`, for samples that are gathered already."""
        self.eval()
        device = self.residual_scale.device
        inputs = [torch.from_numpy(x).to(device) for x in (arrays.images, arrays.rays, arrays.past, arrays.intent)]
        use_history = torch.full((len(arrays),), self.history, device=device)
        trajectories, logits = self(*inputs, use_history)
        probabilities = logits.double().softmax(dim=-1)
        return Plans(trajectories.double().cpu().numpy(), probabilities.cpu().numpy())

    def save_pretrained(self, folder: Path) -> None:
        """Writes `model.safetensors` and, last, `config.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        with atomic_path(folder / "model.safetensors") as temporary:
            save_file(state, temporary)
        resolved = {"backbone": self.backbone.config.to_diff_dict(), "backbone_weights": None}
        settings = self.settings.model_copy(update=resolved).model_dump(mode="json")
        write_json(folder / "config.json", {"settings": settings, "history": self.history})

    @classmethod
    def from_pretrained(cls, folder: Path, device: str = "cpu") -> CameraPlanner:
        """Reads what `save_pretrained` wrote.

        Raises:
            UsageError: the folder holds no planner.
        """
        if not (folder / "config.json").is_file():
            raise UsageError(f"{folder} holds no planner (config.json is absent); train one with phipd train-planner.")
        config = json.loads((folder / "config.json").read_text())
        planner = cls(PlannerSettings.model_validate(config["settings"]), history=config["history"])
        planner.load_state_dict(load_file(folder / "model.safetensors"))
        return planner.to(device).eval()


def residual_spread(past: np.ndarray, future: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(20, 2) float32 metres: root mean square of what happened beyond constant velocity, at least 0.1 m."""
    residual = future - past[:, -1, None, 2:4] * TIMES_S[None, :, None]
    counted = np.maximum(valid.sum(axis=0), 1)[:, None]
    spread = np.sqrt((np.where(valid[..., None], residual, 0.0) ** 2).sum(axis=0) / counted)
    return np.maximum(spread, 0.1).astype(np.float32)


def _backbone(settings: PlannerSettings) -> nn.Module:
    if settings.backbone_weights is not None:
        return AutoBackbone.from_pretrained(settings.backbone_weights)
    arguments = {key: value for key, value in settings.backbone.items() if key != "model_type"}
    return AutoBackbone.from_config(AutoConfig.for_model(settings.backbone["model_type"], **arguments))


@torch.no_grad()
def _cell_count(backbone: nn.Module, settings: PlannerSettings) -> int:
    """Cells of the backbone's last map for one picture of the planner's size."""
    backbone.eval()  # a first look must not enter the running statistics
    cells = backbone(torch.zeros(1, 3, settings.image_height, settings.image_width)).feature_maps[-1]
    backbone.train()
    return cells.shape[-2] * cells.shape[-1]


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))
