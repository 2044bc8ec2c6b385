"""What was captured: drives by map, weather and traffic, scenes by the poses, speeds; a table, a file, a picture."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phipd_sim2real.capture import scenes
from phipd_sim2real.capture.settings import short_map_name
from phipd_sim2real.capture.variety import SCENES
from phipd_sim2real.drivelog import TIMESTAMP, DriveLog, column
from phipd_sim2real.drivelog.schema import BOX_VEHICLE
from phipd_sim2real.files import atomic_path, write_json

if TYPE_CHECKING:
    import pandas as pd

TABLE_FILE, PICTURE_FILE = "summary.json", "summary.png"
SPEED_BINS_M_S = tuple(range(0, 42, 2))
NOT_PLANNED = "–"


@dataclass(frozen=True)
class DriveSummary:
    """One drive.

    Attributes:
        segment, map, weather, traffic: what it is; weather and traffic by their names in the plan, or else Waymo's
            word for the weather and the number of cars that came near.
        seconds: from the first to the last pose.
        pictures: of all cameras.
        scene: that was staged; None without a plan.
        shown: whether the drive shows it.
        attempts: starts tried for it.
        scene_seconds: seconds of each scene, by the poses.
        speed_counts: poses per bin of `SPEED_BINS_M_S`; the last bin holds what is faster too.
        turned_left, turned_right: whether an intent to do so was recorded.
    """

    segment: str
    map: str
    weather: str
    traffic: str
    seconds: float
    pictures: int
    scene: str | None
    shown: bool | None
    attempts: int
    scene_seconds: dict[str, float]
    speed_counts: tuple[int, ...]
    turned_left: bool
    turned_right: bool


def summarise_log(log: DriveLog) -> list[DriveSummary]:
    """All complete drives of a captured log, sorted by name."""
    return [_summarise(log, segment) for segment in log.segments]


def write_summary(root: Path) -> str:
    """Writes `summary.json` and `summary.png` into a captured log; returns the table as text."""
    drives = summarise_log(DriveLog(root))
    write_json(root / TABLE_FILE, {"totals": totals(drives), "drives": [asdict(drive) for drive in drives]})
    with atomic_path(root / PICTURE_FILE) as temporary:
        _draw(drives, temporary)
    return table_text(drives)


def read_table(root: Path) -> str | None:
    """The table of a log that has its summary; None without one."""
    path = root / TABLE_FILE
    if not path.is_file():
        return None
    return table_text([DriveSummary(**drive) for drive in json.loads(path.read_text())["drives"]])


def totals(drives: list[DriveSummary]) -> dict[str, Any]:
    """Sums over drives: counts, seconds, shares of scenes, staged scenes that came about, speeds."""
    seconds = {scene: sum(drive.scene_seconds[scene] for drive in drives) for scene in SCENES}
    staged = {scene: [drive for drive in drives if drive.scene == scene] for scene in SCENES}
    return {
        "drives": len(drives),
        "seconds": sum(drive.seconds for drive in drives),
        "pictures": sum(drive.pictures for drive in drives),
        "scene_share": {scene: value / max(sum(seconds.values()), 1e-9) for scene, value in seconds.items()},
        "staged": {scene: len(of) for scene, of in staged.items() if of},
        "shown": {scene: sum(bool(drive.shown) for drive in of) for scene, of in staged.items() if of},
        "drives_with_left_turn": sum(drive.turned_left for drive in drives),
        "drives_with_right_turn": sum(drive.turned_right for drive in drives),
        "speed_bins_m_s": list(SPEED_BINS_M_S),
        "speed_counts": np.sum([drive.speed_counts for drive in drives], axis=0).tolist() if drives else [],
    }


def table_text(drives: list[DriveSummary]) -> str:
    """One line for each map, weather and traffic, one for all, and what came of the staged scenes."""
    groups: dict[tuple[str, str, str], list[DriveSummary]] = {}
    for drive in drives:
        groups.setdefault((drive.map, drive.weather, drive.traffic), []).append(drive)
    head = ("map", "weather", "traffic", "drives", "seconds", "pictures", *SCENES, "m/s")
    lines = [head, *(_line(key, of) for key, of in sorted(groups.items())), _line(("all", "", ""), drives)]
    widths = [max(len(line[column_]) for line in lines) for column_ in range(len(head))]
    text = [
        "  ".join(cell.ljust(width) if place < 3 else cell.rjust(width) for place, (cell, width) in
                  enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines
    ]  # fmt: skip
    all_ = totals(drives)
    if all_["staged"]:
        came = ", ".join(f"{scene} {all_['shown'][scene]} of {count}" for scene, count in all_["staged"].items())
        text.append(f"Staged scenes that came about: {came}.")
    turns = f"{all_['drives_with_left_turn']} to the left, {all_['drives_with_right_turn']} to the right"
    text.append(f"Drives that turn at a junction: {turns}.")
    return "\n".join(text)


def _line(key: tuple[str, str, str], drives: list[DriveSummary]) -> tuple[str, ...]:
    all_ = totals(drives)
    middles = np.array(SPEED_BINS_M_S[:-1]) + 1.0
    counts = np.array(all_["speed_counts"] or [0] * len(middles))
    speed = f"{(counts * middles).sum() / counts.sum():.1f}" if counts.sum() else NOT_PLANNED
    shares = (f"{100 * all_['scene_share'][scene]:.0f} %" for scene in SCENES)
    return (*key, str(len(drives)), f"{all_['seconds']:.0f}", str(all_["pictures"]), *shares, speed)


def _summarise(log: DriveLog, segment: str) -> DriveSummary:
    poses = log.table("vehicle_pose", segment)
    times = poses[TIMESTAMP].to_numpy()
    matrices = np.stack(poses[column("vehicle_pose", "world_from_vehicle.transform")]).reshape(-1, 4, 4)
    boxes = log.table("lidar_box", segment)
    drive = scenes.track(times / 1e6, matrices, _ahead(boxes, times))
    stats = log.table("stats", segment).iloc[0]
    planned = log.table("drive_scene", segment).iloc[0] if "drive_scene" in log.components(segment) else None
    intents = set(log.table("ego_intent", segment)[column("ego_intent", "intent")])
    cars = boxes["key.laser_object_id"].nunique()

    def of_plan(name: str) -> Any:
        return planned[column("drive_scene", name)] if planned is not None else None

    return DriveSummary(
        segment=segment,
        map=short_map_name(stats[column("stats", "location")]),
        weather=of_plan("weather") or stats[column("stats", "weather")],
        traffic=of_plan("traffic") or f"{cars} near",
        seconds=float(times[-1] - times[0]) / 1e6,
        pictures=log.completion(segment).rows["camera_image"],
        scene=of_plan("scene"),
        shown=None if planned is None else bool(of_plan("shown")),
        attempts=1 if planned is None else int(of_plan("attempts")),
        scene_seconds=scenes.seconds_of(drive),
        speed_counts=_speed_counts(drive.speeds),
        turned_left=2 in intents,
        turned_right=3 in intents,
    )


def _ahead(boxes: pd.DataFrame, times: np.ndarray) -> np.ndarray:
    """(N,) metres to the next vehicle ahead at every pose."""
    cars = boxes[boxes[column("lidar_box", "type")] == BOX_VEHICLE]
    centres = cars[[column("lidar_box", f"box.center.{axis}") for axis in "xy"]].to_numpy()
    headings, at = cars[column("lidar_box", "box.heading")].to_numpy(), cars[TIMESTAMP].to_numpy()
    return np.array([scenes.distance_ahead(centres[at == time], headings[at == time]) for time in times])


def _speed_counts(speeds: np.ndarray) -> tuple[int, ...]:
    counts, _ = np.histogram(np.minimum(speeds, SPEED_BINS_M_S[-1] - 1e-6), SPEED_BINS_M_S)
    return tuple(int(count) for count in counts)


def _draw(drives: list[DriveSummary], path: Path) -> None:
    """Speeds, scenes, and drives by map and by weather."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    all_ = totals(drives)
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    (speeds, shares), (maps, weathers) = figure.subplots(2, 2)
    speeds.bar(np.array(SPEED_BINS_M_S[:-1]) + 1, all_["speed_counts"] or [0] * 20, width=1.8)
    speeds.set(xlabel="speed, m/s", ylabel="poses at 10 Hz", title=f"{len(drives)} drives, {all_['seconds']:.0f} s")
    shares.bar(list(SCENES), [100 * all_["scene_share"][scene] for scene in SCENES])
    shares.set(ylabel="share of time, %", title="scenes by the poses")
    for axes, name in ((maps, "map"), (weathers, "weather")):
        values, counts = np.unique([getattr(drive, name) for drive in drives], return_counts=True)
        axes.barh(values, counts)
        axes.set(xlabel="drives", title=name)
    figure.savefig(path, format="png", dpi=90, metadata={"Software": None})
