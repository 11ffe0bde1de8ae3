"""Pictures of arithmetic, the same at every run: what files are made of, where no model is at hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

GRAIN = 1.5
BLOBS = 40
SHAPES = 60


def grainy_photograph(side: int = 1024) -> Pixels:
    """As rich in detail as an enlarged photograph, with a sensor's grain: a PNG of 1.7 MB, a real one's 1.5 to 1.8."""
    light = _light(side, finest=200, falling=1.2)
    return _pixels(light + np.random.default_rng(1).normal(0, GRAIN, light.shape))


def smooth_photograph(side: int = 1024) -> Pixels:
    """An enlarged photograph without grain: 0.95 MB, a real one's 0.9 to 1.4."""
    return _pixels(_light(side, finest=120, falling=1.5))


def soft_blobs(side: int = 1024) -> Pixels:
    """Colours that run into each other, smoother than any photograph."""
    random = np.random.default_rng(2)
    light = np.full((side, side, 3), 128.0)
    for _ in range(BLOBS):
        light += _bump(side, random)[..., None] * random.normal(0, 80, 3)
    return _pixels(light)


def flat_drawing(side: int = 1024) -> Pixels:
    """Discs and rectangles of one colour each, with hard edges."""
    random = np.random.default_rng(3)
    rows, columns = np.mgrid[0:side, 0:side] / side
    pixels = np.full((side, side, 3), (250, 245, 230), np.uint8)
    for number in range(SHAPES):
        (row, column), (high, wide) = random.random(2), random.uniform(0.02, 0.12, 2)
        down, across = np.abs(rows - row) / high, np.abs(columns - column) / wide
        pixels[(np.hypot(down, across) if number % 2 else np.maximum(down, across)) < 1] = random.integers(0, 256, 3)
    return pixels


def _light(side: int, *, finest: int, falling: float) -> NDArray[np.float64]:
    """Waves of every length down to side / finest, the shorter the weaker, as in what people photograph."""
    random = np.random.default_rng(0)
    waves = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * side
    strength = np.where((waves > 0) & (waves < finest), 1 / np.maximum(waves, 1) ** falling, 0)
    colours = [np.fft.irfft2(strength * np.exp(2j * np.pi * random.random(waves.shape))) for _ in range(3)]
    mostly_grey = [0.9 * colours[0] / colours[0].std() + 0.3 * colour / colour.std() for colour in colours]
    return np.stack(mostly_grey, axis=-1) * 45 + 128


def _bump(side: int, random: np.random.Generator) -> NDArray[np.float64]:
    rows, columns = np.mgrid[0:side, 0:side] / side
    (row, column), width = random.random(2), random.uniform(0.03, 0.23)
    bump: NDArray[np.float64] = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / width**2)
    return bump


def _pixels(light: NDArray[np.float64]) -> Pixels:
    return light.round().clip(0, 255).astype(np.uint8)
