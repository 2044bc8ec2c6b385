"""The camera planner: a vision backbone, ego history and intent to K proposals of 20 waypoints.

Every cell of the backbone's maps is a token that knows its viewing ray and the ground it meets. The proposals start
as paths of the present speed, fanned out by curvature, and the decoder bends them. At first it bends nothing.
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
from planner_eval.decoder import ProposalDecoder
from planner_eval.plans import TIMES_S, Plans
from planner_eval.projection import RAY_FEATURES, fourier, ray_features, resized
from planner_eval.rfs import WAYPOINTS
from planner_eval.tensors import SampleArrays, as_arrays

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
PAST_SCALE = (20.0, 5.0, 10.0, 3.0, 3.0, 3.0)
"""Typical x, y, vx, vy, ax, ay in m, m/s, m/s²; only brings inputs near one."""

SPEED_WAVES = (40.0, 20.0, 10.0, 5.0)
"""Wavelengths of the speed's features, m/s."""
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
        if settings.vision:
            self.backbone = _backbone(settings).to(memory_format=torch.channels_last)
            self.image_tokens = nn.ModuleList(nn.Conv2d(size, width, 1) for size in self.backbone.channels)
            self.ray_tokens = _mlp(RAY_FEATURES, width, width)
        self.history_token = _mlp(16 * 6, width, width)
        self.no_history = nn.Parameter(torch.zeros(width))
        self.intent_token = nn.Embedding(INTENTS, width)
        self.speed_token = _mlp(1 + 2 * len(SPEED_WAVES), width, width)
        self.decoder = ProposalDecoder(settings)
        self.register_buffer("residual_scale", torch.ones(WAYPOINTS, 2))
        self.register_buffer("image_mean", torch.tensor(IMAGE_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("image_std", torch.tensor(IMAGE_STD).view(3, 1, 1), persistent=False)
        self.register_buffer("past_scale", torch.tensor(PAST_SCALE), persistent=False)
        self.register_buffer("times", torch.tensor(TIMES_S, dtype=torch.float32), persistent=False)
        fan = torch.linspace(-1, 1, settings.proposals) if settings.proposals > 1 else torch.zeros(1)
        self.register_buffer("curvatures", settings.fan_curvature * fan, persistent=False)

    def forward(
        self, images: Tensor, projection: Tensor, past: Tensor, intent: Tensor, use_history: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """Plans a batch.

        Args:
            images: (N, C, 3, H, W) uint8.
            projection: (N, C, 3, 4) float32, see `seen_projection`.
            past: (N, 16, 6) float32.
            intent: (N,) int64.
            use_history: (N,) bool; False hides all of the past but the present speed.

        Returns:
            trajectories: (N, K, 20, 2) float32 metres, vehicle frame at t = 0, after each layer of the decoder.
            logits: (N, K) float32 of the proposals.
        """
        history = self.history_token((past / self.past_scale).flatten(1))
        history = torch.where(use_history[:, None], history, self.no_history.to(history.dtype))
        velocity = past[:, -1, 2:4]
        speed = velocity.norm(dim=-1, keepdim=True)
        speed_token = self.speed_token(torch.cat([speed / 10, fourier(speed, SPEED_WAVES)], dim=-1))
        known = torch.stack([history, self.intent_token(intent).to(history.dtype), speed_token], dim=1)
        cells, shape = self._see(images, projection) if self.settings.vision else (None, (0, 0))
        return self.decoder(cells, projection, shape, known, self._arcs(velocity), self.residual_scale)

    def _see(self, images: Tensor, projection: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(N, C * h * w, width) tokens of the cells of every camera's map, and its (h, w)."""
        pixels = (images.flatten(0, 1).float() / 255 - self.image_mean) / self.image_std
        maps = self.backbone(pixels.contiguous(memory_format=torch.channels_last)).feature_maps
        rows, columns = shape = tuple(maps[0].shape[-2:])
        levels = [tokens(cells) for tokens, cells in zip(self.image_tokens, maps, strict=True)]
        levels = [levels[0], *(resized(level, shape) for level in levels[1:])]
        tokens = sum(levels).flatten(2).mT.view(*projection.shape[:2], rows * columns, -1)
        return (tokens + self.ray_tokens(ray_features(projection, shape))).flatten(1, 2), shape

    def _arcs(self, velocity: Tensor) -> Tensor:
        """(N, K, 20, 2): paths of constant speed, each with a curvature of its own."""
        turn = self.curvatures[:, None] * velocity.norm(dim=-1)[:, None, None] * self.times  # (N, K, 20) rad
        along = self.times * torch.sinc(turn / torch.pi)
        aside = self.times * torch.sinc(turn / 2 / torch.pi) * torch.sin(turn / 2)
        forward, left = velocity[:, None, None, 0], velocity[:, None, None, 1]
        return torch.stack([along * forward - aside * left, along * left + aside * forward], dim=-1)

    @torch.no_grad()
    def plan(self, samples: Sequence[PlannerSample]) -> Plans:
        """Plans for each sample, in order.

        Raises:
            ValueError: a sample lacks a camera that the planner needs.
        """
        return self.plan_arrays(as_arrays(samples, self.settings, self.cameras))

    @torch.no_grad()
    def plan_arrays(self, arrays: SampleArrays) -> Plans:
        """Like `plan`, for samples that are gathered already."""
        self.eval()
        device = self.residual_scale.device
        inputs = [
            torch.from_numpy(x).to(device) for x in (arrays.images, arrays.projection, arrays.past, arrays.intent)
        ]
        use_history = torch.full((len(arrays),), self.history, device=device)
        paths, logits = self(*inputs, use_history)
        probabilities = logits.double().softmax(dim=-1)
        return Plans(paths[-1].double().cpu().numpy(), probabilities.cpu().numpy())

    def save_pretrained(self, folder: Path) -> None:
        """Writes `model.safetensors` and, last, `config.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        with atomic_path(folder / "model.safetensors") as temporary:
            save_file(state, temporary)
        settings = self.settings
        if settings.vision:
            resolved = {"backbone": self.backbone.config.to_diff_dict(), "backbone_weights": None}
            settings = settings.model_copy(update=resolved)
        write_json(folder / "config.json", {"settings": settings.model_dump(mode="json"), "history": self.history})

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
    """The backbone; learnt positions stay as they are, since nothing resizes them to the picture deterministically
    backwards on a GPU, and the tokens know their rays."""
    if settings.backbone_weights is not None:
        backbone = AutoBackbone.from_pretrained(settings.backbone_weights)
    else:
        arguments = {key: value for key, value in settings.backbone.items() if key != "model_type"}
        backbone = AutoBackbone.from_config(AutoConfig.for_model(settings.backbone["model_type"], **arguments))
    for name, parameter in backbone.named_parameters():
        if name.endswith("position_embeddings"):
            parameter.requires_grad_(False)
    return backbone


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))
