"""What training begins with in context: all that is painted, and what is left of it without each object."""

import numpy as np
from grey_vectors import grey_generator, painted, scene

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.labels.targets import assumed_background, target_from_painting
from napari_emssl.jobs.devices import choose_device
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.models.model_file import ClassInfo
from napari_emssl.training.finetuning.context_start import ContextStart, begins_in_context, context_start
from napari_emssl.training.finetuning.labelled_data import TrainingData, gather

SETTINGS = FinetuneSettings(device="cpu", precision="fp32")
CLASSES = ClassInfo(name="background"), ClassInfo(name="square", target_value=1)


def begun(data: TrainingData) -> ContextStart:
    return context_start(grey_generator(), data, CLASSES, choose_device(SETTINGS), SETTINGS)


def squares(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image with so many squares painted, the target with rings, and the rings."""
    image, truth = scene()
    painting = np.zeros(truth.shape, np.uint8)
    for number in range(count):
        row, column = 8 + 28 * (number // 3), 8 + 28 * (number % 3)
        painting[row : row + 14, column : column + 14] = 1
    target = target_from_painting(painting)
    return image, target, assumed_background(target, painting)


def test_each_object_judges_what_has_seen_nothing_of_it() -> None:
    image, target, ring = squares(3)
    data = gather([image], [target], SETTINGS, IntensityScaling(), assumed=[ring])
    folds = begun(data).folds
    assert len(folds) == 3
    judged = np.zeros(target.shape, int)
    for fold in folds:
        learnt = fold.training[0].target
        assert {*np.unique(learnt)} == {0, 1, 2}
        (judge,) = fold.validation
        assert (judge.target == 2).sum() == 14 * 14
        judged[target > 0] += learnt[target > 0] == 0
        assert not (fold.training[0].assumed & (learnt == 0)).any(), "a ring goes with its object"
    assert (judged[target > 0] == 1).all()


def test_what_is_held_out_is_neither_learnt_nor_remembered() -> None:
    image, target, ring = squares(6)
    data = gather([image], [target], SETTINGS, IntensityScaling(), assumed=[ring])
    start = begun(data)
    (fold,) = start.folds
    assert fold.training[0].target.sum() < target.sum()
    assert fold.validation
    assert np.array_equal(fold.training[0].target, data.training[0].target)


def test_one_object_judges_nothing() -> None:
    image, target, ring = squares(1)
    data = gather([image], [target], SETTINGS, IntensityScaling(), assumed=[ring])
    (fold,) = begun(data).folds
    assert not fold.validation


def test_a_ring_like_the_paint_is_not_learnt() -> None:
    image, target, ring = squares(1)
    image[8:22, 23:36] = 200
    data = gather([image], [target], SETTINGS, IntensityScaling(), assumed=[ring])
    (fold,) = begun(data).folds
    learnt = fold.training[0].target
    assert not (learnt[10:20, 24:26] == 1).any(), "that is another object"
    assert (learnt[target == 2] == 2).all()
    assert (learnt == 1).sum() > 0.5 * (target == 1).sum()


def test_only_generators_with_vectors_whose_classes_are_all_painted_begin_in_context() -> None:
    image, truth = scene()
    data = gather([image], [painted(truth)], SETTINGS, IntensityScaling())
    assert begins_in_context(grey_generator(), data, SETTINGS)
    assert not begins_in_context(None, data, SETTINGS)
    assert not begins_in_context(grey_generator(), data, SETTINGS.model_copy(update={"begin_in_context": False}))
