"""A study: every arm trained alike, one chosen per family on validation drives, all of them tested on other drives.

Beside what a run leaves in its folder:

validation/          scores and plans on the validation drives
choices.json         the winner of each choice
closed_loop/         drives of planners at the wheel
measures/            look and structure of each arm's pictures
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.files import sha256_file, write_json
from phipd_sim2real.held_out import HeldOut, perception_segments_at
from phipd_sim2real.preparation import check_steps, prepare
from phipd_sim2real.run import Run
from phipd_sim2real.run_evaluation import RunEvaluation
from phipd_sim2real.run_settings import EvaluationData
from phipd_sim2real.study_settings import StudySettings

if TYPE_CHECKING:
    from planner_eval.closed_loop import ClosedLoopResult
    from planner_eval.result import EvaluationResult
    from planner_eval.study import Choice, Standing

CHOICES = "choices.json"


class Study(Run):
    """The stages of a study; as those of a run, each may be called again at any time."""

    settings: StudySettings

    def prepare(self) -> dict[str, Any]:
        """Makes what does not ship and cannot be given: pictures and models that arms are made with.

        Raises:
            UsageError: they are made of drives or maps that are tested or chosen on.
        """
        check_steps(self.settings.prepare)
        for held_out in (self._tested, self._chosen_on):
            for step in self.settings.prepare:
                held_out.require_apart_from_step(step)
        prepare(self.settings.prepare, self.progress)
        return {"prepared": [str(step.out) for step in self.settings.prepare]}

    def log(self, name: str) -> DriveLog:
        """A log by name; what is tested, driven or chosen on must be drives and maps of its own.

        Raises:
            UsageError: a log that is trained, fitted or chosen on shares a drive or a map with the test drives or the
                routes, or one that is trained or fitted on with the validation drives.
        """
        log = super().log(name)
        if name != self.settings.evaluation.log:
            self._tested.require_apart(log)
            if name != self.settings.validation:
                self._chosen_on.require_apart(log)
        return log

    @cached_property
    def _tested(self) -> HeldOut:
        """The test drives, and the maps of the routes driven in closed loop."""
        data, driven = self.settings.evaluation, self.settings.closed_loop
        if data.records is not None:
            drives = HeldOut("the test drives", segments=frozenset(self.records_index.segments))
        elif data.perception is not None:
            drives = HeldOut("the test drives", segments=perception_segments_at(data.perception))
        else:
            drives = self._held_out("the test drives", data.log)
        return drives if driven is None else drives.with_maps(driven.driving.maps)

    @cached_property
    def _chosen_on(self) -> HeldOut:
        return self._held_out("the validation drives", self.settings.validation)

    def _held_out(self, what: str, name: str) -> HeldOut:
        """A log that is captured, of which the maps are known before, or given."""
        if name in self.settings.capture:
            return HeldOut(what).with_maps(self.settings.capture[name].maps)
        return HeldOut.of(what, self.settings.logs[name], self.settings.prepare)

    def check_everything(self) -> None:
        """As `check`; a study has the arms of its headline by its settings."""
        self.settings.require_arms()
        self.check()

    def _driven_rigs(self) -> dict[str, Path]:
        driven = self.settings.closed_loop
        return {"closed_loop.driving": driven.driving.rig} if driven is not None else {}

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """All seeds for an arm that was chosen or stands in no choice, else those by which is chosen."""
        path = self.folder / CHOICES
        chosen = json.loads(path.read_text())["choices"].values() if path.is_file() else ()
        winners = {choice["arm"] for choice in chosen}
        if arm in winners or not any(arm in arms for arms in self.settings.choices.values()):
            return self.settings.seeds
        return self.settings.choice_seeds

    def train_all(self) -> dict[str, Any]:
        """Trains what is chosen among, chooses, and trains the winners with the other seeds."""
        super().train_all()
        self.choose()
        return super().train_all()

    def choose(self) -> dict[str, Choice]:
        """Scores every arm on the validation drives and chooses one per family; the test drives are not touched."""
        from planner_eval.study import Choice, choose

        path, validation = self.folder / CHOICES, self._validation()
        inputs = {"validation": validation.inputs(), "choices": self.settings.model_dump(mode="json")["choices"]}
        if path.is_file() and (known := json.loads(path.read_text()))["inputs"] == inputs:
            return {name: Choice.from_json(values) for name, values in known["choices"].items()}
        result = validation.results()[0]
        chosen = {name: choose(result, name, arms) for name, arms in self.settings.choices.items()}
        choices = {name: choice.as_json() for name, choice in chosen.items()}
        write_json(path, {"inputs": inputs, "choices": choices}, sort_keys=False)
        return chosen

    def treated_arm(self) -> str:
        """The winner of the treated choice."""
        return self.choose()[self.settings.treated_choice].arm

    def standing(self) -> Standing:
        """Where the treated arm stands on the test drives."""
        from planner_eval.study import standing

        result = self._evaluation().results()[0]
        return standing(result, self.treated_arm(), self.settings.ceiling, self._named(self.settings.rivals))

    def drive(self) -> ClosedLoopResult | None:
        """Puts planners and floors at the wheel, on the same routes; None where the study leaves it out."""
        if self.settings.closed_loop is None:
            return None
        from planner_eval.closed_loop import drive_closed_loop

        ends = (self.settings.evaluate.baseline, self.treated_arm(), self.settings.ceiling)
        names = [*ends, *self._named(self.settings.driven)]
        evaluation = self._evaluation()
        arms = evaluation.floors() + evaluation.trained_arms(names)
        trainings = [(arm.name, seed) for arm in arms for seed in arm.seeds]
        identities = {f"{name}, seed {seed}": self.weights_sha256(name, seed) for name, seed in trainings}
        with self.timings.stage("drive in closed loop"):
            return drive_closed_loop(
                arms, self.settings.closed_loop, self.folder / "closed_loop", self.progress, identities
            )

    def _named(self, names: Sequence[str]) -> list[str]:
        """Arms by name; a choice stands for its winner."""
        chosen = self.choose()
        return list(dict.fromkeys(chosen[name].arm if name in chosen else name for name in names))

    def everything(self) -> dict[str, Any]:
        """Prepare, capture, treat, train, choose, test, drive, report."""
        self.check_captures()
        self.prepare()
        self.check_everything()
        self.capture_all()
        self.train_all()
        self.drive()
        evaluated, reported = self.evaluate(), self.report()
        text = f"{evaluated['text']}\n\n{reported['text']}"
        return {"scores": evaluated["scores"], "page": reported["page"], "text": text}

    def picture_measures(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What was done to the pictures of each arm that sees any, measured once."""
        from phipd_sim2real.quality.reference import Reference
        from phipd_sim2real.study_measures import picture_measures

        target, count = self.log(self.settings.unlabelled), self.settings.measured_frames
        found, reference = {}, None
        for name, (pictures, treated) in self._measured_pictures().items():
            path = self.folder / "measures" / f"{name}.json"
            identity = {
                "pictures": pictures.provenance.config_hash,
                "target": target.provenance.config_hash,
                "frames": count,
            }
            if not path.is_file() or json.loads(path.read_text())["of"] != identity:
                reference = reference or Reference.from_path(target.root)
                with self.timings.stage(f"measure {name}"):
                    made = picture_measures(pictures, treated, reference, count, self.progress)
                write_json(path, {"of": identity, "measures": made})
            found[name] = json.loads(path.read_text())["measures"]
        return found

    def _measured_pictures(self) -> dict[str, tuple[DriveLog, DriveLog | None]]:
        """Arms that see pictures -> their log and the one that it was made from; None where it is as captured."""
        found = {}
        for name, arm in self.settings.arms.items():
            pictures, source = self.pictures(name), self.log(arm.log)
            treated = None if pictures.root == source.root else source
            if arm.vision and (treated is not None or arm.photometric is None):
                found[name] = (pictures, treated)
        return found

    def _write_report(
        self, treated: str, evaluation: RunEvaluation, results: list[EvaluationResult], out: Path
    ) -> None:
        from phipd_sim2real.run_report import report_content
        from phipd_sim2real.study_report import not_run, study_section
        from planner_eval.report import write_report

        source, enhanced = self.log(self.settings.arms[treated].log), self.pictures(treated)
        content = report_content(self.settings, treated, source, enhanced, evaluation.log())
        told = replace(
            content,
            title=f"Study {self.settings.name}: how much better does a planner drive when its simulation was enhanced?",
            study=study_section(self),
            not_run=not_run(self),
        )
        write_report(results[0], told, evaluation.frames, out, others=results[1:])

    def _shown_scores(self, evaluation: RunEvaluation) -> dict[str, str]:
        self.drive()
        paths = [self.folder / CHOICES, *(self.folder / "closed_loop").glob("*.json")]
        return evaluation.score_hashes() | {path.name: sha256_file(path) for path in sorted(paths)}

    def _evaluation(self) -> RunEvaluation:
        """The test drives, which nobody looks at before the choices are made."""
        evaluation = super()._evaluation()
        self.choose()
        return evaluation

    def _validation(self) -> RunEvaluation:
        data = EvaluationData(log=self.settings.validation, check_records=False)
        return RunEvaluation(self, data, self.folder / "validation", lambda arm: self.settings.choice_seeds)
