"""Road heights: what carla.Map says, where lanes of a junction disagree and where the text tilts a road."""

import gzip
import re

import numpy as np
import pytest

pytest.importorskip("carla", reason="needs carla: make setup")
pytest.importorskip("embreex", reason="needs embreex: make setup")

import carla
from straight_road import straight_road

from phipd_sim2real.simulator.junction_heights import JunctionHeights
from phipd_sim2real.simulator.lane_strip import Strip
from phipd_sim2real.simulator.roads import Roads

LOW, HIGH = 0.0, 0.15


def strip(middle: np.ndarray, half_width: float = 1.75) -> Strip:
    """A lane about (n, 3) points of a straight line."""
    along = middle[-1, :2] - middle[0, :2]
    tangent = np.tile(along / np.linalg.norm(along), (len(middle), 1))
    reach = half_width * np.column_stack([-tangent[:, 1], tangent[:, 0], np.zeros(len(middle))])
    width = np.full(len(middle), 2 * half_width)
    return Strip(np.arange(len(middle), dtype=float), middle + reach, middle - reach, width, tangent, [])


def cross() -> tuple[Strip, Strip]:
    """A lane along x at one height and one along y at another, both 20 m and about the origin."""
    run, zero = np.linspace(-10, 10, 21), np.zeros(21)
    return strip(np.column_stack([run, zero, zero + LOW])), strip(np.column_stack([zero, run, zero + HIGH]))


def test_each_lane_keeps_its_middle_and_both_agree_between():
    heights = JunctionHeights(cross())
    assert heights.evened(np.array([[2.0, 0.0, LOW], [8.0, 0.0, LOW]]))[:, 2] == pytest.approx(LOW, abs=2e-3)
    assert heights.evened(np.array([[0.0, -2.0, HIGH], [0.0, 8.0, HIGH]]))[:, 2] == pytest.approx(HIGH, abs=2e-3)
    for z in (LOW, HIGH):
        corner = heights.evened(np.array([[1.0, 1.0, z], [0.0, 0.0, z]]))[:, 2]
        assert corner == pytest.approx((LOW + HIGH) / 2, abs=1e-9), "as far from one as from the other"


def test_slopes_go_on_and_bridges_stay_apart():
    run, zero = np.linspace(-10, 10, 21), np.zeros(21)
    slope = strip(np.column_stack([run, zero, 0.08 * run]))
    bridge = strip(np.column_stack([zero, run, zero + 5.0]))
    heights = JunctionHeights([slope, bridge])
    for one in (slope, bridge):
        edge = np.concatenate([one.inner, one.outer])
        np.testing.assert_allclose(heights.evened(edge), edge, atol=1e-9)
        assert heights.lane(one) is None


def test_a_lane_is_cut_finer_only_where_another_disagrees():
    low, high = cross()
    heights = JunctionHeights([low, high])
    squares = heights.lane(low)
    one, other = squares[:, 1, :2] - squares[:, 0, :2], squares[:, 3, :2] - squares[:, 0, :2]
    area = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum()
    assert area == pytest.approx(20 * 3.5), "the whole lane, once"
    far = squares[np.abs(squares[..., 0]).min(1) > 4.0]
    assert (far[..., 2] == LOW).all()
    assert len(far) == 10


def test_a_tilted_road_is_as_level_as_carla_map_says():
    """carla.Map passes over superelevation and crossfall, and the client stands cars on what it says."""
    lateral = (
        '<lateralProfile><superelevation s="0" a="0.05" b="0" c="0" d="0"/>'
        '<crossfall side="both" s="0" a="0.03" b="0" c="0" d="0"/></lateralProfile><lanes>'
    )
    xodr = re.sub("<lanes>", lateral, straight_road())
    assert "superelevation" in xodr
    roads = Roads("tilted", xodr)
    waypoints = carla.Map("tilted", xodr).generate_waypoints(7.0)
    places = [waypoint.transform for waypoint in waypoints]
    points = np.array([(place.location.x, place.location.y, place.location.z) for place in places])
    rolls = np.array([place.rotation.roll for place in places])
    np.testing.assert_allclose(rolls, 0.0)
    np.testing.assert_allclose(roads.heights(points), points[:, 2], atol=1e-3)


@pytest.mark.parametrize("town", ["Town07"])
def test_lanes_of_a_town_are_as_high_as_their_waypoints(shared_data, town):
    xodr = gzip.decompress((shared_data / "maps" / f"{town}.xodr.gz").read_bytes()).decode()
    waypoints = [w.transform.location for w in carla.Map(town, xodr).generate_waypoints(1.0)]
    points = np.array([(at.x, at.y, at.z) for at in waypoints])
    error = np.abs(Roads(town, xodr).heights(points) - points[:, 2])
    assert np.isfinite(error).all()
    assert (error > 0.02).mean() < 0.006, "but where middles of lanes cross at different heights"
    assert error.max() < 0.13
