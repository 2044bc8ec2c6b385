"""`phipd import-waymo`: Waymo's Perception files as a drive log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def import_waymo(
    source: Annotated[
        str, typer.Argument(help="TFRecords of Perception v1 (a quoted pattern), or the folder of a split of v2.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the drive log; its complete segments are kept.")],
    cameras: Annotated[str | None, typer.Option("--cameras", help="Waymo's ids, such as 1,2,3; default all.")] = None,
    max_failed_share: Annotated[
        float, typer.Option("--max-failed-share", help="Of a segment's frames; one with more is not imported.")
    ] = 0.02,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Import Waymo's Perception dataset (v1 TFRecords or v2 parquet) as a drive log, with labels and stats."""
    from phipd_sim2real.cli_rig import camera_ids
    from phipd_sim2real.progress import ProgressDisplay
    from phipd_sim2real.settings import load_settings
    from phipd_sim2real.waymo.import_log import ImportSettings
    from phipd_sim2real.waymo.import_log import import_waymo as run

    overrides = [f"max_failed_share={max_failed_share}"]
    overrides += [] if cameras is None else [f"cameras={camera_ids(cameras)}"]
    settings = load_settings(ImportSettings, None, overrides)
    with ProgressDisplay() as progress:
        summary = run(source, out, settings, progress)
    print(json.dumps(summary.as_json(), indent=2) if as_json else summary.sentence())
