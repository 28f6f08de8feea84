"""What becomes of a model that was trained in the viewer, and what is said of it."""

from pathlib import Path

import pytest
from random_models import random_model

from napari_emssl.errors import UserError
from napari_emssl.gui.job.request import RunOptions
from napari_emssl.gui.training import trained
from napari_emssl.gui.training.trained import Trained, autosave_path, put_into_zoo
from napari_emssl.models.card import IN_TURN, Stage
from napari_emssl.models.zoo import free_name


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


def test_two_trainings_of_one_name_keep_their_autosaves_and_models_apart(home: Path, monkeypatch) -> None:
    assert autosave_path("film") != autosave_path("film"), "neither has written one yet"
    put_into_zoo(random_model(), RunOptions("film", None))
    asked = []

    def too_early(wanted: str) -> str:
        """The first answer is from before the other model came."""
        asked.append(wanted)
        return wanted if len(asked) == 1 else free_name(wanted)

    monkeypatch.setattr(trained, "free_name", too_early)
    assert put_into_zoo(random_model(), RunOptions("film", None)).name == "film-2"
    monkeypatch.setattr(trained, "free_name", lambda wanted: "film")
    with pytest.raises(UserError):
        put_into_zoo(random_model(), RunOptions("film", None))
