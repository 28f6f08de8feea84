"""Filters learn from what is painted, and have a share only where the network is not known to find objects."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from grey_vectors import grey_generator

from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.jobs.context_settings import ContextSettings
from napari_emssl.jobs.devices import choose_device
from napari_emssl.models.model_file import ClassInfo
from napari_emssl.training.context.fitted_filters import fitted_filters
from napari_emssl.training.context.remembered import RememberedPainting, remembered

CLASSES = (ClassInfo(name="background"), ClassInfo(name="disc"))

SETTINGS = ContextSettings(device="cpu", precision="fp32")
PLACES = [(30, 30), (30, 100), (100, 30), (100, 100)]


def discs(objects: int, rough: bool = False) -> tuple[LabelledPlane, np.ndarray]:
    """Four discs, brighter or rougher than the ground, and how many of them are painted, with 6 px around them."""
    y, x = np.mgrid[:136, :136]
    far = np.stack([np.hypot(y - row, x - column) for row, column in PLACES])
    truth = far.min(0) < 14
    noise = np.random.default_rng(0).standard_normal(truth.shape)
    image = 0.5 + (0.15 * truth * noise if rough else 0.3 * truth) + 0.02 * noise
    target = np.zeros(truth.shape, np.uint8)
    target[far[:objects].min(0) < 20] = 1
    target[far[:objects].min(0) < 14] = 2
    return LabelledPlane(image.astype(np.float32), target), truth


def asked(plane: LabelledPlane, **settings: object) -> RememberedPainting:
    chosen = SETTINGS.model_copy(update=settings)
    return remembered(grey_generator(), [plane], 2, chosen, choose_device(chosen))


def test_rough_objects_as_bright_as_the_ground_are_told_from_it() -> None:
    plane, truth = discs(1, rough=True)
    painting = asked(plane)
    filters = fitted_filters(painting.seen, 0.3, 0)
    with torch.inference_mode():
        found = filters.classified(filters.responses(torch.from_numpy(plane.image)[None, None]))[0].argmax(0).numpy()
    assert (found == truth)[plane.target == 0].mean() > 0.9


def test_rings_do_not_teach_that_the_paint_is_ground() -> None:
    plane, truth = discs(1)
    ring = truth & (plane.target == 0)
    mistaken = LabelledPlane(plane.image, np.where(ring, 1, plane.target).astype(np.uint8), assumed=ring)
    painting = asked(mistaken)
    filters = fitted_filters(painting.seen, 0.3, 0)
    with torch.inference_mode():
        found = filters.classified(filters.responses(torch.from_numpy(plane.image)[None, None]))[0].argmax(0).numpy()
    assert (found[truth] == 1).mean() > 0.95


@pytest.mark.parametrize(("objects", "share"), [(1, 0.33), (3, 0.0)])
def test_they_have_no_share_where_painted_objects_find_each_other(objects: int, share: float) -> None:
    plane, _ = discs(objects)
    spec = asked(plane).model("discs", CLASSES, "").card.network
    assert spec.filter_share == share


def test_rings_alone_are_not_enough_to_learn_from() -> None:
    plane, _ = discs(1)
    model = asked(replace(plane, assumed=plane.target == 1)).model("discs", CLASSES, "")
    assert model.card.network.filter_share == 0


def test_they_have_no_share_where_each_object_is_a_class() -> None:
    target = np.zeros((64, 64), np.uint8)
    target[:, 40:] = 1
    target[:40, :1] = np.arange(2, 42)[:, None]
    chosen = SETTINGS.model_copy(update={"filter_share": 0.5})
    image = np.random.default_rng(0).random((64, 64), np.float32)
    painting = remembered(grey_generator(), [LabelledPlane(image, target)], 41, chosen, choose_device(chosen))
    assert painting.seen.vectors.network.filters is None


def test_they_have_none_if_that_is_asked_for() -> None:
    plane, _ = discs(1)
    model = asked(plane, filter_share=0.0).model("discs", CLASSES, "")
    assert model.card.network.filter_share == 0
    assert not any(name.startswith("filters") for name in model.weights)


def test_a_part_of_the_painting_has_filters_of_its_own() -> None:
    plane, _ = discs(1, rough=True)
    painting = asked(plane)
    half = plane.target.copy()
    half[:, 30:] = 0
    part = painting.filters_of_part([replace(plane, target=half)], 2)
    whole = painting.seen.vectors.network.filters
    assert part is not None
    assert whole is not None
    assert not torch.equal(part.hidden.weight, whole.hidden.weight)
