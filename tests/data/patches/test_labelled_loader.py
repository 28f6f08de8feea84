"""Labelled batches made ahead are the same batches, by a thread or by processes, and every end is clean."""

import threading
from contextlib import closing
from itertools import islice

import numpy as np
import pytest
import torch

from napari_emssl.data.patches.epoch_patches import EpochPatches
from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.data.patches.labelled_loader import LabelledLoader
from napari_emssl.data.patches.painted_patches import PaintedPatches
from napari_emssl.data.patches.paired_patches import PairPatches
from napari_emssl.errors import UserError

RNG = np.random.default_rng(0)
PLANES = [LabelledPlane(RNG.random((48, 40), np.float32), RNG.integers(0, 3, (48, 40), np.uint8)) for _ in range(3)]
PAIRS = [LabelledPlane(plane.image, plane.image[::-1].copy()) for plane in PLANES]


PATCHES = (PaintedPatches(PLANES, 32), EpochPatches(PLANES, 32), PairPatches(PAIRS, 32))


@pytest.mark.parametrize(
    ("patches", "workers"),
    [*((each, 0) for each in PATCHES), *zip(PATCHES, (2, 1, 1), strict=True)],
    ids=lambda value: type(value).__name__ if hasattr(value, "batch") else str(value),
)
def test_batches_are_those_of_their_steps(patches: PaintedPatches, workers: int) -> None:
    with closing(LabelledLoader(patches, 2, workers)) as loader:
        found = list(islice(loader.batches(5), 4))
    for step, (images, targets) in enumerate(found, 5):
        wanted = patches.batch(step, 2)
        assert torch.equal(images, wanted[0])
        assert torch.equal(targets, wanted[1])
    assert not [thread for thread in threading.enumerate() if thread.name == "reading patches"]


def test_what_cannot_be_read_is_said_where_it_is_waited_for() -> None:
    class Damaged:
        def batch(self, step: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
            raise UserError("The film is damaged.")

    with closing(LabelledLoader(Damaged(), 2)) as loader, pytest.raises(UserError, match="damaged"):
        next(loader.batches(0))
