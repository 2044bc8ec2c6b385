"""Enhancing frames: the source's structure, the look that the model was fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from diffusers.utils.logging import disable_progress_bar
from torch import Tensor

from phipd_sim2real.diffusion.clip_noise import white_noise
from phipd_sim2real.diffusion.families import Family, Sampling, load_family
from phipd_sim2real.diffusion.families.released import bins_cutoff
from phipd_sim2real.diffusion.frame_grid import FrameGrid
from phipd_sim2real.diffusion.models import ModelDefaults, model_defaults, model_folder, resolved
from phipd_sim2real.diffusion.precision import autocast, uses_bf16
from phipd_sim2real.diffusion.requests import check, control_pictures
from phipd_sim2real.diffusion.settings import EnhanceSettings, Precision
from phipd_sim2real.errors import UsageError
from phipd_sim2real.phase import Cutoff, Profile, periodic_component

if TYPE_CHECKING:
    from phipd_sim2real.phase import Preservation

    Kept = Preservation | float | Literal["auto"] | None

MOST = 4.0
"""Cycles per pixel beyond any grid, however enlarged: a cutoff there keeps all."""


class Enhancer:
    """A model, ready to enhance frames of any size.

    Attributes:
        family: network, scheduler and what surrounds them.
        defaults: what the model is used with where nothing else is said.
        precision: arithmetic of the network.
        grid: where frames lie on the model's pixels.
    """

    def __init__(
        self,
        family: Family,
        precision: Precision = "auto",
        defaults: ModelDefaults | None = None,
        enlarge: float = 1.0,
    ) -> None:
        self.family = family
        self.grid = FrameGrid(family, enlarge)
        self.precision = precision
        self.defaults = defaults or ModelDefaults()

    @classmethod
    def from_pretrained(
        cls, path_or_name: str | Path, device: str | None = None, precision: Precision = "auto", **more: Any
    ) -> Enhancer:
        """Loads a model.

        Args:
            path_or_name: a shipped name such as `street-small`, a folder that `phipd fit` made or any diffusers
                folder of a supported kind, or such a model's name on the Hugging Face hub.
            device: torch device; None takes CUDA where there is one.
            precision: `auto` computes in bf16 where the device has it; models on latents in float32 on a CPU.
            more: `noise`, `enlarge`, `controlnet`, `offload` and `tiling` as in `EnhanceSettings`.

        Raises:
            UsageError: there is no such model, or it cannot be used so.
        """
        return cls.from_settings(EnhanceSettings(model=str(path_or_name), precision=precision), device, **more)

    @classmethod
    def from_settings(cls, settings: EnhanceSettings, device: str | None = None, **changes: Any) -> Enhancer:
        """Loads the model that settings name, with its ControlNet, precision and ways to save memory."""
        settings = settings.model_copy(update=changes)
        where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        disable_progress_bar()  # of loading
        folder = model_folder(settings.model)
        dtype = torch.bfloat16 if where.type == "cuda" and uses_bf16(where, settings.precision) else torch.float32
        family = load_family(folder, "cpu" if settings.offload else where, dtype)
        family.denoiser.eval()
        if settings.noise != "auto":
            family.released = settings.noise == "released"
        family.save_memory(settings.offload, settings.tiling)
        if settings.controlnet is not None:
            family.attach_controlnet(Path(settings.controlnet))
        if family.is_video and settings.enlarge != 1:
            raise UsageError(f"A video model takes frames as they are; leave enlarge={settings.enlarge:g} out.")
        return cls(family, settings.precision, model_defaults(folder), settings.enlarge)

    @property
    def is_video(self) -> bool:
        """Whether the model makes clips; see `enhance_stream`."""
        return self.family.is_video

    def enhance_stream(self, frames: Iterable[np.ndarray], seed: int, **method: Any) -> Iterator[np.ndarray]:
        """Enhances the frames of one video with a video model, in bounded memory.

        Args:
            frames: (H, W, 3) uint8 RGB each, in order.
            seed: of the whole video.
            method: as in `enhance`, and `first`, the first frame as it is to look.

        Yields:
            One enhanced frame per frame.
        """
        from phipd_sim2real.diffusion.families.wan_clips import enhance_stream  # its models are the largest

        yield from enhance_stream(self, frames, seed, **method)

    def noise_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Shape (C, h, w) of the white noise that one frame needs, on the model's grid.

        Args:
            height: of the frame, pixels.
            width: likewise.
        """
        return self.grid.noise_shape(height, width)

    def canvas(self, images: np.ndarray) -> Tensor:
        """What structured noise takes its phase from: the frames as the model sees them, without a seam.

        Args:
            images: (N, H, W, 3) uint8 RGB.

        Returns:
            (N, *noise_shape(H, W)) float32.
        """
        frames = [self.family.encode(self.grid.padded(image[None])) for image in images]
        return periodic_component(torch.cat(frames))

    def enhance(
        self,
        images: np.ndarray,
        seeds: Sequence[int],
        cutoff: Kept | list[Kept] = "auto",
        strength: float = 0.8,
        steps: int | Literal["auto"] = "auto",
        white: Tensor | None = None,
        noise: Tensor | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        guidance: float | Literal["auto"] = "auto",
        control: np.ndarray | Literal["canny"] | None = None,
        control_scale: float = 1.0,
    ) -> np.ndarray:
        """Enhances a batch of frames of one size.

        A frame's result depends on the frame, its seed and the settings, not on the others of its batch.

        Args:
            images: (N, H, W, 3) uint8 RGB, sides of at least 32 pixels.
            seeds: one per image, 0 to 2^63 - 1; see `frames.frame_seed`.
            cutoff: up to which frequency the source's phase is kept: cycles per image pixel, a `Cutoff` or
                another `Preservation`, or None for all; or a list of these, one per image.
            strength: in (0, 1]; 1 starts from structured noise alone, less is structured SDEdit.
            steps: denoising steps, at least 1.
            white: (N, *noise_shape(H, W)) float32 white noise of unit variance in place of the seeds' own.
            noise: structured noise of that shape in place of what would be made of white noise; see `canvas`.
            prompt: what the pictures show; None is the model's own.
            negative_prompt: what they should not show; counts where guidance is above 1.
            guidance: how much the prompt counts, at least 1.
            control: (N, H, W, 3) uint8 pictures for the ControlNet, or `canny` for the images' edges.
            control_scale: weight of the ControlNet.

        Returns:
            (N, H, W, 3) uint8 RGB.

        Raises:
            UsageError: something is outside of what is allowed, or of what the model takes.
        """
        sampling = self.sampling(strength, steps, prompt, negative_prompt, guidance, control_scale)
        shape = self.noise_shape(*images.shape[1:3]) if images.ndim == 4 else ()
        check(self.family, images, seeds, sampling, {"White": white, "Structured": noise}, shape)
        pictures = control_pictures(self.family, images, control)
        each = cutoff if isinstance(cutoff, list) else [cutoff] * len(images)
        preservations = [self.preservation(one, *images.shape[1:3]) for one in each]
        parts = []
        for start in range(0, len(images), self.family.group):
            group = np.arange(start, start + self.family.group).clip(max=len(images) - 1)
            draws = torch.stack([white_noise(shape, seeds[i]) for i in group]) if white is None else white[group]
            made = None if noise is None else noise[group]
            seen = None if pictures is None else (self.grid.padded(pictures[group]) + 1) / 2
            how = replace(sampling, control=seen)
            parts.append(self._enhance_group(images[group], draws, made, [preservations[i] for i in group], how))
        return np.concatenate(parts)[: len(images)]

    def sampling(
        self,
        strength: float = 0.8,
        steps: int | Literal["auto"] = "auto",
        prompt: str | None = None,
        negative_prompt: str | None = None,
        guidance: float | Literal["auto"] = "auto",
        control_scale: float = 1.0,
    ) -> Sampling:
        """How to denoise, what was left open filled in from the model's defaults; see `enhance`."""
        defaults = self.defaults
        return Sampling(
            strength,
            defaults.steps if steps == "auto" else steps,
            defaults.guidance if guidance == "auto" else guidance,
            defaults.prompt if prompt is None else prompt,
            defaults.negative_prompt if negative_prompt is None else negative_prompt,
            control_scale=control_scale,
        )

    def preservation(self, cutoff: Kept, height: int, width: int) -> Preservation | None:
        """The region of kept phase for frames of one size, on the model's pixels; see `enhance`."""
        if cutoff == "auto":
            if self.family.released and self.defaults.cutoff_bins is not None:
                cells = self.noise_shape(height, width)[1:]
                return bins_cutoff(self.defaults.cutoff_bins, *cells).on_grid(1 / self.family.factor)
            cutoff = self.defaults.cutoff
        kept = Cutoff.isotropic(cutoff) if isinstance(cutoff, int | float) else cutoff
        return None if kept is None else kept.on_grid(1 / self.grid.enlarge)

    def _enhance_group(
        self,
        images: np.ndarray,
        white: Tensor,
        noise: Tensor | None,
        preservations: list[Preservation | None],
        sampling: Sampling,
    ) -> np.ndarray:
        """Enhances a whole group; a part of one is filled up with repetitions of its last image."""
        height, width = images.shape[1:3]
        x_0 = self.family.encode(self.grid.padded(images))
        eps = self.family.noise(x_0, preservations, white) if noise is None else noise.to(x_0.device)
        with autocast(self.family.device, self.precision if self.family.autocasts else "float32"):
            result = self.family.generate(x_0, eps, preservations, sampling)
        levels = ((self.grid.cropped(result.float(), height, width) + 1) * 127.5).round().clamp(0, 255)
        return levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def method(settings: EnhanceSettings) -> dict[str, Any]:
    """The arguments of `Enhancer.enhance` that settings decide."""
    cutoff: Any = settings.cutoff
    if settings.profile is not None:
        cutoff = Profile(settings.profile.edges, settings.profile.shares)
    elif settings.free_below:
        kept = resolved(settings).cutoff
        cutoff = Cutoff.isotropic(MOST if kept is None else kept, free_below=settings.free_below)
    names = ("strength", "steps", "prompt", "negative_prompt", "guidance", "control", "control_scale")
    return {name: getattr(settings, name) for name in names} | {"cutoff": cutoff}
