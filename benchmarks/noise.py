"""What structured noise costs: against the released routine, and against three bare Fourier transforms.

`python benchmarks/noise.py` prints one JSON object. Per shape: milliseconds, and ratios, which depend on the machine
less than the milliseconds do; `bare_ffts` is `rfft2` of source and noise and one `irfft2`, below which no such noise
can go in the same calls. Every figure is the best of several rounds, taken in turn, so that a busy machine disturbs
all alike. With `--model` also the share of the noise in an enhancement by that model.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from phipd_sim2real import Cutoff, Enhancer, released_structured_noise, structured_noise

SHAPES = [(8, 4, 64, 64), (1, 16, 88, 160), (13, 16, 88, 160), (4, 3, 512, 768)]


def best_seconds(works: dict[str, Callable[[], object]], budget_s: float, device: str) -> dict[str, float]:
    """Shortest time of each piece of work, in rounds for `budget_s` seconds but at least three."""
    best = dict.fromkeys(works, float("inf"))
    end, rounds = time.perf_counter() + budget_s, 0
    while rounds < 3 or time.perf_counter() < end:
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if device == "cuda":
                torch.cuda.synchronize()
            best[name] = min(best[name], time.perf_counter() - began)
        rounds += 1
    return best


def bare_ffts(source: Tensor, noise: Tensor) -> Tensor:
    """Two transforms forward, one back."""
    torch.fft.rfft2(source)
    return torch.fft.irfft2(torch.fft.rfft2(noise), s=source.shape[-2:])


def measured(shape: tuple[int, int, int, int], device: str, budget_s: float) -> dict[str, object]:
    """Times of one shape (B, C, H, W), with all phase kept and with a cutoff of 0.2 cycles per cell."""
    generator = torch.Generator().manual_seed(0)
    source, noise = (torch.randn(shape, generator=generator).to(device) for _ in range(2))
    cutoff = Cutoff.isotropic(0.2)
    works = {
        "bare_ffts": lambda: bare_ffts(source, noise),
        "all_phase": lambda: structured_noise(source, noise),
        "cutoff": lambda: structured_noise(source, noise, cutoff),
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
    }


def overhead(model: str, device: str, budget_s: float) -> dict[str, object]:
    """Time of the noise of one 240×144 frame against that of its enhancement with default settings."""
    enhancer = Enhancer.from_pretrained(model, device=device)
    count = enhancer.family.group
    frames = np.random.default_rng(0).integers(0, 256, (count, 144, 240, 3), dtype=np.uint8)
    shape = (count, *enhancer.noise_shape(144, 240))
    source, noise = torch.rand(shape, device=device), torch.randn(shape, device=device)
    cutoff = Cutoff.isotropic(0.2)
    works = {
        "noise": lambda: [structured_noise(image, draw, cutoff) for image, draw in zip(source, noise, strict=True)],
        "enhancement": lambda: enhancer.enhance(frames, seeds=range(count)),
    }
    seconds = best_seconds(works, budget_s, device)
    return {
        "model": model,
        "ms_per_frame": {name: round(1e3 * value / count, 3) for name, value in seconds.items()},
        "overhead_in_enhancement": round(seconds["noise"] / seconds["enhancement"], 4),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=float, default=10, help="seconds per shape")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", help="such as street-small")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    report: dict[str, object] = {
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU ({platform.machine()})",
        "threads": arguments.threads,
        "torch": torch.__version__,
        "shapes": [measured(shape, arguments.device, arguments.budget) for shape in SHAPES],
    }
    if arguments.model:
        report["enhancement"] = overhead(arguments.model, arguments.device, arguments.budget)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
