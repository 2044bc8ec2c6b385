"""How much an enhanced clip flickers in each temporal mode: `python benchmarks/temporal.py --log runs/X/logs/Y`.

Takes a captured log with labels, whose motion is known exactly, and prints one JSON object: per cutoff and mode the
warping error in linear RGB beyond the source's own (mean and 95 % interval over pairs of frames, smaller is better),
the same of pictures blurred by 4 px, which leaves flicker of brightness and colour alone, the error of the motion seen
in the result (px), and how well edges stay (Canny F1). Pairs of one clip are not independent: read intervals so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from phipd_sim2real.diffusion import EnhanceSettings
from phipd_sim2real.diffusion.clips import enhance_clip
from phipd_sim2real.diffusion.enhancer import Enhancer
from phipd_sim2real.diffusion.frames import frame_seed
from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column, decode_jpeg
from phipd_sim2real.motion import Flow, RecordedMotion, estimated_flow
from phipd_sim2real.quality.measurement import Measurement, summarise
from phipd_sim2real.quality.structure import canny_f1
from phipd_sim2real.quality.temporal import flow_consistency, gt_flow_warp_error, warp_excess

BLUR_PX = 4.0
MODES = ("frame", "warp", "warp, estimated", "3d")


def read_clip(log: DriveLog, segment: str, camera: int, count: int) -> tuple[np.ndarray, list[Flow]]:
    """First pictures of a segment, (N, H, W, 3) uint8, and the exact motion between them."""
    motion = RecordedMotion(log, segment, camera)
    table = log.table("camera_image", segment)
    table = table[table[CAMERA] == camera].head(count)
    times = [int(time) for time in table[TIMESTAMP]]
    images = np.stack([decode_jpeg(data) for data in table[column("camera_image", "image")]])
    return images, [motion.flow(*pair) for pair in pairwise(times)]


def enhanced(
    enhancer: Enhancer, images: np.ndarray, flows: list[Flow], settings: EnhanceSettings, mode: str
) -> np.ndarray:
    """The clip in one mode, (N, H, W, 3) uint8."""
    settings = settings.model_copy(update={"temporal": mode.split(",")[0]})
    seeds = [frame_seed(settings.seed, number) for number in range(len(images))]
    estimate = mode.endswith("estimated")

    def motion(number: int, first: np.ndarray, second: np.ndarray) -> Flow:
        return estimated_flow(first, second) if estimate else flows[number]

    return np.stack(list(enhance_clip(enhancer, images, seeds, motion, settings)))


def measured(source: np.ndarray, result: np.ndarray, flows: list[Flow]) -> dict[str, list[Measurement]]:
    """All measures of one clip, by name."""
    blurred = [np.stack([cv2.GaussianBlur(image, (0, 0), BLUR_PX) for image in clip]) for clip in (source, result)]
    return {
        "warp_excess": _excess(source, result, flows),
        "blurred_warp_excess": _excess(*blurred, flows),
        "flow_consistency": [
            flow_consistency(result[i], result[i + 1], flow.forward, flow.valid) for i, flow in enumerate(flows)
        ],
        "canny_f1": [canny_f1(before, after) for before, after in zip(source, result, strict=True)],
    }


def _excess(source: np.ndarray, result: np.ndarray, flows: list[Flow]) -> list[Measurement]:
    return [
        warp_excess(*(gt_flow_warp_error(clip[i], clip[i + 1], flow.forward, flow.valid) for clip in (result, source)))
        for i, flow in enumerate(flows)
    ]


def _row(clips: Sequence[dict[str, list[Measurement]]]) -> dict[str, dict[str, float | int | str]]:
    row = {}
    for name in clips[0]:
        total = summarise([item for clip in clips for item in clip[name]])
        row[name] = {
            "mean": round(total.mean, 4),
            "half_width": round(total.half_width, 4),
            "valid": total.valid,
            "total": total.total,
            "unit": total.unit,
            "better": total.better,
        }
    return row


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True, help="captured with labels, at 10 Hz")
    parser.add_argument("--model", default="street-small")
    parser.add_argument("--cutoffs", default="0.1,0.2")
    parser.add_argument("--strength", type=float, default=0.8)
    parser.add_argument("--segments", type=int, default=2)
    parser.add_argument("--frames", type=int, default=21)
    parser.add_argument("--camera", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    log = DriveLog(arguments.log)
    clips = [read_clip(log, name, arguments.camera, arguments.frames) for name in log.segments[-arguments.segments :]]
    enhancer = Enhancer.from_pretrained(arguments.model, precision="float32")
    table: dict[str, object] = {"model": arguments.model, "strength": arguments.strength}
    for cutoff in (float(value) for value in arguments.cutoffs.split(",")):
        settings = EnhanceSettings(model=arguments.model, cutoff=cutoff, strength=arguments.strength)
        for mode in MODES:
            results = [enhanced(enhancer, *clip, settings, mode) for clip in clips]
            rows = [measured(images, result, flows) for (images, flows), result in zip(clips, results, strict=True)]
            table[f"cutoff {cutoff:g}, {mode}"] = _row(rows)
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
