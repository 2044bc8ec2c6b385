"""Pictures with known content for tests of measures."""

import cv2
import numpy as np


def textured(seed=0, height=145, width=211):
    """Smooth random texture, odd sizes, uint8 RGB."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return (smooth / smooth.std() * 40 + 128).clip(0, 255).astype(np.uint8)


def labelled_street(height=160, width=240):
    """A road with kerbs, a painted line, a pole, a sign and a car; uint8 RGB and CARLA labels."""
    labels = np.full((height, width), 11, np.uint8)
    labels[60:] = 2  # sidewalk
    road = np.array([[40, height], [200, height], [150, 60], [90, 60]], np.int32)
    cv2.fillPoly(labels, [road], 1)
    cv2.line(labels, (120, height), (120, 80), 24, 5)
    labels[20:110, 20:26] = 6
    labels[30:50, 200:225] = 8
    labels[90:120, 140:170] = 14
    palette = np.zeros((25, 3), np.uint8)
    for label, colour in {
        1: (80, 80, 85),
        2: (150, 145, 140),
        6: (60, 50, 40),
        8: (120, 20, 20),
        11: (130, 170, 230),
        14: (10, 15, 40),
        24: (245, 245, 245),
    }.items():
        palette[label] = colour
    return palette[labels], labels
