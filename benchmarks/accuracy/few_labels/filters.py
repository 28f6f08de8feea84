"""Answers that know nothing but the painted image: a random forest on filters, and the dock's first look."""

import inspect
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features

from napari_emssl.data.images import intensity_scaling
from napari_emssl.training.context import pixel_classifier
from napari_emssl.training.live_preview import filters

from .answers import Answer, AnswerCache, Probabilities, coarse
from .micrographs import Trial
from .painting import Micrograph

Features = NDArray[np.float32]

_FOREST = {"n_estimators": 100, "max_depth": 14, "class_weight": "balanced", "random_state": 0, "n_jobs": 1}
_SIGMAS = {"sigma_min": 0.5, "sigma_max": 16}
_PIECE = 2**18
"""Pixels classified together, so that large images need little memory."""


class Forest:
    """100 trees on brightness, edges and curvatures at sigma 0.5 to 16 px of all painted pixels.

    Parameters
    ----------
    cache
        Keeps the answers, which depend on nothing of this package.

    """

    name = "forest"

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache
        self._versions = " ".join(f"{name} {version(name)}" for name in ("scikit-learn", "scikit-image"))
        self._described: tuple[Micrograph, Features, float] | None = None

    def answers(self, trial: Trial) -> list[Answer]:
        """Return kept answers; grow the forest where one is missing."""
        paths = [self._path(trial, each) for each in trial.judged]
        kept = [self._cache.read(path) for path in paths]
        if all(kept):
            return [each for each in kept if each]
        classify, learning = self._grow(trial)
        answers = [self._answer(classify, learning, each) for each in trial.judged]
        for path, answer in zip(paths, answers, strict=True):
            self._cache.write(path, answer)
        return answers

    def _path(self, trial: Trial, judged: Micrograph):
        words = f"forest {_FOREST} {_SIGMAS} {self._versions}"
        return self._cache.path(words, trial.painted.image, trial.target, judged.image)

    def _grow(self, trial: Trial) -> tuple[Callable[[Features], Probabilities], float]:
        """Return the forest and the seconds of processor time that it took."""
        from sklearn.ensemble import RandomForestClassifier

        features, seconds = self._features(trial.painted)
        started, painted = time.process_time(), trial.target > 0
        forest = RandomForestClassifier(**_FOREST).fit(features[painted], trial.target[painted])

        def classify(pixels: Features) -> Probabilities:
            pieces = [pixels[first : first + _PIECE] for first in range(0, len(pixels), _PIECE)]
            return np.concatenate([forest.predict_proba(piece) for piece in pieces]).T.astype(np.float32)

        own = time.process_time() - started
        return classify, own + (0 if trial.judged[0] is trial.painted else seconds)

    def _answer(self, classify: Callable[[Features], Probabilities], learning: float, judged: Micrograph) -> Answer:
        features, describing = self._features(judged)
        started = time.process_time()
        found = classify(features.reshape(-1, features.shape[-1])).reshape(-1, *judged.image.shape)
        return Answer.of(coarse(found), learning + describing + time.process_time() - started)

    def _features(self, micrograph: Micrograph) -> tuple[Features, float]:
        """Filter responses ``(h, w, features)`` and their seconds; the last ones are kept for the next painting."""
        if self._described is None or self._described[0] is not micrograph:
            started, image = time.process_time(), micrograph.image
            top = np.iinfo(image.dtype).max if image.dtype.kind in "iu" and image.dtype.itemsize < 4 else image.max()
            features = multiscale_basic_features(image.astype(np.float32) / np.float32(top), **_SIGMAS)
            self._described = micrograph, features, time.process_time() - started
        return self._described[1:]


class FirstLook:
    """The answer by filters that the dock shows while one paints.

    Parameters
    ----------
    cache
        Keeps the answers until the code that makes them changes.

    """

    name = "first look by filters"

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache
        self._source = "".join(map(inspect.getsource, (filters, pixel_classifier, intensity_scaling)))

    def answers(self, trial: Trial) -> list[Answer]:
        """Return kept answers, and ask anew where one is missing."""
        return [self._answer(trial, each) for each in trial.judged]

    def _answer(self, trial: Trial, judged: Micrograph) -> Answer:
        path = self._cache.path(self._source, trial.painted.image, trial.target, judged.image)
        if kept := self._cache.read(path):
            return kept
        planes, targets = [trial.painted.image], [trial.target]
        if judged is not trial.painted:
            planes, targets = [*planes, judged.image], [*targets, np.zeros(judged.image.shape, np.uint8)]
        started = time.process_time()
        found = filters.FilterPredictor().probabilities(planes, targets, int(trial.target.max()), len(planes) - 1)
        answer = Answer.of(coarse(found), time.process_time() - started)
        self._cache.write(path, answer)
        return answer
