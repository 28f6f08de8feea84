"""Objects are drawn as far out as whoever paints draws them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from grey_vectors import grey_generator

from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.jobs.context_settings import ContextSettings
from napari_emssl.jobs.devices import choose_device
from napari_emssl.models.build import build_network
from napari_emssl.models.model_file import Card, ClassInfo, Model
from napari_emssl.training.context.remembered import RememberedPainting, remembered

CLASSES = (ClassInfo(name="background"), ClassInfo(name="disc"))

SETTINGS = ContextSettings(device="cpu", precision="fp32")
PLACES = [(40, 40), (40, 130), (130, 40), (130, 130)]


def soft_discs(radius: float) -> np.ndarray:
    """Bright discs whose brightness falls off over some pixels, ``(192, 192)``."""
    y, x = np.mgrid[:192, :192]
    nearest = np.min([np.hypot(y - row, x - column) for row, column in PLACES], 0)
    return np.clip((radius - nearest) / 12 + 0.5, 0, 1).astype(np.float32)


def painting(edge: float, objects: int, ring: bool = True) -> LabelledPlane:
    """Discs painted out to `edge` pixels, with 3 px around them and a corner as background."""
    y, x = np.mgrid[:192, :192]
    target = np.zeros((192, 192), np.uint8)
    target[180:, 180:] = 1
    for row, column in PLACES[:objects]:
        far = np.hypot(y - row, x - column)
        target[far < edge + 3] = 1
        target[far < edge] = 2
    plane = LabelledPlane(soft_discs(16), target)
    return plane if ring else replace(plane, assumed=(target == 1) & (y < 180))


def asked(plane: LabelledPlane) -> RememberedPainting:
    return remembered(grey_generator(), [plane], 2, SETTINGS, choose_device(SETTINGS))


def model(plane: LabelledPlane) -> Model:
    return asked(plane).model("discs", CLASSES, "")


def area(made: Model, image: np.ndarray) -> int:
    with torch.inference_mode():
        return int((build_network(made)(torch.from_numpy(image)[None, None]) > 0).sum())


def test_the_threshold_follows_the_painted_edge_and_is_kept() -> None:
    wide, narrow = model(painting(19, 4)), model(painting(13, 4))
    assert wide.card.network.threshold < 0 < narrow.card.network.threshold
    image = soft_discs(16)
    usual = {threshold: replace(made, card=_at_zero(made)) for threshold, made in (("wide", wide), ("narrow", narrow))}
    assert area(wide, image) > area(usual["wide"], image)
    assert area(narrow, image) < area(usual["narrow"], image)


@pytest.mark.parametrize("plane", [painting(19, 1), painting(19, 4, ring=False)], ids=["one object", "no background"])
def test_without_a_second_object_or_painted_background_it_stays(plane: LabelledPlane) -> None:
    assert model(plane).card.network.threshold == 0


def _at_zero(made: Model) -> Card:
    return made.card.model_copy(update={"network": made.card.network.model_copy(update={"threshold": 0.0})})
