"""How well planners drive in looks that they were not trained on, and in their own.

    python benchmarks/across_looks.py --planner source=X/planners/source/seed-0 ... --log target=X/logs/target ...

Prints one JSON object, planner -> log -> success rate and ADE with 95 % intervals from a bootstrap over drives. Logs of
the same drives in several looks tell what a planner lacks. One that succeeds less in the target look than in its own
still has a gap between looks before it; one that does equally well in all of them has none left, and what it lacks
else, its training pictures did not teach.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import takewhile
from pathlib import Path

import torch

from phipd_sim2real.drivelog import DriveLog
from planner_eval.config import EvaluateSettings
from planner_eval.evaluate import Arm, evaluate
from planner_eval.planner import CameraPlanner
from planner_eval.samples import samples_from_log

SHOWN = ("success_rate", "ade_5s")


def named(text: str) -> tuple[str, Path]:
    """NAME=FOLDER."""
    name, _, folder = text.partition("=")
    if not folder:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER")
    return name, Path(folder)


def scored(log: DriveLog, arms: list[Arm], segments: int) -> dict[str, dict[str, list[float]]]:
    """Planner -> measure -> mean, low and high on the first drives of a log; 0 takes all of them."""
    wanted = set(log.segments[: segments or None])
    frames = takewhile(lambda item: item.key.segment in wanted, samples_from_log(log))  # drives come in order
    result = evaluate(arms, frames, EvaluateSettings(baseline=arms[0].name), log.root.name)
    return {
        arm.name: {
            name: [round(value, 4) for value in (score.mean, score.low, score.high)]
            for name in SHOWN
            for score in [arm.scores[name]]
        }
        for arm in result.arms
    }


def main() -> None:
    """Scores and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planner", type=named, action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--log", type=named, action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--segments", type=int, default=0, help="drives of each log, from its first; 0 takes all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arms = [Arm(name, name, (CameraPlanner.from_pretrained(folder),), (0,)) for name, folder in arguments.planner]
    table: dict[str, dict[str, dict[str, list[float]]]] = {arm.name: {} for arm in arms}
    for name, folder in arguments.log:
        print(f"driving in {name}", file=sys.stderr)
        for arm, scores in scored(DriveLog(folder), arms, arguments.segments).items():
            table[arm][name] = scores
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
