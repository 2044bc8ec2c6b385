"""What structured noise costs: against the released routine, and against three bare Fourier transforms.

`python benchmarks/noise.py` prints one JSON object. Per shape: milliseconds, and ratios, which depend on the machine
less than the milliseconds do; `bare_ffts` is `rfft2` of source and noise and one `irfft2`, below which no such noise
can go in the same calls. `seamless` is the noise of the periodic component, all phase kept. Every figure is the best of
several rounds, taken in turn, so that a busy machine disturbs all alike. With one thread on a CPU it is the process's
own CPU time, without the time in which others had the core: seconds of work are never left alone on a busy machine,
and what is compared with them would look too quick. Otherwise it is wall time.

With `--model` also the share of the noise in an enhancement by that model, and the share that the bare transforms alone
would take. With `--sd15-size` the same for the denoiser of Stable Diffusion 1.5 at 512×512 and 50 steps: its published
configuration with random weights, which costs what the trained one costs; text encoder and autoencoder are left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from phipd_sim2real import Cutoff, Enhancer, released_structured_noise, structured_noise

CUTOFF = Cutoff.isotropic(0.2)
SHAPES = [(8, 4, 64, 64), (1, 16, 88, 160), (13, 16, 88, 160), (4, 3, 512, 768)]
SD15_STEPS = 50


def best_seconds(works: dict[str, Callable[[], object]], budget_s: float, device: str) -> dict[str, float]:
    """Shortest time of each piece of work, in rounds for `budget_s` seconds but at least three."""
    clock = _clock(device)
    best = dict.fromkeys(works, float("inf"))
    end, rounds = time.perf_counter() + budget_s, 0
    while rounds < 3 or time.perf_counter() < end:
        for name, work in works.items():
            began = clock()
            work()
            if device == "cuda":
                torch.cuda.synchronize()
            best[name] = min(best[name], clock() - began)
        rounds += 1
    return best


def _clock(device: str) -> Callable[[], float]:
    return time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter


def bare_ffts(source: Tensor, noise: Tensor) -> Tensor:
    """Two transforms forward, one back."""
    torch.fft.rfft2(source)
    return torch.fft.irfft2(torch.fft.rfft2(noise), s=source.shape[-2:])


def measured(shape: tuple[int, int, int, int], device: str, budget_s: float) -> dict[str, object]:
    """Times of one shape (B, C, H, W), with all phase kept and with a cutoff of 0.2 cycles per cell."""
    source, noise = _pair(shape, device)
    works = {
        "bare_ffts": lambda: bare_ffts(source, noise),
        "all_phase": lambda: structured_noise(source, noise),
        "cutoff": lambda: structured_noise(source, noise, CUTOFF),
        "seamless": lambda: structured_noise(source, noise, seamless=True),
        "released": lambda: released_structured_noise(source, noise, cutoff_radius=30),
    }
    seconds = best_seconds(works, budget_s, device)
    return {
        "shape": shape,
        "ms": {name: round(1e3 * value, 3) for name, value in seconds.items()},
        "released_over_ours": {name: round(seconds["released"] / seconds[name], 1) for name in ("all_phase", "cutoff")},
        "ours_over_bare_ffts": {
            name: round(seconds[name] / seconds["bare_ffts"], 2) for name in ("all_phase", "cutoff")
        },
        "seamless_over_bare_ffts": round(seconds["seamless"] / seconds["bare_ffts"], 2),
    }


def _pair(shape: tuple[int, ...], device: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    source, noise = (torch.randn(shape, generator=generator).to(device) for _ in range(2))
    return source, noise


def overhead(model: str, device: str, budget_s: float) -> dict[str, object]:
    """Time of the noise of one 240×144 frame against that of its enhancement with default settings."""
    enhancer = Enhancer.from_pretrained(model, device=device)
    count = enhancer.family.group
    frames = np.random.default_rng(0).integers(0, 256, (count, 144, 240, 3), dtype=np.uint8)
    source, noise = _pair((count, *enhancer.noise_shape(144, 240)), device)
    preservations = [Cutoff.isotropic(0.2 / enhancer.family.factor)] * count
    works = {
        "bare_ffts": lambda: [bare_ffts(image, draw) for image, draw in zip(source, noise, strict=True)],
        "noise": lambda: enhancer.family.noise(source, preservations, noise),
        "enhancement": lambda: enhancer.enhance(frames, seeds=range(count)),
    }
    seconds = best_seconds(works, budget_s, device)
    return {
        "model": model,
        "ms_per_frame": {name: round(1e3 * value / count, 3) for name, value in seconds.items()},
        "overhead_in_enhancement": round(seconds["noise"] / seconds["enhancement"], 4),
        "bare_ffts_in_enhancement": round(seconds["bare_ffts"] / seconds["enhancement"], 4),
    }


@torch.no_grad()
def overhead_at_sd15_size(device: str) -> dict[str, object]:
    """Time of the noise of one 512×512 image against that of 50 forward passes of SD 1.5's UNet, random weights."""
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        attention_head_dim=8,
        cross_attention_dim=768,
    )
    unet.eval().to(device)
    source, noise = _pair((1, 4, 64, 64), device)
    text = torch.randn(1, 77, 768, device=device)
    short = {
        "bare_ffts": lambda: bare_ffts(source, noise),
        "noise": lambda: structured_noise(source, noise, CUTOFF, seamless=True),
    }
    seconds = best_seconds(short, 2, device)
    seconds |= best_seconds({"step": lambda: unet(source, 500, text)}, 0, device)
    enhancement = SD15_STEPS * seconds["step"]
    return {
        "model": "UNet in the published configuration of Stable Diffusion 1.5 with RANDOM weights, float32",
        "latents": source.shape,
        "steps": SD15_STEPS,
        "forward_passes_per_step": 1,
        "ms": {name: round(1e3 * value, 3) for name, value in seconds.items()},
        "overhead_in_enhancement": round(seconds["noise"] / enhancement, 8),
        "bare_ffts_in_enhancement": round(seconds["bare_ffts"] / enhancement, 8),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=float, default=10, help="seconds per shape")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", help="such as street-small")
    parser.add_argument("--sd15-size", action="store_true", help="also SD 1.5's UNet with random weights; takes 5 GB")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    report: dict[str, object] = {
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU ({platform.machine()})",
        "threads": arguments.threads,
        "clock": _clock(arguments.device).__name__,
        "torch": torch.__version__,
        "shapes": [measured(shape, arguments.device, arguments.budget) for shape in SHAPES],
    }
    if arguments.model:
        report["enhancement"] = overhead(arguments.model, arguments.device, arguments.budget)
    if arguments.sd15_size:
        report["sd15_size_random_weights"] = overhead_at_sd15_size(arguments.device)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
