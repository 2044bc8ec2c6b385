"""What decides what a captured log holds, and the record of it that the log keeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from phipd_sim2real.capture.connection import semantic_labels
from phipd_sim2real.capture.rig import Rig
from phipd_sim2real.capture.settings import CaptureSettings
from phipd_sim2real.drivelog import Provenance, collect_versions, current_commit

NOT_PART_OF_THE_RESULT = {"endpoint", "workers", "retries", "connect_s", "stall_s"}
"""Settings that change how a log is made but not what it holds."""

PACKAGES = ("phipd-sim2real", "carla", "numpy", "opencv-python-headless", "pyarrow", "embreex")


def resolved_config(settings: CaptureSettings, rig: Rig) -> dict[str, Any]:
    """Everything that decides what a log holds, with the rig's content in place of its path."""
    return settings.model_dump(mode="json", exclude=NOT_PART_OF_THE_RESULT | {"rig"}) | {
        "rig": rig.model_dump(mode="json")
    }


def config_hash(config: dict[str, Any]) -> str:
    """SHA-256 of a resolved config."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def provenance(config: dict[str, Any], segments: Sequence[str], server: dict[str, Any]) -> Provenance:
    """The record of a log.

    Args:
        config: resolved.
        segments: names of those that are planned.
        server: domain and version, as a worker met it.
    """
    return Provenance(
        domain=server["domain"],
        config=config,
        config_hash=config_hash(config),
        seed=config["seed"],
        planned_segments=tuple(segments),
        semantic_labels=semantic_labels(),
        versions=collect_versions(*PACKAGES) | {"server": server["version"]},
        commit=current_commit(),
        command="phipd capture",
    )
