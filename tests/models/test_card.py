"""What is said of the context of a model, and of the objects that judged it."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from random_models import random_in_context, random_model

from napari_emssl.errors import UserError
from napari_emssl.models.card import IN_TURN, context_of, more_on_data, named_scores, objects_of
from napari_emssl.models.model_file import ClassInfo, Model, Stage, read_card, save_model


def test_a_model_says_what_it_remembers() -> None:
    card = random_in_context((128, 1, 40), scale=0.5).card
    text = "128 pixels of background, 1 pixel of class 1, 40 pixels of class 2"
    assert context_of(card) == f"{text}; sees images shrunk 2 times"
    stages = (
        Stage(job="in_context", settings={}, data={"summary": "", "planes": 3}),
        Stage(job="finetune", settings={}),
    )
    spec = card.network.model_copy(update={"scale": 1.0})
    painted = card.model_copy(update={"history": stages, "network": spec})
    assert context_of(painted) == f"{text}, painted on 3 planes; sees images as they are"


def test_filters_are_said_with_their_share() -> None:
    assert context_of(random_in_context(filter_share=0.33).card).endswith("; filters have a share of 33%")


def test_a_trained_model_has_no_context() -> None:
    assert context_of(random_model().card) == ""


MISSED = " If particles like a missed one are missed elsewhere, paint one of them, too."


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0.93, 0.0, 0.9], f"2 of 3 painted objects are found from the others (Dice 0.90 to 0.93).{MISSED}"),
        ([0.93, 0.8, 0.9], "3 of 3 painted objects are found from the others (Dice 0.80 to 0.93, median 0.90)."),
        ([0.971, 0.969], "2 of 2 painted objects are found from the others (Dice 0.97)."),
        ([0.5, 0.95], f"1 of 2 painted objects are found from the others (Dice 0.95).{MISSED}"),
        ([0.5, 0.1], f"0 of 2 painted objects are found from the others.{MISSED}"),
    ],
)
def test_a_missed_object_is_said_instead_of_averaged_away(scores: list[float], said: str) -> None:
    record = Stage(job="finetune", settings={}, data={"validation": IN_TURN, "objects_dice": scores})
    assert objects_of(record) == f"Left out in turn, {said}"


def test_the_record_of_the_split_is_not_for_people() -> None:
    data = {"summary": "Learning.", "validation": "held out", "objects_dice": [0.9], "split": {"566ddff6": {}}}
    assert more_on_data(Stage(job="finetune", settings={}, data=data)) == {"validation": "held out"}


def test_scores_say_whether_they_are_of_a_test() -> None:
    assert named_scores({"dice": 0.5, "test dice": 0.25}) == ["validation dice 0.5", "test dice 0.25"]


def test_objects_held_out_are_counted() -> None:
    record = Stage(job="finetune", settings={}, data={"validation": "held out", "objects_dice": [0.9, 0.8]})
    assert objects_of(record) == "Of what was held out, 2 of 2 painted objects are found (Dice 0.80 to 0.90)."


@pytest.mark.parametrize("data", [{}, {"objects_dice": []}, {"objects_dice": "many"}, {"objects_dice": ["a"]}])
def test_where_no_object_was_judged_nothing_is_said(data: dict[str, object]) -> None:
    assert objects_of(Stage(job="finetune", settings={}, data=data)) == ""


@pytest.mark.parametrize("field", ["command", "start", "data", "settings"])
def test_names_of_files_that_are_no_text_do_not_keep_a_model_from_being_written(tmp_path: Path, field: str) -> None:
    name = os.fsdecode(b"micro\xe9.tif")
    content = {"split": {name: [name]}} if field in ("data", "settings") else name
    stage = Stage(**{"job": "finetune", "settings": {}, field: content})
    model = random_model()
    card = model.card.model_copy(update={"history": (stage,)})
    path = save_model(replace(model, card=card), tmp_path / "a.safetensors")
    assert r"micro\udce9.tif" in json.dumps(getattr(read_card(path).history[-1], field)).replace(2 * "\\", "\\")


def test_a_command_that_names_thousands_of_files_is_cut() -> None:
    command = "napari-emssl pretrain " + " ".join(f"/data/of/a/long/name/frame_{number}.tif" for number in range(9999))
    kept = Stage(job="pretrain", settings={}, command=command).command
    assert command.startswith(kept[:-1])
    assert 10_000 < len(kept) < len(command)


ONE_CLASS = random_in_context().card.network.model_copy(update={"painted": (70,)})


@pytest.mark.parametrize(
    ("model", "change", "problem"),
    [
        (random_model(task="segment"), {"upscale": 2}, "finer than the image"),
        (
            random_model(task="segment"),
            {"classes": tuple(ClassInfo(name=n, target_value=0) for n in "abc")},
            "1 channels",
        ),
        (random_model(task="segment", classes=("a", "b", "c")), {"classes": ()}, ""),
        (random_model(task="segment", classes=("a", "b", "c")), {"task": "denoise"}, "needs 1"),
        (random_model(task="denoise"), {"upscale": 2}, "needs 4"),
        (random_model(task="super-resolve", upscale=2), {"upscale": 1}, "needs 1"),
        (random_model(task="super-resolve", upscale=2), {"task": "segment"}, "finer than the image"),
        (random_in_context(), {"classes": ()}, "pixels of 2 classes are remembered, and 0 are named"),
        (random_in_context(), {"network": ONE_CLASS}, "pixels of 1 classes"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(
    tmp_path: Path, model: Model, change: dict[str, object], problem: str
) -> None:
    """With the right checksums, as after editing: results would be labels that nobody has named, or a traceback."""
    path = save_model(replace(model, card=model.card.model_copy(update=change)), tmp_path / "a.safetensors")
    if not problem:
        assert read_card(path).classes == ()  # a model of another program may name none
        return
    with pytest.raises(UserError, match=problem):
        read_card(path)
