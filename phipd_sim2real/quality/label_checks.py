"""Whether a drive log's labels are all there, and those of an enhanced log the same bytes as its source's."""

from __future__ import annotations

from phipd_sim2real.drivelog import CAMERA, TIMESTAMP, DriveLog, column
from phipd_sim2real.files import sha256_file
from phipd_sim2real.quality.frames import Check, check

PER_PICTURE = ("camera_depth", "camera_semantics", "camera_instances")
REPLACED = "camera_image"
GATE = "frame_gate"


def label_checks(log: DriveLog, source: DriveLog | None) -> list[Check]:
    """All checks of a log.

    Args:
        log: captured or enhanced.
        source: the log that an enhanced one was made from.
    """
    checks = [_hashes(log), _poses(log)]
    present = {component for segment in log.segments for component in log.components(segment)}
    checks += [_beside_every_picture(log, component) for component in PER_PICTURE if component in present]
    if source is not None:
        carried = sorted({name for segment in log.segments for name in _carried(segment, log, source)})
        checks += [_unchanged(log, source, component) for component in carried]
        checks.append(_same_pictures(log, source))
    return checks


def _hashes(log: DriveLog) -> Check:
    tables = [(component, segment) for segment in log.segments for component in log.components(segment)]
    wrong = [
        f"{component}/{segment}"
        for component, segment in tables
        if _file_hash(log, component, segment) != log.completion(segment).sha256[component]
    ]
    return check("tables have the hash in their segment's marker", len(tables), wrong)


def _poses(log: DriveLog) -> Check:
    """Every picture has a vehicle pose at its time."""
    total, without = 0, []
    for segment in log.segments:
        known = set(log.table("vehicle_pose", segment, columns=[])[TIMESTAMP])
        times = log.table(REPLACED, segment, columns=[])[TIMESTAMP]
        total += len(times)
        without += [f"{segment} at {time} µs" for time in times if time not in known]
    return check("pictures have a vehicle pose at their time", total, without)


def _beside_every_picture(log: DriveLog, component: str) -> Check:
    total, without = 0, []
    for segment in log.segments:
        pictures = _frame_keys(log, REPLACED, segment)
        labels = _frame_keys(log, component, segment) if component in log.components(segment) else set()
        total += len(pictures)
        without += [f"{segment} at {time} µs, camera {camera}" for time, camera in sorted(pictures - labels)]
    return check(f"pictures have {component.replace('_', ' ')}", total, without)


def _unchanged(log: DriveLog, source: DriveLog, component: str) -> Check:
    """The table's file is the source's, byte for byte."""
    segments = [segment for segment in log.segments if component in _carried(segment, log, source)]
    changed = [
        segment for segment in segments if _file_hash(log, component, segment) != _file_hash(source, component, segment)
    ]
    return check(f"{component} is byte-identical to the source's", len(segments), changed)


def _same_pictures(log: DriveLog, source: DriveLog) -> Check:
    """The enhanced log has a picture wherever its source has one."""
    total, without = 0, []
    for segment in log.segments:
        before = _frame_keys(source, REPLACED, segment) if segment in source.segments else set()
        total += len(before)
        missing = sorted(before - _frame_keys(log, REPLACED, segment) - _left_out(log, segment))
        without += [f"{segment} at {time} µs, camera {camera}" for time, camera in missing]
    return check("source pictures have an enhanced one", total, without)


def _left_out(log: DriveLog, segment: str) -> set[tuple[int, int]]:
    """Frames that the gate left out; they are counted there."""
    if GATE not in log.components(segment):
        return set()
    table = log.table(GATE, segment, [column(GATE, "accepted")])
    table = table[~table[column(GATE, "accepted")]]
    return set(zip(table[TIMESTAMP].tolist(), table[CAMERA].tolist(), strict=True))


def _carried(segment: str, log: DriveLog, source: DriveLog) -> set[str]:
    """Components that either log has and enhancement must not touch."""
    theirs = source.components(segment) if segment in source.segments else ()
    return ({*log.components(segment)} | {*theirs}) - {REPLACED, GATE}


def _file_hash(log: DriveLog, component: str, segment: str) -> str | None:
    """Hash of a table's file; None where it is absent."""
    if segment not in log.segments or component not in log.components(segment):
        return None
    path = log.path(component, segment)
    return sha256_file(path) if path.is_file() else None


def _frame_keys(log: DriveLog, component: str, segment: str) -> set[tuple[int, int]]:
    table = log.table(component, segment, columns=[])
    return set(zip(table[TIMESTAMP].tolist(), table[CAMERA].tolist(), strict=True))
