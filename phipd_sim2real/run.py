"""A whole run in one folder: every stage calls what it needs first and leaves what is complete alone.

logs/NAME            drive logs as captured
enhanced/ARM         the same drives with other pictures
enhanced-K/ARM       its draw K, of an arm whose pictures are drawn several times; likewise ungated-K
ungated/ARM          those of an arm before its gate or recolouring, unless an arm is trained on them
gated/ARM            those of an arm after its gate and before its recolouring, likewise
planners/ARM/seed-N  trained planners
records/             the evaluation log as WOD-E2E records
index/               the index of records that were given
evaluation/          scores and plans, from the log and from the records
report/              report.html, report.json, and provenance.json of every log and planner behind them
timings.json         seconds per stage, summed over interruptions, and the largest process
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_of_kept, write_json
from phipd_sim2real.progress import ProgressCallback
from phipd_sim2real.run_evaluation import RunEvaluation
from phipd_sim2real.run_pictures import arm_pictures
from phipd_sim2real.run_settings import RunSettings
from phipd_sim2real.run_training import Training, train_side_by_side
from phipd_sim2real.settings import settings_hash
from phipd_sim2real.timings import Timings

if TYPE_CHECKING:
    from phipd_sim2real.waymo import E2EIndex
    from planner_eval.config import TrainSettings
    from planner_eval.result import EvaluationResult

WEIGHTS = "model.safetensors"
REPORT_INPUTS = "inputs.json"
"""Marks a finished report: hashes of the scores and settings that it shows."""


class Run:
    """The stages of one run. Every method may be called at any time, in any order, again after a crash."""

    def __init__(self, settings: RunSettings, folder: Path | None, progress: ProgressCallback) -> None:
        self.settings = settings
        self.folder = folder if folder is not None else Path("runs") / settings.name
        self.progress = progress
        self._stop = threading.Event()
        self._pictures: dict[tuple[str, int], DriveLog] = {}  # of arms that were found or made complete
        self.timings = Timings(self.folder / "timings.json")

    def check_captures(self) -> None:
        """Refuses captures that cannot work.

        Raises:
            UsageError: no server, another version, an unknown map, or folders made with other settings.
        """
        from phipd_sim2real.capture import check_capture

        for name, capture in self.settings.capture.items():
            check_capture(capture, self.folder / "logs" / name)

    def check(self) -> None:
        """Refuses a run that cannot work, before anything is done.

        Raises:
            UsageError: as `check_captures`; an unknown model, or records that are not there.
            StageError: too much of the records is damaged.
        """
        from phipd_sim2real.diffusion.models import model_folder
        from phipd_sim2real.waymo.protos import e2e_protos

        self.check_captures()
        for log in self.settings.logs:
            self.log(log)
        self._check_cameras()
        for arm in self.settings.arms.values():
            if arm.enhance is not None:
                model_folder(arm.enhance.model)
        if self.settings.evaluation is not None:
            e2e_protos()
            if self.settings.evaluation.records is not None:
                _ = self.records_index

    @cached_property
    def records_index(self) -> E2EIndex:
        """The records that were given, by drive and time; the index lies in the run's folder.

        Raises:
            StageError: too much of them is damaged.
        """
        from phipd_sim2real.waymo import open_e2e_index

        data, share = self.settings.evaluation, self.settings.evaluate.max_failed_share
        cache = self.folder / "index"
        return open_e2e_index(data.records, cache, data.clusters, max_failed_share=share, progress=self.progress)

    def check_everything(self) -> None:
        """As `check`, and refuses a run that has no arm to report on."""
        self.settings.require_arms()
        self.settings.treated_arm()
        self.check()

    def _check_cameras(self) -> None:
        """The planner's cameras must be on every rig that pictures are captured with."""
        from phipd_sim2real.capture.rig import load_rig

        rigs = {f"capture.{name}": capture.rig for name, capture in self.settings.capture.items()}
        for name, rig in (rigs | self._driven_rigs()).items() if self.settings.arms else ():
            cameras = {camera.camera for camera in load_rig(rig).cameras}
            if absent := set(self.settings.train.planner.cameras) - cameras:
                raise UsageError(
                    f"train.planner.cameras wants cameras {sorted(absent)}, which {rig} of {name} lacks; it has "
                    f"{sorted(cameras)}."
                )

    def _driven_rigs(self) -> dict[str, Path]:
        """Rigs that trained planners drive with."""
        return {}

    # Logs

    def capture(self, name: str) -> DriveLog:
        """Captures one log of the run; complete segments are kept."""
        from phipd_sim2real.capture import capture_log

        out = self.folder / "logs" / name
        with self.timings.stage(f"capture {name}"):
            capture_log(self.settings.capture[name], out, self.progress, self._stop)
        return DriveLog(out)

    def capture_all(self) -> dict[str, Any]:
        """Captures every log of the run, side by side."""
        self.check_captures()
        from phipd_sim2real.capture.summary import read_table
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
        text = (f"{name}: {log.root}\n{read_table(log.root) or ''}".strip() for name, log in logs.items())
        return {"logs": summary, "text": "\n".join(text)}

    def log(self, name: str) -> DriveLog:
        """A log by name: given ready-made, or captured."""
        if name not in self.settings.logs:
            return self.capture(name)
        log = DriveLog(self.settings.logs[name])
        if log.missing_segments:
            raise UsageError(
                f"{log.root} lacks {len(log.missing_segments)} of its segments; finish its capture or import first."
            )
        return log

    def pictures(self, arm: str, draw: int = 0) -> DriveLog:
        """The log that an arm is trained on: as captured, enhanced, gated, recoloured; one of its draws."""
        if (arm, draw) not in self._pictures:
            self._pictures[arm, draw] = arm_pictures(self, arm, draw)
        return self._pictures[arm, draw]

    def draws(self, arm: str) -> list[DriveLog]:
        """All logs that an arm is trained on: the same frames, their pictures drawn as often as the arm asks."""
        return [self.pictures(arm, draw) for draw in range(self.settings.arms[arm].draws)]

    # Planners

    def train(self, arm: str, seed: int) -> Path:
        """Trains one planner and returns its folder."""
        from planner_eval.train import train_planner

        log, *redraws = self.draws(arm)
        train_planner(log, self._recipe(arm, seed), self._planner(arm, seed), self.progress, redraws)
        return self._planner(arm, seed)

    def weights_sha256(self, arm: str, seed: int) -> str:
        """SHA-256 of the weights of one planner, which is trained first where it is not."""
        return sha256_of_kept(self.train(arm, seed) / WEIGHTS)

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """Training seeds of an arm."""
        return self.settings.seeds

    def train_all(self) -> dict[str, Any]:
        """Trains the planners of every arm and seed."""
        self.settings.require_arms()
        self.check()
        for arm in self.settings.arms:
            self.draws(arm)
        with self.timings.stage("train planners"):
            settings = self.settings
            train_side_by_side(self._untrained(), settings.train.threads, settings.planners_at_once, self.progress)
        planners = {arm: [str(self.train(arm, seed)) for seed in self.seeds_of(arm)] for arm in self.settings.arms}
        return {
            "planners": planners,
            "text": "\n".join(folder for folders in planners.values() for folder in folders),
        }

    def _untrained(self) -> list[Training]:
        """Trainings that are not finished."""
        from planner_eval.train import MARKER

        trainings = [(arm, seed) for arm in self.settings.arms for seed in self.seeds_of(arm)]
        return [
            Training(tuple(log.root for log in self.draws(arm)), self._recipe(arm, seed), self._planner(arm, seed))
            for arm, seed in trainings
            if not (self._planner(arm, seed) / MARKER).is_file()
        ]

    def _planner(self, arm: str, seed: int) -> Path:
        return self.folder / "planners" / arm / f"seed-{seed}"

    def _recipe(self, arm: str, seed: int) -> TrainSettings:
        return self.settings.arms[arm].recipe(self.settings.train, seed)

    # Evaluation

    def treated_arm(self) -> str:
        """Name of the arm that the report's headline sets against the baseline."""
        return self.settings.treated_arm()

    def evaluate(self) -> dict[str, Any]:
        """Scores every planner and baseline, from the log and from its records, and requires that both agree."""
        from planner_eval.report.table import text_table

        results = self._evaluation().results()
        return {"scores": results[0].summary(), "text": "\n\n".join(map(text_table, results))}

    def submit(self, out: Path) -> dict[str, Any]:
        """Writes a submission to the end-to-end challenge; see `run_submission.submit`."""
        from phipd_sim2real.run_submission import submit

        return submit(self, out)

    def report(self) -> dict[str, Any]:
        """Writes report.html, report.json and provenance.json."""
        treated = self.treated_arm()
        evaluation = self._evaluation()
        results = evaluation.results()
        out = self.folder / "report"
        inputs = {"settings": settings_hash(self.settings), "scores": self._shown_scores(evaluation)}
        if not (out / REPORT_INPUTS).is_file() or json.loads((out / REPORT_INPUTS).read_text()) != inputs:
            from phipd_sim2real.run_report import foundations

            with self.timings.stage("report"):
                self._write_report(treated, evaluation, results, out)
                write_json(out / "provenance.json", foundations(self))
            write_json(out / REPORT_INPUTS, inputs)
        page = out / "report.html"
        return {"page": str(page), "text": f"The report lies in {page}."}

    def _shown_scores(self, evaluation: RunEvaluation) -> dict[str, str]:
        """SHA-256 of everything that the report shows."""
        return evaluation.score_hashes()

    def everything(self) -> dict[str, Any]:
        """Capture, enhance, train, evaluate, report."""
        self.check_everything()
        self.capture_all()
        self.train_all()
        evaluated, reported = self.evaluate(), self.report()
        text = f"{evaluated['text']}\n\n{reported['text']}"
        return {"scores": evaluated["scores"], "page": reported["page"], "text": text}

    def _evaluation(self) -> RunEvaluation:
        self.settings.require_arms()
        self.check()
        return RunEvaluation(self, self.settings.evaluation, self.folder / "evaluation", self.seeds_of)

    def _write_report(
        self, treated: str, evaluation: RunEvaluation, results: list[EvaluationResult], out: Path
    ) -> None:
        from phipd_sim2real.run_report import report_content
        from planner_eval.report import write_report

        source, enhanced = self.log(self.settings.arms[treated].log), self.pictures(treated)
        content = report_content(self.settings, treated, source, enhanced, evaluation.log())
        write_report(results[0], content, evaluation.frames, out, others=results[1:])
