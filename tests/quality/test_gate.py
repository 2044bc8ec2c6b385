"""The gate: thresholds from copies with a known answer, frames accepted, done again, or left out."""

from collections import Counter

import cv2
import numpy as np
import pytest
from street_logs import labelled_log, textured_street

from phipd_sim2real.diffusion.gated import TABLE, gate_counts, gate_log
from phipd_sim2real.diffusion.images import thinned
from phipd_sim2real.diffusion.logs import enhance_log
from phipd_sim2real.diffusion.settings import EnhanceSettings
from phipd_sim2real.drivelog import DriveLog, column, decode_jpeg, decode_labels
from phipd_sim2real.errors import StageError, UsageError
from phipd_sim2real.quality.gate import Gate, GateSettings
from phipd_sim2real.quality.label_checks import label_checks

SETTINGS = GateSettings(frames=10)
ENHANCE = EnhanceSettings(cutoff=0.05, strength=1.0, steps=1)
LENIENT = GateSettings(frames=10, cutoffs=(1.0,), displaced_px=30, contrast=0.1, noise_levels=60)
"""Its copies that must pass are so poor that a little noise passes."""

FAINT = EnhanceSettings(cutoff=0.05, strength=0.3, steps=1)


@pytest.fixture(scope="module")
def gate():
    return Gate.calibrated([textured_street(seed) for seed in range(12)], SETTINGS)


def test_thresholds_lie_between_kept_and_displaced_structure(gate):
    epe = next(limit for limit in gate.thresholds if limit.measure == "flow_epe")
    assert 0.25 * SETTINGS.displaced_px < epe.value < 0.75 * SETTINGS.displaced_px
    assert epe.kept_passed > 0.9
    assert epe.displaced_rejected > 0.9


def test_the_source_itself_passes(gate):
    picture, semantics = textured_street(100)
    assert gate.judge(picture, picture, semantics).accepted


def test_displaced_outlines_do_not_pass(gate):
    picture, semantics = textured_street(101)
    verdict = gate.judge(picture, np.roll(picture, 6, axis=1), semantics)
    assert "flow_epe" in verdict.failed
    assert verdict.values["flow_epe"] == pytest.approx(6, abs=2)


def test_a_blank_picture_does_not_pass(gate):
    picture, semantics = textured_street(102)
    verdict = gate.judge(picture, np.full_like(picture, 128), semantics)
    assert {"lane_edge_recall", "label_safety"} & set(verdict.failed)


def test_another_look_with_the_same_outlines_passes(gate):
    picture, semantics = textured_street(103)
    darker = cv2.convertScaleAbs(picture, alpha=0.8, beta=30)
    assert gate.judge(picture, darker, semantics).accepted


def test_a_gated_log_keeps_labels_and_tells_what_became_of_every_frame(tmp_path):
    source = labelled_log(tmp_path / "source", segments=2, frames=5)
    enhance_log(source, tmp_path / "enhanced", FAINT)
    enhanced = DriveLog(tmp_path / "enhanced")
    gated = gate_log(source, enhanced, tmp_path / "gated", FAINT, LENIENT)
    decisions = [gated.table(TABLE, segment) for segment in gated.segments]
    accepted = sum(int(table[column(TABLE, "accepted")].sum()) for table in decisions)
    assert sum(len(table) for table in decisions) == 10 == sum(gate_counts(gated).values())
    assert sum(len(gated.table("camera_image", segment, columns=())) for segment in gated.segments) == accepted > 0
    assert all(check.passed == check.total for check in label_checks(gated, source))


def test_calibration_reads_each_segment_once_for_all_its_frames(tmp_path, monkeypatch):
    source = labelled_log(tmp_path / "source", segments=2, frames=8)
    enhance_log(source, tmp_path / "enhanced", FAINT)
    tables, read = DriveLog.table, Counter()

    def counted(log, component, segment, columns=None):
        read[log.root.name, component, segment, columns != ()] += 1
        return tables(log, component, segment, columns)

    monkeypatch.setattr(DriveLog, "table", counted)
    gated = gate_log(source, DriveLog(tmp_path / "enhanced"), tmp_path / "gated", FAINT, LENIENT)
    monkeypatch.undo()
    for segment in source.segments:
        for component in ("camera_semantics", "camera_image"):
            assert read["source", component, segment, True] == 2, "once to calibrate, once to judge"
    frames = [
        (decode_jpeg(picture), decode_labels(labels))
        for segment in source.segments
        for picture, labels in zip(
            source.table("camera_image", segment)[column("camera_image", "image")],
            source.table("camera_semantics", segment)[column("camera_semantics", "image")],
            strict=True,
        )
    ]
    assert gated.provenance.config["thresholds"] == Gate.calibrated(thinned(frames, 10), LENIENT).record()


def test_a_gated_log_is_resumed_to_the_same_bytes(tmp_path):
    source = labelled_log(tmp_path / "source", segments=2, frames=2)
    enhance_log(source, tmp_path / "enhanced", FAINT)
    enhanced = DriveLog(tmp_path / "enhanced")
    whole = gate_log(source, enhanced, tmp_path / "whole", FAINT, LENIENT)
    hashes = {segment: whole.completion(segment).sha256 for segment in whole.segments}
    (whole.root / "_complete" / f"{whole.segments[0]}.json").unlink()
    again = gate_log(source, enhanced, tmp_path / "whole", FAINT, LENIENT)
    assert {segment: again.completion(segment).sha256 for segment in again.segments} == hashes


def test_a_log_of_which_nothing_passes_is_refused_every_time(tmp_path):
    source = labelled_log(tmp_path / "source", segments=1, frames=2)
    enhance_log(source, tmp_path / "enhanced", ENHANCE)
    enhanced, strict = DriveLog(tmp_path / "enhanced"), SETTINGS.model_copy(update={"cutoffs": (0.1,)})
    for _ in range(2):
        with pytest.raises(StageError, match="left out every frame"):
            gate_log(source, enhanced, tmp_path / "gated", ENHANCE, strict)


@pytest.mark.parametrize(
    ("enhance", "match"),
    [
        (ENHANCE.model_copy(update={"temporal": "warp"}), "temporal to frame"),
        (ENHANCE.model_copy(update={"cutoff": 0.35}), "a number below"),
    ],
)
def test_settings_that_cannot_be_gated_are_refused(tmp_path, enhance, match):
    source = labelled_log(tmp_path / "source", segments=1, frames=1)
    with pytest.raises(UsageError, match=match):
        gate_log(source, source, tmp_path / "gated", enhance, SETTINGS)
