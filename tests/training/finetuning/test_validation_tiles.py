"""What is held out is judged tile by tile where there is paint, as in the whole plane."""

import numpy as np
import pytest
import torch
from grey_vectors import scene

from napari_emssl.jobs.events import Progress
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.training.finetuning import learners
from napari_emssl.training.finetuning.finetune import finetune


def validated() -> dict[str, float]:
    images, truths = zip(*(scene(seed, 160) for seed in range(4)), strict=True)
    targets = [np.where(np.arange(160)[:, None] < 60, 1 + truth.astype(np.uint8), 0) for truth in truths]
    given = FinetuneSettings(
        generator="unet-2-44", width=2, steps=1, batch_size=1, patch=32, device="cpu", precision="fp32"
    )
    torch.manual_seed(0)
    events = list(finetune(list(images), targets, given, "scratch"))
    return next(event.metrics for event in events if isinstance(event, Progress) and event.metrics)


def test_tiles_with_paint_give_what_the_whole_plane_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = validated()
    monkeypatch.setattr(learners, "_JUDGED_PX", 48)
    assert validated() == pytest.approx(whole, rel=1e-5)
