"""Colour: how far one picture is from its source, and one set of pictures from another."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from phipd_sim2real.quality.measurement import Measurement


@dataclass
class LabStatistics:
    """Mean and covariance of CIE Lab over the pixels of a set, gathered picture by picture.

    Attributes:
        pictures: how many were added.
        pixels: how many pixels those had.
    """

    pictures: int = 0
    pixels: int = 0
    _sum: np.ndarray = field(default_factory=lambda: np.zeros(3))
    _outer: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))

    def add(self, picture: np.ndarray) -> None:
        """Adds one (H, W, 3) uint8 sRGB picture."""
        lab = to_lab(picture).reshape(-1, 3).astype(np.float64)
        self.pictures += 1
        self.pixels += len(lab)
        self._sum += lab.sum(axis=0)
        self._outer += lab.T @ lab

    @property
    def mean(self) -> np.ndarray:
        """(3,) L in 0 to 100, a and b."""
        return self._sum / self.pixels

    @property
    def covariance(self) -> np.ndarray:
        """(3, 3)."""
        return self._outer / self.pixels - np.outer(self.mean, self.mean)


def lab_frechet(first: LabStatistics, second: LabStatistics) -> Measurement:
    """Fréchet distance of two sets' colours, each as a Gaussian in Lab: a cheap floor of realism.

    |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½). Both sets need the same crop, size and JPEG quality.
    """
    if not (first.pixels and second.pixels):
        return Measurement("lab_frechet", float("nan"), False, "Lab²", "lower", "a set is empty")
    root = _root(first.covariance)
    cross = np.linalg.eigvalsh(root @ second.covariance @ root)
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(cross.clip(0)).sum()
    shift = ((first.mean - second.mean) ** 2).sum()
    return Measurement("lab_frechet", float(max(shift + spread, 0.0)), True, "Lab²", "lower")


def colour_change(source: np.ndarray, output: np.ndarray) -> Measurement:
    """Mean colour difference ΔE (CIE 1976) of equal pixels: how much was changed at all.

    A picture left as it is has perfect structure and a change of 0, so the two are read together.
    """
    difference = np.linalg.norm(to_lab(output) - to_lab(source), axis=-1)
    return Measurement("colour_change", float(difference.mean()), True, "ΔE", "neither")


def to_lab(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 sRGB -> float32 CIE Lab (D65), L in 0 to 100."""
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def _root(matrix: np.ndarray) -> np.ndarray:
    """Square root of a symmetric positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T
