"""A first look in context: every pixel of the plane in view compared with what is painted anywhere.

The network runs over a plane once. After that a stroke costs the comparison with the painted pixels, tile by tile,
those in view first.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from ...data.patches.labelled import LabelledPlane
from ...inference.tiles import TileRegion
from ...jobs.context_settings import ContextSettings
from ...jobs.devices import choose_device
from ...jobs.events import Control, Finished, Job, Preview, Started, Update
from ...models.model_file import Model
from ...networks.norm import absorb_norms
from ..context.memory import SeenPainting
from ..context.network import context_network
from ..context.object_size import scale_for
from ..context.plane_vectors import PlaneVectors
from ..context.remembered import remember_painting
from ..context.tiled_planes import TiledPlane
from ..in_context.paint_sizes import size_notice
from ..in_context.segment import context_generator
from .answers import answer_of, answer_queries
from .painting import query_targets
from .query import PreviewQuery

Middle = tuple[float, float]
"""Row and column."""

_MOST_PX = 2**26
"""Of scaled planes that are kept, those used last."""
_NEAR_PX = 192
"""Edge of the square around a stroke that is answered first of all where a plane has several tiles."""
_REST = "Looking at the rest of the image …"
_FIRST_SECONDS = 0.4
"""When the next part of a long answer is shown; each later part takes twice as long as the one before."""


def live_preview_in_context(generator: str, settings: ContextSettings) -> Job[None]:
    """Answer questions put by `Job.ask`, each a `PreviewQuery`, until the job is stopped.

    A question without any paint is not answered: the plane in view is looked at, so that the first stroke is answered
    the sooner.

    Parameters
    ----------
    generator
        A generator with vectors: a name from the zoo or a file.
    settings
        How many painted pixels are remembered, and where the network runs.

    Returns
    -------
    Job
        Each answer is one `Preview` or several, whose step is the question's number and whose caption is what there is
        to say of the painting, as a sentence. The images are "prediction" (labels ``(h, w)``, 0 background, 1..
        classes) and "uncertainty" (float32 ``(h, w)``, 0 sure to 1 undecided). What cannot be answered yet is a
        `Notice`. Of questions that come while one is answered only the newest counts.

    """

    def events(control: Control) -> Iterator[Update | Finished[None]]:
        predictor = ContextPredictor(context_generator(generator), settings)
        yield Started(predictor.device.label, predictor.device.reason, "Waiting for paint.")
        yield from answer_queries(predictor, control)

    return Job(events)


class ContextPredictor:
    """Answers queries by the vectors of a generator, and remembers those of the planes it has seen.

    Parameters
    ----------
    base
        A generator with vectors.
    settings
        How many painted pixels are remembered, and where the network runs.

    """

    def __init__(self, base: Model, settings: ContextSettings) -> None:
        self.device = choose_device(settings)
        self._base, self._settings = base, settings
        network = absorb_norms(context_network(base, 2, self.device, settings.filter_share))
        self._vectors = PlaneVectors(network, self.device)
        self._known: dict[bytes, TiledPlane] = {}
        self._shown = _Shown(b"", 0, {})
        self._last_painting: tuple[bytes, NDArray[np.generic]] = (b"", np.zeros((0, 0), np.uint8))

    def answers(self, query: PreviewQuery, control: Control) -> Iterator[Preview]:
        """Yield the answer, first in part where all of it takes long, see `FirstLook`."""
        if not any(labels.any() for labels in query.painting):
            self._look_at(self._plane(query.planes[query.view]), query, control)
            return
        painted = query_targets(query)
        if self._vectors.look_at(scale_for(self._settings.shrink, painted.targets)):
            self._known.clear()
        planes = [self._plane(plane) for plane in query.planes]
        view = planes[query.view]
        labelled = [
            LabelledPlane(plane.image, target, assumed=assumed)
            for plane, target, assumed in zip(planes, painted.targets, painted.assumed, strict=True)
        ]
        context = remember_painting(SeenPainting(self._vectors, planes, labelled, painted.classes), self._settings)
        stroke = self._newest_stroke(view, query.painting[query.view])
        for images, whole in self._parts(view, query, painted.classes, stroke, control):
            found = np.asarray(images["prediction"], np.uint8)
            last = size_notice(painted.targets[query.view], found) if whole else _REST  # sizes of parts mean nothing
            yield Preview(images, query.number, " ".join(filter(None, [context.notice, last])))

    def _plane(self, plane: NDArray[np.generic]) -> TiledPlane:
        """Return a plane scaled as the generator wants it, now or from before."""
        key = blake2b(np.ascontiguousarray(plane).data, digest_size=16, salt=str(plane.shape)[:16].encode()).digest()
        found = self._known.pop(key, None)
        if found is None:
            found = self._vectors.plane(self._base.card.scaling.fit(plane).to_unit(plane), key)
        self._known[key] = found
        while sum(known.padded.size for known in self._known.values()) > _MOST_PX and len(self._known) > 1:
            self._known.pop(next(iter(self._known)))
        return found

    def _newest_stroke(self, view: TiledPlane, painting: NDArray[np.generic]) -> Middle | None:
        """Return the middle of what was painted or erased in the plane in view since the last answer, if anything."""
        key, before = self._last_painting
        self._last_painting = view.key, painting
        changed = painting != before if key == view.key else painting != 0
        return _middle_of(changed)

    def _parts(
        self, view: TiledPlane, query: PreviewQuery, classes: int, stroke: Middle | None, control: Control
    ) -> Iterator[tuple[dict[str, NDArray[np.generic]], bool]]:
        """Classify the plane in view, around the stroke first; yields it all now and then, and whether it is all."""
        if (self._shown.key, self._shown.classes) != (view.key, classes):
            self._shown = _Shown.nothing(view, classes)
        tiles, answered = in_order(view, query, stroke), False
        if stroke and len(tiles) > 1:
            near = self._vectors.region(view, [round(at) for at in stroke], _NEAR_PX)
            if _overlap(near, query.window):
                self._show(view, near, self._vectors.probabilities_near(view, near))
                yield self._shown.copies(), False
                answered = True
        seen = sum(_overlap(tile, query.window) for tile in tiles)
        due, pause = time.monotonic() + _FIRST_SECONDS, _FIRST_SECONDS
        for number, tile in enumerate(tiles, 1):
            if answered and (control.asked or control.stopped):
                return
            answered = True
            self._show(view, tile, self._vectors.probabilities(view, tile))
            if number in (seen, len(tiles)) or time.monotonic() >= due:
                yield self._shown.copies(), number == len(tiles)
                pause *= 2
                due = time.monotonic() + pause

    def _show(self, view: TiledPlane, region: TileRegion, probabilities: NDArray[np.float32]) -> None:
        self._shown.put(view.shown(region).slices, answer_of(probabilities))

    def _look_at(self, view: TiledPlane, query: PreviewQuery, control: Control) -> None:
        """Let the network run over what is in view, as long as nothing else is asked."""
        for tile in in_order(view, query):
            if control.asked or control.stopped:
                return
            self._vectors.compute(view, tile)
            if self._settings.filter_share:
                self._vectors.filters.compute(view, tile)


def in_order(view: TiledPlane, query: PreviewQuery, stroke: Middle | None = None) -> list[TileRegion]:
    """Return the tiles of the plane in view: first those on screen, nearest to the stroke first of all.

    Parameters
    ----------
    view
        The plane.
    query
        What is painted on it, and what is on screen.
    stroke
        Row and column where something was painted last; None: the middle of the paint, or of what is on screen.

    """
    window = query.window or (0, view.shape[0], 0, view.shape[1])
    on_screen = (window[0] + window[1]) / 2, (window[2] + window[3]) / 2
    row, column = stroke or _middle_of(query.painting[query.view] != 0) or on_screen

    def key(tile: TileRegion) -> tuple[bool, float]:
        distance = np.hypot((tile.top + tile.bottom) / 2 - row, (tile.left + tile.right) / 2 - column)
        return not _overlap(tile, query.window), float(distance)

    return sorted(view.tiles, key=key)


def _middle_of(mask: NDArray[np.bool_]) -> Middle | None:
    rows, columns = np.nonzero(mask)
    return (float(rows.mean()), float(columns.mean())) if len(rows) else None


def _overlap(tile: TileRegion, window: tuple[int, int, int, int] | None) -> bool:
    """Whether a tile is on screen; without a window all are."""
    if window is None:
        return True
    top, bottom, left, right = window
    return tile.top < bottom and top < tile.bottom and tile.left < right and left < tile.right


@dataclass(frozen=True, eq=False)
class _Shown:
    """What has been answered for a plane so far; a new answer replaces it tile by tile."""

    key: bytes
    classes: int
    images: dict[str, NDArray[np.generic]]

    @classmethod
    def nothing(cls, view: TiledPlane, classes: int) -> "_Shown":
        shape = view.shape
        return cls(view.key, classes, {"prediction": np.zeros(shape, np.uint8),
                                       "uncertainty": np.zeros(shape, np.float32)})  # fmt: skip

    def put(self, place: tuple[slice, slice], images: dict[str, NDArray[np.generic]]) -> None:
        for name, image in images.items():
            self.images[name][place] = image

    def copies(self) -> dict[str, NDArray[np.generic]]:
        return {name: image.copy() for name, image in self.images.items()}
