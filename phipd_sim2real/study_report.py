"""What the report of a study tells beside its scores: choices, pictures, gate, closed loop, and what was not run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from phipd_sim2real.capture.settings import EMBEDDED
from phipd_sim2real.diffusion.gated import gate_counts
from phipd_sim2real.held_out import maps_of
from phipd_sim2real.study_measures import MEASURED
from planner_eval.report.headline import SEEDS_FOR_A_CLAIM, few_seeds, fewer_frames, fewer_seeds
from planner_eval.report.study_section import StudySection
from planner_eval.train import MARKER

if TYPE_CHECKING:
    from phipd_sim2real.study import Study


def study_section(study: Study) -> StudySection:
    """Everything that a study knows beside its evaluation; what is not made yet is made."""
    arms = study.settings.arms
    validation = study.log(study.settings.validation)
    return StudySection(
        choices=list(study.choose().values()),
        standing=study.standing(),
        validation=f"the {len(validation.segments)} drives of {study.settings.validation}"
        + (f" ({', '.join(maps)})" if (maps := sorted(maps_of(validation))) else ""),
        measures=study.picture_measures(),
        measured=MEASURED,
        samples={name: _trained_on(study, name) for name in arms},
        gate={name: gate_counts(study.pictures(name)) for name in _gated(study)},
        closed_loop=study.drive(),
    )


def not_run(study: Study) -> list[str]:
    """What a reader might expect and the study did not do."""
    settings, sentences = study.settings, []
    if len(settings.seeds) < SEEDS_FOR_A_CLAIM:
        sentences.append(few_seeds(len(settings.seeds)))
    elif few := [name for name in settings.arms if len(study.seeds_of(name)) < SEEDS_FOR_A_CLAIM]:
        sentences.append(fewer_seeds(few, len(settings.seeds)))
    frames = {name: _trained_on(study, name) for name in settings.arms}
    least = min(count for name, count in frames.items() if name not in _gated(study))
    if fewer := {name: frames[name] for name in _gated(study) if frames[name] < least}:
        sentences.append(fewer_frames(fewer))
    if settings.closed_loop is None:
        sentences.append("Planners were scored in open loop only.")
    elif settings.closed_loop.driving.cars == 0:
        sentences.append("The routes driven in closed loop had no other traffic.")
    tested = settings.capture.get(settings.evaluation.log)
    if tested is not None and tested.endpoint == EMBEDDED:
        sentences.append("No real Waymo drive, no rated trajectory and no CARLA server took part.")
    return sentences


def _gated(study: Study) -> list[str]:
    return [name for name, arm in study.settings.arms.items() if arm.gate is not None]


def _trained_on(study: Study, arm: str) -> int:
    """Frames that the planners of an arm were trained on."""
    return json.loads((study.train(arm, study.seeds_of(arm)[0]) / MARKER).read_text())["samples"]
