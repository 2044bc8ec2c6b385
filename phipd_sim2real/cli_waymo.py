"""`phipd import-waymo`: Waymo's Perception files as a drive log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phipd_sim2real.cli_rig import camera_ids
from phipd_sim2real.cli_tools import Json, emit, with_progress


def import_waymo(
    source: Annotated[
        str, typer.Argument(help="TFRecords of Perception v1 (a quoted pattern), or the folder of a split of v2.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the drive log; its complete segments are kept.")],
    cameras: Annotated[str | None, typer.Option("--cameras", help="Waymo's ids, such as 1,2,3; default all.")] = None,
    max_failed_share: Annotated[
        float, typer.Option("--max-failed-share", help="Of a segment's frames; one with more is not imported.")
    ] = 0.02,
    as_json: Json = False,
) -> None:
    """Import Waymo's Perception dataset (v1 TFRecords or v2 parquet) as a drive log, with labels and stats."""
    from phipd_sim2real.settings import load_settings
    from phipd_sim2real.waymo.import_log import ImportSettings
    from phipd_sim2real.waymo.import_log import import_waymo as run

    overrides = [f"max_failed_share={max_failed_share}"]
    overrides += [] if cameras is None else [f"cameras={camera_ids(cameras)}"]
    settings = load_settings(ImportSettings, None, overrides)
    summary = with_progress(lambda progress: run(source, out, settings, progress))
    emit(summary.as_json(), summary.sentence(), as_json)
