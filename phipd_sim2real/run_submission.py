"""A planner of a run, planning for the test split of the end-to-end challenge."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phipd_sim2real.errors import StageError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from phipd_sim2real.run import Run
    from phipd_sim2real.waymo import PlannerSample, SampleFailure


def submit(run: Run, out: Path) -> dict[str, Any]:
    """Plans for the listed frames with one trained planner and writes the challenge's archive.

    Args:
        run: with a `submission` section.
        out: the archive, `*.tar.gz`.

    Raises:
        UsageError: the run says nothing of a submission, a listed frame is in no record, or `out` cannot be written.
        StageError: a listed frame cannot be planned for; a submission needs all.
    """
    from phipd_sim2real.waymo import open_e2e_index
    from phipd_sim2real.waymo.splits import read_submission_frames
    from planner_eval.planner import CameraPlanner
    from planner_eval.submission import check_archive, write_submission

    asked = run.settings.submission
    if asked is None:
        raise UsageError(
            "The configuration has no submission section; say in it which planner plans for which records."
        )
    check_archive(out)
    index = open_e2e_index(asked.records, run.folder / "index", progress=run.progress)
    frames = read_submission_frames(asked.frames)
    index.count(names=frames)  # or an absent shard would show after a whole training
    planner = CameraPlanner.from_pretrained(run.train(asked.arm, asked.seed))
    plans: dict[str, np.ndarray] = {}
    samples = index.samples(planner.cameras, names=frames)
    while batch := tuple(islice(samples, run.settings.evaluate.batch_size)):
        usable = _usable(batch)
        for sample, plan in zip(usable, planner.plan(usable).most_probable(), strict=True):
            plans[index.frame_name(sample.key)] = plan
        run.progress("plan for the submission", len(plans), len(frames))
    written = write_submission(plans, asked.details, out, frames)
    return {"submission": str(out), "frames": len(written.plans), "text": f"{len(written.plans)} plans lie in {out}."}


def _usable(batch: tuple[PlannerSample | SampleFailure, ...]) -> list[PlannerSample]:
    from phipd_sim2real.waymo import PlannerSample

    failures = [item for item in batch if not isinstance(item, PlannerSample)]
    if failures:
        first = failures[0]
        raise StageError(
            f"{len(failures)} listed frames cannot be planned for, such as one of {first.key.segment} "
            f"({first.reason}: {first.where}); the challenge takes no submission without them."
        )
    return list(batch)
