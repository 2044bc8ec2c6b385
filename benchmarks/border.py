"""What each treatment of a picture's border costs in phase and leaves behind: `python benchmarks/border.py DIR`.

DIR holds road pictures. Prints one JSON object with, for every way and cutoff, means over pictures and draws:
`coherence`, magnitude-weighted cosine between the phases of noise and source below the cutoff; `coherence_inside`, the
same of both under a Hann window, which the border does not reach; `lock_error`, the part of the noise that is not at
the source's phase when all of it is kept (0 where the identity of eq. 7 holds); `band_power`, power of the
outermost 8 px over that inside; `band_locked`, the same of the mean over draws, which is what a border stamps into
every draw; `seam`, that mean's jump from one border to the opposite over its jumps inside; `band_residual`, with
a model, high-pass energy of the enhanced pictures' outermost 8 px over that of the same pixels when they lie inside of
a picture 32 px larger on each side: 1 where a border leaves no noise behind; `inside_residual`, the same of the rest.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from phipd_sim2real.diffusion.models import model_folder
from phipd_sim2real.diffusion.pipeline import PhasePipeline
from phipd_sim2real.phase import Cutoff, released_structured_noise, structured_noise
from phipd_sim2real.phase.border import periodic_component

Way = Callable[[Tensor, torch.Generator, Cutoff | None], Tensor]
BAND = 8  # px
NETWORK_BORDER = 8  # px reflected around what the network sees, as when it enhances
AROUND = 32  # px of a larger picture around the measured one


def _white(image: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(image.shape, generator=generator)


def plain(image: Tensor, generator: torch.Generator, cutoff: Cutoff | None) -> Tensor:
    """The periodic transform as it is."""
    return structured_noise(image, _white(image, generator), cutoff)


def margin(pixels: int) -> Way:
    """Reflects a margin around the picture and cuts it off afterwards."""

    def way(image: Tensor, generator: torch.Generator, cutoff: Cutoff | None) -> Tensor:
        padded = F.pad(image[None], (pixels,) * 4, mode="reflect")[0]
        return plain(padded, generator, cutoff)[..., pixels:-pixels, pixels:-pixels]

    return way


def half_as_large(image: Tensor, generator: torch.Generator, cutoff: Cutoff | None) -> Tensor:
    """Reflects up to 1.5 times the size, as the released routine does, but with exact noise."""
    y, x = (size // 4 for size in image.shape[-2:])
    padded = F.pad(image[None], (x, x, y, y), mode="reflect")[0]
    return plain(padded, generator, cutoff)[..., y : y + image.shape[-2], x : x + image.shape[-1]]


def mirrored(image: Tensor, generator: torch.Generator, cutoff: Cutoff | None) -> Tensor:
    """The even extension to twice the size, of which one quarter is kept."""
    doubled = torch.cat([image, image.flip(-1)], -1)
    doubled = torch.cat([doubled, doubled.flip(-2)], -2)
    return plain(doubled, generator, cutoff)[..., : image.shape[-2], : image.shape[-1]]


def cosine_signs(image: Tensor, generator: torch.Generator, cutoff: Cutoff | None) -> Tensor:
    """Signs of the source's cosine transform with the noise's magnitudes: no seam, but phase is down to one bit."""
    source, noise = (_cosine(x) for x in (image, _white(image, generator)))
    height, width = image.shape[-2:]
    kept = torch.ones(height, width)
    if cutoff is not None:
        kept = cutoff.mask(2 * height, 2 * width)[:height, :width]
    return _cosine(torch.where(kept > 0.5, noise.abs() * source.sign(), noise), inverse=True)


def _cosine(image: Tensor, inverse: bool = False) -> Tensor:
    flag = cv2.DCT_INVERSE if inverse else 0
    return torch.stack([torch.from_numpy(cv2.dct(channel.numpy(), flags=flag)) for channel in image])


def periodic_plus_smooth(image: Tensor, generator: torch.Generator, cutoff: Cutoff | None) -> Tensor:
    """Phase of the periodic component (Moisan, 2011)."""
    return plain(periodic_component(image), generator, cutoff)


def tapered(image: Tensor, generator: torch.Generator, cutoff: Cutoff | None) -> Tensor:
    """Fades to the mean over the outermost 16 px."""
    rows, columns = (_fade(size) for size in image.shape[-2:])
    mean = image.mean((-2, -1), keepdim=True)
    return plain((image - mean) * rows[:, None] * columns + mean, generator, cutoff)


def _fade(size: int, width: int = 16) -> Tensor:
    distance = torch.minimum(torch.arange(size) + 0.5, size - torch.arange(size) - 0.5)
    return torch.sin(math.pi / 2 * (distance / width).clamp(max=1)) ** 2


def released(image: Tensor, generator: torch.Generator, cutoff: Cutoff | None) -> Tensor:
    """The released routine; its radius counts bins of the padded height."""
    radius = None if cutoff is None else cutoff.cycles_per_pixel_y * image.shape[-2] * 1.5
    return released_structured_noise(image[None], _white(image, generator)[None], radius)[0]


WAYS: dict[str, Way] = {
    "plain": plain,
    "margin 4": margin(4),
    "margin 8": margin(8),
    "margin 16": margin(16),
    "margin 32": margin(32),
    "1.5 times": half_as_large,
    "mirrored": mirrored,
    "cosine signs": cosine_signs,
    "periodic plus smooth": periodic_plus_smooth,
    "tapered": tapered,
    "released": released,
}


def coherence(source: Tensor, noise: Tensor, below: float, windowed: bool) -> float:
    """Magnitude-weighted cosine of phase differences for 0 < |k| < `below` cycles per pixel."""
    if windowed:
        hann = torch.outer(*(torch.hann_window(size) for size in source.shape[-2:]))
        source, noise = ((x - x.mean((-2, -1), keepdim=True)) * hann for x in (source, noise))
    F_source, F_noise = torch.fft.rfft2(source), torch.fft.rfft2(noise)
    k = torch.hypot(torch.fft.fftfreq(source.shape[-2])[:, None], torch.fft.rfftfreq(source.shape[-1]))
    band = (k > 1.5 / min(source.shape[-2:])) & (k < below)
    magnitude = F_source.abs()[:, band]
    cosine = torch.cos(F_noise.angle() - F_source.angle())[:, band]
    return float((magnitude * cosine).sum() / magnitude.sum())


def lock_error(source: Tensor, noise: Tensor) -> float:
    """Distance of noise from the images that have its magnitudes and the source's phase, relative to its size."""
    F_source, F_noise = torch.fft.rfft2(source), torch.fft.rfft2(noise)
    locked = torch.fft.irfft2(torch.polar(F_noise.abs(), F_source.angle()), s=source.shape[-2:])
    return float((noise - locked).norm() / noise.norm())


def band_over_inside(power: Tensor) -> float:
    """Mean of (..., H, W) in the outermost `BAND` px over its mean inside of twice that."""
    band = torch.ones(power.shape[-2:], dtype=torch.bool)
    band[BAND:-BAND, BAND:-BAND] = False
    inside = power[..., 2 * BAND : -2 * BAND, 2 * BAND : -2 * BAND]
    return float(power[..., band].mean() / inside.mean())


def seam(mean: Tensor) -> float:
    """Root mean square jump between opposite borders, over that between neighbours."""
    across = torch.cat([(mean[..., 0] - mean[..., -1]).flatten(), (mean[..., 0, :] - mean[..., -1, :]).flatten()])
    within = torch.cat([mean.diff(dim=-1).flatten(), mean.diff(dim=-2).flatten()])
    return float(across.square().mean().sqrt() / within.square().mean().sqrt())


def measured(way: Way, images: Sequence[Tensor], cutoff: float | None, draws: int) -> dict[str, float]:
    """Figures of one way at one cutoff."""
    preserved = None if cutoff is None else Cutoff.isotropic(cutoff)
    rows = []
    for number, image in enumerate(images):
        generator = torch.Generator().manual_seed(number)
        noises = torch.stack([way(image, generator, preserved) for _ in range(draws)])
        row = {
            "coherence": coherence(image, noises[0], cutoff or 0.5, windowed=False),
            "coherence_inside": coherence(image, noises[0], cutoff or 0.5, windowed=True),
            "variance": float(noises.square().mean()),
            "band_power": band_over_inside(noises.square().mean(0)),
            "band_locked": band_over_inside(noises.mean(0).square()),
            "seam": seam(noises.mean(0)),
        }
        if cutoff is None:
            row["lock_error"] = lock_error(image, noises[0])
        rows.append(row)
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def residual(pictures: Tensor) -> Tensor:
    """What a 3x3 binomial blur takes away, squared, of (..., H, W) luminance."""
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    blurred = F.conv2d(F.pad(pictures[:, None], (1,) * 4, mode="reflect"), torch.outer(kernel, kernel)[None, None])
    return (pictures - blurred[:, 0]).square()


def enhanced(
    pipeline: PhasePipeline, way: Way, pictures: Sequence[Tensor], cutoff: float, strength: float
) -> dict[str, float]:
    """Residual noise of pictures enhanced by themselves, over that of the same pixels inside of larger pictures."""
    band = torch.ones(_inside(pictures[0]).shape[-2:], dtype=torch.bool)
    band[BAND:-BAND, BAND:-BAND] = False
    ratios = []
    for number, picture in enumerate(pictures):
        alone, within = (
            residual(_enhanced_one(pipeline, way, image, number, cutoff, strength))
            for image in (_inside(picture), picture)
        )
        within = within[..., AROUND:-AROUND, AROUND:-AROUND]
        ratios.append([float(alone[..., part].mean() / within[..., part].mean()) for part in (band, ~band)])
    means = np.exp(np.log(ratios).mean(axis=0))
    return dict(zip(("band_residual", "inside_residual"), means.round(4).tolist(), strict=True))


def _enhanced_one(
    pipeline: PhasePipeline, way: Way, image: Tensor, number: int, cutoff: float, strength: float
) -> Tensor:
    """(3, H, W) result for a (3, H, W) picture."""
    preserved, (height, width) = Cutoff.isotropic(cutoff), image.shape[-2:]
    bottom, right = (NETWORK_BORDER + -(size + 2 * NETWORK_BORDER) % pipeline.block for size in (height, width))
    padded = F.pad(image[None], (NETWORK_BORDER, right, NETWORK_BORDER, bottom), mode="reflect")
    noise = way(padded[0], torch.Generator().manual_seed(number), preserved)[None]
    result = pipeline(padded, noise, [preserved], strength, 4)[0]
    return result[:, NETWORK_BORDER : NETWORK_BORDER + height, NETWORK_BORDER : NETWORK_BORDER + width]


def _inside(picture: Tensor) -> Tensor:
    """A picture without its outermost `AROUND` px."""
    return picture[..., AROUND:-AROUND, AROUND:-AROUND]


def read(folder: Path, count: int, height: int, width: int) -> list[Tensor]:
    """Pictures spread over a folder, scaled, (3, H, W) in [-1, 1]."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png"})
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, count).astype(int)]
    pictures = [cv2.resize(cv2.imread(str(path)), (width, height), interpolation=cv2.INTER_AREA) for path in chosen]
    return [torch.from_numpy(p[..., ::-1].copy()).permute(2, 0, 1).float() / 127.5 - 1 for p in pictures]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--cutoffs", type=float, nargs="*", default=[0.2])
    parser.add_argument("--model", help="such as street-small; enhances with strength 1 and 0.8, 4 steps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pictures = read(arguments.folder, arguments.count, arguments.height + 2 * AROUND, arguments.width + 2 * AROUND)
    images = [_inside(picture) for picture in pictures]
    pipeline = PhasePipeline.from_pretrained(model_folder(arguments.model)) if arguments.model else None
    table = {}
    for name, way in WAYS.items():
        figures = {"all phase": measured(way, images, None, arguments.draws)}
        for cutoff in arguments.cutoffs:
            figures[str(cutoff)] = measured(way, images, cutoff, arguments.draws)
            if pipeline is not None:
                figures[str(cutoff)] |= {
                    f"strength {strength}": enhanced(pipeline, way, pictures, cutoff, strength)
                    for strength in (1.0, 0.8)
                }
        table[name] = figures
    print(json.dumps({"pictures": len(images), "draws": arguments.draws, "ways": table}, indent=2))


if __name__ == "__main__":
    main()
