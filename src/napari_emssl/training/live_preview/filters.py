"""A first look by filters: what a few strokes of paint say of the plane in view, without any network that was trained.

One long job answers question after question. What a plane is described by is computed once and kept, so that another
stroke costs only the learning and the classifying, well below a second for common planes.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...data.images.intensity_scaling import IntensityScaling
from ...data.labels.objects import Target
from ...jobs.events import Control, Finished, Job, Preview, Started, Update
from ..context.pixel_classifier import Floats, PixelClassifier, fit, pixel_features
from .answers import answer_of, answer_queries
from .painting import query_targets
from .query import PreviewQuery

T = TypeVar("T", bound=np.generic)

MOST_PLANES = 4
"""Planes whose features are kept, those used last."""
_MOST_PX = 3 * 2**19
"""Larger planes are analysed on a coarser grid, so that an answer still comes within about two seconds."""
_LEARNT_PX = 4000
"""Painted pixels learnt from: more change little."""


def live_preview() -> Job[None]:
    """Answer questions put by `Job.ask`, each a `PreviewQuery`, until the job is stopped.

    Returns
    -------
    Job
        Each answer is a `Preview` whose step is the question's number, with "prediction" (labels ``(h, w)``, 0
        background, 1.. classes) and "uncertainty" (float32 ``(h, w)``, 0 sure to 1 undecided). What cannot be answered
        yet, for want of paint, is a `Notice`. Of questions that come while one is answered only the newest counts.

    """

    def events(control: Control) -> Iterator[Update | Finished[None]]:
        yield Started("CPU", "", "Waiting for paint.")
        yield from answer_queries(FilterPredictor(), control)

    return Job(events)


class FilterPredictor:
    """Answers queries by filters and small networks, and remembers the features of the planes it has seen."""

    def __init__(self) -> None:
        self._known: dict[bytes, _PlaneFeatures] = {}

    def answers(self, query: PreviewQuery, control: Control) -> Iterator[Preview]:
        """Yield one picture, see `FirstLook`."""
        yield Preview(self.answer(query), query.number)

    def answer(self, query: PreviewQuery) -> Mapping[str, NDArray[np.generic]]:
        """Return "prediction" and "uncertainty" of the plane in view.

        Raises
        ------
        UserError
            When the painting does not show at least one class and background.

        """
        painted = query_targets(query)
        found = self._classified(query.planes, painted.targets, painted.classes, query.view)
        return {name: found.fine(array) for name, array in answer_of(found.probabilities).items()}

    def probabilities(
        self, planes: Sequence[NDArray[np.generic]], targets: Sequence[Target], classes: int, view: int
    ) -> Floats:
        """Learn from painted planes and classify one of them.

        Parameters
        ----------
        planes, targets
            Planes ``(h, w)`` in their own units, and their core targets.
        classes
            Number of classes, background included.
        view
            Which of the planes is classified.

        Returns
        -------
        numpy.ndarray
            The probability of each class, ``(classes, h, w)``.

        """
        found = self._classified(planes, targets, classes, view)
        return found.fine(found.probabilities)

    def _classified(
        self, planes: Sequence[NDArray[np.generic]], targets: Sequence[Target], classes: int, view: int
    ) -> "_Classified":
        described = [self._describe(plane) for plane in planes]
        painted = [(one, one.coarse(target)) for one, target in zip(described, targets, strict=True)]
        return described[view].classified(_learn(painted, classes), classes)

    def _describe(self, plane: NDArray[np.generic]) -> "_PlaneFeatures":
        """Return the features of a plane, computed now or kept from before."""
        key = blake2b(np.ascontiguousarray(plane).data, digest_size=16, salt=str(plane.shape)[:16].encode()).digest()
        found = self._known.pop(key, None) or _PlaneFeatures.of(plane)
        self._known[key] = found
        while len(self._known) > MOST_PLANES:
            self._known.pop(next(iter(self._known)))
        return found


@dataclass(frozen=True, eq=False)
class _PlaneFeatures:
    """Features of a plane, on a grid that is coarser than its own where the plane is large."""

    features: NDArray[np.float16]
    """``(rows, columns, f)``; half precision is enough, and four large planes are kept."""
    shape: tuple[int, int]
    factor: int

    @classmethod
    def of(cls, plane: NDArray[np.generic]) -> "_PlaneFeatures":
        unit = IntensityScaling().fit(plane).to_unit(plane)
        factor = max(1, math.ceil(math.sqrt(plane.size / _MOST_PX)))
        if factor > 1:
            rows, columns = (-(-edge // factor) for edge in unit.shape)
            unit = _extended(unit, factor).reshape(rows, factor, columns, factor).mean(axis=(1, 3))
        return cls(pixel_features(unit).astype(np.float16), (plane.shape[0], plane.shape[1]), factor)

    def coarse(self, target: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring a target to the grid of the features."""
        if self.factor == 1:
            return target
        middle = self.factor // 2
        return _extended(target, self.factor)[middle :: self.factor, middle :: self.factor]

    def classified(self, classifier: PixelClassifier, count: int) -> "_Classified":
        """Return the probabilities of the classes on the grid of the features."""
        rows, columns, size = self.features.shape
        found = classifier.probabilities(self.features.reshape(-1, size)).reshape(count, rows, columns)
        return _Classified(found, self.shape, self.factor)


@dataclass(frozen=True, eq=False)
class _Classified:
    """Probabilities ``(classes, rows, columns)`` on a grid that may be coarser than the plane's own."""

    probabilities: Floats
    shape: tuple[int, int]
    factor: int

    def fine(self, array: NDArray[T]) -> NDArray[T]:
        """Bring an array ``(..., rows, columns)`` to the plane's own grid."""
        for axis in (-2, -1):
            array = np.repeat(array, self.factor, axis) if self.factor > 1 else array
        return np.ascontiguousarray(array[..., : self.shape[0], : self.shape[1]])


def _extended(plane: NDArray[T], factor: int) -> NDArray[T]:
    """Repeat the last row and column until both edges are multiples of `factor`."""
    return np.pad(plane, [(0, -edge % factor) for edge in plane.shape], mode="edge")


def _learn(planes: list[tuple[_PlaneFeatures, NDArray[np.uint8]]], count: int) -> PixelClassifier:
    """Fit to at most `_LEARNT_PX` painted pixels of all planes, as many of each class where there are enough."""
    rng = np.random.default_rng(0)
    features, classes = [], []
    for core in range(1, count + 1):
        found = [one.features[target == core] for one, target in planes]
        every = np.concatenate(found)
        chosen = rng.permutation(len(every))[: max(_LEARNT_PX // count, 1)]
        features.append(every[chosen].astype(np.float32))
        classes.append(np.full(len(chosen), core - 1))
    return fit(np.concatenate(features), np.concatenate(classes), count)
