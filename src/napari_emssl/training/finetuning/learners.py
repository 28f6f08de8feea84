"""How a network learns to segment and to restore, and how that is validated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.labels.objects import nearest_objects, numbered_objects
from ...data.patches.labelled import LabelledPlane
from ...inference.tiles import TileRegion, default_halo, split
from ...metrics import dice
from ...models.model_file import Model
from ...models.objectives import NoisyTargetObjective, RestorationObjective, SegmentationObjective
from ...models.tasks import task_of
from ...models.weights import spread_head
from ..learner import Monitor, State, TrainingSummary
from .base_learner import FinetuneContext, FineTuner, in_plane
from .class_odds import ADJUSTED, ClassOdds, Judged, takes_odds
from .noise_start import best_smoothing, hidden_twice_where_few, parts_of, share_of_the_image, silence
from .scoring import labels_of, objects_dice, overlap_on, scores_by_step, undecided

ALL_CLASSES = "dice_with_background"
"""The validation result that decides the best weights: mean Dice of all classes."""
_PASS_PX = 2**18
"""Pixels in one pass of the validation: small planes of one size go together."""
_JUDGED_PX = 1024
"""Edge of the tiles of which those without held-out paint are not looked at."""
_JUDGED_OBJECTS_PX = 2**22
"""Held-out pixels above which objects are not judged one by one: to divide the pixels among them takes seconds."""


class Segmenter(FineTuner):
    """Learns classes of pixels from painted patches."""

    monitor = Monitor(ALL_CLASSES, "max")

    def __init__(self, context: FinetuneContext) -> None:
        super().__init__(context)
        self.objects_dice: dict[int, list[float]] = {}
        """Of every held-out object, by the step of the validation."""
        weighed = self.settings.balance_classes and self.data.much_is_labelled and takes_odds(self.network)
        self.odds = ClassOdds(self.data.training if weighed else [], self.data.classes)

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """Height and width of the first painted plane."""
        return self.data.first.shape

    @cached_property
    def _centre_of_paint(self) -> tuple[float, float] | None:
        """Row and column of the middle of what is painted on the first plane; None where it is not known."""
        rows, columns = np.nonzero(self.data.training[0].target > 1)
        return (float(np.median(rows)), float(np.median(columns))) if len(rows) else None

    def make_objective(self) -> SegmentationObjective:
        """Return the objective of classes."""
        return SegmentationObjective(self.settings.balance_classes)

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """Mean Dice of the classes over the held-out painting, the same with background or odds, and the loss.

        The best weights are those of the best Dice with the background: where particles cover most of what is held
        out, a network that sees nothing else has a high Dice of particles. Odds are not added for that, since with them
        the Dice of few pixels varies more.
        """
        held_out = self.data.validation
        if not held_out:
            return {}
        judged = [self._painted(item) for item in held_out]
        losses = [float(self.objective.loss(logits, target)) for logits, target in judged]
        found, (background, *classes) = self._judge(judged)
        dices = {"dice": float(np.mean(classes)), ALL_CLASSES: float(np.mean([background, *classes]))}
        metrics = {"loss": float(np.mean(losses)), **dices}
        if self.odds.known:
            self.odds.fit(self.step, judged, lambda some: float(np.mean(self._judge(some)[1][1:])))
            judged = [(self.odds.added_to(logits), target) for logits, target in judged]
            found, (_, *classes) = self._judge(judged)
            metrics[ADJUSTED] = float(np.mean(classes))
        judged_objects = zip(found, judged, self._owners, strict=True) if self._owners else ()
        self.objects_dice[self.step] = [
            one
            for labels, (_, target), owners in judged_objects
            for one in objects_dice(labels.ravel(), target.numpy().ravel(), owners)
        ]
        return metrics

    def _judge(self, judged: Judged) -> tuple[list[NDArray[np.integer]], list[float]]:
        """Labels of held-out pixels, and the Dice of each class, background first."""
        found = [self.objective.result(logits).numpy() for logits, _ in judged]
        truth = [target.numpy() for _, target in judged]
        return found, [dice(found, truth, label) for label in range(self.data.classes)]

    @cached_property
    def _owners(self) -> list[NDArray[np.int32]]:
        """The object that each painted pixel ``(n,)`` of each held-out plane is nearest to; nothing for many pixels."""
        planes = self.data.validation
        if sum(plane.target.size for plane in planes) > _JUDGED_OBJECTS_PX:
            return []
        nearest = [nearest_objects(numbered_objects(plane.target)[0]) for plane in planes]
        return [
            np.concatenate([numbers[tile.slices][plane.target[tile.slices] > 0] for tile in _tiles(plane)])
            for numbers, plane in zip(nearest, planes, strict=True)
        ]

    def model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the fine-tuned model, with the Dice of the objects that it was validated on."""
        self.odds.choose(summary.best_step)
        return super().model(weights, replace(summary, objects_dice=self.objects_dice.get(summary.best_step, [])))

    def unscored_model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the fine-tuned model, which knows how frequent classes are."""
        return super().unscored_model(self.odds.absorbed(weights), summary)

    def state(self) -> State:
        """Return the state of the training, the Dice of objects so far, and what is added to classes."""
        return super().state() | {"objects_dice": self.objects_dice, "class_odds": self.odds.state()}

    def load_state(self, state: State) -> None:
        """Restore what `state` returned."""
        super().load_state(state)
        self.objects_dice = scores_by_step(state["objects_dice"])
        self.odds.load_state(state["class_odds"])

    def _painted(self, plane: LabelledPlane) -> tuple[Tensor, Tensor]:
        """Logits ``(1, c, 1, n)`` and target ``(1, 1, n)`` of the painted pixels; tiles without any are left out."""
        height, width = plane.image.shape
        halo = default_halo(self.receptive_field, self.stride)
        logits, targets = [], []
        for region in _tiles(plane):
            target = plane.target[region.slices]
            painted = torch.from_numpy(target > 0)
            if painted.any():
                outer = region.grown(halo, height, width)
                output = self.output(plane.image[outer.slices])[(0, ..., *region.within(outer).slices)]
                logits.append(output.cpu()[:, painted])
                targets.append(torch.from_numpy(target[target > 0].astype(np.int64)))
        if not logits:
            return torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, dtype=torch.int64)
        return torch.cat(logits, 1)[None, :, None], torch.cat(targets)[None, None]

    def score(self, planes: Sequence[LabelledPlane]) -> dict[str, float]:
        """Overlap with the targets of planes, see `scoring.overlap_on`; empty where there are none."""
        return overlap_on(self, planes, [str(value) for value in self.data.class_values]) if planes else {}

    def predict(self, plane: LabelledPlane) -> NDArray[np.generic]:
        """Labels ``(h, w)`` uint8 of a plane."""
        return labels_of(self, plane)

    @torch.inference_mode()
    def preview(self, view: NDArray[np.generic] | None) -> Mapping[str, NDArray[np.generic]]:
        """Labels ``(h, w)`` uint8 predicted for `view`, or the first painted plane, and how undecided they are."""
        image = self.data.first if view is None else self.data.scaling.scaled(view)
        part = self.shown_part(image.shape, self._centre_of_paint)
        output = self.odds.added_to(self.output(image[part]))
        labels, found = self.objective.result(output)[0], self.objective.decode(output)[0]
        shown = {"prediction": labels.cpu().numpy(), "uncertainty": undecided(found).cpu().numpy()}
        return {name: in_plane(array, part, np.zeros(image.shape, array.dtype)) for name, array in shown.items()}

    @torch.inference_mode()
    def labels(self, images: Tensor) -> NDArray[np.uint8]:
        """Labels ``(b, h, w)`` of scaled images ``(b, 1, h, w)``, multiples of the stride, by the averaged weights."""
        with self.device.autocast():
            inputs = images.to(self.device.torch_device).contiguous(memory_format=torch.channels_last)
            output = self.odds.added_to(self.average(inputs))
        found: NDArray[np.uint8] = self.objective.result(output).cpu().numpy()
        return found


class Restorer(FineTuner):
    """Learns clean intensities from pairs of patches."""

    monitor = Monitor("l1", "min")

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """Height and width of the first plane; (1, 1) where it is not known."""
        return (1, 1) if self.data.sample is None else self.data.sample.shape

    def make_objective(self) -> RestorationObjective:
        """Return the objective of clean targets."""
        return RestorationObjective(self.data.upscale)

    def start_weights(self, start: Model, network: nn.Module) -> Mapping[str, NDArray[np.generic]]:
        """Return the weights of a start, its one channel repeated for every pixel of a finer grid."""
        return spread_head(start.weights, network)

    def validate(self) -> dict[str, float]:
        """L1 and loss over the held-out pairs, in units of the scaled images."""
        return self.score(self.data.validation)

    @torch.inference_mode()
    def predict(self, plane: LabelledPlane) -> NDArray[np.generic]:
        """Return a plane restored, ``(upscale h, upscale w)`` float32, as its target is scaled."""
        restored: NDArray[np.float32] = self.objective.decode(self.output(plane.image))[0, 0].cpu().numpy()
        return restored

    @torch.inference_mode()
    def preview(self, view: NDArray[np.generic] | None) -> Mapping[str, NDArray[np.generic]]:
        """Return `view`, or the first plane, restored, in its own units: float32 ``(upscale h, upscale w)``."""
        recorded = self.data.sample if view is None else view
        if recorded is None:
            return {}
        plane = self.data.scaling.repaired(recorded)
        levels = self.data.scaling.fit(plane)
        part = self.shown_part(plane.shape)
        restored = self.objective.decode(self.output(levels.to_unit(plane)[part]))[0, 0].cpu().numpy()
        found = task_of(self.settings.task).output_levels(levels).from_unit(restored)
        if plane[part].shape == plane.shape:
            return {"prediction": found}
        factor = self.data.upscale
        rest = plane.astype(found.dtype).repeat(factor, 0).repeat(factor, 1)
        rows, columns = (slice(side.start * factor, side.stop * factor) for side in part)
        return {"prediction": in_plane(found, (rows, columns), rest)}

    @torch.inference_mode()
    def score(self, planes: Sequence[LabelledPlane]) -> dict[str, float]:
        """Mean L1 and loss over pairs, in units of the scaled images; empty when there is none."""
        if not planes:
            return {}
        scores = [score for batch in _batches(planes) for score in self._scores(batch)]
        l1, loss = np.mean(scores, axis=0).tolist()
        return {"l1": l1, "loss": loss}

    def _scores(self, batch: Sequence[LabelledPlane]) -> list[tuple[float, float]]:
        """L1 and loss of each of some pairs of one size."""
        outputs = self.outputs(np.stack([pair.image for pair in batch]))
        targets = torch.from_numpy(np.stack([pair.target for pair in batch]))[:, None].to(outputs.device)
        decoded: Tensor = self.objective.decode(outputs)
        return [
            (float((one - target).abs().mean()), float(self.objective.loss(output[None], target[None])))
            for output, one, target in zip(outputs, decoded, targets, strict=True)
        ]


class NoiseLearner(Restorer):
    """Learns from noisy targets: nothing is known of the clean image, so only the loss can tell what is better."""

    monitor = Monitor("loss", "min")

    def __init__(self, context: FinetuneContext) -> None:
        super().__init__(context)
        # What is held out for validation may be a strip where nothing is to be seen: the whole is better to choose by.
        parts = self._hidden() if self._reach_px else parts_of(self.data.training)
        sigma_px, loss = best_smoothing(parts)
        if context.start is None or loss < self.score(parts)["loss"]:
            self._begin_with(sigma_px)

    def make_objective(self) -> NoisyTargetObjective:
        """Return the objective whose loss wants the mean."""
        return NoisyTargetObjective()

    def unscored_model(self, weights: Mapping[str, Tensor], summary: TrainingSummary) -> Model:
        """Return the denoiser, with the share of the noisy image that its result keeps."""
        model = super().unscored_model(weights, summary)
        self.average.load_state_dict(weights)
        added = {"smoothing_px": self.average.smoothing_px, "image_share": self._share()}
        network = model.card.network.model_copy(update=added)
        return replace(model, card=model.card.model_copy(update={"network": network}))

    @property
    def _reach_px(self) -> tuple[int, int] | None:
        """How far noise is correlated where hidden pixels are learnt; None where frames are."""
        found = self.data.supervision
        return found.reach_px if found and found.method == "blind-spot" else None

    def _hidden(self) -> list[LabelledPlane]:
        """Return parts of what is learnt from, with always the same pixels hidden."""
        assert self._reach_px is not None
        return hidden_twice_where_few(parts_of(self.data.training), self._reach_px)

    def _begin_with(self, sigma_px: float) -> None:
        """Add to the smoothed image from now on, and at first nothing."""
        for network in (self.network, self.average):
            silence(network)
            network.smoothing_px = sigma_px  # type: ignore[assignment]

    def _share(self) -> float:
        """Return the share of the image; where noise reaches over several pixels it cannot be measured."""
        if self._reach_px != (0, 0):
            return 0.0
        return share_of_the_image(self.score(self._hidden())["loss"], parts_of(self.data.training))

    def score(self, planes: Sequence[LabelledPlane]) -> dict[str, float]:
        """Mean loss over what is asked; empty when there is nothing."""
        scores = super().score(planes)
        return {"loss": scores["loss"]} if scores else {}


def _tiles(plane: LabelledPlane) -> list[TileRegion]:
    height, width = plane.image.shape
    return split(TileRegion(0, height, 0, width), _JUDGED_PX)


def _batches(pairs: Sequence[LabelledPlane]) -> Iterator[list[LabelledPlane]]:
    """Put neighbours of one size together."""
    batch: list[LabelledPlane] = []
    for pair in pairs:
        full = batch and len(batch) * pair.image.size >= _PASS_PX
        if full or (batch and batch[0].image.shape != pair.image.shape):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch
