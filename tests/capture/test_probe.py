"""The probe of a server's pictures: an honest camera passes, one that labels pictures as the one before does not."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from phipd_sim2real.capture import probe
from phipd_sim2real.errors import UsageError

carla = pytest.importorskip("carla", reason="needs the carla wheel")

ROOT = Path(__file__).parents[2]


class _Camera:
    id = 7

    def __init__(self):
        self.calls = []

    def listen(self, callback):
        self.send = callback

    def set_transform(self, transform):
        self.transform = transform

    def stop(self):
        self.calls.append("stop")

    def destroy(self):
        self.calls.append("destroy")


class _World:
    """Ticks at 10 Hz from frame 100 on; `tell` makes what a picture says of the truth of this frame and the last."""

    def __init__(self, tell, lost=0):
        self._tell, self._lost = tell, lost
        self.camera = _Camera()
        self._truth = []

    def get_blueprint_library(self):
        return SimpleNamespace(find=lambda name: SimpleNamespace(set_attribute=lambda *_: None))

    def spawn_actor(self, blueprint, transform):
        self.camera.transform = transform
        return self.camera

    def tick(self, limit=None):
        number = 100 + len(self._truth)
        self._truth.append(SimpleNamespace(frame=number, timestamp=number / 10, transform=self.camera.transform))
        if len(self._truth) > self._lost and not self.camera.calls:
            self.camera.send(self._tell(self._truth[-1], self._truth[max(len(self._truth) - 2, 0)]))
        return number

    def get_snapshot(self):
        now = self._truth[-1]
        actor = SimpleNamespace(get_transform=lambda: now.transform)
        return SimpleNamespace(timestamp=SimpleNamespace(elapsed_seconds=now.timestamp), find=lambda _: actor)


def _with(now, **changed):
    return SimpleNamespace(**(vars(now) | changed))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(probe, "PATIENCE_S", 0.05)


def test_an_honest_camera_passes_though_its_first_frames_are_lost():
    world = _World(lambda now, last: now, lost=2)
    probe.check_camera_metadata(world)
    assert world.camera.calls == ["stop", "destroy"]


@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (lambda now, last: _with(now, transform=last.transform), r"a time \+0\.000 s and a place 1\.00 m away"),
        (lambda now, last: _with(now, timestamp=last.timestamp), r"a time -0\.100 s and a place 0\.00 m away"),
        (lambda now, last: _with(now, frame=last.frame), r"sent only [01] pictures of 8 frames"),
    ],
    ids=["transform", "time", "frame"],
)
def test_a_picture_labelled_as_the_one_before_is_refused(tell, message):
    world = _World(tell)
    with pytest.raises(UsageError, match=message):
        probe.check_camera_metadata(world)
    assert world.camera.calls == ["stop", "destroy"], "no camera is left behind"


CLIENT = """
from phipd_sim2real.capture.probe import check_camera_metadata
from phipd_sim2real.capture.connection import connect
from phipd_sim2real.capture.session import synchronous, world_mode
from phipd_sim2real.simulator.process import simulator_process

with simulator_process("Orchard01") as endpoint:
    client = connect(endpoint.host, endpoint.port, 20)
    before, world = world_mode(client), client.get_world()
    with synchronous(client, world, 0.05, before):
        held = world.get_settings()
        assert held.synchronous_mode and held.max_substep_delta_time * held.max_substeps >= 0.05 - 1e-9
        check_camera_metadata(world)
    assert world_mode(client) == before
    assert not [actor for actor in world.get_actors() if actor.type_id.startswith("sensor.")]
"""


def test_the_simulator_labels_its_pictures_rightly():
    pytest.importorskip("embreex", reason="needs the carla extra")
    result = subprocess.run([sys.executable, "-c", CLIENT], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stderr
