"""The whole way on the embedded simulator: labels on the right pixels, same bytes, and no run lost to a crash."""

import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from recorded import calibrations_of, pictures_of, poses_of, seen_on_road

from phipd_sim2real.capture import CaptureSettings, capture_log
from phipd_sim2real.capture import log as log_module
from phipd_sim2real.capture.connection import ServerInfo, connect, free_port
from phipd_sim2real.capture.rig import load_rig
from phipd_sim2real.capture.session import world_mode
from phipd_sim2real.capture.worker import check
from phipd_sim2real.drivelog import (
    CAMERA,
    OBJECT,
    TIMESTAMP,
    DriveLog,
    column,
    decode_jpeg,
)
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.geometry import ego_states, invert, transform_points
from phipd_sim2real.waymo import project

for package in ("carla", "embreex", "msgpack"):
    pytest.importorskip(package, reason="needs the carla extra")

from phipd_sim2real.simulator import process  # noqa: E402 - imports what the lines above look for

RIG = Path(__file__).parents[2] / "configs/rigs/front-one.yaml"
SETTINGS = CaptureSettings(
    name="try",
    maps=("Orchard01", "Riverside01"),
    segments=2,
    seconds=10.0,
    warm_up_s=2.0,
    look="source",
    rig=RIG,
    images={"period_s": 0.5, "window_s": (4.0, 6.0)},
    traffic={"cars": 12},
    stall_s=60.0,
)
CARS = (14, 15, 16)


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> DriveLog:
    out = tmp_path_factory.mktemp("capture")
    summary = capture_log(SETTINGS, out)
    assert (summary.segments, summary.captured, summary.retries) == (2, 2, 0)
    return DriveLog(out)


def _driven(log, segment):
    """(N,) seconds and (N, 4, 4) vehicle in world."""
    found = poses_of(log, segment)
    return np.array(list(found)) / 1e6, np.stack(list(found.values()))


def _box_corners(row):
    names = {name: [row[column("lidar_box", f"box.{name}.{axis}")] for axis in "xyz"] for name in ("center", "size")}
    unit = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    heading = row[column("lidar_box", "box.heading")]
    c, s = np.cos(heading), np.sin(heading)
    return unit * names["size"] @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + names["center"]


def test_tables_and_times_are_as_planned(log):
    assert log.provenance.domain == "carla-protocol simulator"
    assert log.missing_segments == ()
    names = log.provenance.semantic_labels
    assert (names[14], names[11], names[24]) == ("Car", "Sky", "RoadLines"), "14 was 10 before CARLA 0.9.14"
    seen = np.unique(list(pictures_of(log, log.segments[0], "camera_semantics").values()))
    assert set(seen.tolist()) <= set(names)
    for segment in log.segments:
        times, matrices = _driven(log, segment)
        np.testing.assert_allclose(times, np.arange(101) * 0.1, atol=1e-9)
        images = log.table("camera_image", segment)
        np.testing.assert_array_equal(images[TIMESTAMP], np.arange(4_000_000, 6_000_001, 500_000))
        assert set(images[CAMERA]) == {1}
        assert decode_jpeg(images[column("camera_image", "image")][0]).shape == (144, 240, 3)
        states = ego_states(times, matrices, 4.0)
        assert states.future_valid.all()
        assert 3 < states.past[-1, 2] < 20, "the ego drives forward"
        assert abs(states.past[-1, 3]) < 0.1, "the rear axle does not slip sideways"


def test_boxes_lie_on_the_instances_of_their_cars(log):
    seen = 0
    for segment in log.segments:
        calibration, boxes = calibrations_of(log, segment)[1], log.table("lidar_box", segment)
        semantics, depths = (pictures_of(log, segment, f"camera_{name}") for name in ("semantics", "depth"))
        for (timestamp, camera), instances in pictures_of(log, segment, "camera_instances").items():
            for _, row in boxes[boxes[TIMESTAMP] == timestamp].iterrows():
                mask = instances == int(row[OBJECT])
                pixels, valid = project(_box_corners(row), calibration)
                if mask.sum() < 12 or not valid.all():
                    continue
                seen += 1
                v, u = np.nonzero(mask)
                low, high = pixels.min(axis=0) - 1.5, pixels.max(axis=0) + 1.5
                assert (u + 0.5 >= low[0]).all()
                assert (u + 0.5 <= high[0]).all()
                assert (v + 0.5 >= low[1]).all()
                assert (v + 0.5 <= high[1]).all()
                assert np.isin(semantics[timestamp, camera][mask], CARS).all()
                along = invert(calibration.extrinsic) @ np.append(_box_corners(row).mean(axis=0), 1)
                assert abs(np.median(depths[timestamp, camera][mask]) - along[0]) < 4
    assert seen >= 3, "the test saw too few cars to mean anything"


def test_the_path_to_come_lies_on_the_road_at_the_right_depth(log):
    hits = []
    for segment in log.segments:
        calibration, (times, matrices) = calibrations_of(log, segment)[1], _driven(log, segment)
        depths = pictures_of(log, segment, "camera_depth")
        for (timestamp, camera), semantics in pictures_of(log, segment, "camera_semantics").items():
            now = int(np.argmin(np.abs(times - timestamp / 1e6)))
            ahead = transform_points(invert(matrices[now]), matrices[now + 6 : now + 25, :3, 3])
            hits += seen_on_road(ahead, calibration, semantics, depths[timestamp, camera], rtol=0.15).tolist()
    assert sum(hits) > 50
    assert np.mean(hits) > 0.5


def test_a_segment_captured_alone_has_the_same_bytes(log, tmp_path):
    out = tmp_path / "resumed"
    shutil.copytree(log.root, out)
    lost = log.segments[1]
    (out / "_complete" / f"{lost}.json").unlink()
    for path in out.glob(f"*/{lost}.parquet"):
        path.unlink()
    summary = capture_log(SETTINGS, out)
    assert summary.captured == 1
    assert DriveLog(out).completion(lost) == log.completion(lost)


def test_a_second_run_redoes_nothing(log, monkeypatch):
    monkeypatch.setattr(process, "simulator_process", None)
    assert capture_log(SETTINGS, log.root).captured == 0
    with pytest.raises(UsageError, match="other settings"):
        capture_log(SETTINGS.model_copy(update={"seed": 5}), log.root)


def test_a_killed_server_costs_one_retry_and_no_byte(log, tmp_path, monkeypatch):
    started = process.simulator_process
    starts = []

    @contextmanager
    def fragile(map_name):
        with started(map_name) as endpoint:
            starts.append(endpoint)
            if len(starts) == 1:
                threading.Thread(target=kill_in_the_middle, args=(endpoint.pid,)).start()
            yield endpoint

    def kill_in_the_middle(pid):
        while not any((tmp_path / "camera_image").glob(".*.part")):
            time.sleep(0.02)
        time.sleep(1.0)
        os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(process, "simulator_process", fragile)
    summary = capture_log(SETTINGS.model_copy(update={"segments": 1, "stall_s": 20.0}), tmp_path)
    assert (summary.captured, summary.retries) == (1, 1)
    again = DriveLog(tmp_path)
    assert again.completion(again.segments[0]).sha256 == log.completion(again.segments[0]).sha256


def test_a_server_gets_its_settings_back_from_a_killed_client(tmp_path, monkeypatch):
    made = log_module.WorkerProcess

    class Fragile(made):
        def capture(self, segment):
            threading.Timer(5.0, self._process.kill).start()
            super().capture(segment)

    monkeypatch.setattr(log_module, "WorkerProcess", Fragile)
    with process.simulator_process("Orchard01") as endpoint:
        settings = SETTINGS.model_copy(
            update={"endpoint": f"{endpoint.host}:{endpoint.port}", "retries": 0, "seconds": 300.0}
        )
        with pytest.raises(StageError, match="failed 1 times"):
            capture_log(settings, tmp_path)
        client = connect(endpoint.host, endpoint.port, 10)
        assert not world_mode(client).synchronous


def test_bad_input_gets_a_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"no map Nowhere; it has .*Orchard01"):
        capture_log(SETTINGS.model_copy(update={"maps": ("Nowhere",)}), tmp_path)
    with pytest.raises(UsageError, match="no look 'sepia'; it has source, target"):
        capture_log(SETTINGS.model_copy(update={"look": "sepia"}), tmp_path)
    unused = {"endpoint": f"127.0.0.1:{free_port()}", "connect_s": 1.0}
    with pytest.raises(UsageError, match="No CARLA server answered"):
        capture_log(SETTINGS.model_copy(update=unused), tmp_path)
    server = ServerInfo("0.9.16", "carla", ("Carla/Maps/Orchard01", "Riverside01"), ("vehicle.tesla.model3",), ())
    with pytest.raises(UsageError, match="Remove look"):
        check(SETTINGS, load_rig(RIG), server)
