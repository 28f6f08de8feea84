"""How good a result is: overlap of labels with targets, distance of restored intensities from the truth. numpy only.

Labels are 0 background, 1.. classes. Core targets are 0 unpainted, 1 background, 2.. classes; only painted pixels
count.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ImageScores = dict[str, str | float]
"""Scores of one plane by name, and its ``name``."""

TITLES = {
    "l1": "L1",
    "l2": "L2",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "iou": "IoU",
    "dice": "Dice",
    "dice_adjusted": "Dice, adjusted",
    "dice_with_background": "Dice + background",
    "objects_dice": "Dice of objects",
    "episode_dice": "Dice of episodes",
}
"""What losses and results are called where people read them; others go by their own names."""
SMOOTH = 1.0
"""s of the Dice coefficient, as in the paper's lineage."""
_SSIM_WINDOW = 7


@dataclass(frozen=True)
class Scores:
    """How well a model did.

    Names: ``dice`` and ``iou``, of several classes also ``dice <class>``; of restoration ``l1``, ``psnr``, ``ssim`` and
    each of them ``fitted``. The functions of this room have the formulas.
    """

    model: str
    mean: dict[str, float]
    """Scores averaged over images."""
    images: list[ImageScores]
    """Scores of each plane."""
    pooled: dict[str, float] = field(default_factory=dict)
    """Scores of all painted pixels together; empty for restoration."""

    def to_dict(self) -> dict[str, object]:
        """Return plain data for JSON, numbers that are not finite as None."""
        return {
            "model": self.model,
            "mean": _finite(self.mean),
            "pooled": _finite(self.pooled),
            "images": [_finite(image) for image in self.images],
        }


def _finite(scores: Mapping[str, str | float]) -> dict[str, str | float | None]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in scores.items()
    }


def confusion(labels: NDArray[np.integer], target: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Count painted pixels by true and predicted class.

    Parameters
    ----------
    labels
        Prediction, any shape, 0 .. `classes` - 1.
    target
        Core target of the same shape, 0 .. `classes`.
    classes
        Number of classes, background included.

    Returns
    -------
    numpy.ndarray
        ``(classes, classes)``; row: true class, column: predicted class. Those of several images add up.

    """
    painted = target > 0
    pairs = (target[painted].astype(np.int64) - 1) * classes + labels[painted].astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def dice_of(counts: NDArray[np.int64], label: int) -> float:
    """Dice of a class: (2 sum pt + s) / (sum p + sum t + s) with s = 1; 1 where the class neither is nor is found."""
    both, either = counts[label, label], counts[label].sum() + counts[:, label].sum()
    return float((2 * both + SMOOTH) / (either + SMOOTH))


def iou_of(counts: NDArray[np.int64], label: int) -> float:
    """Intersection over union of a class; 1 where the class neither is nor is found."""
    both = counts[label, label]
    union = counts[label].sum() + counts[:, label].sum() - both
    return float(both / union) if union else 1.0


def dice(labels: Sequence[NDArray[np.integer]], targets: Sequence[NDArray[np.integer]], label: int) -> float:
    """Dice of one class over the painted pixels of all planes together.

    Parameters
    ----------
    labels
        Predictions, any shape, 0 background, 1.. classes.
    targets
        Core targets of the same shapes, 0 unpainted, 1 background, 2.. classes.
    label
        The class, as in `labels`.

    """
    classes = max(label + 1, *(int(found.max()) + 1 for found in labels), *(int(target.max()) for target in targets))
    pairs = zip(labels, targets, strict=True)
    return dice_of(sum_of([confusion(found, target, classes) for found, target in pairs]), label)


def sum_of(counts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Add up the counts of several images."""
    total: NDArray[np.int64] = np.sum(counts, axis=0)
    return total


def overlap_scores(counts: NDArray[np.int64], names: Sequence[str]) -> dict[str, float]:
    """Dice and IoU, averaged over the classes other than background; with several, also the Dice of each.

    Parameters
    ----------
    counts
        From `confusion`, ``(classes, classes)``.
    names
        Of the classes other than background: ``classes - 1``.

    """
    each = {f"dice {name}": dice_of(counts, label) for label, name in enumerate(names, 1)}
    overall = {
        "dice": float(np.mean(list(each.values()))),
        "iou": float(np.mean([iou_of(counts, label) for label in range(1, len(names) + 1)])),
    }
    return overall | (each if len(each) > 1 else {})


def restoration_scores(result: NDArray[np.generic], truth: NDArray[np.generic]) -> dict[str, float]:
    """Distance of a restored plane from the truth, as it is and after the best linear fit of its intensities.

    Both ``(h, w)`` in the same units. L1 is given in units of the truth's range (largest minus smallest value), PSNR in
    dB with that range as the peak, SSIM (Wang et al. 2004, window 7 px) with that range; a plane under 3 px in a
    direction has no SSIM. Pixels that are not finite in one of them do not count; without any other,
    there is no score. Names: ``l1``, ``psnr``, ``ssim`` and ``l1 fitted``, ``psnr fitted``, ``ssim fitted``.
    """
    # in float64: squares of 16-bit counts, summed over a plane, leave little of float32's 24 bits
    found, wanted = np.asarray(result, np.float64), np.asarray(truth, np.float64)
    known = np.isfinite(found) & np.isfinite(wanted)
    if not known.any():
        return {}
    span = float(np.ptp(wanted[known])) or 1.0
    plain = _distances(found, wanted, span, known)
    line = np.zeros_like(wanted)
    line[known] = linear_fit(found[known], wanted[known])
    fitted = _distances(line, wanted, span, known)
    return plain | {f"{name} fitted": value for name, value in fitted.items()}


def linear_fit(result: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ``a * result + b`` with the a and b of least squared distance from `truth`."""
    centred = result - result.mean()
    variance = float((centred**2).mean())
    slope = float((centred * (truth - truth.mean())).mean()) / variance if variance > 0 else 0.0
    fitted: NDArray[np.float64] = slope * centred + truth.mean()
    return fitted


def _distances(
    result: NDArray[np.float64], truth: NDArray[np.float64], span: float, known: NDArray[np.bool_]
) -> dict[str, float]:
    error = result[known] - truth[known]
    mean_square = float((error**2).mean())
    psnr = 10 * np.log10(span**2 / mean_square) if mean_square > 0 else np.inf
    scores = {"l1": float(np.abs(error).mean() / span), "psnr": float(psnr)}
    window = min(_SSIM_WINDOW, min(truth.shape) - 1 + min(truth.shape) % 2)
    if window >= 3:
        from skimage.metrics import structural_similarity

        alike = structural_similarity(
            np.where(known, truth, 0), np.where(known, result, 0), data_range=span, win_size=window, full=True
        )[1]
        whole = _whole_windows(known, window)
        if whole.any():
            edge = window // 2
            scores["ssim"] = float(alike[edge:-edge, edge:-edge][whole].mean(dtype=np.float64))
    return scores


def _whole_windows(known: NDArray[np.bool_], window: int) -> NDArray[np.bool_]:
    """Where a window lies in the plane and all its pixels are known, ``(h - window + 1, w - window + 1)``."""
    from scipy.ndimage import minimum_filter1d

    edge = window // 2
    whole: NDArray[np.bool_] = known
    if not known.all():
        for axis in (0, 1):
            whole = minimum_filter1d(whole, window, axis)
    return whole[edge:-edge, edge:-edge]


def mean_of(images: Sequence[dict[str, float]]) -> dict[str, float]:
    """Average every score over the images that have it."""
    names = dict.fromkeys(name for image in images for name in image)
    return {name: float(np.mean([image[name] for image in images if name in image])) for name in names}
