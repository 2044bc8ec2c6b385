"""`phipd rig`: ego vehicles and their cameras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

rig = typer.Typer(no_args_is_help=True, help="Make rigs: ego vehicles and their cameras.")


@rig.command()
def from_waymo(
    record: Annotated[Path, typer.Argument(help="TFRecord file of the Perception or the end-to-end dataset.")],
    out: Annotated[Path, typer.Option("--out", help="The rig's file (YAML).")],
    scale: Annotated[float, typer.Option("--scale", help="Size of the pictures against the record's.")] = 1.0,
    cameras: Annotated[str | None, typer.Option("--cameras", help="Waymo's ids, such as 1,2,3; default all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rig as JSON on stdout.")] = False,
) -> None:
    """Make a rig with the exact cameras of a real record: intrinsics, distortion, places and angles."""
    from phipd_sim2real.capture.waymo_rig import rig_from_record, write_rig

    made = rig_from_record(record, camera_ids(cameras), scale)
    write_rig(made, out, f"Cameras of {record.name} at {scale:g} of their size; data of Waymo under its own licence.")
    names = ", ".join(mount.name for mount in made.cameras)
    print(json.dumps(made.model_dump(mode="json"), indent=2) if as_json else f"{out}: {names}.")


def camera_ids(text: str | None) -> list[int] | None:
    """The ids in a text such as "1,2,3"; None where there is none."""
    from phipd_sim2real.errors import UsageError

    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--cameras {text} is not a list of camera ids such as 1,2,3.") from None
