"""What one device does in a second: frames enhanced, and steps of a planner's training.

`python benchmarks/throughput.py` prints one JSON object. Frames: `street-small`, four steps, cutoff 0.3, 240×144 px,
from pictures to pictures. Steps: the default planner and recipe, batches of 32, on pictures of noise; on a GPU once as
a graph, as trainings run, and once with kernels launched one by one. Each is the best of three rounds.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from phipd_sim2real import Enhancer
from planner_eval import trainer as training
from planner_eval.config import TrainSettings
from planner_eval.tensors import SampleArrays
from planner_eval.train import same_bytes

ROUNDS = 3
HEIGHT, WIDTH = 144, 240


def enhanced_per_second(device: str, frames: int) -> float:
    """Frames of one call of `Enhancer.enhance`, the best round."""
    enhancer = Enhancer.from_pretrained("street-small", device)
    images = np.random.default_rng(0).integers(0, 256, (frames, HEIGHT, WIDTH, 3), dtype=np.uint8)
    seeds = list(range(frames))
    enhancer.enhance(images, seeds, cutoff=0.3, strength=1.0, steps=4)
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        enhancer.enhance(images, seeds, cutoff=0.3, strength=1.0, steps=4)
        best = min(best, time.perf_counter() - began)
    return frames / best


def steps_per_second(steps: int, settings: TrainSettings) -> float:
    """Steps of a training with its batches made beside it, the best round."""
    marks: list[float] = []
    settings = settings.model_copy(update={"steps": (ROUNDS + 1) * steps})
    with tempfile.TemporaryDirectory() as folder, same_bytes(settings.threads):
        learner = training.Trainer([_noise()], settings, Path(folder) / "checkpoint.safetensors", "benchmark")
        learner.run(lambda label, done, total: marks.append(time.perf_counter()) if done % steps == 0 else None)
    return steps / float(np.diff(marks).min())


def _noise(count: int = 256) -> SampleArrays:
    """Samples of the default planner's size that go straight on at 10 m/s, with pictures of noise."""
    rng = np.random.default_rng(0)
    past = np.zeros((count, 16, 6), np.float32)
    past[..., 2] = 10
    future = np.zeros((count, 20, 2), np.float32)
    future[..., 0] = 2.5 * np.arange(1, 21) + rng.normal(size=(count, 1))
    ahead = np.array([[0.5, -0.5, 0, 0], [1.0, 0, -1.0, 1.6], [1, 0, 0, 0]], np.float32)
    return SampleArrays(
        images=rng.integers(0, 256, (count, 1, 3, 80, 192), dtype=np.uint8),
        projection=np.broadcast_to(ahead, (count, 1, 3, 4)).copy(),
        past=past,
        intent=np.ones(count, np.int64),
        future=future,
        future_valid=np.ones((count, 20), bool),
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--steps", type=int, default=100)
    arguments = parser.parse_args()
    cuda = torch.cuda.is_available()
    found: dict[str, object] = {
        "device": torch.cuda.get_device_name() if cuda else f"CPU ({platform.machine()})",
        "torch": torch.__version__,
        "frames_per_s": round(enhanced_per_second("cuda" if cuda else "cpu", arguments.frames), 1),
        "steps_per_s": round(steps_per_second(arguments.steps, TrainSettings()), 1),
    }
    if cuda:
        training.as_graph = lambda objective, batch: objective
        found["steps_per_s_one_by_one"] = round(steps_per_second(arguments.steps, TrainSettings()), 1)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
