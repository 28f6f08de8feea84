"""The engine: a model applied to one image after the other, plane by plane into a sink.

What is peculiar to applying has its one place here. The network is kept while planes keep their size. A result that an
earlier run began is resumed. After an image that cannot be used the next one has its turn. A stop leaves what is done.
Progress is that of the whole work, and now and then a plane is shown.

While the network works on a plane a thread reads the next one, and another compresses the last one and writes it.

`predictor` cuts planes into tiles, smaller ones when memory runs out; `sinks` and `resumable_zarr` write.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..data.images.image import Image, ImageSource
from ..data.images.intensity_scaling import Levels
from ..data.images.own_results import MadeBy
from ..errors import UserError
from ..formatting import counted
from ..jobs.events import Control, Notice, Preview, Progress, Started, Update
from ..jobs.meter import Interval, Meter
from ..jobs.settings import ApplySettings
from ..models.model_file import Model
from ..models.results import made_by_model, result_layout
from .predictor import Predicted, Predictor, TilesDone
from .reading import open_image
from .sinks import PlaneWriter, Sink, written_behind

SECONDS_BETWEEN_PREVIEWS = 1.0
_PARTS = 1000
"""Of an image or a plane: an image may have one plane or thousands, and a plane one tile or hundreds."""
_GREY_LEVELS = 256
"""That many steps of float32 between the smallest and the largest value are too few for a result."""
_LARGEST = float(np.finfo(np.float32).max)
Counted = Literal["tiles", "planes", "images"]


@dataclass(frozen=True)
class ImageDone:
    """An image has had its turn."""

    name: str
    planes: int
    """0 where it could not be opened."""
    done: int
    """Planes that its sink holds, from the first on."""
    failure: UserError | None = None
    """Why it ended early; None when it is complete or was stopped."""


class Engine:
    """A model at work; one engine for each job.

    Parameters
    ----------
    model
        What is applied.
    settings
        Tile, halo, batch, device and precision.
    control
        Of the job.
    skip_on
        Errors after which the next image has its turn; all others end the job.
    previews
        Whether planes are shown: the first of each image, its last, and one per second.

    """

    def __init__(
        self,
        model: Model,
        settings: ApplySettings,
        control: Control,
        *,
        skip_on: tuple[type[UserError], ...] = (),
        previews: bool = True,
    ) -> None:
        self.model = model
        self._settings, self._control = settings, control
        self._skip_on, self._previews = skip_on, previews
        self._predictor: Predictor | None = None
        self._made_by: MadeBy | None = None
        self._announced = self._choice_said = False

    def run(
        self,
        work: Sequence[tuple[ImageSource, Sink]],
        counted: Counted = "tiles",
        prefix: str = "",
    ) -> Iterator[Update | ImageDone]:
        """Apply the model to images, each into its sink, until all are done or a stop is asked for.

        Parameters
        ----------
        work
            The images and where their results go.
        counted
            What progress counts: the tiles of a single image; the planes of images that are open; or images, of which
            nobody knows how many planes they have.
        prefix
            What the summary says before it comes to the first image.

        Yields
        ------
        Update | ImageDone
            `Started` before the first plane; `ImageDone` after each image.

        Raises
        ------
        UserError
            When an image cannot be used, and it is no error to skip on; when a sink cannot take the result.

        """
        count = _Count(counted, work)
        for source, sink in work:
            done = yield from self._apply(source, sink, count, prefix)
            yield done
            if self._control.stopped:
                return

    @property
    def made_by(self) -> MadeBy:
        """What is written into files about the making of results."""
        self._made_by = self._made_by or made_by_model(self.model, self._settings.test_time_augmentation)
        return self._made_by

    def announce(self, size: tuple[int, int], summary: Callable[[Predictor], str]) -> Iterator[Started]:
        """Say where the network runs, once: before the first plane, which is of this size (height, width)."""
        if not self._announced:
            self._announced = True
            predictor = self._fitting(size)
            yield Started(predictor.device.label, predictor.device.reason, summary(predictor))

    def planes(
        self, image: Image, begin: int = 0, levels: Levels | None = None
    ) -> Generator[TilesDone | Notice | Predicted, None, None]:
        """Run over the planes of an image and leave to the caller what becomes of them; see `Predictor.planes`.

        Parameters
        ----------
        image
            Planes of any size.
        begin
            The plane to begin with.
        levels
            Those of the stack, for a model that scales stacks as a whole, where they are known already.

        """
        return self._fitting(image.plane_shape).planes(image, self._control, begin, levels)

    def _fitting(self, size: tuple[int, int]) -> Predictor:
        """Return the network for planes of a size: the one at hand where it fits, as building one takes time."""
        if self._predictor is None or self._predictor.size != size:
            self._predictor = Predictor(self.model, self._settings, *size)
        return self._predictor

    def _apply(
        self, source: ImageSource, sink: Sink, count: "_Count", prefix: str
    ) -> Generator[Update, None, ImageDone]:
        count.next_image()
        try:
            image = open_image(source)
            layout = result_layout(self.model.card, image, self.made_by)
            sink.check(layout)
        except self._skip_on as error:
            return ImageDone("", 0, 0, error)
        yield from self._notes(image)
        yield from self.announce(image.plane_shape, lambda predictor: prefix + _summary(image, predictor))
        with sink.open(layout) as writer:
            failure = yield from self._fill(image, writer, count)
        return ImageDone(image.name, len(image), writer.done, failure)

    def _notes(self, image: Image) -> Iterator[Notice]:
        """Remarks on a file; which of several images is used is reported for the first such file only."""
        yield from map(Notice, image.notes)
        if image.choice and not self._choice_said:
            self._choice_said = True
            yield Notice(f"{image.choice} The same holds for all other files.")

    def _fill(self, image: Image, writer: PlaneWriter, count: "_Count") -> Generator[Update, None, UserError | None]:
        """Write the planes that are not there yet; return what ended that early, if it is to be skipped."""
        try:
            with written_behind(writer, len(image) - writer.done) as behind:
                yield from self._write(image, behind, count)
        except self._skip_on as error:
            return error
        except (UserError, MemoryError, OSError):
            raise  # the sink knows what to say of a disk that is full
        except Exception as error:
            raise RuntimeError(f"{plane_name(image, writer.done)}: {type(error).__name__}: {error}") from error
        return None

    def _write(self, image: Image, writer: PlaneWriter, count: "_Count") -> Iterator[Update]:
        yield from scale_notice(image, self.model)
        shown, values = Interval(SECONDS_BETWEEN_PREVIEWS), _Values()
        count.open_image(image, writer.done)
        with closing(self.planes(image, writer.done)) as events:
            for event in events:
                match event:
                    case TilesDone():
                        yield from count.tick(event)
                    case Predicted():
                        writer.put(event.index, event.result)
                        values.add(event)
                        done = event.index + 1
                        if self._previews and (shown.over or done == len(image)):
                            shown.restart()
                            yield Preview({"image": event.plane, "prediction": event.result}, step=done)
                    case Notice():
                        yield event
        yield from values.notices(image.name)


class _Values:
    """What is odd about the values of an image."""

    def __init__(self) -> None:
        self._unknown = self._planes = 0
        self._restored = self._coarse = False

    def add(self, done: Predicted) -> None:
        """Look at a plane and its result."""
        self._restored = done.result.dtype.kind == "f"
        if done.plane.dtype.kind == "f" and (unknown := int((~np.isfinite(done.plane)).sum())):
            self._unknown += unknown
            self._planes += 1
        elif self._restored and done.plane.dtype.itemsize > 2:
            low, high = float(done.plane.min()), float(done.plane.max())
            step = float(np.spacing(np.float32(min(max(abs(low), abs(high)), _LARGEST))))
            self._coarse |= high > low and step * _GREY_LEVELS > high - low

    def notices(self, name: str) -> Iterator[Notice]:
        """Yield what the user should know about it."""
        if self._unknown:
            there = "what the result shows there is made up" if self._restored else "the result shows nothing there"
            yield Notice(
                f"{counted(self._unknown, 'pixel')} of {name}, in {counted(self._planes, 'plane')}, have no value "
                f"(NaN or infinite): {there}."
            )
        if self._coarse:
            yield Notice(
                f"The values of {name} are so large, and differ so little, that results in float32 lose most of it. "
                "Subtract what they have in common, then try again."
            )


class _Count:
    """How far the whole work is."""

    def __init__(self, counted: Counted, work: Sequence[tuple[ImageSource, Sink]]) -> None:
        self._counted = counted
        planes = [len(source) for source, _ in work if isinstance(source, Image)]
        self._total = sum(planes) if counted == "planes" else len(work)
        self._meter = Meter(1 if counted == "tiles" else _PARTS)
        self._images, self._planes_before = -1, 0
        self._planes = self._begun = self._resumed = 0

    def next_image(self) -> None:
        """Count the image at hand as through, whatever has become of it."""
        self._images += 1
        self._planes_before += self._planes
        self._planes = self._begun = 0

    def open_image(self, image: Image, begun: int) -> None:
        """Note how many planes the next image has, and how many of them an earlier run has done."""
        self._planes, self._begun = len(image), begun
        self._resumed += begun
        if self._counted == "planes":
            self._meter.leave_out(self._resumed)

    def tick(self, tiles: TilesDone) -> Iterator[Progress]:
        """Yield an event when one is due."""
        planes = self._begun + tiles.planes
        match self._counted:
            case "tiles":
                total = tiles.done + tiles.left
                yield from self._meter.tick(tiles.done, total, tiles.planes / tiles.done)
            case "planes":
                yield from self._meter.tick(self._planes_before + planes, self._total, images_per_step=1)
            case "images":
                step = self._images + planes / self._planes
                yield from self._meter.tick(step, self._total, (self._planes_before + planes) / step)


def _summary(image: Image, predictor: Predictor) -> str:
    """Say what is about to be worked on, in which tiles, and with how much memory."""
    height, width = image.plane_shape
    count = f"{len(image)} planes" if len(image) > 1 else "1 plane"
    return f"{image.name}: {count} of {height} x {width} px {predictor.summary}."


def scale_notice(image: Image, model: Model) -> Iterator[Notice]:
    """Say so when pixels are more than twice as large or small as any the model was trained on."""
    known, here = model.card.pixel_size_nm, image.pixel_size_nm
    if known and here and not known[0] / 2 <= here <= known[1] * 2:
        trained = f"{known[0]:.2g}" if known[0] == known[1] else f"{known[0]:.2g} to {known[1]:.2g}"
        yield Notice(
            f"'{image.name}' has pixels of {here:.3g} nm, but '{model.name}' was trained with pixels of {trained} nm. "
            "Judge the result with care, or rescale the image."
        )


def plane_name(image: Image, index: int) -> str:
    """Name a plane of an image as the sliders of a viewer count."""
    if not image.leading:
        return f"'{image.name}'"
    return f"'{image.name}', plane {[int(i) for i in np.unravel_index(index, image.leading)]}"
