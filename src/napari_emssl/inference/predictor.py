"""A model at work on planes: scaling, tiles, passes through the network, and what happens when memory runs out."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.images.image import Image, as_image
from ..data.images.intensity_scaling import Levels
from ..errors import UserError
from ..jobs.devices import choose_device, place
from ..jobs.events import EVENT_SECONDS, Control, Notice, Progress
from ..jobs.settings import ApplySettings
from ..models.model_file import Model
from ..models.objectives import objective_of
from ..models.results import result_dtype
from ..models.tasks import task_of
from ..models.weights import build_network
from .memory import is_out_of_memory, leaves, needs_of, release, usable_bytes
from .tiles import TilePlan, TileRegion, first_plan, padded, split


class UnreadableError(UserError):
    """An image, or a plane of it, that cannot be read: one among many may be skipped."""


def opened_image(source: Any) -> Image:
    """Return `as_image` of `source`; raises `UnreadableError`."""
    try:
        return as_image(source)
    except UserError as error:
        raise UnreadableError(str(error)) from error


def read_plane(image: Image, index: int) -> NDArray[Any]:
    """Return a plane ``(h, w)``; raises `UnreadableError`."""
    try:
        return image.plane(index)
    except UserError as error:
        raise UnreadableError(str(error)) from error


@dataclass(frozen=True)
class Predicted:
    """One plane is done: what went in, ``(h, w)``, and what came out, ``(upscale h, upscale w)``."""

    index: int
    plane: NDArray[Any]
    result: NDArray[Any]


@dataclass(frozen=True)
class _Piece:
    """One tile is done; `left` are still to do in the block of planes at hand."""

    plane: int
    region: TileRegion
    values: NDArray[Any]
    left: int


class Predictor:
    """A model ready to run over planes of one size; the network is built once and kept.

    Parameters
    ----------
    model
        Any model; a segmentation model gives labels (0 background, 1.. classes) in the smallest unsigned integer
        type, every other one float32 in the units of the plane.
    settings
        Tile, halo, batch, device and precision.
    height, width
        Of the planes, pixels.

    """

    def __init__(self, model: Model, settings: ApplySettings, height: int, width: int) -> None:
        self.model = model
        self.device = choose_device(settings)
        self.augment = settings.test_time_augmentation
        network = place(build_network(model), self.device)
        self._module = network
        self.network: Callable[[Tensor], Tensor] = network
        self.size = (height, width)
        self.task = task_of(model.card.task)
        self.labels, self.dtype = self.task.gives_labels, result_dtype(model.card)
        self._decode = objective_of(model.card).decode
        self.upscale = model.card.upscale
        usable = usable_bytes(self.device.torch_device)
        self.plan = first_plan(needs_of(network, self.device), settings, height, width, usable)

    @property
    def result_size(self) -> tuple[int, int]:
        """Height and width of a result, pixels."""
        return self.size[0] * self.upscale, self.size[1] * self.upscale

    @property
    def tiles(self) -> int:
        """Tiles of one plane."""
        return len(self.plan.regions)

    @property
    def summary(self) -> str:
        """How planes are cut and what memory that takes, as a sentence part."""
        megabytes = max(round(self.plan.planned_bytes / 1e6), 1)
        count = self.tiles
        tiles = "in one piece" if count == 1 else f"in {count} tiles of {self.plan.tile} px, halo {self.plan.halo} px"
        return f"{tiles}, about {megabytes} MB of memory"

    def planes(
        self, image: Image, control: Control, begin: int = 0, levels: Levels | None = None
    ) -> Iterator[Progress | Notice | Predicted]:
        """Run over the planes of an image from `begin` on, reading each once (levels per stack: some twice).

        `levels` are those of the stack where they are known already. Ends early, within a tile, when `control` is asked
        to stop; a plane that is not complete is not given out.
        """
        hooks = [leaf.register_forward_pre_hook(_Gate(control)) for leaf in leaves(self._module)]
        try:
            yield from self._planes(image, control, begin, levels)
        except _Stopped:
            return
        finally:
            for hook in hooks:
                hook.remove()

    def _planes(
        self, image: Image, control: Control, begin: int, shared: Levels | None
    ) -> Iterator[Progress | Notice | Predicted]:
        clock, tiles_done, scaling = _Clock(), 0, self.model.card.scaling
        block = self.plan.batch if self.tiles == 1 else 1
        if scaling.per == "stack":
            shared = shared or scaling.fit(image.planes)
        for first in range(begin, len(image), block):
            planes = [read_plane(image, i) for i in range(first, min(first + block, len(image)))]
            levels = [shared or scaling.fit(plane) for plane in planes]
            results = [np.zeros(self.result_size, self.dtype) for _ in planes]
            for piece in self._run([level.to_unit(plane) for level, plane in zip(levels, planes, strict=True)]):
                if isinstance(piece, Notice):
                    yield piece
                    continue
                results[piece.plane][piece.region.scaled(self.upscale).slices] = self._in_units(
                    piece.values, levels[piece.plane]
                )
                tiles_done += 1
                left = piece.left + (len(image) - first - len(planes)) * self.tiles
                yield from clock.progress(tiles_done, left, tiles_done * (len(image) - begin) / (tiles_done + left))
                control.wait_while_paused()
                if control.stopped and piece.left:
                    return
            for i, (plane, result) in enumerate(zip(planes, results, strict=True)):
                yield Predicted(first + i, plane, result)
            if control.stopped:
                return

    def _in_units(self, values: NDArray[Any], levels: Levels) -> NDArray[Any]:
        return values if self.labels else self.task.output_levels(levels).from_unit(values)

    def _run(self, units: Sequence[NDArray[np.float32]]) -> Iterator[_Piece | Notice]:
        """Run all tiles of planes of one size, in scaled units; after an out-of-memory go on with smaller ones."""
        stack = torch.from_numpy(np.stack([padded(unit, self.plan.stride) for unit in units]))[:, None]
        waiting = self._in_order([(i, region) for region in self.plan.regions for i in range(len(units))])
        while waiting:
            batch = self._next_batch(waiting)
            values = self._try(stack, batch)
            if values is None:
                waiting = self._shrink(waiting)
                yield Notice(_shrunk_sentence(self.plan))
                continue
            waiting = waiting[len(batch) :]
            for k, ((i, region), array) in enumerate(zip(batch, values, strict=True)):
                kept = region.clipped(*self.size)
                height, width = kept.scaled(self.upscale).shape
                yield _Piece(i, kept, array[:height, :width], len(waiting) + len(batch) - k - 1)

    def _grown(self, region: TileRegion) -> TileRegion:
        return region.grown(self.plan.halo, self.plan.height, self.plan.width)

    def _in_order(self, work: list[tuple[int, TileRegion]]) -> list[tuple[int, TileRegion]]:
        """Put tiles that can share a pass, because their inputs have one shape, side by side."""
        if self.plan.batch == 1:
            return work
        return sorted(work, key=lambda item: self._grown(item[1]).shape)

    def _next_batch(self, waiting: list[tuple[int, TileRegion]]) -> list[tuple[int, TileRegion]]:
        shape = self._grown(waiting[0][1]).shape
        batch = waiting[: self.plan.batch]
        return [item for item in batch if self._grown(item[1]).shape == shape]

    def _shrink(self, waiting: list[tuple[int, TileRegion]]) -> list[tuple[int, TileRegion]]:
        release(self.device.torch_device)
        self.plan = self.plan.smaller()
        return self._in_order([(i, part) for i, region in waiting for part in split(region, self.plan.tile)])

    def _try(self, stack: Tensor, batch: list[tuple[int, TileRegion]]) -> list[NDArray[Any]] | None:
        """Return the values ``(h, w)`` of each tile, halo cropped, or None when the device ran out of memory."""
        try:
            return self._pass(stack, batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _pass(self, stack: Tensor, batch: list[tuple[int, TileRegion]]) -> list[NDArray[Any]]:
        outer = [self._grown(region) for _, region in batch]
        inputs = torch.stack([stack[(i, ..., *grown.slices)] for (i, _), grown in zip(batch, outer, strict=True)])
        with torch.inference_mode(), self.device.autocast():
            inputs = inputs.to(self.device.torch_device).contiguous(memory_format=torch.channels_last)
            decoded = self._averaged(inputs) if self.augment else self._decode(self.network(inputs))
            crops = [
                region.within(grown).scaled(self.upscale).slices
                for (_, region), grown in zip(batch, outer, strict=True)
            ]
            return [self._final(output[(..., *crop)]) for output, crop in zip(decoded, crops, strict=True)]

    def _averaged(self, inputs: Tensor) -> Tensor:
        """Mean of the decoded output over the 8 flips and turns of the input."""
        total: Tensor | None = None
        for turns in range(4):
            for mirrored in (False, True):
                view = torch.rot90(inputs.flip(-1) if mirrored else inputs, turns, (-2, -1))
                decoded = torch.rot90(self._decode(self.network(view)), -turns, (-2, -1))
                decoded = decoded.flip(-1) if mirrored else decoded
                total = decoded if total is None else total + decoded
        assert total is not None
        return total / 8

    def _final(self, decoded: Tensor) -> NDArray[Any]:
        """Labels or values ``(h, w)`` of a decoded tile ``(c, h, w)``."""
        values = (
            decoded.argmax(0).to(torch.uint8 if self.dtype == np.uint8 else torch.int32) if self.labels else decoded[0]
        )
        array: NDArray[Any] = values.cpu().numpy()
        return array


def _shrunk_sentence(plan: TilePlan) -> str:
    if plan.batch > 1:
        return f"The device ran out of memory; going on with {plan.batch} tiles in one pass."
    return f"The device ran out of memory; going on with one tile of {plan.tile} px at a time."


class _Stopped(Exception):  # noqa: N818
    """Leaves a pass through the network that nobody waits for any more."""


class _Gate:
    """Hook before each layer: a pass over a large tile takes seconds, and Stop shall not wait for them."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def __call__(self, *_: Any) -> None:
        if self._control.stopped:
            raise _Stopped


class _Clock:
    """Meters out progress: ten events a second at most, and always the last one."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last = -np.inf

    def progress(self, done: int, left: int, planes_done: float) -> Iterator[Progress]:
        """Yield an event when one is due."""
        now = time.monotonic()
        if left and now - self._last < EVENT_SECONDS:
            return
        self._last = now
        seconds = max(now - self._start, 1e-9)
        yield Progress(
            step=done,
            total=done + left,
            seconds_left=seconds * left / done,
            seconds=seconds,
            images_per_second=planes_done / seconds,
        )
