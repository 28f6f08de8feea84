"""A pixel classifier that learns from a few brush strokes in a fraction of a second: filters and small networks.

numpy and scikit-image only: a process that holds nothing else starts at once and leaves the GPU alone. Features of the
pretrained generators, beside the filters or in their place, were measured and did not help:
docs/measurements/first-look.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features

Floats = NDArray[np.float32]

_MEMBERS, _HIDDEN = 5, 32
_STEPS, _BATCH, _RATE = 150, 256, 1e-2
_BLUR = 0.2
"""Noise added to standardised features while learning: with hundreds of painted pixels it keeps borders smooth."""
_BETAS = (0.9, 0.999)
_PIECE = 2**16
"""Pixels classified together: more would not be faster, and need memory."""


def pixel_features(unit: Floats) -> Floats:
    """Return brightness, edges and curvatures of a scaled plane ``(h, w)`` at sigma 0.5 to 16 px: ``(h, w, 24)``."""
    found: Floats = multiscale_basic_features(unit, sigma_min=0.5, sigma_max=16)
    return found


@dataclass(frozen=True, eq=False)
class PixelClassifier:
    """Five networks of one hidden layer, their probabilities averaged; made by `fit`."""

    weights: tuple[Floats, Floats, Floats, Floats]
    """Of both layers, weights ``(members, in, out)`` and biases ``(members, 1, out)``, for features as they are."""

    def probabilities(self, features: NDArray[np.floating]) -> Floats:
        """Return the probability of each class ``(classes, n)`` for features ``(n, f)`` of any float type."""
        pieces = range(0, len(features), _PIECE)
        return np.concatenate([self._piece(features[first : first + _PIECE]) for first in pieces], axis=1)

    def _piece(self, features: NDArray[np.floating]) -> Floats:
        columns = np.ascontiguousarray(features.T, np.float32)  # sums over few classes are quick along the first axis
        members = [_softmax(_logits(columns, *parts), 0) for parts in zip(*self.weights, strict=True)]
        mean: Floats = np.mean(members, axis=0)
        return mean


def fit(features: Floats, classes: NDArray[np.integer], count: int, seed: int = 0) -> PixelClassifier:
    """Learn `count` classes from painted pixels; every class that occurs weighs the same.

    Parameters
    ----------
    features
        Of the painted pixels, ``(n, f)``.
    classes
        Their classes ``(n,)``, from 0 on.
    count
        Number of classes.
    seed
        Of first weights, batches and noise.

    """
    fitted = fit_standardised(features, classes, count, seed=seed, members=_MEMBERS, hidden=_HIDDEN)
    hidden, bias, output, output_bias = fitted.weights
    hidden = hidden / fitted.spread[:, None]
    return PixelClassifier((hidden, bias - fitted.mean @ hidden[:, None], output, output_bias))


@dataclass(frozen=True, eq=False)
class Fitted:
    """Small networks for features from which `mean` is taken, and which are then divided by `spread`."""

    weights: tuple[Floats, Floats, Floats, Floats]
    """As those of `PixelClassifier`."""
    mean: Floats
    spread: Floats
    """``(f,)``, as is the mean."""


def fit_standardised(
    features: Floats, classes: NDArray[np.integer], count: int, *, seed: int, members: int, hidden: int
) -> Fitted:
    """Learn as `fit` does.

    Parameters
    ----------
    features, classes, count, seed
        As for `fit`.
    members, hidden
        Number of networks, and width of their hidden layers.

    """
    rng = np.random.default_rng(seed)
    mean, spread = features.mean(axis=0), features.std(axis=0) + np.float32(1e-4)
    scaled = ((features - mean) / spread).astype(np.float32)
    groups = [np.flatnonzero(classes == value) for value in range(count) if (classes == value).any()]
    weights = _first_weights((members, scaled.shape[1], hidden), count, rng)
    optimiser, each = _Adam(weights), max(_BATCH // len(groups), 1)
    for step in range(_STEPS):
        chosen = np.concatenate([rng.choice(group, (members, each)) for group in groups], axis=1)
        inputs = scaled[chosen]
        inputs = inputs + _BLUR * rng.standard_normal(inputs.shape, dtype=np.float32)
        share = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * step / _STEPS))
        optimiser.train_step(_gradients(inputs, classes[chosen], weights), _RATE * share)
    return Fitted(weights, mean, spread)


def _first_weights(
    shape: tuple[int, int, int], count: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return weights of networks with the shape (members, inputs, hidden)."""
    members, inputs, hidden = shape
    first = rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / inputs))
    second = rng.standard_normal((members, hidden, count), np.float32) * np.float32(np.sqrt(1 / hidden))
    return first, np.zeros((members, 1, hidden), np.float32), second, np.zeros((members, 1, count), np.float32)


def _logits(columns: Floats, hidden: Floats, bias: Floats, output: Floats, output_bias: Floats) -> Floats:
    """Logits ``(classes, n)`` of one network for features ``(f, n)``."""
    values = hidden.T @ columns
    values += bias.T
    np.maximum(values, 0, out=values)
    logits: Floats = output.T @ values + output_bias.T
    return logits


def _output(inputs: Floats, weights: tuple[Floats, ...]) -> tuple[Floats, Floats]:
    """Hidden values and logits of inputs ``(..., n, f)``."""
    hidden = np.maximum(inputs @ weights[0] + weights[1], 0)
    return hidden, hidden @ weights[2] + weights[3]


def _softmax(logits: Floats, axis: int) -> Floats:
    shares = np.exp(logits - logits.max(axis, keepdims=True))
    normed: Floats = shares / shares.sum(axis, keepdims=True)
    return normed


def _gradients(inputs: Floats, classes: NDArray[np.integer], weights: tuple[Floats, ...]) -> list[Floats]:
    """Gradients of the mean cross-entropy of inputs ``(members, n, f)`` and their classes ``(members, n)``."""
    hidden, logits = _output(inputs, weights)
    error = _softmax(logits, -1)
    np.put_along_axis(error, classes[..., None], np.take_along_axis(error, classes[..., None], -1) - 1, -1)
    error /= inputs.shape[1]
    back = (error @ weights[2].swapaxes(1, 2)) * (hidden > 0)
    return [
        inputs.swapaxes(1, 2) @ back, back.sum(axis=1, keepdims=True),
        hidden.swapaxes(1, 2) @ error, error.sum(axis=1, keepdims=True),
    ]  # fmt: skip


class _Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980) on arrays, in place."""

    def __init__(self, weights: tuple[Floats, ...]) -> None:
        self._weights, self._step = weights, 0
        self._first, self._second = ([np.zeros_like(part) for part in weights] for _ in range(2))

    def train_step(self, gradients: list[Floats], rate: float) -> None:
        """Take one step down the gradients."""
        self._step += 1
        (fast, slow), step = _BETAS, self._step
        for part, first, second, gradient in zip(self._weights, self._first, self._second, gradients, strict=True):
            first += (1 - fast) * (gradient - first)
            second += (1 - slow) * (gradient**2 - second)
            part -= rate * (first / (1 - fast**step)) / (np.sqrt(second / (1 - slow**step)) + 1e-8)
