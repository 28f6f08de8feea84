"""Whether an image and its clean target show the same field: size, shift, similarity, intensities."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats32
from ..images.image import Image

_SMALLEST_PX, _LARGEST_PX = 8, 1024
"""Shortest edge that can be compared; longest edge of the central part that is."""
_NOISE_SIGMAS_PX = (1.0, 3.0)
"""Smoothing before planes are compared; where there is much noise the stronger one shows more."""
_SURROUNDINGS = 6
"""What is wider than this part of an image's shorter edge counts as background."""
_UNLIKE, _HARDLY_ALIKE = 0.08, 0.2
"""Correlations below which two planes do not show the same, or perhaps not."""
_NEAR_PX, _BETTER_NEAR, _BETTER = 4.0, (1.003, 0.001), (1.03, 0.01)
"""A shift is believed when it raises the correlation by this factor and this sum; near shifts need less."""
_MOST_SHIFT = 0.3
"""Shifts beyond this part of an edge are not believed, since too little overlaps."""
_SHIFTED_PX, _FAR_PX = 0.75, 1.5
"""Shifts that make a pair doubtful, or useless."""
_OTHER_INTENSITIES = 10.0
_NOISIER = 5.0
_MOST_STEPS = 12
_SEARCHED_PX = 512
"""Edge of the part by which a plane is found in a stack."""
_MOST_PLANES = 5


@dataclass(frozen=True)
class PairCheck:
    """What is known of a pair; its sentences are about "the image" and "the clean image"."""

    shift_px: tuple[float, float] = (0.0, 0.0)
    """How far the target's content lies below and to the right of the image's, in pixels of the image."""
    correlation: float = 0.0
    """Of what both show once they are aligned, without noise and slow background; -1 to 1."""
    gain: float = 1.0
    """Slope of the linear fit image ~ gain * target + offset."""
    offset: float = 0.0
    factor: int = 1
    """How many times finer the target's grid is: 1 or 2."""
    trouble: str = ""
    """Why nothing sensible can be learnt from the pair, as a sentence; empty where it can."""
    doubt: str = ""
    """What is odd about it, as a sentence; empty where nothing is."""

    def describe(self) -> str:
        """Return in a sentence or two how well the two fit."""
        fit = f"They fit (correlation {self.correlation:.2f})." if not self.trouble and not self.doubt else ""
        finer = (
            "The clean image is on a 2x finer grid: the model will give results on that grid."
            if self.factor == 2 and not self.trouble
            else ""
        )
        return " ".join(filter(None, (self.trouble, self.doubt, fit, finer)))


def check_planes(image: NDArray[np.generic], target: NDArray[np.generic], factors: Sequence[int] = (1, 2)) -> PairCheck:
    """Compare a plane with its clean target.

    Parameters
    ----------
    image, target
        Planes ``(h, w)`` of any real type; ``(2 h, 2 w)`` for a target on a 2x finer grid. NaN and infinite pixels do
        not count; of large planes the middle is compared.
    factors
        How many times finer than the image's the target's grid may be.

    Returns
    -------
    PairCheck
        With `trouble` where the two are no pair.

    """
    factor = factor_of(image.shape, target.shape)
    if factor not in factors:
        return PairCheck(factor=factor or 1, trouble=size_trouble(image.shape, target.shape, factors))
    one, other = _middle(image, _LARGEST_PX), _binned(_middle(target, _LARGEST_PX * factor), factor)
    if min(one.shape) < _SMALLEST_PX:
        return PairCheck(factor=factor, trouble=f"Planes of less than {_SMALLEST_PX} px a side are too small.")
    for plane, word in ((one, "image"), (other, "clean image")):
        if not float(np.ptp(plane)) > 1e-6 * float(np.abs(plane).max()):
            return PairCheck(factor=factor, trouble=f"The {word} has the same value everywhere: it shows nothing.")
    if np.array_equal(one, other):
        same = "The image and the clean image are the same: there is nothing to learn."
        return PairCheck(correlation=1.0, factor=factor, trouble=same)
    return _compared(one, other, factor)


def check_images(image: Image, target: Image, factors: Sequence[int] = (1, 2)) -> PairCheck:
    """Compare two stacks plane by plane, five planes of them at most.

    Parameters
    ----------
    image, target
        Stacks of as many planes.
    factors
        See `check_planes`.

    Returns
    -------
    PairCheck
        That of the plane that fits worst. Trouble with fewer than half of the planes is no more than a doubt.
    """
    if len(image) != len(target):
        counts = f"There are {len(image)} planes but {len(target)} clean ones"
        return PairCheck(trouble=f"{counts}: each needs one of its own.")
    compared = np.unique(np.linspace(0, len(image) - 1, _MOST_PLANES).round().astype(int))
    checks = [check_planes(image.plane(int(i)), target.plane(int(i)), factors) for i in compared]
    worst = min(checks, key=lambda check: (not check.trouble, not check.doubt, abs(check.correlation)))
    wrong = sum(bool(check.trouble) for check in checks)
    if not 0 < wrong < len(checks) / 2:
        return worst
    return replace(worst, trouble="", doubt=f"{wrong} of {len(checks)} planes compared: {worst.trouble}")


def plane_of(image: Image, target: Image) -> int:
    """Return the number of the plane of a stack that a single clean plane shows: the one most like it.

    Parameters
    ----------
    image
        The stack.
    target
        One plane, on its grid or on one twice as fine.
    """
    factor = factor_of(image.plane_shape, target.plane_shape) or 1
    clean = _detail(_binned(_middle(target.plane(0), factor * _SEARCHED_PX), factor), _NOISE_SIGMAS_PX[0])
    planes = (_detail(_middle(image.plane(i), _SEARCHED_PX), _NOISE_SIGMAS_PX[0]) for i in range(len(image)))
    return int(np.argmax([_correlation(plane, clean) for plane in planes]))


def factor_of(image: Sequence[int], target: Sequence[int]) -> int:
    """Return how many times finer than an image a target is, by their shapes: 1 or 2, or 0 where they do not fit."""
    plane = tuple(image[-2:])
    return next((factor for factor in (1, 2) if tuple(target[-2:]) == tuple(factor * n for n in plane)), 0)


def size_trouble(image: Sequence[int], target: Sequence[int], factors: Sequence[int] = (1, 2)) -> str:
    """Return what is wrong with the shape of a target.

    Parameters
    ----------
    image, target
        Their shapes; the last two axes count.
    factors
        How many times finer than the image's the target's grid may be.

    Returns
    -------
    str
        A sentence; empty where nothing is wrong.
    """
    factor = factor_of(image, target)
    if factor in factors:
        return ""
    sizes = " and ".join(" x ".join(map(str, shape[-2:])) for shape in (image, target))
    if factor == 2:
        return f"Sizes {sizes}: the clean image is on a 2x finer grid, which only super-resolution can learn."
    return f"Sizes {sizes} differ: crop or resample one, so that both show the same field on one grid."


def _middle(plane: NDArray[np.generic], largest: int) -> Floats32:
    """The central part as float32; NaN and infinite pixels get the median."""
    # even starts, so that image and a target twice as fine are cut at the same place
    starts = [2 * ((n - largest) // 4) if n > largest else 0 for n in plane.shape]
    part = np.asarray(plane[tuple(slice(s, s + largest) for s in starts)], np.float32)
    known = np.isfinite(part)
    if known.all():
        return part
    fill = np.median(part[known]) if known.any() else 0
    return np.where(known, part, np.float32(fill))


def _binned(plane: Floats32, factor: int) -> Floats32:
    """Mean of blocks of `factor` pixels a side."""
    height, width = (n // factor for n in plane.shape)
    blocks = plane[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def _compared(image: Floats32, target: Floats32, factor: int) -> PairCheck:
    """Find the shift and what the aligned planes have in common."""
    scales = [(_detail(image, sigma), _detail(target, sigma)) for sigma in _NOISE_SIGMAS_PX]
    one, other = max(scales, key=lambda pair: abs(_correlation(*pair)))
    shift = _shift(one, other)
    one, other = _overlap(one, other, (round(shift[0]), round(shift[1])))
    gain = float(np.vdot(one, other) / max(float(np.vdot(other, other)), 1e-30))
    found = PairCheck(shift, _correlation(one, other), gain, float(image.mean() - gain * target.mean()), factor)
    return _judged(found, _noise(image) / max(float(one.std()), 1e-30), _noise(target) / max(float(other.std()), 1e-30))


def _detail(plane: Floats32, sigma: float) -> Floats32:
    """A plane without noise and without what varies slowly, mean 0."""
    from scipy import ndimage  # slow to import, and forms compare shapes with this module

    width = max(3, min(plane.shape) // _SURROUNDINGS)
    smooth = ndimage.gaussian_filter(plane - plane.mean(), sigma)
    around = ndimage.uniform_filter(ndimage.uniform_filter(smooth, width), width)
    return np.asarray(smooth - around - (smooth - around).mean(), np.float32)


def _correlation(one: Floats32, other: Floats32) -> float:
    """Pearson's correlation; 0 where one is constant."""
    one, other = one - one.mean(), other - other.mean()
    size = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.vdot(one, other)) / size if size > 0 else 0.0


def _shift(one: Floats32, other: Floats32) -> tuple[float, float]:
    """Return how far `other` lies below and to the right of `one`, in tenths of a pixel; 0 unless that is clear."""
    from skimage.registration import phase_cross_correlation

    one, other = (plane / max(float(plane.std()), 1e-30) for plane in (one, other))
    # the whole-plane correlation finds far shifts but is biased towards 0, so it is no more than a place to start from
    back = phase_cross_correlation(one, other, normalization=None)[0]
    starts = {(0, 0), (-int(back[0]), -int(back[1]))}
    similarity, shift = max((_climbed(one, other, start) for start in starts), key=lambda found: found[0])
    # a lattice is like itself at many shifts, and noise a little at any: a shift must be clearly better than none
    times, more = _BETTER_NEAR if np.hypot(*shift) < _NEAR_PX else _BETTER
    believed = similarity > max(times * abs(_correlation(one, other)) + more, _HARDLY_ALIKE)
    return shift if believed else (0.0, 0.0)


def _climbed(one: Floats32, other: Floats32, start: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """Go from a shift to the best one near it and return the similarity there, and the shift between the pixels.

    Only what overlaps is compared, since the peak of a correlation of whole planes is biased towards 0.
    """
    similarity = cache(partial(_similarity, one, other))  # steps look at the same neighbours again
    y, x = start
    for _ in range(_MOST_STEPS):
        around = [(y + dy, x + dx) for dy in (0, -1, 1) for dx in (0, -1, 1)]
        best = max(around, key=lambda move: similarity(*move))
        if best == (y, x):
            break
        y, x = best
    peak = similarity(y, x)
    between = (_vertex(similarity(y - 1, x), peak, similarity(y + 1, x)),
               _vertex(similarity(y, x - 1), peak, similarity(y, x + 1)))  # fmt: skip
    return peak, (round(y + between[0], 1) + 0.0, round(x + between[1], 1) + 0.0)


def _similarity(one: Floats32, other: Floats32, y: int, x: int) -> float:
    """Correlation of either sign of what overlaps at a shift; 0 where too little does."""
    if any(abs(move) > _MOST_SHIFT * length for move, length in zip((y, x), one.shape, strict=True)):
        return 0.0
    return abs(_correlation(*_overlap(one, other, (y, x))))


def _vertex(before: float, peak: float, after: float) -> float:
    """Where the parabola through three neighbouring values has its top, -0.5 to 0.5 from the middle one."""
    bend = before - 2 * peak + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def _overlap(one: Floats32, other: Floats32, shift: tuple[int, int]) -> tuple[Floats32, Floats32]:
    """Cut both planes to what overlaps when `other` is moved back by the shift."""
    here = tuple(slice(max(-move, 0), length - max(move, 0)) for move, length in zip(shift, one.shape, strict=True))
    there = tuple(slice(max(move, 0), length - max(-move, 0)) for move, length in zip(shift, one.shape, strict=True))
    return one[here], other[there]


def _noise(plane: Floats32) -> float:
    """Standard deviation of the noise, from differences of neighbours along both axes at once.

    They are the diagonal details of a Haar wavelet, and a robust estimate is their median divided by 0.6745 (D. L.
    Donoho and I. M. Johnstone, Biometrika 81 (1994) 425); a difference of four pixels has twice the noise of one.
    """
    diagonal = plane[1:, 1:] - plane[1:, :-1] - plane[:-1, 1:] + plane[:-1, :-1]
    return float(np.median(np.abs(diagonal)) / (2 * 0.6745))


def _judged(found: PairCheck, noise: float, target_noise: float) -> PairCheck:
    """Add what is wrong or odd; both kinds of noise are in units of the contrast."""
    alike, far = f"(correlation {found.correlation:.2f})", float(np.hypot(*found.shift_px))
    if abs(found.correlation) < _UNLIKE:
        return replace(found, trouble=f"They do not show the same {alike}: choose the clean image of this one.")
    if far >= _FAR_PX:
        return replace(found, trouble=f"They are shifted by {far:.1f} px: register them first.")
    doubts = {
        "The clean image is noisier than the image: are the two swapped?": target_noise > max(_NOISIER * noise, 0.05),
        f"Contrast is inverted {alike}: the model will learn to invert.": found.correlation < 0,
        f"They are shifted by {far:.1f} px: it is better to register them first.": far >= _SHIFTED_PX,
        f"They are hardly alike {alike}: do they belong together?": abs(found.correlation) < _HARDLY_ALIKE,
        f"The image is {found.gain:.3g} times as strong as the clean image: has one been rescaled?": not (
            1 / _OTHER_INTENSITIES < abs(found.gain) < _OTHER_INTENSITIES
        ),
    }
    return replace(found, doubt=next((doubt for doubt, true in doubts.items() if true), ""))
