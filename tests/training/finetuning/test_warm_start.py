"""Training on from one's own model: nothing leaks from the first run's training into the second one's judgement."""

from pathlib import Path

import numpy as np
import pytest
from small_finetuning import dice, discs, paint, result, small

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.events import Notice, Preview, Progress
from napari_emssl.models.heads import with_classes
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.finetuning.labelled_data import TrainingData, gather
from napari_emssl.training.finetuning.split_record import SplitRecord, recorded


def gathered(images: list, targets: list, earlier: SplitRecord | None = None, **settings: object) -> TrainingData:
    return gather(images, targets, small(**settings), IntensityScaling(), earlier)


def test_objects_held_out_in_the_first_run_are_held_out_in_the_second() -> None:
    image, numbers = discs(size=256, count=36)
    first = finetune([image], [paint(numbers, 8)], small(steps=2), "scratch").result()
    again = gathered([image], [paint(numbers, 20)], recorded(first.card))
    (entry,) = first.card.history[-1].data["split"].values()
    learnt = again.training[0].target
    assert all(learnt[tuple(point)] == 0 for point in entry["held out"])
    assert all(learnt[tuple(point)] == 2 for point in entry["learnt"])
    assert len(again.split) == 1


def test_planes_held_out_in_the_first_run_are_held_out_when_others_come_first() -> None:
    pictures = [discs(seed) for seed in range(9)]
    images, targets = [image for image, _ in pictures], [paint(numbers, 9) for _, numbers in pictures]
    first = gathered(images[4:], targets[4:])
    held = {key for key, entry in first.split.items() if entry["whole"] == "held out"}
    assert held
    again = gathered(images, targets, first.split)
    kept = {key for key, entry in again.split.items() if entry["whole"] == "held out"}
    assert held <= kept
    assert not kept & (set(first.split) - held)


def test_five_planes_that_were_divided_into_objects_stay_so() -> None:
    pictures = [discs(seed) for seed in range(6)]
    images, targets = [image for image, _ in pictures], [paint(numbers, 9) for _, numbers in pictures]
    first = gathered(images[:2], targets[:2])
    again = gathered(images, targets, first.split)
    for key, entry in first.split.items():
        assert {tuple(p) for p in entry.get("held out", ())} <= {tuple(p) for p in again.split[key]["held out"]}


def test_when_all_was_learnt_from_nothing_judges_and_it_is_said() -> None:
    image, numbers = discs()
    first = finetune([image], [paint(numbers, 9)], small(steps=2, validation=0.0), "scratch").result()
    events = list(finetune([image], [paint(numbers, 9)], small(steps=2), first))
    assert any("already been learnt from" in event.text for event in events if isinstance(event, Notice))
    assert not any(event.metrics for event in events if isinstance(event, Progress))
    assert "already been learnt from" in result(events).card.history[-1].data["validation"]


def two_classes(numbers: np.ndarray, count: int) -> np.ndarray:
    """The painting of `paint`, with every other disc in a class of its own."""
    target = paint(numbers, count)
    target[(numbers > 0) & (numbers <= count) & (numbers % 2 == 0)] = 3
    return target


def test_a_second_run_starts_where_the_first_ended_and_stays_ahead_of_one_that_starts_anew() -> None:
    image, numbers = discs()
    other, truth = discs(seed=1)
    settings = {"width": 4, "validation": 0.0, "learning_rate": 5e-3}
    first = finetune([image], [paint(numbers)], small(steps=60, **settings), "scratch").result()
    ahead = []
    for seed in range(3):
        again = small(steps=15, seed=seed, **settings)
        warm, anew = (finetune([image], [paint(numbers, 4)], again, start).result() for start in (first, "scratch"))
        scores = [dice(apply(model, other) > 0, truth > 0) for model in (first, warm, anew)]
        assert scores[1] > scores[0] - 0.03
        ahead.append(scores[1] - scores[2])
    assert min(ahead) > 0.05


def test_going_on_takes_a_share_of_the_learning_rate() -> None:
    image, numbers = discs()
    first = finetune([image], [paint(numbers)], small(steps=2), "scratch").result()
    moved = []
    for rate in (1.0, 0.01):
        model = finetune([image], [paint(numbers)], small(steps=1, warm_rate=rate), first).result()
        moved.append(np.abs(model.weights["head.weight"] - first.weights["head.weight"]).max())
    assert moved[1] == pytest.approx(moved[0] / 100, rel=0.1)


def test_a_new_class_joins_without_a_pixel_changing_its_class_at_first() -> None:
    image, numbers = discs()
    first = finetune([image], [paint(numbers)], small(steps=30), "scratch", class_names=["gold"]).result()
    targets, gentle = [two_classes(numbers, 4)], small(steps=1, learning_rate=1e-9)
    events = list(finetune([image], targets, gentle, first, class_names=["gold", "dust"]))
    assert any("New to" in event.text and "dust" in event.text for event in events if isinstance(event, Notice))
    joined = result(events)
    assert joined.card.network.out_channels == 3
    np.testing.assert_array_equal(apply(joined, image), apply(first, image))


def test_classes_are_known_by_name_in_whatever_order() -> None:
    image, numbers = discs()
    settings = small(steps=20, learning_rate=5e-3)
    first = finetune([image], [two_classes(numbers, 4)], settings, "scratch", class_names=["gold", "dust"]).result()
    turned = with_classes(first, ["dust", "gold"])
    np.testing.assert_array_equal(turned.weights["head.weight"][[0, 2, 1]], first.weights["head.weight"])
    gold = with_classes(first, ["gold"]).weights["head.weight"]
    np.testing.assert_allclose(gold[0], first.weights["head.weight"][1] - first.weights["head.weight"][0])
    assert with_classes(first, ["silver"]) is first


def test_previews_say_where_the_network_is_undecided() -> None:
    image, numbers = discs()
    events = list(finetune([image], [paint(numbers)], small(steps=2), "scratch"))
    unsure = next(event.images["uncertainty"] for event in events if isinstance(event, Preview))
    assert (unsure.shape, unsure.dtype) == (image.shape, np.float32)
    assert 0 <= unsure.min() < unsure.max() <= 1


def test_training_ends_when_nothing_better_is_found_for_long() -> None:
    image, numbers = discs()
    settings = small(steps=400, patience=3, validation_interval=1, learning_rate=1e-9)
    events = list(finetune([image], [paint(numbers, 9)], settings, "scratch"))
    steps = max(event.step for event in events if isinstance(event, Progress))
    assert steps < 20
    assert any("nothing better than step" in event.text for event in events if isinstance(event, Notice))
    assert not events[-1].stopped
    assert len(list(finetune([image], [paint(numbers, 3)], small(patience=1), "scratch"))) > 3, "nothing judges"


def test_patience_outlives_an_interruption(tmp_path: Path) -> None:
    image, numbers = discs()
    sources = ([image], [paint(numbers, 9)], small(steps=400, patience=6, validation_interval=1, learning_rate=1e-9))
    whole = max(event.step for event in finetune(*sources, "scratch") if isinstance(event, Progress))
    job = finetune(*sources, "scratch", autosave=tmp_path / "autosave")
    for event in job:
        if isinstance(event, Progress) and event.step == 4:
            job.stop()
    resumed = finetune(*sources, "scratch", resume=tmp_path / "autosave")
    assert max(event.step for event in resumed if isinstance(event, Progress)) == whole
