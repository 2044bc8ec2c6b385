"""Wan image-to-video: clips whose first frame is given."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

import torch
from diffusers import DiffusionPipeline, WanImageToVideoPipeline
from torch import Tensor

from phipd_sim2real.diffusion.families.family import Family, Sampling
from phipd_sim2real.diffusion.families.flow import FlowFamily
from phipd_sim2real.diffusion.families.latent import Condition
from phipd_sim2real.diffusion.families.wan_first_frame import FRAME, PICTURE, first_frame, in_place, picture
from phipd_sim2real.diffusion.families.wan_parts import EulerSteps, Experts

if TYPE_CHECKING:
    from phipd_sim2real.phase import Preservation

TEXT_TOKENS = 512
"""Wan's own; its network tells text from picture by this count."""

DEFAULT_SHIFT = 5.0


class WanFamily(FlowFamily):
    """Wan 2.1 and 2.2 as a family of video models.

    x_0 is (B, C, T', h, w): T' = 1 + (T - 1) / 4 latent frames of T video frames. Each latent frame is one 2-D
    image of the method. Clips are generated from their first frame, and fitted so, on clips of which each tells its
    own. A batch of pictures counts as clips of one frame, which are fitted and generated with the first-frame
    condition withheld, for a frame that is given in full would leave nothing to learn.

    Wan 2.2 has two networks, one for high noise and one for low; the boundary is the pipeline's own.
    """

    name = "wan"
    is_video = True
    lora_targets = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")
    pipeline_class = WanImageToVideoPipeline
    pipeline: WanImageToVideoPipeline

    def __init__(self, pipeline: DiffusionPipeline) -> None:
        super().__init__(pipeline)
        high, low = pipeline.transformer, pipeline.transformer_2
        self._steps = pipeline.scheduler.config.num_train_timesteps
        self._autoencoder = Lock()  # its convolutions keep state, and a fit's batches are prepared in another thread
        self._denoiser = high if low is None else Experts(high, low, pipeline.config.boundary_ratio * self._steps)

    @property
    def denoiser(self) -> torch.nn.Module:
        return self._denoiser

    @property
    def factor(self) -> int:
        return self.pipeline.vae_scale_factor_spatial

    @property
    def time_factor(self) -> int:
        """Video frames per latent frame after the first; a clip has a multiple of it and one frame more."""
        return self.pipeline.vae_scale_factor_temporal

    @property
    def channels(self) -> int:
        return self.pipeline.vae.config.z_dim

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """x_0 of clips.

        Args:
            images: (B, 3, T, H, W) float32 in [-1, 1] with T = 4 k + 1, or (B, 3, H, W), clips of one frame.

        Returns:
            (B, C, T', h, w) float32.
        """
        clips = images if images.ndim == 5 else images[:, :, None]
        mean, std = self._latent_scale()
        with self._autoencoder:
            return (self.pipeline.vae.encode(clips).latent_dist.mode() - mean) / std

    @torch.no_grad()
    def decode(self, x_0: Tensor) -> Tensor:
        """(B, 3, T, H, W) float32 of x_0, about [-1, 1]; (B, 3, H, W) for clips of one frame."""
        mean, std = self._latent_scale()
        with self._autoencoder:
            clips = self.pipeline.vae.decode(x_0.float() * std + mean, return_dict=False)[0]
        self.pipeline.maybe_free_model_hooks()
        return clips[:, :, 0] if clips.shape[2] == 1 else clips

    def noise(self, x_0: Tensor, preservations: Sequence[Preservation | None], white: Tensor) -> Tensor:
        """Structured noise of each latent frame, (B, C, T', h, w).

        Args:
            x_0: (B, C, T', h, w) float32 from `encode`.
            preservations: one per clip.
            white: (B, C, T', h, w), however its frames depend on each other; T' may be left out where it is 1.
        """
        frames = super().noise(x_0.flatten(1, 2), preservations, white.flatten(1, -3))
        return frames.unflatten(1, x_0.shape[1:3])

    def predict(self, denoiser: torch.nn.Module, x_t: Tensor, t: Tensor, condition: Condition) -> Tensor:
        text, frame = condition["prompt_embeds"], condition.get(FRAME)
        states, timestep = x_t, t * self._steps
        if not self.pipeline.config.expand_timesteps:
            states = torch.cat([x_t, self._no_frame(x_t) if frame is None else frame], dim=1)
        elif frame is not None:
            states, timestep = in_place(frame, x_t, timestep)
        result = denoiser(
            hidden_states=states.to(text.dtype),
            timestep=timestep,
            encoder_hidden_states=text,
            encoder_hidden_states_image=self._no_picture(text) if frame is None else condition.get(PICTURE),
            return_dict=False,
        )
        return result[0].float()

    def loss(self, prediction: Tensor, target: Tensor, condition: Condition) -> Tensor:
        """As of every family; a first latent frame that stands in place of its noise asks the network for nothing."""
        begin = int(self.pipeline.config.expand_timesteps and FRAME in condition)
        return super().loss(prediction[:, :, begin:], target[:, :, begin:], condition)

    @torch.no_grad()
    def condition(
        self, preservations: Sequence[Preservation | None], prompts: Sequence[str], clips: Tensor | None = None
    ) -> Condition:
        """What the network is told beside x_t and t.

        Args:
            preservations: not told.
            prompts: one per clip.
            clips: (B, 3, T, H, W) float32 in [-1, 1], whose first frames are told; None withholds them.
        """
        condition = super().condition(preservations, prompts)
        if clips is None:
            return condition
        with self._autoencoder:
            rows = [first_frame(self.pipeline, clip) for clip in clips]
        return condition | {name: torch.cat([row[name] for row in rows]) for name in rows[0]}

    def embed(self, prompt: str) -> Condition:
        tokens, _ = self.pipeline.encode_prompt(
            prompt, device=self.device, do_classifier_free_guidance=False, max_sequence_length=TEXT_TOKENS
        )
        return {"prompt_embeds": tokens.to(self.pipeline.transformer.dtype)}

    @torch.no_grad()
    def generate(
        self,
        x_0: Tensor,
        eps: Tensor,
        preservations: Sequence[Preservation | None],
        sampling: Sampling,
        first: Tensor | None = None,
    ) -> Tensor:
        """Denoises clips from their first frames, or pictures, as in fitting, without any.

        Args:
            x_0: (B, C, T', h, w) float32 from `encode`.
            eps: likewise, from `noise`.
            preservations: of the noise, one per clip.
            sampling: mode, steps and conditions.
            first: (B, 3, H, W) float32 in [-1, 1], the first frame as it is to look; None withholds it.

        Returns:
            (B, 3, T, H, W) float32, about [-1, 1]; (B, 3, H, W) for clips of one frame.
        """
        sigmas = self.schedule(sampling.strength, sampling.steps, x_0.shape[-2:])["sigmas"]
        scheduler = EulerSteps.of(sigmas, self.shift(x_0.shape[-2:]), self._steps)
        x = self.start(x_0, eps, sampling.strength)
        if first is None:
            return self.decode(self._without_frame(x, scheduler, sampling))
        clips = [self._from_frame(*clip, scheduler, sampling) for clip in zip(x, first, strict=True)]
        return self.decode(torch.cat(clips))

    def shift(self, cells: tuple[int, int]) -> float:
        config = self.pipeline.scheduler.config
        return config.get("flow_shift") or config.get("shift") or DEFAULT_SHIFT

    attach_controlnet = Family.attach_controlnet  # diffusers' pipeline has none

    def _from_frame(self, x: Tensor, first: Tensor, scheduler: EulerSteps, sampling: Sampling) -> Tensor:
        """One clip (1, C, T', h, w) through diffusers' pipeline, its scheduler replaced for the time being."""
        own, self.pipeline.scheduler = self.pipeline.scheduler, scheduler
        try:
            with self._autoencoder:
                return self.pipeline(
                    image=picture(first),
                    height=first.shape[1],
                    width=first.shape[2],
                    num_frames=self.time_factor * (x.shape[1] - 1) + 1,
                    num_inference_steps=sampling.steps,
                    guidance_scale=sampling.guidance,
                    latents=x[None],
                    max_sequence_length=TEXT_TOKENS,
                    output_type="latent",
                    **self._texts(sampling, 1),
                ).frames
        finally:
            self.pipeline.scheduler = own

    def _without_frame(self, x: Tensor, scheduler: EulerSteps, sampling: Sampling) -> Tensor:
        """Latents (B, C, T', h, w) denoised with the first-frame condition withheld, as in fitting."""
        scheduler.set_timesteps(sampling.steps, device=x.device)
        wanted, unwanted = (
            self.condition([], [prompt] * len(x)) for prompt in (sampling.prompt, sampling.negative_prompt)
        )
        for timestep in scheduler.timesteps:
            t = (timestep / self._steps).expand(len(x))
            v = self.predict(self.denoiser, x, t, wanted)
            if sampling.guidance > 1:
                against = self.predict(self.denoiser, x, t, unwanted)
                v = against + sampling.guidance * (v - against)
            x = scheduler.step(v, timestep, x).prev_sample
        return x

    def _no_frame(self, x_t: Tensor) -> Tensor:
        """The first-frame condition that says there is none: an empty mask, and the latents of an even clip."""
        count, _, frames, height, width = x_t.shape
        size = (self.time_factor * (frames - 1) + 1, height * self.factor, width * self.factor)
        even = self.encode(x_t.new_zeros(1, 3, *size)).expand(count, -1, -1, -1, -1)
        return torch.cat([x_t.new_zeros(count, self.time_factor, frames, height, width), even], dim=1)

    def _no_picture(self, text: Tensor) -> Tensor | None:
        """What Wan 2.1 is told of the first frame beside its latents, for none: (B, N, D) of zeros."""
        size = self.pipeline.transformer.config.image_dim
        if size is None:
            return None
        vision = self.pipeline.image_encoder.config
        return text.new_zeros(len(text), (vision.image_size // vision.patch_size) ** 2 + 1, size)

    def _latent_scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the autoencoder's latents, (1, C, 1, 1, 1)."""
        config = self.pipeline.vae.config
        mean, std = torch.tensor([config.latents_mean, config.latents_std], device=self.device)
        return mean.view(1, -1, 1, 1, 1), std.view(1, -1, 1, 1, 1)
