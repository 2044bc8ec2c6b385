"""Generated maps: geometry by analytic truth, links by driving them in carla.Map."""

import hashlib

import numpy as np
import pytest

from phipd_sim2real.errors import UsageError
from phipd_sim2real.simulator.circuit import CircuitShape, closed_circuit
from phipd_sim2real.simulator.maps import MAPS, SOURCE_MAPS, TARGET_MAPS, Circuit, opendrive, read_map

carla = pytest.importorskip("carla", reason="needs the carla wheel")

CIRCUITS = {name: spec.plan for name, spec in MAPS.items() if isinstance(spec.plan, Circuit)}


def test_domains_share_no_map():
    assert len(SOURCE_MAPS) >= 3
    assert len(TARGET_MAPS) >= 3
    assert set(SOURCE_MAPS).isdisjoint(TARGET_MAPS)


@pytest.mark.parametrize("name", list(CIRCUITS))
def test_circuit_closes_stays_clear_of_itself_and_bends_as_meant(name):
    arcs = closed_circuit(CIRCUITS[name].shape)
    last = arcs[-1]
    turn = last.curvature * last.length
    chord = last.length * np.sinc(turn / (2 * np.pi))
    middle = last.heading + turn / 2
    end = np.array([last.x + chord * np.cos(middle), last.y + chord * np.sin(middle)])
    np.testing.assert_allclose(end, [arcs[0].x, arcs[0].y], atol=1e-6)
    assert last.heading + turn - arcs[0].heading == pytest.approx(2 * np.pi, abs=1e-9)
    curvature = np.abs([arc.curvature for arc in arcs])
    assert curvature.max() < 0.026
    assert np.mean(curvature > 0.004) > 0.6
    assert np.mean(curvature < 0.002) > 0.03
    points = np.array([[arc.x, arc.y] for arc in arcs])
    apart = np.abs(np.arange(len(arcs))[:, None] - np.arange(len(arcs)))
    far_along = np.minimum(apart, len(arcs) - apart) * arcs[0].length > 90
    assert np.linalg.norm(points[:, None] - points, axis=-1)[far_along].min() > 45


@pytest.mark.parametrize("name", list(CIRCUITS))
@pytest.mark.parametrize("lane", [-1, 1])
def test_a_lane_leads_round_for_ever(name, lane):
    world_map = carla.Map(name, opendrive(name))
    waypoint = world_map.get_waypoint_xodr(1, lane, 3.0)
    roads = []
    for _ in range(int(1.3 * CIRCUITS[name].shape.length / 5.0)):
        following = waypoint.next(5.0)
        assert len(following) == 1
        assert waypoint.transform.location.distance(following[0].transform.location) == pytest.approx(5.0, abs=0.5)
        waypoint = following[0]
        if not roads or roads[-1] != waypoint.road_id:
            roads.append(waypoint.road_id)
    order = [1, 2, 3, 4, 1] if lane < 0 else [4, 3, 2, 1, 4]
    assert roads[:5] == order


def test_paint_follows_the_style():
    styles = {}
    for name in CIRCUITS:
        waypoint = carla.Map(name, opendrive(name)).get_waypoint_xodr(1, -1, 3.0)
        styles[name] = (str(waypoint.left_lane_marking.type), str(waypoint.right_lane_marking.type))
    assert styles["Riverside01"] == ("Broken", "Solid")
    assert styles["Quarry01"] == ("Solid", "Solid")
    assert styles["Orchard01"] == ("Broken", "NONE")


def test_read_map_by_name_or_path(tmp_path):
    assert read_map("Riverside01") == read_map("Simulator/Maps/Riverside01")
    assert read_map("Riverside01").name == "Simulator/Maps/Riverside01"
    path = tmp_path / "mine.xodr"
    path.write_text(opendrive("Quarry01"))
    assert read_map(str(path)).xodr == opendrive("Quarry01")
    assert read_map(str(path)).name == "Simulator/Maps/mine"


def test_circuits_keep_their_bytes():
    """Drives recorded on them stay comparable: a change of one byte is a change of map."""
    digests = {name: hashlib.sha256(opendrive(name).encode()).hexdigest()[:10] for name in CIRCUITS}
    assert digests == {
        "Riverside01": "42c5392390",
        "Hillcrest01": "76dcc899cf",
        "Orchard01": "5f229404e4",
        "Lakeside01": "c6527e22a2",
        "Canyon01": "8ba8110d51",
        "Vineyard01": "6887556c97",
        "Harbour01": "58493cbce7",
        "Wharf01": "9566b6286f",
        "Meadow01": "8f03c87826",
        "Quarry01": "a00eb49f46",
        "Valley01": "280519aaa2",
    }


@pytest.mark.parametrize("wrong", ["Town01", "absent.xodr"])
def test_unknown_map_is_refused_with_what_is_allowed(wrong):
    with pytest.raises(UsageError, match="Riverside01"):
        read_map(wrong)


def test_a_file_that_is_no_map_is_refused(tmp_path):
    path = tmp_path / "text.xodr"
    path.write_text("hello")
    with pytest.raises(UsageError, match="OpenDRIVE"):
        read_map(str(path))


def test_same_shape_same_circuit():
    shape = CircuitShape(900.0, 0.0, 0.3, (120.0, 260.0), 0.002, 0.022, 5)
    assert closed_circuit(shape) == closed_circuit(shape)
