"""A submission to Waymo's end-to-end driving challenge: plans for the listed test frames, in shards in a tar.gz."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from phipd_sim2real.errors import UsageError
from phipd_sim2real.files import atomic_path
from phipd_sim2real.settings import Settings
from phipd_sim2real.waymo.protos import submission_protos
from phipd_sim2real.waymo.sample import FUTURE_STEPS

SHARD_NAME = "mysubmission.binproto-{number:05d}-of-{count:05d}"
"""Name of a shard in the archive: that of Waymo's own example, which the server is known to take."""

FIRST_POINT, LAST_POINT = 0.25, 5.0
"""Times of the first and the last point, seconds after the frame."""

REQUIRED = ("account_name", "unique_method_name", "num_model_parameters")


class SubmissionSettings(Settings):
    """What the challenge asks of a submission beside its plans."""

    account_name: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    """E-mail address with which the account for the challenge is registered."""

    method_name: str = Field(min_length=1)
    """Name of the method on the board; each method needs its own."""

    authors: tuple[str, ...] = Field(min_length=1)
    """Names of the authors."""

    affiliation: str = ""
    """Of the authors."""

    description: str = ""
    """A few words on the method."""

    method_link: str = ""
    """Address of a paper or of code."""

    uses_public_model_pretraining: bool
    """Whether anything in the planner was trained on other data and then published, such as its backbone."""

    public_model_names: tuple[str, ...] = ()
    """Names of those published models; needed where there are any, and only there."""

    num_model_parameters: str = Field(pattern=r"^[1-9]\d*[KMBkmb]?$")
    """Size of the model: a whole number and K, M or B, such as 200K."""

    shards: int = Field(default=1, ge=1, le=1000)
    """Files into which the plans are cut."""

    @model_validator(mode="after")
    def _names_its_models(self) -> Self:
        if self.uses_public_model_pretraining != bool(self.public_model_names):
            raise ValueError(
                f"uses_public_model_pretraining is {self.uses_public_model_pretraining} and public_model_names "
                f"is {list(self.public_model_names)}; name the published models if, and only if, there are any"
            )
        return self


@dataclass(frozen=True, eq=False)
class Submission:
    """A submission read back.

    Attributes:
        settings: as it was written with.
        plans: frame name -> (20, 2) float32 x, y in m at 0.25 ... 5 s, in the order of the files.
    """

    settings: SubmissionSettings
    plans: dict[str, np.ndarray]


def write_submission(
    plans: Mapping[str, np.ndarray], settings: SubmissionSettings, out: Path, frames: Sequence[str] | None = None
) -> Submission:
    """Writes the challenge's archive and reads it back; it is complete or absent, and equal plans give equal bytes.

    An evaluation makes one so: the frames to plan for are `read_submission_frames(FILE)`, their samples
    `open_e2e_index(RECORDS).samples(cameras, names=frames)`, and `index.frame_name(sample.key)` is the name under which
    a sample's plan is given. A submission holds one plan a frame: of several proposals give the likeliest.

    Args:
        plans: frame name (`<segment>-<index>`, three digits) -> (20, 2) x, y in metres at t = 0.25 ... 5 s, in the
            vehicle frame of the frame: rear axle, x forward, y left.
        settings: names and declarations.
        out: the archive, such as submission.tar.gz.
        frames: names that must be there, each once and no others; None takes those of `plans`.

    Raises:
        UsageError: frames that are missing or not asked for, a plan of another shape or with a value that is not
            finite, contradicting settings, a name that is no .tar.gz, or a file that exists.
    """
    _check_plans(plans, frames if frames is not None else list(plans))
    check_archive(out)
    with atomic_path(out) as temporary:
        temporary.write_bytes(_archive(_messages(plans, settings)))
        written = read_submission(temporary)
        _require_equal(written, plans, settings)
    return written


def check_archive(out: Path) -> None:
    """Refuses a file that a submission cannot be written to.

    Raises:
        UsageError: a name that is no .tar.gz, or a file that exists.
    """
    if not out.name.endswith(".tar.gz"):
        raise UsageError(f"A submission is a .tar.gz; {out.name} is not named so.")
    if out.exists():
        raise UsageError(f"{out} exists already; give another file.")


def read_submission(path: Path) -> Submission:
    """Reads an archive and holds it to the challenge's rules.

    Raises:
        UsageError: it is no such archive, a required field is empty or of another form, the shards disagree, a frame
            comes twice, or a plan does not have 20 finite points.
    """
    shards = [_parsed(data, f"{path}: {name}") for name, data in _members(path)]
    plans: dict[str, np.ndarray] = {}
    for shard in shards:
        for prediction in shard.predictions:
            if prediction.frame_name in plans:
                raise UsageError(f"{path}: frame {prediction.frame_name} has two plans; it may have one.")
            trajectory = prediction.trajectory
            if len(trajectory.pos_x) != len(trajectory.pos_y):
                raise UsageError(f"{path}: the plan of {prediction.frame_name} has more x than y or less.")
            xy = np.stack([trajectory.pos_x, trajectory.pos_y], axis=1).astype(np.float32)
            plans[prediction.frame_name] = xy
    _check_plans(plans, list(plans))
    try:
        read = {_declared(shard, len(shards)) for shard in shards}
    except ValidationError as error:
        raise UsageError(f"{path}: a field has a form that the challenge does not take: {error}") from error
    if len(read) != 1:
        raise UsageError(f"{path}: its {len(shards)} shards name different methods, authors or models.")
    return Submission(read.pop(), plans)


def _check_plans(plans: Mapping[str, np.ndarray], frames: Sequence[str]) -> None:
    missing, foreign = sorted(set(frames) - set(plans)), sorted(set(plans) - set(frames))
    if missing or foreign or not plans:
        raise UsageError(
            f"A submission needs one plan for each of {len(frames)} frames: {len(missing)} have none "
            f"{missing[:3]}, and {len(foreign)} plans are for other frames {foreign[:3]}."
        )
    for name, plan in plans.items():
        if np.shape(plan) != (FUTURE_STEPS, 2) or not np.isfinite(plan).all():
            raise UsageError(
                f"The plan of {name} has shape {np.shape(plan)} and {int(np.isfinite(plan).sum())} finite values; it "
                f"needs {FUTURE_STEPS} points x, y, from {FIRST_POINT} to {LAST_POINT:g} s."
            )


def _messages(plans: Mapping[str, np.ndarray], settings: SubmissionSettings) -> list[bytes]:
    """The shards, serialised; frames by name."""
    protos, names = submission_protos(), sorted(plans)
    shards = []
    for part in np.array_split(np.arange(len(names)), settings.shards):
        shard = protos.E2EDChallengeSubmission(
            submission_type=protos.E2EDChallengeSubmission.E2ED_SUBMISSION,
            account_name=settings.account_name,
            unique_method_name=settings.method_name,
            authors=settings.authors,
            affiliation=settings.affiliation,
            description=settings.description,
            method_link=settings.method_link,
            uses_public_model_pretraining=settings.uses_public_model_pretraining,
            public_model_names=settings.public_model_names,
            num_model_parameters=settings.num_model_parameters,
        )
        for index in part:
            x, y = np.asarray(plans[names[index]], dtype=np.float32).T
            shard.predictions.add(frame_name=names[index]).trajectory.MergeFrom(
                protos.TrajectoryPrediction(pos_x=x.tolist(), pos_y=y.tolist())
            )
        shards.append(shard.SerializeToString(deterministic=True))
    return shards


def _archive(shards: Sequence[bytes]) -> bytes:
    """A tar.gz of the shards without times or owners, so that it is the same every time."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for number, data in enumerate(shards):
            member = tarfile.TarInfo(SHARD_NAME.format(number=number, count=len(shards)))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _members(path: Path) -> list[tuple[str, bytes]]:
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            return [(member.name, archive.extractfile(member).read()) for member in archive if member.isfile()]
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UsageError(f"{path} is no readable tar.gz: {error}") from error


def _parsed(data: bytes, origin: str) -> Any:
    from google.protobuf.message import DecodeError

    protos: ModuleType = submission_protos()
    try:
        shard = protos.E2EDChallengeSubmission.FromString(data)
    except DecodeError as error:
        raise UsageError(f"{origin} is no E2EDChallengeSubmission message.") from error
    empty = [field for field in REQUIRED if not getattr(shard, field)]
    empty += [] if shard.HasField("uses_public_model_pretraining") else ["uses_public_model_pretraining"]
    if empty or shard.submission_type != protos.E2EDChallengeSubmission.E2ED_SUBMISSION:
        raise UsageError(f"{origin} lacks {', '.join(empty) or 'the submission type'}, which the challenge requires.")
    return shard


def _declared(shard: Any, shards: int) -> SubmissionSettings:
    return SubmissionSettings(
        account_name=shard.account_name,
        method_name=shard.unique_method_name,
        authors=tuple(shard.authors),
        affiliation=shard.affiliation,
        description=shard.description,
        method_link=shard.method_link,
        uses_public_model_pretraining=shard.uses_public_model_pretraining,
        public_model_names=tuple(shard.public_model_names),
        num_model_parameters=shard.num_model_parameters,
        shards=shards,
    )


def _require_equal(written: Submission, plans: Mapping[str, np.ndarray], settings: SubmissionSettings) -> None:
    equal = written.settings == settings and written.plans.keys() == plans.keys()
    if not equal or any((written.plans[name] != np.float32(plan)).any() for name, plan in plans.items()):
        raise AssertionError("The archive does not hold what was written to it.")
