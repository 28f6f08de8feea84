"""Apply a model to several open images, one after the other, in one job: what the viewer asks for."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..data.images.image import Image
from ..errors import UserError
from ..formatting import counted
from ..jobs.events import Control, Finished, Job, Notice, Progress, Started, Update
from ..jobs.settings import ApplySettings
from ..models.model_file import Model
from ..models.zoo import load_model
from .apply import apply_summary, scale_warning
from .outputs import put
from .plan import ApplyResult, ApplyTask
from .predictor import Predicted, Predictor, opened_image
from .resumable_zarr import ZarrProgress, check_free, check_not_done, progress_of, resumable_zarr

_DEFAULTS = ApplySettings()
_PARTS = 1000
"""Progress counts in thousandths of a plane, since planes of different images have different numbers of tiles."""


def apply_images(
    model: Model | str | Path, orders: Sequence[ApplyTask], settings: ApplySettings = _DEFAULTS
) -> Job[tuple[ApplyResult, ...]]:
    """Apply a model to several images, as a job.

    The network is kept while planes keep their size. An image that cannot be read to its end does not hold up the
    others; what was done of it is handed over.

    Parameters
    ----------
    model
        A model, or its name in the zoo, or its file.
    orders
        The images and where their results go.
    settings
        Tile, halo, batch, device and precision.

    Returns
    -------
    Job
        Tells `Started`, `Progress` over all planes, and `Finished` with a tuple of one `ApplyResult` for each order;
        stopped early, those that were not begun have no result.

    Raises
    ------
    UserError
        Before anything is computed: when a place for a result is taken. At the end: when nothing at all came out.

    """
    return Job(lambda control: _Run(model, orders, settings, control).events())


class _Run:
    """The state of one job: the network at hand, and planes done of how many."""

    def __init__(
        self, model: Model | str | Path, orders: Sequence[ApplyTask], settings: ApplySettings, control: Control
    ) -> None:
        self._model = model if isinstance(model, Model) else load_model(model)
        self._settings, self._control = settings, control
        self._orders = [(order, opened_image(order.image)) for order in orders]
        self._total = sum(len(source) for _, source in self._orders)
        self._before = self._skipped = 0
        self._predictor: Predictor | None = None
        self._start = time.monotonic()

    def events(self) -> Iterator[Update | Finished[tuple[ApplyResult, ...]]]:
        places = [(order.out, self._record(source), order.overwrite) for order, source in self._orders if order.out]
        for place in places:
            check_free(*place)
        check_not_done(places)
        outcomes: list[ApplyResult] = []
        for number, (order, source) in enumerate(self._orders):
            if self._control.stopped:
                outcomes.append(ApplyResult(None, 0, len(source)))
                continue
            outcomes.append((yield from self._one(order, source, first=number == 0)))
            self._before += len(source)
        failures = [outcome.failure for outcome in outcomes if outcome.failure]
        if failures and not any(outcome.done for outcome in outcomes):
            raise UserError(failures[0])
        for failure in failures:
            yield Notice(failure)
        yield Finished(tuple(outcomes), stopped=self._control.stopped and any(o.done < o.planes for o in outcomes))

    def _one(self, order: ApplyTask, source: Image, first: bool) -> Generator[Update, None, ApplyResult]:
        predictor = self._fitting(source)
        if first:
            yield Started(predictor.device.label, predictor.device.reason, self._summary(source, predictor))
        yield from scale_warning(source, predictor.model)
        with self._target(order, source, predictor) as target:
            try:
                yield from self._planes(source, predictor, target)
            except UserError as error:
                return target.outcome(f"{_where(source, target.done)}: {error} {target.rest()}")
            except MemoryError:
                raise
            except Exception as error:
                raise RuntimeError(f"{_where(source, target.done)}: {type(error).__name__}: {error}") from error
        return target.outcome()

    def _planes(self, source: Image, predictor: Predictor, target: "_Target") -> Iterator[Update]:
        begun = target.done
        self._skipped += begun
        for event in predictor.planes(source, self._control, begun):
            if isinstance(event, Predicted):
                target.put(event.index, event.result)
            else:
                yield self._overall(event, begun, len(source)) if isinstance(event, Progress) else event

    def _overall(self, event: Progress, begun: int, planes: int) -> Progress:
        done = self._before + begun + event.fraction * (planes - begun)
        seconds = max(time.monotonic() - self._start, 1e-9)
        rate = max(done - self._skipped, 1e-9) / seconds
        return Progress(
            int(done * _PARTS), self._total * _PARTS, seconds_left=(self._total - done) / rate, seconds=seconds,
            images_per_second=rate,
        )  # fmt: skip

    def _fitting(self, source: Image) -> Predictor:
        if self._predictor is None or self._predictor.size != source.plane_shape:
            self._predictor = Predictor(self._model, self._settings, *source.plane_shape)
        return self._predictor

    def _summary(self, source: Image, predictor: Predictor) -> str:
        images = len(self._orders)
        more = f"{counted(images, 'image')}, {counted(self._total, 'plane')}; the first: " if images > 1 else ""
        return more + apply_summary(source, predictor)

    @contextmanager
    def _target(self, order: ApplyTask, source: Image, predictor: Predictor) -> Iterator["_Target"]:
        if order.out is None:
            yield _Target(np.zeros((*source.leading, *predictor.result_size), predictor.dtype), source)
            return
        with resumable_zarr(order.out, self._record(source), predictor.dtype, order.grid, order.overwrite) as keeper:
            yield _Target(order.out, source, keeper)

    def _record(self, source: Image) -> ZarrProgress:
        shape = (*source.leading, *source.plane_shape)
        return progress_of(self._model.card, source.name, shape, self._settings.test_time_augmentation)


class _Target:
    """Where the planes of one image go, and how many are there."""

    def __init__(self, result: Any, source: Image, keeper: Any = None) -> None:
        self._result, self._source, self._keeper = result, source, keeper
        self.done = keeper.record.done if keeper else 0

    def put(self, index: int, plane: Any) -> None:
        if self._keeper is None:
            put(self._result, self._source.leading, index, plane)
        else:
            self._keeper.put(index, plane)
        self.done = index + 1

    def outcome(self, failure: str = "") -> ApplyResult:
        return ApplyResult(self._result if self.done else None, self.done, len(self._source), failure)

    def rest(self) -> str:
        if not self.done:
            return ""
        return f"The {counted(self.done, 'plane')} before it {'is' if self.done == 1 else 'are'} kept."


def _where(source: Image, index: int) -> str:
    """Name the plane that was worked on, as the sliders of a viewer count."""
    if not source.leading:
        return f"'{source.name}'"
    return f"'{source.name}', plane {[int(i) for i in np.unravel_index(index, source.leading)]}"
