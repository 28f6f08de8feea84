"""Pretraining that goes on from a generator, and few images that are held out in parts."""

from pathlib import Path

import numpy as np
import pytest
from small_pretraining import blobs, losses, result, small

from napari_emssl.cli import main
from napari_emssl.data.images.image import Image
from napari_emssl.data.images.opening import as_image
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Preview, Progress, Started
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.models.model_file import Model, read_card, save_model
from napari_emssl.training.pretraining.pretrain import pretrain


def first_l1(events) -> float:
    return next(event.metrics["l1"] for event in events if isinstance(event, Progress) and event.metrics)


@pytest.fixture(scope="module")
def base() -> Model:
    settings = small(steps=40, learning_rate=2e-3, generator="unet-3-96", width=3)
    return result(list(pretrain(blobs(), settings, name="base", licence="CC0")))


def test_it_begins_with_the_weights_of_the_start_and_tells_both_stages(base: Model) -> None:
    events = list(pretrain(blobs(), small(width=None, steps=4), start=base, name="adapted", licence="mine"))
    assert first_l1(events) == pytest.approx(base.card.history[0].metrics["l1"], rel=1e-4)
    card = result(events).card
    assert (card.network.name, card.network.width) == ("unet-3-96", 3)
    assert [(stage.job, stage.start) for stage in card.history] == [("pretrain", None), ("pretrain", "base")]
    assert card.history[1].settings["generator"] == "unet-3-96"
    assert card.licence == "mine; start 'base': CC0"


def test_it_goes_on_learning(base: Model) -> None:
    events = list(pretrain(blobs(), small(width=None, steps=60, learning_rate=1e-3), start=base))
    validation = [event.metrics["l1"] for event in events if isinstance(event, Progress) and event.metrics]
    assert min(validation) < 0.97 * validation[0]


def test_norm_statistics_of_a_start_stay_which_suits_other_images_better(base: Model) -> None:
    dark = [(image // 8).astype(np.uint8) ** 2 for image in blobs(4, 100)]
    found = {}
    for frozen in (True, False):
        settings = small(width=None, steps=10, learning_rate=5e-4, frozen_norm=frozen, validation_interval=5)
        events = list(pretrain(dark, settings, start=base))
        last = [event.metrics["l1"] for event in events if isinstance(event, Progress) and event.metrics][-1]
        found[frozen] = last, result(events).weights
    statistics = [name for name in base.weights if "running" in name]
    assert statistics
    assert all(np.array_equal(found[True][1][name], base.weights[name]) for name in statistics)
    assert found[True][0] < first_l1(list(pretrain(dark, small(width=None, steps=1), start=base)))


def test_a_start_by_name_file_or_scratch(base: Model, tmp_path: Path) -> None:
    path = save_model(base, tmp_path / "base.safetensors")
    of_file, of_model, of_nothing, of_scratch = (
        losses(list(pretrain(blobs(), small(width=None, steps=2, validation_interval=1), start=start)))
        for start in (path, base, None, "scratch")
    )
    assert of_file == of_model
    assert of_nothing == of_scratch
    assert of_file != of_nothing
    shipped = result(list(pretrain(blobs(), small(width=None, steps=1), start="unet-2-84")))
    assert shipped.card.network.name == "unet-2-84"


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"width": 5}, "with width 3, not 5. Leave out --width"), ({"generator": "unet-4-200"}, "Leave out --generator")],
)
def test_another_network_than_the_start_brings_is_refused(base: Model, changes: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        list(pretrain(blobs(), small(**{"width": None, **changes}), start=base))


def test_a_finished_model_is_no_start(base: Model) -> None:
    segmenter = Model(base.card.model_copy(update={"task": "segment"}), base.weights)
    with pytest.raises(UserError, match="task segment, not a generator"):
        list(pretrain(blobs(), small(width=None), start=segmenter))


def test_a_start_with_a_missing_tensor_is_refused(base: Model) -> None:
    weights = dict(base.weights)
    weights.pop("head.weight")
    with pytest.raises(UserError, match="lacks the tensor"):
        list(pretrain(blobs(), small(width=None), start=Model(base.card, weights)))


def test_a_resumed_run_equals_the_uninterrupted_one_and_wants_the_same_start(base: Model, tmp_path: Path) -> None:
    settings, autosave = small(width=None, validation_interval=1), tmp_path / "run.autosave"
    whole = result(list(pretrain(blobs(), settings, start=base)))
    job = pretrain(blobs(), settings, start=base, autosave=autosave)
    for event in job:
        if isinstance(event, Progress) and event.step == 3:
            job.stop()
    resumed = result(list(pretrain(blobs(), settings, start=base, resume=autosave)))
    assert all(np.array_equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)
    with pytest.raises(UserError, match="began with other weights"):
        list(pretrain(blobs(), small(generator="unet-3-96", width=3, validation_interval=1), resume=autosave))


def test_one_stack_is_validated_on_its_last_planes() -> None:
    stack = np.stack(blobs(20))
    events = list(pretrain([stack], small(validation=None, hold_out="parts", steps=2)))
    assert isinstance(events[0], Started)
    assert "18 planes" in events[0].summary
    assert "2 planes" in events[0].summary
    assert any(isinstance(event, Preview) for event in events)
    assert result(events).card.history[-1].metrics["l1"] > 0


def test_one_image_is_validated_on_its_lowest_rows() -> None:
    image = as_image(blobs(1, 200)[0])
    named = Image("grid 3", image.planes, image.leading)
    events = list(pretrain([named], small(validation=None, hold_out="parts", steps=2)))
    assert result(events).card.history[-1].metrics["l1"] > 0


def test_parts_and_counts_of_images_exclude_each_other() -> None:
    with pytest.raises(UserError, match="--hold-out parts takes a part of every image"):
        list(pretrain(blobs(), small(hold_out="parts", validation=1)))


def test_a_time_budget_alone_decides_how_long() -> None:
    settings = PretrainSettings(
        width=2, batch_size=2, patch=64, discriminator_width=4, epochs=None, max_seconds=1.0, device="cpu",
        hold_out="parts",
    )  # fmt: skip
    events = list(pretrain(blobs(2, 200), settings))
    steps = [event for event in events if isinstance(event, Progress)]
    assert steps[-1].total is None
    assert steps[-1].seconds >= 0.25  # a quarter is left for steps, however long validation takes
    assert steps[-1].step >= 1


def test_the_terminal_goes_on_from_a_generator(base: Model, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("film.npy", np.stack(blobs(12)))
    save_model(base, "base.safetensors")
    words = ["pretrain", "film.npy", "--start", "base.safetensors", "--hold-out", "parts", "--steps", "2"]
    words += ["--batch-size", "2", "--patch", "64", "--discriminator-width", "4", "--device", "cpu", "--quiet"]
    assert main([*words, "-o", "adapted.safetensors"]) == 0
    history = read_card("adapted.safetensors").history
    assert [stage.start for stage in history] == [None, "base"]
    assert main([*words, "-o", "base.safetensors", "--overwrite"]) == 2
    assert "base.safetensors" in capsys.readouterr().err
    assert len(read_card("base.safetensors").history) == 1
