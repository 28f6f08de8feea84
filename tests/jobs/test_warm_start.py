"""Training on from one's own model: nothing leaks from the first run's training into the second one's judgement."""

from test_finetune import discs, paint, result, small

from napari_emssl.data.scaling import IntensityScaling
from napari_emssl.jobs.annotations import Annotations, gather
from napari_emssl.jobs.earlier import Record, recorded
from napari_emssl.jobs.events import Progress, Warning
from napari_emssl.jobs.finetune import finetune


def gathered(images: list, targets: list, earlier: Record | None = None, **settings: object) -> Annotations:
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
    assert any("learnt from before" in event.text for event in events if isinstance(event, Warning))
    assert not any(event.metrics for event in events if isinstance(event, Progress))
    assert "learnt from before" in result(events).card.history[-1].data["validation"]
