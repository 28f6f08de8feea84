"""Frames of a stack as noisy targets of one another: how alike neighbours are, and one brought onto the other.

Noise2Noise (Lehtinen et al. 2018, arXiv 1803.04189): a network that is shown one noisy frame and asked for another of
the same scene learns, under a squared loss, the mean of what the other may be, which is the scene without noise. That
holds where the scene stands still and the noise of the two is independent; both are measured here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]

_LARGEST_PX = 512
"""Edge of the central part by which frames are compared."""
_SURROUNDINGS = 6
"""What is wider than this part of the shorter edge counts as background."""
_NOISE_SIGMA_PX = 1.5
"""Smoothing of a correlation in which a shift is sought."""
_NEAR_PX, _CLEARLY, _MOST_SHIFT = 8, 1.2, 0.3
"""A shift beyond this many pixels must stand out by a factor: lattices fit themselves at many places. The largest, in
parts of an edge."""
_FADED = 0.25
"""Part of an edge over which frames fade out before they are compared."""
_LAGS_PX = (4, 12)
"""Distances at which structure is alike and noise no longer is."""
_LEAST_ROWS = 2
"""Lags along a scan line show the brightness of the line itself."""
_FINE = 0.25
"""Spatial frequencies from here, in cycles per pixel, are noise but for the few of a lattice."""
_SAME_PX = 2
"""Noise that is the same in two frames has not moved farther than this."""
_UNMOVED_PX = 0.15
_WINDOW_PX, _MOVED_SIGMA_PX = 25, 2.0
_MOVED = 6.0
"""Frames differ by more than noise explains where the coarse of their difference is this many times stronger than
usual.
"""
_SAMPLED = 5
_LEVELS_PX = 9
_EDGE_PX = 2
"""Interpolated pixels this close to the edge of a moved frame are left out."""


@dataclass(frozen=True)
class Likeness:
    """How alike two frames are once one is moved back onto the other."""

    shift_px: tuple[float, float]
    """How far the second frame's content lies below and to the right of the first's."""
    structure: float
    """Share of the structure that both show, 0 to 1."""
    noise: float
    """How far their fine noise is the same: 0 independent, 1 identical."""


def compare_frames(one: NDArray[np.generic], other: NDArray[np.generic]) -> Likeness:
    """Compare two frames ``(h, w)`` of any real type by their central parts.

    Structure is compared by the correlation between the frames at distances beyond the reach of noise, in units of the
    correlations within each at the same distances; noise by the phases of all fine frequencies, each counting the same,
    so that the few of a lattice do not count.
    """
    parts = [_middle(plane) for plane in (one, other)]
    a, b = (_spectrum(part) for part in parts)
    grid = _grid(*parts[0].shape)
    cross = np.conj(a) * b
    shift = _shift(_correlation(cross * grid.smooth, grid.shape))
    within = _correlation((np.abs(a) ** 2 + np.abs(b) ** 2) / 2, grid.shape)[grid.ring]
    between = _correlation(cross * grid.moved_back(shift), grid.shape)[grid.ring]
    power = float(np.vdot(within, within))
    structure = float(np.vdot(between, within)) / power if power > 0 else 0.0
    return Likeness(shift, float(np.clip(structure, 0, 1)), _phase_likeness(cross, grid))


def aligned(frame: NDArray[np.generic], other: NDArray[np.generic]) -> Floats:
    """Bring another frame onto this one: moved back, at its levels, NaN where it shows something else or nothing.

    Parameters
    ----------
    frame, other
        ``(h, w)``, any real type; pixels of `other` without a finite value stay unknown.

    Returns
    -------
    Floats
        ``(h, w)`` in the units of `frame`.

    """
    this, that = np.asarray(frame, np.float32), np.asarray(other, np.float32)
    moved = _moved_back(that, compare_frames(frame, other).shift_px)
    known = np.isfinite(moved) & np.isfinite(this)
    if known.mean() < 0.1:
        return np.full_like(moved, np.nan)
    filled = np.where(known, moved, np.median(moved[known]))
    here = np.where(known, this, np.median(this[known]))
    at_levels = _at_levels_of(here, filled, known)
    known &= ~_differs(here, at_levels)
    return np.where(known, at_levels, np.float32(np.nan))


def noisy_target(frame: NDArray[np.generic], neighbours: Sequence[NDArray[np.generic]]) -> Floats:
    """Return the mean of the neighbours brought onto a frame, NaN where none of them fits: half the noise of one."""
    stack = np.stack([aligned(frame, other) for other in neighbours])
    known = np.isfinite(stack)
    count = known.sum(axis=0)
    total = np.where(known, stack, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


class _Grid:
    """What is the same for all frames of a shape."""

    def __init__(self, shape: tuple[int, int]) -> None:
        from scipy.signal.windows import tukey  # brings scipy.stats: a quarter of what a training has to import

        self.shape = shape
        self.k_y = np.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
        self.k_x = np.fft.rfftfreq(shape[1]).astype(np.float32)[None]
        square = self.k_y**2 + self.k_x**2
        self.smooth = np.exp(-2 * (np.pi * _NOISE_SIGMA_PX) ** 2 * square)
        self.fine = square >= _FINE**2
        y, x = (np.fft.fftfreq(n, 1 / n) for n in shape)
        far = np.hypot(y[:, None], x[None])
        self.ring = (far >= _LAGS_PX[0]) & (far <= _LAGS_PX[1]) & (np.abs(y)[:, None] >= _LEAST_ROWS)
        self.window = np.outer(*(tukey(n + 2, _FADED)[1:-1] for n in shape)).astype(np.float32)

    def moved_back(self, shift: tuple[float, float]) -> NDArray[np.complex64]:
        """What takes a shift (y, x) out of a cross-spectrum."""
        down, right = (np.exp(2j * np.pi * k * s) for k, s in zip((self.k_y, self.k_x), shift, strict=True))
        return np.asarray(down * right, np.complex64)


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> _Grid:
    return _Grid((height, width))


def _middle(plane: NDArray[np.generic]) -> Floats:
    """The central part as float32, pixels without a value filled with the median."""
    starts = [max(n - _LARGEST_PX, 0) // 2 for n in plane.shape]
    part = np.asarray(plane[tuple(slice(s, s + _LARGEST_PX) for s in starts)], np.float32)
    known = np.isfinite(part)
    if known.all():
        return part
    return np.where(known, part, np.float32(np.median(part[known]) if known.any() else 0))


def _spectrum(part: Floats) -> NDArray[np.complex64]:
    """Spectrum of a plane without what varies slowly, faded out towards its edges."""
    width = max(3, min(part.shape) // _SURROUNDINGS)
    detail = part - ndimage.uniform_filter(ndimage.uniform_filter(part, width), width)
    return np.asarray(scipy.fft.rfft2((detail - detail.mean()) * _grid(*part.shape).window), np.complex64)


def _correlation(power: NDArray[np.generic], shape: tuple[int, int]) -> Floats:
    return np.asarray(scipy.fft.irfft2(power, s=shape), np.float32)


def _shift(heights: Floats) -> tuple[float, float]:
    """Where a correlation is highest, between the pixels; far away only if it is clearly higher there than near."""
    shape = heights.shape
    y, x = (np.abs(np.fft.fftfreq(n, 1 / n)) for n in shape)
    near, far = (
        np.where((y[:, None] <= down) & (x[None] <= right), heights, -np.inf)
        for down, right in ((_NEAR_PX, _NEAR_PX), (_MOST_SHIFT * shape[0], _MOST_SHIFT * shape[1]))
    )
    tops = near if far.max() < _CLEARLY * near.max() else far
    top, left = (int(at) for at in np.unravel_index(int(tops.argmax()), shape))
    if not heights[top, left] > 0:
        return 0.0, 0.0
    down = _vertex(*(float(heights[(top + step) % shape[0], left]) for step in (-1, 0, 1)))
    right = _vertex(*(float(heights[top, (left + step) % shape[1]]) for step in (-1, 0, 1)))
    whole = (at - n if 2 * at > n else at for at, n in zip((top, left), shape, strict=True))
    return next(whole) + down, next(whole) + right


def _vertex(before: float, peak: float, after: float) -> float:
    """Where a parabola through three neighbours has its top, from the middle one."""
    bend = before - 2 * peak + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def _phase_likeness(cross: NDArray[np.complexfloating], grid: _Grid) -> float:
    """How well the phases of fine frequencies agree for any small shift, 0 to 1."""
    size = np.abs(cross)
    phases = np.where(grid.fine & (size > 0), cross / np.maximum(size, 1e-30), 0)
    most = _correlation(grid.fine.astype(np.float32), grid.shape)[0, 0]
    around = np.r_[0 : _SAME_PX + 1, -_SAME_PX:0]
    return float(np.clip(_correlation(phases, grid.shape)[np.ix_(around, around)].max() / most, 0, 1))


def _moved_back(other: Floats, shift: tuple[float, float]) -> Floats:
    """Move a frame up and to the left by a shift; whole pixels where that is exact enough."""
    whole = np.round(shift)
    rest = np.subtract(shift, whole)
    if np.hypot(*rest) < _UNMOVED_PX:
        return _rolled(other, (int(whole[0]), int(whole[1])), 0)
    known = np.isfinite(other)
    filled = other if known.all() else np.where(known, other, np.float32(np.median(other[known])))
    between = ndimage.shift(filled, -rest, order=3, mode="nearest")
    if not known.all():
        between[~ndimage.binary_erosion(known, iterations=_EDGE_PX, border_value=1)] = np.nan
    return _rolled(between, (int(whole[0]), int(whole[1])), _EDGE_PX)


def _rolled(plane: Floats, shift: tuple[int, int], edge: int) -> Floats:
    """Move by whole pixels; what comes in from outside, and an edge beside it, is NaN."""
    moved = np.full_like(plane, np.nan)
    here = tuple(slice(max(-s, 0) + edge, n - max(s, 0) - edge) for s, n in zip(shift, plane.shape, strict=True))
    there = tuple(slice(max(s, 0) + edge, n - max(-s, 0) - edge) for s, n in zip(shift, plane.shape, strict=True))
    moved[here] = plane[there]
    return moved


def _at_levels_of(frame: Floats, other: Floats, known: NDArray[np.bool_]) -> Floats:
    """Give a frame the mean and spread of another, as seen without most of the noise."""
    this, that = (ndimage.uniform_filter(plane, _LEVELS_PX)[known] for plane in (frame, other))
    gain = float(this.std()) / max(float(that.std()), 1e-30)
    return np.asarray((other - that.mean()) * np.float32(gain) + this.mean(), np.float32)


def _differs(frame: Floats, other: Floats) -> NDArray[np.bool_]:
    """Where two frames differ by more than noise explains.

    Noise has the same ratio of coarse to fine everywhere, however strong it is; what moved has more of the coarse.
    """
    difference = other - frame
    smooth = ndimage.gaussian_filter(difference, _MOVED_SIGMA_PX)
    coarse, fine = (ndimage.uniform_filter(part**2, _WINDOW_PX) for part in (smooth, difference - smooth))
    ratio = coarse / np.maximum(fine, 1e-12 * max(float(fine.max()), 1e-30))
    return np.asarray(ratio > _MOVED * np.median(ratio[::_SAMPLED, ::_SAMPLED]))
