"""Scenes of drives of known shape, and starts and ways on a map with junctions."""

import numpy as np
import pytest

from phipd_sim2real.capture import scenes
from phipd_sim2real.capture.staging import Junction, LeadCar, next_junction, reach, route, start_order

TIMES = np.arange(201) * 0.1


def _drive(speeds, yaw_rates, ahead=np.inf):
    speeds, yaw_rates = np.broadcast_to(speeds, 201).astype(float), np.broadcast_to(yaw_rates, 201).astype(float)
    yaws = np.cumsum(yaw_rates) * 0.1
    poses = np.tile(np.eye(4), (201, 1, 1))
    poses[:, 0, 0] = poses[:, 1, 1] = np.cos(yaws)
    poses[:, 1, 0], poses[:, 0, 1] = np.sin(yaws), -np.sin(yaws)
    poses[:, 0, 3], poses[:, 1, 3] = np.cumsum(speeds * np.cos(yaws)) * 0.1, np.cumsum(speeds * np.sin(yaws)) * 0.1
    return scenes.track(TIMES, poses, np.broadcast_to(ahead, 201))


def test_straight_on_is_straight():
    drive = _drive(9.0, 0.0)
    assert scenes.seconds_of(drive) == {"straight": pytest.approx(20), "turn": 0, "stop": 0, "follow": 0}
    assert scenes.shows(drive, "straight")
    np.testing.assert_allclose(drive.speeds, 9.0)


@pytest.mark.parametrize("side", [1, -1])
def test_a_tight_arc_is_a_turn_and_a_wide_one_a_bend(side):
    turning = np.where((TIMES > 8) & (TIMES < 11), side * np.radians(30), 0.0)
    turn = _drive(5.0, turning)  # 90 degrees over 15 m
    assert scenes.shows(turn, "turn")
    assert not scenes.shows(turn, "straight")
    assert scenes.seconds_of(turn)["turn"] == pytest.approx(4, abs=1.2)
    bend = _drive(12.0, side * 12.0 / 45)  # a circle of 45 m
    assert scenes.seconds_of(bend)["turn"] == 0


def test_standing_is_a_stop_even_behind_a_car():
    drive = _drive(np.where((TIMES > 6) & (TIMES < 10), 0.0, 8.0), 0.0, ahead=10.0)
    seconds = scenes.seconds_of(drive)
    assert seconds["stop"] == pytest.approx(4, abs=0.3)
    assert seconds["follow"] == pytest.approx(16, abs=0.3)
    assert scenes.shows(drive, "stop")
    assert scenes.shows(drive, "follow")


def test_only_a_car_ahead_in_the_lane_that_drives_the_same_way_is_followed():
    centres = np.array([[12.0, 0.3], [6.0, 3.5], [-8.0, 0.0], [9.0, 0.0], [60.0, 0.0]])
    headings = np.array([0.1, 0.0, 0.0, np.pi, 0.0])
    assert scenes.distance_ahead(centres, headings) == 12.0
    assert scenes.distance_ahead(centres[1:], headings[1:]) == np.inf
    assert scenes.distance_ahead(np.zeros((0, 2)), np.zeros(0)) == np.inf


def test_starts_that_suit_the_scene_come_first_in_their_random_order():
    junctions = [
        Junction(5.0, frozenset({"Left"})),
        Junction(60.0, frozenset({"Left", "Straight"})),
        Junction(60.0, frozenset({"Left", "Right"})),
        Junction(400.0, frozenset()),
    ]
    order, reach_m = np.array([3, 2, 1, 0]), reach(0.0, 3.0, 16.0)
    assert reach_m == (24.0, pytest.approx(8 * (3 + 0.65 * 16)))
    assert start_order("turn", "Left", junctions, order, reach_m).tolist() == [2, 1, 3, 0]
    assert start_order("turn", "Right", junctions, order, reach_m).tolist() == [2, 3, 1, 0]
    assert start_order("straight", None, junctions, order, reach_m).tolist() == [3, 1, 2, 0]
    assert start_order("follow", None, junctions, order, reach_m).tolist() == [3, 2, 1, 0]


def test_the_way_through_a_crossing_is_told_from_its_lanes():
    carla = pytest.importorskip("carla", reason="needs the carla wheel")
    map_ = carla.Map("crossing", _t_junction())
    junctions = {
        (w.road_id, w.lane_id): next_junction(w)
        for w in map_.generate_waypoints(10.0)
        if not w.is_junction and w.s < 11
    }
    main = junctions[1, -1]
    assert main.ways == {"Straight", "Left"}
    assert 80 < main.distance_m < 100


def test_the_staged_turn_comes_first_on_the_route():
    assert route("turn", "Right")[:2] == ["Right", "Straight"]
    assert set(route("follow", None)) == {"Straight"}


class _Manager:
    def __init__(self):
        self.told = []

    def vehicle_percentage_speed_difference(self, car, percent):
        self.told.append((car, percent))


def test_the_car_ahead_stops_for_a_while_and_goes_on():
    manager = _Manager()
    lead = LeadCar(manager, "car", "stop", 10.0, total_ticks=100)
    for tick in range(-20, 100):
        lead.before_tick(tick)
    assert manager.told == [("car", 25.0), ("car", 100.0), ("car", 25.0)]
    manager.told.clear()
    lead = LeadCar(manager, "car", "follow", 10.0, total_ticks=100)
    for tick in range(-20, 100):
        lead.before_tick(tick)
    assert manager.told == [("car", 25.0)]


def _road(road, length, x, y, heading, junction=-1, curvature=0.0, links=""):
    arc = f'<arc curvature="{curvature}"/>' if curvature else "<line/>"
    return f"""<road name="" length="{length}" id="{road}" junction="{junction}">
      <link>{links}</link>
      <planView><geometry s="0" x="{x}" y="{y}" hdg="{heading}" length="{length}">{arc}</geometry></planView>
      <lanes><laneSection s="0"><center><lane id="0" type="none" level="false"/></center>
      <right><lane id="-1" type="driving" level="false"><link><predecessor id="-1"/><successor id="-1"/></link>
      <width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right></laneSection></lanes></road>"""


def _t_junction():
    """A road of 100 m, then straight on for 100 m, or to the left on an arc of 20 m."""
    quarter = np.pi / 2 * 20
    to_junction = '<successor elementType="junction" elementId="9"/>'
    return f"""<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="" version="1"/>
    {_road(1, 100, 0, 0, 0, links=to_junction)}
    {_road(2, 100, 120, 0, 0)}
    {_road(3, 100, 120, 20, np.pi / 2)}
    {_road(4, 20, 100, 0, 0, 9, 0, _between(1, 2))}
    {_road(5, quarter, 100, 0, 0, 9, 1 / 20, _between(1, 3))}
    <junction name="" id="9">{_connection(0, 4)}{_connection(1, 5)}
    </junction></OpenDRIVE>"""


def _connection(number, road):
    return f"""<connection id="{number}" incomingRoad="1" connectingRoad="{road}" contactPoint="start">
      <laneLink from="-1" to="-1"/></connection>"""


def _between(before, after):
    return (
        f'<predecessor elementType="road" elementId="{before}" contactPoint="end"/>'
        f'<successor elementType="road" elementId="{after}" contactPoint="start"/>'
    )
