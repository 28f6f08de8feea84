"""What is said of a model that was trained in the viewer."""

from pathlib import Path

import pytest
from random_models import random_model

from napari_emssl.gui.training.trained import Trained
from napari_emssl.models.card import IN_TURN, Stage


@pytest.mark.parametrize(
    ("data", "metrics", "said"),
    [
        ({"validation": IN_TURN, "objects_dice": [0.9, 0.92, 0.0]}, {"dice": 0.6}, "Left out in turn, 2 of 3 painted"),
        ({"validation": "held out"}, {"dice": 0.6}, "Dice on held-out painting: 0.60."),
        ({}, {}, "'au'."),
    ],
)
def test_objects_are_counted_where_they_judged_the_model(data: dict, metrics: dict, said: str) -> None:
    record = Stage(job="finetune", settings={}, data=data, metrics=metrics)
    card = random_model().card.model_copy(update={"history": (record,)})
    text = Trained("au", card, Path("au.safetensors")).describe(stopped=False)
    assert said in text
    assert ("0.6" in text) == ("Dice on held-out" in said)
