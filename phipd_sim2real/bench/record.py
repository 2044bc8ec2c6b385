"""What the seed's table says, for machines: every value with unit, direction, N and interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from phipd_sim2real.bench.measures import SetMeasures
from phipd_sim2real.bench.resampling import estimate
from phipd_sim2real.bench.seed_table import GOALS, REPORTED, Comparison, Row, SeedTable
from phipd_sim2real.bench.settings import SeedTableSettings, Twins
from phipd_sim2real.diffusion.models import model_folder, weights_sha256
from phipd_sim2real.drivelog import DriveLog, collect_versions, current_commit
from phipd_sim2real.settings import settings_hash

INTERPOLATION = (
    "SDEdit is taken at the weakest strength whose texture KID to the target set equals φ-PD's. Strength 0 is the "
    "source itself; between neighbouring strengths of the sweep KID and every measure are linear in strength. The "
    "match is made anew in every bootstrap draw. Where no strength is as realistic, the most realistic one is taken."
)
INTERVALS = "95 % percentile intervals; whole clips and whole target segments are drawn with replacement."
PACKAGES = ("phipd-sim2real", "torch", "diffusers", "numpy", "opencv-python-headless")


def rows(table: SeedTable) -> list[Row]:
    """The three rows with a goal first, then what stands beside them."""
    chosen, report = table.chosen, table.report
    found = [report.row(chosen, name, GOALS.get(name)) for name in REPORTED]
    style: list[Row] = []
    if table.style is not None:
        style.append(table.style.row(chosen, table.style_measure, GOALS["style"]))
        beside = {"structure_to_truth", "colour_to_truth"} - {table.style_measure}
        style += [table.style.row(chosen, name) for name in sorted(beside)]
    ordered = found[:1] + style[:1] + found[1:] + style[1:]
    return sorted(ordered, key=lambda row: row.goal is None)


def record(settings: SeedTableSettings, table: SeedTable) -> dict[str, Any]:
    """Everything that `table.json` holds."""
    sets = {"report": table.report, "selection": table.selection} | ({"style": table.style} if table.style else {})
    return {
        "chosen": table.chosen,
        "setting": settings.sweep.candidates[table.chosen].model_dump(mode="json", include={*_method(settings, table)}),
        "steps": settings.sweep.steps,
        "seed": settings.sweep.seed,
        "rows": [row_json(row) for row in rows(table)],
        "comparisons": {name: _comparison(comparison, table) for name, comparison in sets.items()},
        "interpolation": INTERPOLATION,
        "intervals": INTERVALS,
        "models": _models(settings),
        "logs": {log.root.name: _log(log) for item in sets.values() for log in _logs(item)},
        "config_hash": settings_hash(settings),
        "resamples": settings.resamples,
        "bootstrap_seed": settings.bootstrap_seed,
        "versions": collect_versions(*PACKAGES),
        "commit": current_commit(),
    }


def row_json(row: Row) -> dict[str, Any]:
    """One row of the table."""
    plain = {name: getattr(row, name) for name in ("measure", "unit", "better", "frames", "clips", "goal")}
    return plain | {
        "source": row.source.as_json(),
        "phi_pd": row.ours.as_json(),
        "gaussian_at_matched_realism": row.theirs.as_json(),
        "gain_percent": row.gain.as_json(),
    }


def _method(settings: SeedTableSettings, table: SeedTable) -> set[str]:
    """What of a candidate the method itself is told."""
    shared = {"model", "steps", "seed", "precision", "jpeg_quality"}
    return set(type(settings.sweep.candidates[table.chosen]).model_fields) - shared


def _comparison(comparison: Comparison, table: SeedTable) -> dict[str, Any]:
    names = [*REPORTED, *([table.style_measure, "colour_to_truth"] if comparison is table.style else [])]
    swept = zip(comparison.strengths, comparison.sweep, comparison.sweep_kid(), strict=True)
    return {
        "clips": len(comparison.clips.log.segments),
        "target_segments": len(comparison.target.log.segments),
        "sdedit": [{"strength": strength} | _measures(comparison, item, kid, names) for strength, item, kid in swept],
        "phi_pd": {
            name: _measures(comparison, item, comparison.kid(name), names)
            | {
                "gap_closed": comparison.gap_closed(name),
                "matched_strength": estimate(comparison.matched_strength(name)).as_json(),
                "match_reached": bool(comparison.matched(name).reached[0]),
                "gains_percent": {
                    row.measure: row.gain.as_json() for row in (comparison.row(name, measure) for measure in names)
                },
            }
            for name, item in comparison.candidates.items()
        },
    }


def _measures(comparison: Comparison, item: SetMeasures, kid: Any, names: list[str]) -> dict[str, Any]:
    found = {name: estimate(item.mean(name, comparison.weights)).as_json() for name in names}
    return found | {
        "texture_kid": estimate(kid).as_json(),
        "lab_frechet": finite(comparison.target.frechet(item)),
        "label_recall_beyond_chance": {name: finite(value) for name, value in item.class_recall().items()},
        "valid": {name: item.valid(name) for name in names},
        "frames": len(item.clip_of),
    }


def _models(settings: SeedTableSettings) -> dict[str, Any]:
    twins: Mapping[str, Twins] = {"target": settings.models} | (
        {"style": settings.style.models} if settings.style else {}
    )
    return {look: {kind: model_json(path) for kind, path in pair.model_dump().items()} for look, pair in twins.items()}


def model_json(path: str) -> dict[str, str]:
    """Name and hash of a model."""
    return {"name": model_folder(path).name, "weights_sha256": weights_sha256(path)}


def _logs(comparison: Comparison) -> list[DriveLog]:
    truth = [] if comparison.clips.truth is None else [comparison.clips.truth]
    return [comparison.clips.log, *truth, comparison.target.log]


def _log(log: DriveLog) -> dict[str, Any]:
    provenance = log.provenance
    return {
        "domain": provenance.domain,
        "config_hash": provenance.config_hash,
        "seed": provenance.seed,
        "segments": len(log.segments),
    }


def finite(value: float) -> float | None:
    """The value; None where it is not a number."""
    return float(value) if math.isfinite(value) else None
