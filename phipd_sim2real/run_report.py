"""What a run can tell its report beside the scores: pictures, provenance, and what stands in for what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.drivelog import CAMERA, SEGMENT, TIMESTAMP, DriveLog, column, decode_jpeg
from phipd_sim2real.settings import settings_hash
from planner_eval.report import Picture, PicturePair, Provenance, ReportContent
from planner_eval.report.headline import SEEDS_FOR_A_CLAIM, few_seeds

if TYPE_CHECKING:
    from phipd_sim2real.run import Run
    from phipd_sim2real.run_settings import RunSettings

PAIRS, TARGETS = 4, 4
IMAGE = column("camera_image", "image")
SIMULATOR = "carla-protocol simulator"


def report_content(
    settings: RunSettings, treated: str, source: DriveLog, enhanced: DriveLog, target: DriveLog | None
) -> ReportContent:
    """Collects the report's pictures and words.

    Args:
        settings: of the run.
        treated: arm of the headline.
        source: the log that the treated arm's pictures were made from.
        enhanced: the treated arm's log.
        target: the evaluation log; None where records from elsewhere are evaluated.
    """
    logs = {"source": source, "enhanced": enhanced} | ({"target": target} if target is not None else {})
    return ReportContent(
        title=f"Run {settings.name}: does enhancement help the planner?",
        treated=treated,
        stand_in=_stand_in(logs),
        pairs=_pairs(source, enhanced),
        targets=_targets(target) if target is not None else (),
        provenance=[_provenance(name, log) for name, log in logs.items()],
        not_run=_not_run(settings, logs),
        recipe={
            "settings (SHA-256)": settings_hash(settings),
            "training seeds": ", ".join(map(str, settings.seeds)),
            "bootstrap": f"{settings.evaluate.resamples} resamples of segments, seed {settings.evaluate.seed}",
        },
    )


def foundations(run: Run) -> dict[str, dict[str, Any]]:
    """What the scores rest on: settings, seed, commit, versions and weights of every log and planner of a run."""
    from planner_eval.train import MARKER

    settings = run.settings
    logs = {f"logs/{name}": run.log(name) for name in (*settings.capture, *settings.logs)}
    treated = {
        f"pictures/{name}" + (f"/draw-{draw}" if draw else ""): run.pictures(name, draw)
        for name, arm in settings.arms.items()
        for draw in range(arm.draws)
        if arm.is_treated
    }
    planners = {
        f"planners/{arm}/seed-{seed}": json.loads((run.train(arm, seed) / MARKER).read_text())
        for arm in settings.arms
        for seed in run.seeds_of(arm)
    }
    told = {"domain", "config_hash", "seed", "commit", "versions", "checkpoints"}
    made = {name: log.provenance.model_dump(mode="json", include=told) for name, log in (logs | treated).items()}
    return {"run": {"settings": settings_hash(settings)}} | made | planners


def _stand_in(logs: dict[str, DriveLog]) -> str:
    rendered = [name for name, log in logs.items() if _is_rendered(log)]
    if not rendered:
        return ""
    return (
        f"The pictures of the {_listed(rendered)} logs were rendered by the project's own CARLA-protocol "
        "simulator. Its target look stands in for the real domain: nothing here was measured on CARLA's "
        "rendering or on Waymo data, and no number below says how a planner drives on either."
        if "target" in rendered
        else f"The pictures of the {_listed(rendered)} logs were rendered by the project's own CARLA-protocol "
        "simulator, which stands in for a CARLA server."
    )


def _is_rendered(log: DriveLog) -> bool:
    return any(made.domain == SIMULATOR for made in log.provenance.lineage)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _not_run(settings: RunSettings, logs: dict[str, DriveLog]) -> list[str]:
    sentences = ["No arm was trained on the target domain, so the distance to the ceiling is not known."]
    if len(settings.seeds) < SEEDS_FOR_A_CLAIM:
        sentences.append(few_seeds(len(settings.seeds)))
    target = logs.get("target")
    if target is not None and _is_rendered(target):
        sentences.append("No rated trajectories exist for rendered drives, so there is no Rater Feedback Score.")
    return [*sentences, "Planners were scored in open loop only."]


def _provenance(name: str, log: DriveLog) -> Provenance:
    made = log.provenance
    look = made.config.get("look")
    domain = " of ".join(step.domain for step in made.lineage)
    weights = {name: sha256 for step in made.lineage for name, sha256 in step.checkpoints.items()}
    facts = {
        "segments": str(len(log.segments)),
        "frames": str(sum(len(log.table("camera_image", segment, columns=())) for segment in log.segments)),
        "seed": str(made.seed),
        "settings (SHA-256)": made.config_hash,
        **{f"weights {name} (SHA-256)": sha256 for name, sha256 in sorted(weights.items())},
        **dict(sorted(made.versions.items())),
    }
    return Provenance(f"{name} log", f"{domain}, {look} look" if look else domain, facts)


def _pairs(source: DriveLog, enhanced: DriveLog) -> list[PicturePair]:
    return [
        PicturePair(f"{segment}, {timestamp * 1e-6:.1f} s", _picture(source, key), _picture(enhanced, key))
        for key in _spread(enhanced, PAIRS)
        for segment, timestamp, _ in [key]
    ]


def _targets(target: DriveLog) -> list[Picture]:
    return [
        Picture(f"{segment}, {timestamp * 1e-6:.1f} s", _picture(target, (segment, timestamp, camera)))
        for segment, timestamp, camera in _spread(target, TARGETS)
    ]


Key = tuple[str, int, int]


def _spread(log: DriveLog, count: int) -> Sequence[Key]:
    """Evenly spread segments, and from each the middle frame of its first camera: chosen before any score."""
    segments = [segment for segment in log.segments if log.completion(segment).rows.get("camera_image", 0)]
    positions = np.linspace(0, len(segments) - 1, min(count, len(segments))).round().astype(int)
    keys = []
    for segment in (segments[position] for position in positions):
        rows = log.table("camera_image", segment, columns=())
        row = rows[rows[CAMERA] == rows[CAMERA].min()]
        middle = row.iloc[len(row) // 2]
        keys.append((segment, int(middle[TIMESTAMP]), int(middle[CAMERA])))
    return keys


def _picture(log: DriveLog, key: Key) -> np.ndarray:
    segment, timestamp, camera = key
    rows = log.table("camera_image", segment, [IMAGE])
    row = rows[(rows[SEGMENT] == segment) & (rows[TIMESTAMP] == timestamp) & (rows[CAMERA] == camera)]
    return decode_jpeg(row[IMAGE].iloc[0])
