"""What a call of the enhancer may ask for: refused before any work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from torch import Tensor

from phipd_sim2real.diffusion.families import Family, Sampling
from phipd_sim2real.diffusion.families.control import canny
from phipd_sim2real.diffusion.frames import SMALLEST_SIDE
from phipd_sim2real.errors import UsageError


def check(
    family: Family,
    images: np.ndarray,
    seeds: Sequence[int],
    sampling: Sampling,
    noises: dict[str, Tensor | None],
    shape: tuple[int, ...],
) -> None:
    """Refuses what cannot be enhanced.

    Args:
        family: of the model.
        images: see `Enhancer.enhance`.
        seeds: likewise.
        sampling: how it is to be done.
        noises: noise that was given, by its kind.
        shape: of the noise that one image needs.

    Raises:
        UsageError: with what was given, what is allowed and what to do.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or len(images) == 0:
        raise UsageError(
            f"Images of shape {images.shape} and dtype {images.dtype} cannot be enhanced; "
            "give (N, H, W, 3) uint8 RGB with N of at least 1."
        )
    if min(images.shape[1:3]) < SMALLEST_SIDE:
        raise UsageError(
            f"Images of {images.shape[2]}×{images.shape[1]} pixels are too small to enhance; "
            f"both sides need at least {SMALLEST_SIDE}."
        )
    if len(seeds) != len(images):
        raise UsageError(f"{len(seeds)} seeds were given for {len(images)} images; give one for each.")
    if not 0 < sampling.strength <= 1 or sampling.steps < 1:
        raise UsageError(
            f"strength={sampling.strength} with steps={sampling.steps} is not possible; strength is in (0, 1], "
            "steps at least 1."
        )
    for kind, given in noises.items():
        if given is not None and given.shape != (len(images), *shape):
            raise UsageError(f"{kind} noise of shape {tuple(given.shape)} was given; need {(len(images), *shape)}.")
    if not family.takes_prompt and (sampling.prompt or sampling.negative_prompt or sampling.guidance != 1):
        raise UsageError(
            f"A model of the {family.name} family knows no prompts and no guidance; leave them out, "
            "or choose a model that has a text encoder."
        )


def control_pictures(
    family: Family, images: np.ndarray, control: np.ndarray | Literal["canny"] | None
) -> np.ndarray | None:
    """Pictures for the ControlNet, (N, H, W, 3) uint8, or None where there is none.

    Raises:
        UsageError: pictures without a ControlNet, a ControlNet without pictures, or pictures of another shape.
    """
    if (control is not None) != family.takes_control:
        raise UsageError(
            "Control pictures and a ControlNet go together; load the model with controlnet=FOLDER and give control."
        )
    if isinstance(control, str) and control != "canny":
        raise UsageError(f"control={control} is made of a drive log's labels; give pictures, or canny.")
    pictures = canny(images) if isinstance(control, str) else control
    if pictures is not None and (pictures.shape != images.shape or pictures.dtype != np.uint8):
        raise UsageError(
            f"Control pictures of shape {pictures.shape} and dtype {pictures.dtype} do not fit; need {images.shape} "
            "and uint8, like the images."
        )
    return pictures
