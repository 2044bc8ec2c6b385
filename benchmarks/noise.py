"""What structured noise costs beside the white noise it is made from: `python benchmarks/noise.py`.

Prints one JSON object: milliseconds per 240×144 RGB frame, and their ratios, which do not depend on the machine as
the milliseconds do. One thread; the best of several rounds, taken in turn, so that a busy machine disturbs all alike.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch

from phipd_sim2real import Cutoff, released_structured_noise, structured_noise


def best_seconds(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Shortest time of each piece of work."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--height", type=int, default=144)
    parser.add_argument("--width", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shape = (arguments.frames, 3, arguments.height, arguments.width)
    generator = torch.Generator().manual_seed(0)
    source, noise = torch.rand(shape, generator=generator), torch.randn(shape, generator=generator)
    cutoff = Cutoff.isotropic(0.2)
    works = {
        "white_noise": lambda: torch.randn(shape, generator=generator),
        "all_phase": lambda: structured_noise(source, noise),
        "cutoff": lambda: structured_noise(source, noise, cutoff),
        "released": lambda: released_structured_noise(source, noise, cutoff_radius=30),
    }
    seconds = best_seconds(works, arguments.rounds)
    milliseconds = {name: round(1e3 * value / arguments.frames, 3) for name, value in seconds.items()}
    ratios = {name: round(value / seconds["white_noise"], 2) for name, value in seconds.items()}
    print(json.dumps({"ms_per_frame": milliseconds, "ratio_to_white_noise": ratios}, indent=2))


if __name__ == "__main__":
    main()
