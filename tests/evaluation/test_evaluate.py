"""Evaluate: which pixels and values count, pairs, names and JSON."""

import json

import numpy as np
import pytest
from noise_images import noise
from random_models import random_model

import napari_emssl as em
from napari_emssl.data.images.writers import write_image
from napari_emssl.errors import UserError
from napari_emssl.evaluation.comparison.gather import gather_comparison_data
from napari_emssl.evaluation.evaluate import evaluate, evaluate_job
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.compare_settings import CompareSettings
from napari_emssl.jobs.events import Finished, Notice, Preview, Progress, Started
from napari_emssl.jobs.settings import ApplySettings, EvaluateSettings, FinetuneSettings
from napari_emssl.metrics import dice, restoration_scores
from napari_emssl.models.model_file import ClassInfo, Model, Stage
from napari_emssl.training.finetuning.labelled_data import gather

APPLY = ApplySettings(device="cpu", precision="fp32")
PLAIN = EvaluateSettings(device="cpu", precision="fp32")
BINARY = random_model(task="segment")
CLASSES = random_model(task="segment", classes=("vacuum", "alumina", "Pt"))
IMAGES = [noise(40, 50, seed=seed) for seed in range(3)]


def labels_of(model, image):
    return apply(model, image, APPLY)


def perfect(model):
    """Core targets that are what the model says."""
    return [labels_of(model, image).astype(np.uint8) + 1 for image in IMAGES]


def test_its_own_labels_score_one():
    for model in (BINARY, CLASSES):
        scores = evaluate(model, IMAGES, perfect(model), PLAIN)
        assert set(scores.mean.values()) == set(scores.pooled.values()) == {1.0}
    assert list(scores.mean) == ["dice", "iou", "dice alumina", "dice Pt"]


def test_mean_of_images_and_pooled_pixels_by_hand():
    truth = np.ones((40, 50), np.uint8)
    truth[:20] = 2
    found = [labels_of(BINARY, image)[:20].sum() for image in IMAGES]
    every = [labels_of(BINARY, image).sum() for image in IMAGES]
    scores = evaluate(BINARY, IMAGES, [truth] * 3, PLAIN)
    each = [(2 * f + 1) / (e + 1000 + 1) for f, e in zip(found, every, strict=True)]
    assert [image["dice"] for image in scores.images] == pytest.approx(each)
    assert scores.mean["dice"] == pytest.approx(np.mean(each))
    assert scores.pooled["dice"] == pytest.approx((2 * sum(found) + 1) / (sum(every) + 3000 + 1))
    assert scores.pooled["iou"] == pytest.approx(sum(found) / (sum(every) + 3000 - sum(found)))


def test_unpainted_pixels_and_planes_do_not_count():
    targets = perfect(BINARY)
    targets[0][5:] = 0
    targets[1][:] = 0
    events = list(evaluate_job(BINARY, IMAGES, targets, PLAIN))
    scores = events[-1].result
    assert len(scores.images) == 2
    assert scores.mean["dice"] == 1.0
    assert any(isinstance(event, Notice) and "1 plane has no painted pixel" in event.text for event in events)


def test_nothing_painted_is_an_error():
    with pytest.raises(UserError, match="painted"):
        evaluate(BINARY, IMAGES, [np.zeros((40, 50), np.uint8)] * 3, PLAIN)


def test_stacks_count_by_plane():
    scores = evaluate(BINARY, [np.stack(IMAGES)], [np.stack(perfect(BINARY))], PLAIN)
    assert [image["name"] for image in scores.images] == ["image [0]", "image [1]", "image [2]"]


def with_classes(model, classes):
    return Model(model.card.model_copy(update={"classes": classes}), model.weights)


@pytest.fixture
def folders(tmp_path):
    """Images and dense masks with the values of the training (0, 1, 2), paired by name."""
    for number, image in enumerate(IMAGES):
        write_image(tmp_path / f"images/i{number}.tif", image)
        write_image(tmp_path / f"masks/i{number}.png", labels_of(CLASSES, image))
    (tmp_path / "images/Thumbs.db").touch()
    return tmp_path


def test_folders_of_files_are_dense_masks(folders):
    scores = evaluate(CLASSES, folders / "images", folders / "masks", PLAIN)
    assert scores.mean == {"dice": 1.0, "iou": 1.0, "dice alumina": 1.0, "dice Pt": 1.0}
    assert [image["name"] for image in scores.images] == ["i0", "i1", "i2"]


def test_values_have_the_meaning_they_had_in_training(folders):
    """Classes in another order than their values: value 1 is the second class."""
    infos = tuple(ClassInfo(name=name, target_value=value) for name, value in (("v", 0), ("Pt", 2), ("alumina", 1)))
    scores = evaluate(with_classes(CLASSES, infos), folders / "images", folders / "masks", PLAIN)
    found = [labels_of(CLASSES, image) for image in IMAGES]
    expected = [dice([labels], [np.array([1, 3, 2])[labels]], 1) for labels in found]
    assert scores.mean["dice Pt"] == pytest.approx(np.mean(expected))
    assert scores.mean["dice Pt"] < 0.9


def test_a_mask_without_some_class_keeps_the_meaning_of_its_values():
    """Only value 2 occurs: it must not be taken for the first class."""
    masks = [np.where(labels_of(CLASSES, image) == 2, 2, 0).astype(np.uint8) for image in IMAGES]
    scores = evaluate(CLASSES, IMAGES, masks, EvaluateSettings(zero="background", device="cpu", precision="fp32"))
    assert scores.mean["dice Pt"] == 1.0
    assert scores.mean["dice alumina"] < 0.1


def test_a_value_the_model_does_not_know_is_an_error(folders):
    mask = np.zeros((40, 50), np.uint8)
    mask[3] = 7
    write_image(folders / "masks/i1.png", mask, overwrite=True)
    with pytest.raises(UserError, match="7"):
        evaluate(CLASSES, folders / "images", folders / "masks", PLAIN)
    with pytest.raises(UserError, match="4"):
        evaluate(BINARY, IMAGES, [np.full((40, 50), 4)] * 3, PLAIN)


def test_masks_that_number_their_objects():
    masks = []
    for image in IMAGES:
        found = labels_of(BINARY, image).astype(np.int32)
        masks.append(found * np.arange(1, 51))
    dense = EvaluateSettings(zero="background", merge_classes=True, device="cpu", precision="fp32")
    assert evaluate(BINARY, IMAGES, masks, dense).mean["dice"] == 1.0
    # A model trained on such masks needs no telling.
    stage = Stage(job="finetune", settings={"merge_classes": True})
    trained = random_model(task="segment", history=(stage,))
    without = EvaluateSettings(zero="background", device="cpu", precision="fp32")
    assert evaluate(trained, IMAGES, masks, without).mean["dice"] == 1.0
    assert list(evaluate(CLASSES, IMAGES, masks, dense).mean) == ["dice", "iou"]


def test_a_card_without_values_takes_classes_in_order():
    infos = (ClassInfo(name="background"), ClassInfo(name="particle"))
    model = with_classes(BINARY, infos)
    masks = [labels_of(model, image) * 255 for image in IMAGES]
    dense = EvaluateSettings(zero="background", device="cpu", precision="fp32")
    assert evaluate(model, IMAGES, masks, dense).mean["dice"] == 1.0
    masks[0][0, :2] = 3
    masks[1][0, :2] = 255
    with pytest.raises(UserError, match="2 classes"):
        evaluate(model, IMAGES, masks, dense)


def test_restoration_scores_are_those_of_the_result():
    model, truths = random_model(), [noise(40, 50, seed=seed + 9) for seed in range(3)]
    scores = evaluate(model, IMAGES, truths, PLAIN)
    expected = restoration_scores(apply(model, IMAGES[1], APPLY), truths[1])
    assert {name: scores.images[1][name] for name in expected} == pytest.approx(expected)
    assert set(scores.mean) == {"l1", "psnr", "ssim", "l1 fitted", "psnr fitted", "ssim fitted"}
    assert scores.pooled == {}


@pytest.mark.parametrize(
    ("images", "targets"),
    [(IMAGES, perfect(BINARY)[:2]), (IMAGES[:1], [np.ones((40, 51), np.uint8)]), ([], [])],
)
def test_what_does_not_pair_up_is_an_error(images, targets):
    with pytest.raises(UserError):
        evaluate(BINARY, images, targets, PLAIN)


def test_scores_as_json():
    images = [np.eye(40, dtype=np.float32)]
    model = random_model()
    scores = evaluate(model, images, [apply(model, images[0], APPLY)], PLAIN)
    assert scores.mean["psnr"] == np.inf
    content = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert set(content) == {"model", "mean", "pooled", "images"}
    assert content["model"] == "random"
    assert content["mean"]["psnr"] is None
    assert content["images"][0]["name"] == "image"
    assert content["images"][0]["l1"] == 0


def test_events_and_stop():
    job = evaluate_job(BINARY, IMAGES, perfect(BINARY), PLAIN)
    events = []
    for event in job:
        events.append(event)
        if isinstance(event, Preview):
            job.stop()
    assert isinstance(events[0], Started)
    assert "3 planes" in events[0].summary
    assert set(next(event for event in events if isinstance(event, Preview)).images) == {
        "image",
        "prediction",
        "target",
    }
    assert isinstance(events[-1], Finished)
    assert events[-1].stopped
    assert len(events[-1].result.images) == 1
    whole = [event for event in evaluate_job(BINARY, IMAGES, perfect(BINARY), PLAIN) if isinstance(event, Progress)]
    assert whole[-1].fraction == 1.0


def test_images_of_different_sizes():
    images = [noise(40, 50), noise(33, 20), noise(40, 50)]
    targets = [labels_of(BINARY, image) + 1 for image in images]
    assert evaluate(BINARY, images, targets, PLAIN).pooled == {"dice": 1.0, "iou": 1.0}


def test_public_name():
    assert em.evaluate is evaluate


def test_files_without_a_partner_are_told_and_names_are_told_apart(tmp_path):
    for place in ("images/a/1", "images/b/1", "images/2", "targets/a/1", "targets/b/1"):
        write_image(
            tmp_path / f"{place}.tif",
            (IMAGES[0] > IMAGES[0].mean()).astype(np.uint8) if "targets" in place else IMAGES[0],
        )
    folders = tmp_path / "images", tmp_path / "targets"
    events = list(evaluate_job(BINARY, *folders, PLAIN))
    assert any(isinstance(one, Notice) and "1 image without target (2.tif)" in one.text for one in events)
    assert [image["name"] for image in events[-1].result.images] == ["a/1", "b/1"]
    compared = gather_comparison_data(*folders, CompareSettings(steps=1, zero="background", test=0.5))
    assert "1 image without target (2.tif)" in compared.notes[0]
    assert gather(*folders, FinetuneSettings(), BINARY.card.scaling).notes == list(compared.notes)
