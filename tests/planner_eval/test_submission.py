"""The challenge's archive: what is in it, that it is the same every time, and what is refused."""

import tarfile

import numpy as np
import pytest
from pydantic import ValidationError

from phipd_sim2real.errors import UsageError
from phipd_sim2real.waymo import open_e2e_index
from phipd_sim2real.waymo.made_split import make_split
from phipd_sim2real.waymo.splits import SUBMISSION_FILE, read_submission_frames
from planner_eval.submission import SubmissionSettings, read_submission, write_submission

protos = pytest.importorskip(
    "waymo_open_dataset.protos.end_to_end_driving_submission_pb2", reason="needs Waymo's protos"
)

SETTINGS = SubmissionSettings(
    account_name="someone@example.org",
    method_name="constant-speed",
    authors=("A. Author", "B. Author"),
    affiliation="A University",
    description="Straight on.",
    method_link="https://example.org",
    uses_public_model_pretraining=True,
    public_model_names=("ResNet-18",),
    num_model_parameters="12M",
    shards=2,
)


def straight(speed):
    return np.stack([speed * 0.25 * np.arange(1, 21), np.zeros(20)], axis=1)


PLANS = {f"{number:032x}-{number + 96:03d}": straight(number + 0.1) for number in range(5)}


def test_the_archive_holds_every_field_in_waymos_messages(tmp_path):
    write_submission(PLANS, SETTINGS, tmp_path / "s.tar.gz")
    with tarfile.open(tmp_path / "s.tar.gz") as archive:
        names = archive.getnames()
        shards = [protos.E2EDChallengeSubmission.FromString(archive.extractfile(name).read()) for name in names]
    assert names == ["mysubmission.binproto-00000-of-00002", "mysubmission.binproto-00001-of-00002"]
    assert [len(shard.predictions) for shard in shards] == [3, 2]
    for shard in shards:
        assert shard.submission_type == protos.E2EDChallengeSubmission.E2ED_SUBMISSION
        assert (shard.account_name, shard.unique_method_name) == ("someone@example.org", "constant-speed")
        assert (list(shard.authors), shard.affiliation) == (["A. Author", "B. Author"], "A University")
        assert (shard.description, shard.method_link) == ("Straight on.", "https://example.org")
        assert (shard.uses_public_model_pretraining, list(shard.public_model_names)) == (True, ["ResNet-18"])
        assert shard.num_model_parameters == "12M"
        for prediction in shard.predictions:
            plan = PLANS[prediction.frame_name].astype(np.float32)
            assert list(prediction.trajectory.pos_x) == plan[:, 0].tolist()
            assert list(prediction.trajectory.pos_y) == plan[:, 1].tolist()


def test_it_reads_back_as_written_and_has_the_same_bytes_every_time(tmp_path):
    written = write_submission(PLANS, SETTINGS, tmp_path / "a.tar.gz")
    write_submission(dict(reversed(PLANS.items())), SETTINGS, tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    read = read_submission(tmp_path / "a.tar.gz")
    assert read.settings == written.settings == SETTINGS
    assert list(read.plans) == sorted(PLANS)
    for name, plan in PLANS.items():
        np.testing.assert_array_equal(read.plans[name], plan.astype(np.float32))


def test_plans_of_a_test_split_carry_the_listed_names(tmp_path):
    make_split(tmp_path, "test", records=12, segments=4, shards=2, cameras=(1,))
    frames, index = read_submission_frames(tmp_path / SUBMISSION_FILE), open_e2e_index(tmp_path)
    plans = {
        index.frame_name(sample.key): straight(np.hypot(*sample.past[-1, 2:4]))
        for sample in index.samples([], names=frames)
    }
    written = write_submission(plans, SETTINGS.model_copy(update={"shards": 1}), tmp_path / "out/s.tar.gz", frames)
    assert sorted(written.plans) == sorted(frames)


@pytest.mark.parametrize(
    ("plans", "settings", "frames", "sentence"),
    [
        (PLANS, SETTINGS, [*PLANS, "x-001"], r"1 have none \['x-001'\]"),
        (PLANS, SETTINGS, list(PLANS)[:3], "2 plans are for other frames"),
        ({"a-001": straight(1)[:12]}, SETTINGS, None, r"a-001 has shape \(12, 2\)"),
        ({"a-001": straight(np.nan)}, SETTINGS, None, "20 finite values"),
        ({}, SETTINGS, None, "0 frames"),
    ],
)
def test_what_the_challenge_would_refuse_is_refused_before(tmp_path, plans, settings, frames, sentence):
    with pytest.raises(UsageError, match=sentence):
        write_submission(plans, settings, tmp_path / "s.tar.gz", frames)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", ["200 K", "0.2M", "many", "", "0"])
def test_the_size_is_a_whole_number_and_a_suffix(size):
    with pytest.raises(ValidationError):
        SubmissionSettings(**{**SETTINGS.model_dump(), "num_model_parameters": size})


def test_files_of_another_kind_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is a \.tar\.gz"):
        write_submission(PLANS, SETTINGS, tmp_path / "s.zip")
    (tmp_path / "s.tar.gz").write_bytes(b"not packed")
    with pytest.raises(UsageError, match="exists already"):
        write_submission(PLANS, SETTINGS, tmp_path / "s.tar.gz")
    with pytest.raises(UsageError, match=r"no readable tar\.gz"):
        read_submission(tmp_path / "s.tar.gz")


def test_an_archive_that_lacks_a_required_field_is_refused(tmp_path):
    from planner_eval.submission import _archive

    shard = protos.E2EDChallengeSubmission(account_name="a@b.c", unique_method_name="m")
    (tmp_path / "s.tar.gz").write_bytes(_archive([shard.SerializeToString()]))
    with pytest.raises(UsageError, match="lacks num_model_parameters, uses_public_model_pretraining"):
        read_submission(tmp_path / "s.tar.gz")
    shard.num_model_parameters, shard.uses_public_model_pretraining = "many", False
    shard.submission_type = protos.E2EDChallengeSubmission.E2ED_SUBMISSION
    shard.predictions.add(frame_name="a-001").trajectory.MergeFrom(
        protos.TrajectoryPrediction(pos_x=range(20), pos_y=range(20))
    )
    (tmp_path / "s.tar.gz").write_bytes(_archive([shard.SerializeToString()]))
    with pytest.raises(UsageError, match="num_model_parameters"):
        read_submission(tmp_path / "s.tar.gz")


@pytest.mark.parametrize("values", [{"public_model_names": ()}, {"uses_public_model_pretraining": False}])
def test_published_models_are_named_if_and_only_if_there_are_any(values):
    with pytest.raises(ValueError, match="name the published models"):
        SubmissionSettings.model_validate(SETTINGS.model_dump() | values)
