"""The cover of a package: the sample image beside what the model makes of it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .sample import Sample

_EDGE = 384
_TINT = np.array([255, 140, 0], np.float32)


def write_cover(path: Path, sample: Sample, labels: bool) -> None:
    """Draw the cover, twice as wide as high.

    Parameters
    ----------
    path
        The PNG to write.
    sample
        Image and result.
    labels
        Whether the result is probabilities of classes; those that are no background are tinted.

    """
    left = _grey(sample.scaled)
    right = _tinted(left, _foreground(sample.result)) if labels else _grey(_fitted(sample.result[0]))
    both = np.concatenate([_resized(left), _resized(right)], axis=1)
    Image.fromarray(both).save(path, optimize=True)


def _foreground(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(probabilities[0] if len(probabilities) == 1 else 1 - probabilities[0])


def _fitted(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stretch intensities to [0, 1], but for a few in a thousand."""
    low, high = np.percentile(values, (0.1, 99.9))
    return np.asarray((values - low) / max(float(high - low), 1e-9), np.float32)


def _grey(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.repeat(255 * np.clip(unit, 0, 1)[..., None], 3, axis=2)


def _tinted(picture: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    tinted = 0.55 * picture + 0.45 * _TINT
    return np.asarray(picture + share[..., None] * (tinted - picture), np.float32)


def _resized(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    whole = Image.fromarray(np.asarray(np.rint(picture), np.uint8))
    return np.asarray(whole.resize((_EDGE, _EDGE), Image.Resampling.LANCZOS))
