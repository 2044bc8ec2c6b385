"""Closed circuits as chains of circular arcs, closed to machine precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Arc:
    """One piece of constant curvature, right-handed world, metres and radians.

    Attributes:
        x, y, heading: start pose; heading counts anticlockwise from x.
        length: arc length, > 0.
        curvature: 1/m, positive turns left; 0 is a straight line.
    """

    x: float
    y: float
    heading: float
    length: float
    curvature: float


@dataclass(frozen=True)
class CircuitShape:
    """What decides a circuit's character.

    Attributes:
        length: metres along the reference line.
        oval: how far the heading runs ahead of and behind a circle's twice a lap, radians; 0 is round.
        swing: root mean square of the heading's swing about that, radians.
        wavelengths: shortest and longest swing, metres.
        straightness: curvature (1/m) below which a bend is pulled straight.
        tightest: curvature (1/m) that no bend exceeds before closing, which may add a little.
        seed: the circuit's own seed.
    """

    length: float
    oval: float
    swing: float
    wavelengths: tuple[float, float]
    straightness: float
    tightest: float
    seed: int


ARC_METRES = 6.0


def closed_circuit(shape: CircuitShape) -> list[Arc]:
    """Lays out one anticlockwise closed circuit around the origin.

    The heading is that of an oval plus band-limited noise; its curvature is then tamed, and three unknowns
    (a constant and the first harmonic of the curvature) are solved so that heading and position close.

    Returns:
        Equal arcs of about `ARC_METRES`; the end of the last one is the start of the first within 1e-6 m.
    """
    count = round(shape.length / ARC_METRES)
    step = shape.length / count
    curvature = _close(_tame(_wavy_curvature(shape, count), shape), step)
    x, y, heading = _integrate(curvature, step)
    x, y = x - x[:-1].mean(), y - y[:-1].mean()
    return [Arc(float(x[i]), float(y[i]), float(heading[i]), step, float(curvature[i])) for i in range(count)]


def _wavy_curvature(shape: CircuitShape, count: int) -> Array:
    rng = np.random.Generator(np.random.PCG64(shape.seed))
    shortest, longest = shape.wavelengths
    harmonics = np.arange(max(2, round(shape.length / longest)), round(shape.length / shortest) + 1)
    amplitude = rng.uniform(0.5, 1.0, harmonics.size)
    amplitude *= shape.swing * np.sqrt(2.0 / np.sum(amplitude**2))
    phase = rng.uniform(0.0, 2.0 * np.pi, harmonics.size)
    s = (np.arange(count) + 0.5) * (shape.length / count)
    wave_number = 2.0 * np.pi * harmonics / shape.length
    swing = (amplitude * wave_number) @ np.cos(np.outer(wave_number, s) + phase[:, None])
    lap = 2.0 * np.pi / shape.length
    return lap * (1.0 + 2.0 * shape.oval * np.cos(2.0 * lap * s)) + swing


def _tame(curvature: Array, shape: CircuitShape) -> Array:
    """Pulls weak bends straight and limits tight ones smoothly."""
    pulled = np.sign(curvature) * np.maximum(np.abs(curvature) - shape.straightness, 0.0)
    return shape.tightest * np.tanh(pulled / shape.tightest)


def _close(curvature: Array, step: float) -> Array:
    """Newton iterations on (constant, cosine, sine) until heading turns by 2π and the end meets the start."""
    angle = 2.0 * np.pi * (np.arange(curvature.size) + 0.5) / curvature.size
    basis = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)])
    weights = np.zeros(3)
    for _ in range(30):
        gap = _gap(curvature + weights @ basis, step)
        columns = [_gap(curvature + (weights + nudge) @ basis, step) - gap for nudge in 1e-8 * np.eye(3)]
        jacobian = np.stack(columns, axis=1) / 1e-8
        weights = weights - np.linalg.solve(jacobian, gap)
    return curvature + weights @ basis


def _gap(curvature: Array, step: float) -> Array:
    x, y, heading = _integrate(curvature, step)
    return np.array([x[-1] - x[0], y[-1] - y[0], heading[-1] - heading[0] - 2.0 * np.pi])


def _integrate(curvature: Array, step: float) -> tuple[Array, Array, Array]:
    """Chains arcs exactly: the chord of an arc points along its middle heading.

    Returns:
        x, y, heading at the n + 1 joints, starting at zero.
    """
    turn = curvature * step
    heading = np.concatenate([[0.0], np.cumsum(turn)])
    chord = step * np.sinc(turn / (2.0 * np.pi))  # 2 sin(turn / 2) / curvature
    middle = heading[:-1] + turn / 2.0
    x = np.concatenate([[0.0], np.cumsum(chord * np.cos(middle))])
    y = np.concatenate([[0.0], np.cumsum(chord * np.sin(middle))])
    return x, y, heading
