"""Recall of label boundaries on a street whose labels and colours are drawn together."""

import cv2
import numpy as np
import pytest
from known_pictures import labelled_street

from phipd_sim2real.quality import BoundaryCounts, boundary_counts, boundary_recall, label_safety, total_counts
from phipd_sim2real.quality.label_boundaries import CLASSES, label_boundary


@pytest.fixture(scope="module")
def street():
    return labelled_street()


def test_a_picture_keeps_its_own_outlines(street):
    picture, labels = street
    counts = boundary_counts(picture, picture, labels)
    assert set(counts) == set(CLASSES)
    assert all(item.recall == 1 and item.pictures == 1 for item in counts.values())
    assert label_safety(counts).value == 1
    for name in CLASSES:
        measured = boundary_recall(picture, picture, labels, name)
        assert (measured.value, measured.unit, measured.better) == (1, "1", "higher")


@pytest.mark.parametrize(("name", "label", "beneath"), [("poles", 6, 11), ("vehicles", 14, 1), ("lane_paint", 24, 1)])
def test_an_erased_object_is_lost_and_others_are_kept(street, name, label, beneath):
    picture, labels = street
    erased = picture.copy()
    erased[labels == label] = picture[labels == beneath][0]
    assert boundary_recall(picture, erased, labels, name).value < 0.5
    for other in set(CLASSES) - {name}:
        assert boundary_recall(picture, erased, labels, other).value > 0.9


def test_two_pixels_are_tolerated_and_six_are_not(street):
    picture, labels = street
    values = [boundary_recall(picture, np.roll(picture, by, axis=1), labels, "poles").value for by in (1, 2)]
    assert min(values) > 0.9
    sign = labels == 8
    moved = picture.copy()
    moved[sign] = picture[0, 0]
    moved[np.roll(sign, (6, 6), (0, 1))] = picture[sign][0]
    assert boundary_recall(picture, moved, labels, "traffic_signs").value < 0.25


def test_noise_recalls_everything_by_chance_alone(street):
    picture, labels = street
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, dtype=np.uint8)
    assert boundary_recall(picture, noise, labels, "kerbs").value > 0.9
    assert label_safety(boundary_counts(picture, noise, labels)).value < 0.1
    assert label_safety(boundary_counts(picture, np.zeros_like(picture), labels)).value == 0


def test_safety_falls_as_outlines_fade(street):
    picture, labels = street
    blurred = [cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in (0.5, 4, 8, 16)]
    values = [label_safety(boundary_counts(picture, output, labels)).value for output in blurred]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.95 > 0.3 > values[-1]


def test_a_boundary_is_the_rim_of_its_class(street):
    _, labels = street
    pole = label_boundary(labels, "poles")
    assert pole.sum() == 90 * 6 - 88 * 4
    kerb = label_boundary(labels, "kerbs")
    assert set(np.unique(labels[kerb])) <= {1, 2, 24}
    assert not label_boundary(np.full((9, 9), 1, np.uint8), "kerbs").any()


def test_what_is_not_in_view_has_no_value(street):
    picture, _ = street
    empty = boundary_counts(picture, picture, np.full(picture.shape[:2], 11, np.uint8))
    assert label_safety(empty).reason == "no outline of any class in view"
    assert label_safety(None).reason == "no semantic labels"
    assert not boundary_recall(picture, picture, np.zeros(picture.shape[:2], np.uint8), "poles").valid
    assert boundary_recall(picture, picture, None, "poles").reason == "no semantic labels"


def test_counts_add_over_pictures_and_classes_weigh_the_same():
    many = BoundaryCounts(asked=900, found=900, ring=100, ring_found=0, pictures=9)
    few = BoundaryCounts(asked=20, found=10, ring=100, ring_found=0, pictures=1)
    none = dict.fromkeys(CLASSES, BoundaryCounts())
    total = total_counts([none | {"kerbs": many}, none | {"kerbs": many, "poles": few}])
    assert (total["kerbs"].asked, total["kerbs"].pictures) == (1800, 18)
    assert label_safety(total).value == pytest.approx((1 + 0.5) / 2)
    assert BoundaryCounts(10, 8, 10, 6, 1).beyond_chance == pytest.approx(0.5)
    assert BoundaryCounts(10, 10, 100, 99, 1).beyond_chance == 0
