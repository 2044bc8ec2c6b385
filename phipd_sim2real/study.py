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

from phipd_sim2real.capture.settings import EMBEDDED, short_map_name
from phipd_sim2real.drivelog import DriveLog
from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import sha256_file, write_json
from phipd_sim2real.preparation import check_steps, prepare
from phipd_sim2real.run import Run
from phipd_sim2real.run_evaluation import RunEvaluation
from phipd_sim2real.run_settings import EvaluationData
from phipd_sim2real.study_settings import StudySettings
from planner_eval.report.headline import SEEDS_FOR_A_CLAIM, few_seeds

if TYPE_CHECKING:
    from planner_eval.closed_loop import ClosedLoopResult
    from planner_eval.report.study_section import StudySection
    from planner_eval.result import EvaluationResult
    from planner_eval.study import Choice, Standing

CHOICES = "choices.json"


class Study(Run):
    """The stages of a study; as those of a run, each may be called again at any time."""

    settings: StudySettings

    def prepare(self) -> dict[str, Any]:
        """Makes what does not ship and cannot be given: pictures and models that arms are made with."""
        check_steps(self.settings.prepare)
        prepare(self.settings.prepare, self.progress)
        return {"prepared": [str(step.out) for step in self.settings.prepare]}

    def log(self, name: str) -> DriveLog:
        """A log by name; what is tested and driven on must be maps of its own.

        Raises:
            UsageError: a log that is trained, fitted or chosen on shares a map with the test drives or the routes.
        """
        log = super().log(name)
        if name != self.settings.evaluation.log and (shared := _maps(log) & self._held_out_maps):
            raise UsageError(f"{log.root} and the test drives share {', '.join(sorted(shared))}; test on other maps.")
        return log

    @cached_property
    def _held_out_maps(self) -> set[str]:
        """Maps of the test drives and of the routes driven in closed loop."""
        settings, tested = self.settings, self.settings.evaluation.log
        maps = set(settings.closed_loop.driving.maps) if settings.closed_loop is not None else set()
        if tested in settings.capture:
            maps |= set(settings.capture[tested].maps)
        elif tested in settings.logs:
            maps |= _maps(DriveLog(settings.logs[tested]))
        return {short_map_name(name) for name in maps}

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
        """Puts planners at the wheel, on the same routes for every arm; None where the study leaves it out."""
        if self.settings.closed_loop is None:
            return None
        from planner_eval.closed_loop import drive_closed_loop

        ends = (self.settings.evaluate.baseline, self.treated_arm(), self.settings.ceiling)
        names = [*ends, *self._named(self.settings.driven)]
        arms = self._evaluation().trained_arms(names)
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
        from planner_eval.report import write_report

        source, enhanced = self.log(self.settings.arms[treated].log), self.pictures(treated)
        content = report_content(self.settings, treated, source, enhanced, evaluation.log())
        told = replace(
            content,
            title=f"Study {self.settings.name}: how much better does a planner drive when its simulation was enhanced?",
            study=self._section(),
            not_run=_not_run(self.settings),
        )
        write_report(results[0], told, evaluation.frames, out, others=results[1:])

    def _shown_scores(self, evaluation: RunEvaluation) -> dict[str, str]:
        self.drive()
        paths = [self.folder / CHOICES, *(self.folder / "closed_loop").glob("*.json")]
        return evaluation.score_hashes() | {path.name: sha256_file(path) for path in sorted(paths)}

    def _section(self) -> StudySection:
        from phipd_sim2real.diffusion.gated import gate_counts
        from phipd_sim2real.study_measures import MEASURED
        from planner_eval.report.study_section import StudySection

        gated = [name for name, arm in self.settings.arms.items() if arm.gate is not None]
        validation = self.log(self.settings.validation)
        return StudySection(
            choices=list(self.choose().values()),
            standing=self.standing(),
            validation=f"the {len(validation.segments)} drives of {self.settings.validation} "
            f"({', '.join(sorted(_maps(validation)))})",
            measures=self.picture_measures(),
            measured=MEASURED,
            samples={name: self._trained_on(name) for name in self.settings.arms},
            gate={name: gate_counts(self.pictures(name)) for name in gated},
            closed_loop=self.drive(),
        )

    def _trained_on(self, arm: str) -> int:
        """Frames that the planners of an arm were trained on."""
        from planner_eval.train import MARKER

        return json.loads((self.train(arm, self.settings.seeds[0]) / MARKER).read_text())["samples"]

    def _validation(self) -> RunEvaluation:
        data = EvaluationData(log=self.settings.validation, check_records=False)
        return RunEvaluation(self, data, self.folder / "validation", lambda arm: self.settings.choice_seeds)


def _not_run(settings: StudySettings) -> list[str]:
    """What a reader might expect and the study did not do."""
    sentences = []
    if len(settings.seeds) < SEEDS_FOR_A_CLAIM:
        sentences.append(few_seeds(len(settings.seeds)))
    if settings.closed_loop is None:
        sentences.append("Planners were scored in open loop only.")
    elif settings.closed_loop.driving.cars == 0:
        sentences.append("The routes driven in closed loop had no other traffic.")
    if settings.evaluation.log in settings.capture and settings.capture[settings.evaluation.log].endpoint == EMBEDDED:
        sentences.append("No real Waymo drive, no rated trajectory and no CARLA server took part.")
    return sentences


def _maps(log: DriveLog) -> set[str]:
    """Maps that a log says it was captured on."""
    captured = log.provenance.lineage[-1]
    return {short_map_name(name) for name in captured.config.get("maps", ())}
