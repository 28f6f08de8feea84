"""An HRNet with its part at full resolution, from pretraining to labels."""

import numpy as np
import pytest

from napari_emssl.errors import UserError
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.pretraining.pretrain import pretrain

CPU = {"device": "cpu", "precision": "fp32"}
PLANES = np.random.default_rng(0).integers(0, 255, (4, 72, 80), np.uint8)


def pretraining(**changes: object) -> PretrainSettings:
    base = {"generator": "hrnet-w18-small", "width": 1, "steps": 2, "batch_size": 2, "patch": 64, "validation": 1}
    return PretrainSettings(**{**base, "discriminator_width": 4, **CPU, **changes})


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("classes", [1, 3])
def test_pretrained_refined_fine_tuned_and_applied(refine: bool, classes: int) -> None:
    start = pretrain(list(PLANES), pretraining(refine=refine)).result()
    assert start.card.network.refine is refine
    assert start.card.history[0].settings["refine"] is refine
    target = np.zeros((72, 80), np.uint8)
    for value in range(1, classes + 2):
        target[10 * value : 10 * value + 8, 10:60] = value
    settings = FinetuneSettings(steps=2, batch_size=1, patch=32, zero="unpainted", refine=True, **CPU)
    model = finetune([PLANES[0]], [target], settings, start).result()
    assert model.card.network.refine
    assert model.card.network.out_channels == (1 if classes == 1 else classes + 1)
    assert apply(model, PLANES, ApplySettings(**CPU)).shape == PLANES.shape


def test_a_unet_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(UserError, match="--refine"):
        next(pretrain(list(PLANES), pretraining(generator="unet-2-44", refine=True)))
