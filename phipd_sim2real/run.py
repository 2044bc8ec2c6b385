"""A whole run in one folder: every stage calls what it needs first and leaves what is complete alone.

logs/NAME            drive logs as captured
enhanced/ARM         the same drives with enhanced pictures
planners/ARM/seed-N  trained planners
records/             the evaluation log as WOD-E2E records
evaluation/          scores and plans, from the log and from the records
report/              report.html, report.json
timings.json         seconds and peak memory per stage, summed over interruptions
"""

from __future__ import annotations

import json
import resource
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.files import sha256_file, write_json
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.run_settings import RunSettings

if TYPE_CHECKING:
    from phipd_sim2real.waymo import PlannerSample, SampleKey
    from planner_eval.evaluate import Arm
    from planner_eval.result import EvaluationResult
    from planner_eval.samples import SampleFailure

INPUTS = "inputs.json"
"""Marks a finished evaluation: the hashes of the planners that it scored."""

_TIMINGS_LOCK = threading.Lock()

RECORDS_AGREE_WITHIN = 1e-3
"""Largest difference allowed between a score from the log and from its records (their states are float32)."""


class Run:
    """The stages of one run. Every method may be called at any time, in any order, again after a crash."""

    def __init__(self, settings: RunSettings, folder: Path | None, progress: ProgressCallback) -> None:
        self.settings = settings
        self.folder = folder if folder is not None else Path("runs") / settings.name
        self._progress = progress
        self._stop = threading.Event()

    def check(self) -> None:
        """Refuses what cannot work before anything is done.

        Raises:
            UsageError: no server, an unknown map or model, unreadable records, or folders made with other settings.
        """
        from phipd_sim2real.capture import check_capture
        from phipd_sim2real.diffusion.models import model_folder
        from phipd_sim2real.waymo import e2e_samples

        for name, capture in self.settings.capture.items():
            check_capture(capture, self.folder / "logs" / name)
        for arm in self.settings.arms.values():
            if arm.enhance is not None:
                model_folder(arm.enhance.model)
        if self.settings.evaluation is not None and self.settings.evaluation.records is not None:
            e2e_samples(self.settings.evaluation.records)

    # Logs

    def capture(self, name: str) -> DriveLog:
        """Captures one log of the run; complete segments are kept."""
        from phipd_sim2real.capture import capture_log

        out = self.folder / "logs" / name
        with self._timed(f"capture {name}"):
            capture_log(self.settings.capture[name], out, self._progress, self._stop)
        return DriveLog(out)

    def capture_all(self) -> dict[str, Any]:
        """Captures every log of the run, side by side."""
        from phipd_sim2real.capture.supervisor import Stopped

        with ThreadPoolExecutor(max_workers=max(1, len(self.settings.capture))) as pool:
            captures = {name: pool.submit(self.capture, name) for name in self.settings.capture}
            try:
                errors = [error for capture in captures.values() if (error := capture.exception()) is not None]
            except BaseException:  # interrupted: the captures end, with what they have complete
                self._stop.set()
                raise
        for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
            raise error
        logs = {name: capture.result() for name, capture in captures.items()}
        summary = {name: {"folder": str(log.root), "segments": len(log.segments)} for name, log in logs.items()}
        return {"logs": summary, "text": "\n".join(f"{name}: {log.root}" for name, log in logs.items())}

    def log(self, name: str) -> DriveLog:
        """A log by name: given ready-made, or captured."""
        if name in self.settings.logs:
            return DriveLog(self.settings.logs[name])
        return self.capture(name)

    def pictures(self, arm: str) -> DriveLog:
        """The log that an arm is trained on, enhanced if the arm says so."""
        from phipd_sim2real.diffusion.batch import enhance_log

        settings = self.settings.arms[arm]
        source = self.log(settings.log)
        if settings.enhance is None:
            return source
        out = self.folder / "enhanced" / arm
        with self._timed(f"enhance {arm}"):
            enhance_log(source, out, settings.enhance, self._progress)
        return DriveLog(out)

    # Planners

    def train(self, arm: str, seed: int) -> Path:
        """Trains one planner and returns its folder."""
        from planner_eval.train import train_planner

        out = self.folder / "planners" / arm / f"seed-{seed}"
        log = self.pictures(arm)
        with self._timed(f"train {arm}"):
            train_planner(log, self.settings.train.model_copy(update={"seed": seed}), out, self._progress)
        return out

    def train_all(self) -> dict[str, Any]:
        """Trains the planners of every arm and seed."""
        planners = {arm: [str(self.train(arm, seed)) for seed in self.settings.seeds] for arm in self.settings.arms}
        return {
            "planners": planners,
            "text": "\n".join(folder for folders in planners.values() for folder in folders),
        }

    # Evaluation

    def records(self) -> Path | str:
        """WOD-E2E records to evaluate on: those given, or the evaluation log written as such."""
        if self.settings.evaluation.records is not None:
            return self.settings.evaluation.records
        from phipd_sim2real.waymo import PlannerSample, drivelog_jpegs, write_e2e

        log = self.log(self.settings.evaluation.log)
        path = self.folder / "records" / f"{self.settings.evaluation.log}.tfrecord"
        if not path.exists():
            with self._timed("write records"):
                frames = self._log_samples(log)
                write_e2e(path, (frame for frame in frames if isinstance(frame, PlannerSample)), drivelog_jpegs(log))
        return path

    def evaluate(self) -> dict[str, Any]:
        """Scores every planner and baseline, from the log and from its records, and requires that both agree."""
        from planner_eval.report.table import text_table

        results = self._evaluations()
        return {"scores": results[0].summary(), "text": "\n\n".join(map(text_table, results))}

    def report(self) -> dict[str, Any]:
        """Writes report.html and report.json."""
        from phipd_sim2real.run_report import report_content
        from planner_eval.report import write_report

        treated = self.settings.treated_arm()
        results = self._evaluations()
        target = None if self.settings.evaluation.log is None else self.log(self.settings.evaluation.log)
        source = self.log(self.settings.arms[treated].log)
        content = report_content(self.settings, treated, source, self.pictures(treated), target)
        with self._timed("report"):
            page = write_report(results[0], content, self._frames, self.folder / "report", others=results[1:])
        return {"page": str(page), "text": f"The report lies in {page}."}

    def everything(self) -> dict[str, Any]:
        """Capture, enhance, train, evaluate, report."""
        self.capture_all()
        self.train_all()
        evaluated, reported = self.evaluate(), self.report()
        text = f"{evaluated['text']}\n\n{reported['text']}"
        return {"scores": evaluated["scores"], "page": reported["page"], "text": text}

    def _evaluations(self) -> list[EvaluationResult]:
        """The evaluation that the report speaks of first: from the log where there is one, then from records."""
        arms = self._arms()
        from_records = self._evaluation("records", arms)
        if self.settings.evaluation.log is None:
            return [from_records]
        from_log = self._evaluation("log", arms)
        _require_agreement(from_log, from_records)
        return [from_log, from_records]

    def _frames(self, keys: Collection[SampleKey]) -> Iterable[PlannerSample | SampleFailure]:
        """The frames of some keys with their pictures, for drawing."""
        samples, _, _ = self._samples("log" if self.settings.evaluation.log is not None else "records")
        return (sample for sample in samples if sample.key in keys)

    def _evaluation(self, kind: str, arms: list[Arm]) -> EvaluationResult:
        from planner_eval.evaluate import evaluate
        from planner_eval.result import EvaluationResult

        folder, inputs = self.folder / "evaluation" / kind, {"planners": self._planner_hashes()}
        if (folder / INPUTS).is_file():
            if json.loads((folder / INPUTS).read_text()) != inputs:
                raise UsageError(f"{folder} holds the scores of other planners; remove it or give another --out.")
            return EvaluationResult.load(folder)
        samples, dataset, total = self._samples(kind)
        with self._timed(f"evaluate from {kind}"):
            result = evaluate(arms, samples, self.settings.evaluate, dataset, total, self._progress)
        result.save(folder)
        write_json(folder / INPUTS, inputs)
        return result

    def _arms(self) -> list[Arm]:
        from planner_eval.baselines import BASELINES
        from planner_eval.evaluate import Arm
        from planner_eval.planner import CameraPlanner

        floors = [Arm(name, "floor: sees no picture", (planner(),)) for name, planner in BASELINES.items()]
        trained = []
        for name, arm in self.settings.arms.items():
            planners = tuple(CameraPlanner.from_pretrained(self.train(name, seed)) for seed in self.settings.seeds)
            trained.append(Arm(name, arm.description, planners, self.settings.seeds))
        return floors + trained

    def _samples(self, kind: str) -> tuple[Iterable[PlannerSample | SampleFailure], str, int | None]:
        """Samples of the evaluation data, what they are, and how many where that is known."""
        from phipd_sim2real.waymo import e2e_samples
        from planner_eval.samples import count_frames

        cameras = self.settings.train.planner.cameras
        if kind == "records":
            records = self.records()
            return e2e_samples(records, cameras), f"WOD-E2E records {Path(records).name}", None
        log = self.log(self.settings.evaluation.log)
        return self._log_samples(log), f"drive log {self.settings.evaluation.log}", count_frames(log)

    def _log_samples(self, log: DriveLog) -> Iterable[PlannerSample | SampleFailure]:
        from planner_eval.samples import samples_from_log

        return samples_from_log(log, self.settings.train.planner.cameras)

    def _planner_hashes(self) -> dict[str, str]:
        planners = sorted((self.folder / "planners").glob("*/seed-*/model.safetensors"))
        return {str(path.relative_to(self.folder)): sha256_file(path) for path in planners}

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        """Adds the seconds of the block to the stage's in timings.json, which no result depends on."""
        start = time.monotonic()
        yield
        path = self.folder / "timings.json"
        with _TIMINGS_LOCK:
            timings = json.loads(path.read_text()) if path.exists() else {}
            entry = timings.setdefault(stage, {"seconds": 0.0})
            entry["seconds"] = round(entry["seconds"] + time.monotonic() - start, 1)
            entry["peak_memory_mb"] = _peak_memory_mb()
            write_json(path, timings)


def _require_agreement(from_log: EvaluationResult, from_records: EvaluationResult) -> None:
    """The records must give the log's scores: nothing was lost on the way into Waymo's format and back."""
    for log_arm, records_arm in zip(from_log.arms, from_records.arms, strict=True):
        for metric, score in log_arm.scores.items():
            other = records_arm.scores[metric]
            if score.mean is not None and abs(score.mean - other.mean) > RECORDS_AGREE_WITHIN:
                raise StageError(
                    f"{metric} of {log_arm.name} is {score.mean:.6f} from the log and {other.mean:.6f} from its "
                    f"records; they must agree to {RECORDS_AGREE_WITHIN}. Remove the run's records and evaluation "
                    "folders and run again."
                )


def _peak_memory_mb() -> int:
    """Largest resident set so far of this process or of one of its finished children."""
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usages) // 1024
