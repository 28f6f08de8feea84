"""A model at work on planes: scaling, tiles, passes through the network, and what happens when memory runs out."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..cpu_threads import side_by_side
from ..data.images.image import Image
from ..data.images.intensity_scaling import Levels
from ..errors import UserError
from ..jobs.devices import choose_device, place
from ..jobs.events import Control, Notice
from ..jobs.settings import ApplySettings
from ..models.build import build_network
from ..models.model_file import Model
from ..models.objectives import objective_of
from ..models.results import result_dtype, result_shape
from ..models.tasks import task_of
from ..networks.norm import absorb_norms, sees_whole_image
from ..resources import is_out_of_memory
from .memory import PassAbandonedError, StopHook, leaves, needs_of, passes_at_once, release, usable_bytes
from .reading import planes_in_block, scaled_planes, stack_levels
from .tiles import TilePlan, TileRegion, first_plan, split, strips


@dataclass(frozen=True)
class Predicted:
    """One plane is done: what went in, ``(h, w)``, and what came out, ``(upscale h, upscale w)``."""

    index: int
    plane: NDArray[np.generic]
    result: NDArray[np.generic]


@dataclass(frozen=True)
class TilesDone:
    """How far a run over the planes of an image is; out of memory, what is left becomes more and smaller tiles."""

    done: int
    left: int
    planes: float
    """Planes done in this run, in fractions of them."""


@dataclass(frozen=True)
class _TileResult:
    """One tile is done; `left` are still to do in the block at hand, whose first `complete` planes are done."""

    plane: int
    region: TileRegion
    values: NDArray[np.generic]
    left: int
    complete: int


_TILED_INSTANCE_NORM = (
    "The norms of this model take each image as a whole, but the planes are run in tiles: results may differ from tile "
    "to tile. Free memory, or choose a larger tile."
)
_Tile = tuple[int, TileRegion]
"""Which plane of the block at hand, and where on it."""


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
        network = place(absorb_norms(build_network(model)), self.device)
        self._module = network
        self.network: Callable[[Tensor], Tensor] = network
        self._is_sound = False
        self.size = (height, width)
        self.task = task_of(model.card.task)
        self.labels, self.dtype = self.task.gives_labels, result_dtype(model.card)
        self._objective = objective_of(model.card)
        self.upscale = model.card.upscale
        self._passes = passes_at_once(network, self.device)
        usable = usable_bytes(self.device.torch_device) // self._passes
        self.plan = first_plan(needs_of(network, self.device), settings, height, width, usable)

    @property
    def result_size(self) -> tuple[int, int]:
        """Height and width of a result, pixels."""
        height, width = result_shape(self.size, self.model.card)
        return height, width

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
    ) -> Generator[TilesDone | Notice | Predicted, None, None]:
        """Run over the planes of an image, reading each once, and some twice for the levels of a stack.

        Parameters
        ----------
        image
            With planes of the size that this was made for.
        control
            Asked to stop, the run ends early, within a pass; a plane that is not complete is not given out.
        begin
            The plane to begin with.
        levels
            Those of the stack, for a model that scales stacks as a whole, where they are known already.

        Yields
        ------
        TilesDone | Notice | Predicted
            After every tile; when memory ran out and tiles got smaller; for every plane.

        Raises
        ------
        UnreadableError
            When a plane cannot be read.
        UserError
            When the device has too little memory for the smallest tile.

        """
        if self.tiles > 1 and sees_whole_image(self._module):
            yield Notice(_TILED_INSTANCE_NORM)
        hooks = [leaf.register_forward_pre_hook(StopHook(control)) for leaf in leaves(self._module)]
        try:
            yield from self._planes(image, control, begin, levels)
        except PassAbandonedError:
            return
        finally:
            for hook in hooks:
                hook.remove()

    def _planes(
        self, image: Image, control: Control, begin: int, shared: Levels | None
    ) -> Iterator[TilesDone | Notice | Predicted]:
        tiles_done, scaling = 0, self.model.card.scaling
        if scaling.per == "stack":
            shared = shared or stack_levels(image, scaling)
        regions = self._regions(len(image))
        count = planes_in_block(len(image), self.plan, self._passes)
        firsts = range(begin, len(image), count)
        with closing(scaled_planes(image, scaling, firsts, self.plan.stride, shared)) as blocks:
            for block in blocks:
                results = [np.zeros(self.result_size, self.dtype) for _ in block.planes]
                given_out = 0
                for tile in self._run(torch.from_numpy(block.units), regions, len(image)):
                    if isinstance(tile, Notice):
                        yield tile
                        continue
                    place = tile.region.scaled(self.upscale).slices
                    results[tile.plane][place] = self._in_units(tile.values, block.levels[tile.plane])
                    tiles_done += 1
                    left = tile.left + (len(image) - block.first - len(block.planes)) * len(regions)
                    yield TilesDone(tiles_done, left, tiles_done * (len(image) - begin) / (tiles_done + left))
                    for i in range(given_out, tile.complete):
                        self._clear_unknown(block.planes[i], results[i])
                        yield Predicted(block.first + i, block.planes[i], results[i])
                    given_out = tile.complete
                    control.wait_while_paused()
                    if control.stopped and tile.left:
                        return
                if control.stopped:
                    return

    def _regions(self, planes: int) -> list[TileRegion]:
        """The tiles of each of so many planes; a plane that is alone is cut so that all threads have work."""
        alone = planes == 1 and self.tiles == 1 and self._passes > 1
        return strips(self.plan, self._passes) if alone else self.plan.regions

    def _clear_unknown(self, plane: NDArray[np.generic], labels: NDArray[np.generic]) -> None:
        """Take labels away where there is no value: pixels that are not finite are no part of any particle."""
        if self.labels and plane.dtype.kind == "f" and plane.shape == labels.shape:
            labels[~np.isfinite(plane)] = 0

    def _in_units(self, values: NDArray[np.generic], levels: Levels) -> NDArray[np.generic]:
        """Turn scaled intensities into the units of the image; labels stay as they are."""
        return values if self.labels else self.task.output_levels(levels).from_unit(values)

    def _run(self, stack: Tensor, regions: list[TileRegion], planes: int) -> Iterator[_TileResult | Notice]:
        """Run tiles of planes ``(b, 1, h, w)`` in scaled units; out of memory, cut those that are left smaller."""
        waiting = self._in_order([(i, region) for i in range(len(stack)) for region in regions])
        # by what the whole image has, so that a plane that is left over comes out like all others
        at_once = min(self._passes, -(-planes * len(regions) // self.plan.batch))
        while waiting:
            passes = side_by_side(partial(self._try, stack), self._batches(waiting), at_once)
            with closing(passes):
                for batch, values in passes:
                    if values is None:
                        break
                    waiting = waiting[len(batch) :]
                    yield from self._results_of(batch, values, waiting, len(stack))
            if waiting:
                waiting = self._shrink(waiting)
                yield Notice(_shrunk_sentence(self.plan))

    def _results_of(
        self, batch: list[_Tile], values: list[NDArray[np.generic]], waiting: list[_Tile], planes: int
    ) -> Iterator[_TileResult]:
        for k, ((i, region), array) in enumerate(zip(batch, values, strict=True)):
            kept = region.clipped(*self.size)
            height, width = kept.scaled(self.upscale).shape
            after = batch[k + 1 :] + waiting
            complete = min((plane for plane, _ in after), default=planes)
            yield _TileResult(i, kept, array[:height, :width], len(after), complete)

    def _grown(self, region: TileRegion) -> TileRegion:
        return region.grown(self.plan.halo, self.plan.height, self.plan.width)

    def _in_order(self, work: list[_Tile]) -> list[_Tile]:
        """Put tiles that can share a pass, because their inputs have one shape, side by side."""
        if self.plan.batch == 1:
            return work
        return sorted(work, key=lambda item: self._grown(item[1]).shape)

    def _batches(self, waiting: list[_Tile]) -> Iterator[list[_Tile]]:
        """Divide tiles into passes."""
        while waiting:
            shape = self._grown(waiting[0][1]).shape
            batch = [item for item in waiting[: self.plan.batch] if self._grown(item[1]).shape == shape]
            yield batch
            waiting = waiting[len(batch) :]

    def _shrink(self, waiting: list[_Tile]) -> list[_Tile]:
        # The allocator keeps what the failed pass had: without this the smaller pass would not find room either.
        release(self.device.torch_device)
        # The smaller tiles stay for all planes to come. Like the larger ones they begin at multiples of 32 px, and so
        # of the stride: the network sees the same grid, and what is left of this plane comes out the same.
        self.plan = self.plan.smaller()
        return self._in_order([(i, part) for i, region in waiting for part in split(region, self.plan.tile)])

    def _try(self, stack: Tensor, batch: list[_Tile]) -> tuple[list[_Tile], list[NDArray[np.generic]] | None]:
        """Return a batch with the values ``(h, w)`` of its tiles, halo cropped, or None when memory ran out."""
        try:
            return batch, self._pass(stack, batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        return batch, None

    def _pass(self, stack: Tensor, batch: list[_Tile]) -> list[NDArray[np.generic]]:
        outer = [self._grown(region) for _, region in batch]
        tiles = [stack[(slice(i, i + 1), ..., *grown.slices)] for (i, _), grown in zip(batch, outer, strict=True)]
        inputs = tiles[0] if len(tiles) == 1 else torch.cat(tiles)
        inner = [region.within(grown) for (_, region), grown in zip(batch, outer, strict=True)]
        with torch.inference_mode(), self.device.autocast():
            inputs = inputs.to(self.device.torch_device).contiguous(memory_format=torch.channels_last)
            return [values.cpu().numpy() for values in self._results(inputs, inner)]

    def _results(self, inputs: Tensor, inner: list[TileRegion]) -> Iterator[Tensor]:
        """Labels or values ``(upscale h, upscale w)`` of the inner part of each input."""
        if self.augment:
            whole = self._objective.result_of(self._averaged(inputs))
            yield from (one[part.scaled(self.upscale).slices] for one, part in zip(whole, inner, strict=True))
        else:
            output = self._output(inputs)
            for i, part in enumerate(inner):  # cropped first: nothing is decoded of a halo
                yield self._objective.result(output[(slice(i, i + 1), ..., *part.slices)])[0]

    def _output(self, inputs: Tensor) -> Tensor:
        """What the network makes of inputs; its first output tells whether it makes numbers at all.

        Weights that are finite may still be so large that none of their sums is.
        """
        output = self.network(inputs)
        if not self._is_sound and not bool(torch.isfinite(output).all()):
            raise UserError(
                f"Model '{self.model.name}' gives values that are not finite: its training diverged, or the file is "
                "damaged. Use another model."
            )
        self._is_sound = True
        return output

    def _averaged(self, inputs: Tensor) -> Tensor:
        """Mean of the decoded output over the 8 flips and turns of the input."""
        total: Tensor | None = None
        for turns in range(4):
            for mirrored in (False, True):
                view = torch.rot90(inputs.flip(-1) if mirrored else inputs, turns, (-2, -1))
                decoded = torch.rot90(self._objective.decode(self._output(view)), -turns, (-2, -1))
                decoded = decoded.flip(-1) if mirrored else decoded
                total = decoded if total is None else total + decoded
        assert total is not None
        return total / 8


def _shrunk_sentence(plan: TilePlan) -> str:
    if plan.batch > 1:
        return f"The device ran out of memory; continuing with {plan.batch} tiles in one pass."
    return f"The device ran out of memory; continuing with one tile of {plan.tile} px at a time."
