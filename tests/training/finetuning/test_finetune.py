"""Fine-tuning on small painted images: it learns from paint alone, stops, resumes, and knows what it does not know."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch
from small_finetuning import dice, discs, paint, result, small

from napari_emssl.data.images.image import Image
from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.errors import UserError
from napari_emssl.evaluation.evaluate import evaluate
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.events import Notice, Preview, Progress, Started
from napari_emssl.jobs.settings import EvaluateSettings
from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import Card, Model, NetworkSpec
from napari_emssl.models.weights import to_numpy
from napari_emssl.training.finetuning import base_learner, learners
from napari_emssl.training.finetuning.base_learner import schedule
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.finetuning.learners import ALL_CLASSES


def test_two_painted_discs_are_enough_to_find_the_others() -> None:
    image, numbers = discs()
    settings = small(steps=80, width=4, learning_rate=5e-3, validation_interval=None)
    model = finetune([image], [paint(numbers)], settings, "scratch").result()
    other, truth = discs(seed=1)
    assert dice(apply(model, other) > 0, truth > 0) > 0.9


def test_events_tell_where_what_and_how_it_goes() -> None:
    image, numbers = discs()
    events = list(finetune([image], [paint(numbers, 9)], small(), "scratch", name="mine", class_names=["gold"]))
    assert isinstance(events[0], Started)
    assert "CPU" in events[0].device
    preview = next(event for event in events if isinstance(event, Preview)).images["prediction"]
    assert (preview.shape, preview.dtype) == (image.shape, np.uint8)
    metrics = [event.metrics for event in events if isinstance(event, Progress) and event.metrics]
    assert set(metrics[0]) == {"loss", "dice", ALL_CLASSES}
    card = result(events).card
    assert (card.name, [info.name for info in card.classes]) == ("mine", ["background", "gold"])
    assert card.history[-1].start == "scratch"
    assert card.history[-1].metrics[ALL_CLASSES] == max(values[ALL_CLASSES] for values in metrics)


def test_a_network_that_takes_everything_for_particles_is_not_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    image, mask = np.zeros((64, 64), np.uint8), np.repeat(np.uint8([0, 1, 1, 1, 1]), [12, 13, 13, 13, 13])[None]
    masks = [np.repeat(mask, 64, 0)] * 5

    def painted(self: learners.Segmenter, plane: LabelledPlane) -> tuple[torch.Tensor, torch.Tensor]:
        target = torch.from_numpy(plane.target.astype(np.int64)).view(1, 1, -1)
        some = (target == 2) & (torch.arange(target.shape[-1]) % 4 > 0)  # later three quarters of the particles
        return torch.where(some | (self.step == 0), 5.0, -5.0)[:, None], target

    monkeypatch.setattr(learners.Segmenter, "_painted", painted)
    events = list(finetune([image] * 5, masks, small(zero="background"), "scratch"))
    first, last = [event.metrics for event in events if isinstance(event, Progress) and event.metrics][::2]
    assert first["dice"] > last["dice"]
    assert result(events).card.history[-1].metrics == last


@pytest.mark.parametrize(
    ("known", "changes"),
    [(True, {}), (False, {"zero": "unpainted"}), (False, {"recipe": "paper", "test": 0, "validation": 0})],
)
def test_most_of_an_image_says_how_frequent_classes_are_and_strokes_do_not(
    known: bool, changes: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, numbers = discs()
    target = paint(numbers, 9) if "zero" in changes else (numbers > 0).astype(np.uint8)
    told, step = set(), learners.Segmenter.train_step
    monkeypatch.setattr(
        learners.Segmenter, "train_step", lambda self, *given: (told.add(self.odds.known), step(self, *given))[1]
    )
    finetune([image], [target], small(**{"zero": "background", "steps": 1} | changes), "scratch").result()
    assert told == {known}


def test_too_few_objects_mean_no_validation_and_it_says_so() -> None:
    image, numbers = discs()
    events = list(finetune([image], [paint(numbers, 3)], small(), "scratch"))
    assert any("No validation" in event.text for event in events if isinstance(event, Notice))
    assert not any(event.metrics for event in events if isinstance(event, Progress))
    assert result(events).card.history[-1].metrics == {}


def test_what_is_held_out_is_not_learnt_from() -> None:
    from napari_emssl.data.images.intensity_scaling import IntensityScaling
    from napari_emssl.training.finetuning.labelled_data import gather

    image, numbers = discs()
    found = gather([image], [paint(numbers, 9)], small(), IntensityScaling())
    learnt, held = (sum(int((item.target == 2).sum()) for item in side) for side in (found.training, found.validation))
    assert held > 0
    assert learnt + held == int((numbers > 0).sum())


def test_unpainted_pixels_change_nothing() -> None:
    """Whatever an image's far, unpainted corner shows, the weights come out the same."""
    image, numbers = discs(size=256)
    other = image.copy()
    other[200:, 200:] = other[200:, 200:][::-1]
    assert not np.array_equal(other, image)
    target = paint(numbers, 1)
    first, second = (finetune([plane], [target], small(), "scratch").result() for plane in (image, other))
    assert all(np.array_equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_the_same_seed_gives_the_same_weights() -> None:
    image, numbers = discs()
    runs = [finetune([image], [paint(numbers, 9)], small(seed=seed), "scratch").result() for seed in (1, 1, 2)]
    same, other = (
        all(np.array_equal(runs[0].weights[name], run.weights[name]) for name in run.weights) for run in runs[1:]
    )
    assert same
    assert not other


def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    image, numbers = discs()
    sources = ([image], [paint(numbers, 9)], small(validation_interval=1), "scratch")
    whole = finetune(*sources).result()
    job = finetune(*sources, autosave=tmp_path / "autosave")
    for event in job:
        if isinstance(event, Progress) and event.step == 3:
            job.stop()
    resumed = finetune(*sources, resume=tmp_path / "autosave").result()
    assert all(np.array_equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)


def test_a_run_is_resumed_with_its_own_start_and_told_of_other_pixels(tmp_path: Path) -> None:
    image, numbers = discs()
    target, settings = paint(numbers, 9), small(validation_interval=1)
    start, other = (finetune([image], [target], small(steps=1, seed=seed), "scratch").result() for seed in (0, 1))
    job = finetune([image], [target], settings, start, autosave=tmp_path / "a")
    for event in job:
        if isinstance(event, Progress) and event.step == 3:
            job.stop()
    with pytest.raises(UserError, match="began with other weights"):
        finetune([image], [target], settings, other, resume=tmp_path / "a").result()
    for plane, told in ((image, False), (image[::-1], True)):
        events = list(finetune([plane], [target], settings, start, resume=tmp_path / "a"))
        assert any("pixels of images or targets" in e.text for e in events if isinstance(e, Notice)) == told


def test_a_start_gives_its_weights_and_its_history() -> None:
    image, numbers = discs()
    base = finetune([image], [paint(numbers)], small(), "scratch").result()
    again = finetune([image], [paint(numbers)], small(steps=1, learning_rate=1e-9), base).result()
    assert len(again.card.history) == 2
    assert again.card.history[-1].start == base.name
    np.testing.assert_allclose(again.weights["head.weight"], base.weights["head.weight"], atol=1e-6)


def test_several_classes_each_get_a_channel() -> None:
    image, numbers = discs()
    target = paint(numbers, 4)
    target[(numbers > 0) & (numbers % 2 == 0) & (numbers <= 4)] = 3
    model = finetune([image], [target], small(steps=3), "scratch").result()
    assert model.card.network.out_channels == 3
    assert [info.target_value for info in model.card.classes] == [None, 1, 2]
    assert set(np.unique(apply(model, image))) <= {0, 1, 2}


def test_a_model_learnt_from_paint_is_scored_on_dense_masks() -> None:
    image, numbers = discs()
    model = finetune([image], [paint(numbers)], small(steps=3), "scratch").result()
    mask = (numbers > 0).astype(np.uint8)
    dense = evaluate(model, [image], [mask], EvaluateSettings(zero="background", device="cpu"))
    painted = evaluate(model, [image], [mask + 1], EvaluateSettings(device="cpu"))
    assert dense.mean == painted.mean
    assert dense.mean["dice"] == pytest.approx(dice(apply(model, image) > 0, mask > 0), abs=1e-3)


def test_folders_pair_by_name_and_zero_is_background_there(tmp_path: Path) -> None:
    for seed in range(5):
        image, numbers = discs(seed)
        for folder, array in (("images", image), ("masks", (numbers > 0).astype(np.uint8) * 255)):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{seed}.tif", array)
    (tmp_path / "images" / "Thumbs.db").write_bytes(b"junk")
    events = list(finetune(tmp_path / "images", tmp_path / "masks", small(), "scratch"))
    assert "5 planes of 5 images" in events[0].summary
    assert any("dice" in event.metrics for event in events if isinstance(event, Progress))
    assert result(events).card.classes[1].target_value == 255


def test_a_stack_is_learnt_from_its_painted_planes() -> None:
    image, numbers = discs()
    target = np.zeros((3, *image.shape), np.uint8)
    target[1] = paint(numbers)
    events = list(finetune([np.stack([image] * 3)], [target], small(), "scratch"))
    assert "1 plane of 1 image" in events[0].summary


def test_previews_of_large_planes_are_cut_to_what_the_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_learner, "_SHOWN_PX_PER_SECOND", 5 * 32**2)
    image, numbers = discs()
    target = paint(numbers)
    events = list(finetune([image], [target], small().model_copy(update={"max_seconds": 1.0}), "scratch"))
    told = [event.text for event in events if isinstance(event, Notice)]
    assert any(text.startswith("To keep to the time, previews may show only a part") for text in told)
    shown = next(event.images for event in events if isinstance(event, Preview))["uncertainty"]
    assert shown.shape == image.shape
    rows, columns = np.nonzero(shown)
    assert (np.ptp(rows), np.ptp(columns)) == (31, 31)
    middle = [np.median(axis) for axis in np.nonzero(target > 1)]
    assert np.allclose([rows.mean(), columns.mean()], middle, atol=1) or 0 in (rows.min(), columns.min())


def test_previews_of_a_network_that_turned_out_quick_show_all_of_a_large_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_learner, "_SHOWN_PX_PER_SECOND", 5 * 32**2)
    ticks = (1e-6 * number for number in count())
    monkeypatch.setattr(base_learner, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    image, numbers = discs()
    events = list(finetune([image], [paint(numbers)], small().model_copy(update={"max_seconds": 1.0}), "scratch"))
    first, *_, last = [event.images["uncertainty"] for event in events if isinstance(event, Preview)]
    assert np.ptp(np.nonzero(first)[0]) == 31
    assert np.ptp(np.nonzero(last)[0]) == image.shape[0] - 1


def test_classes_go_by_their_names_where_they_have_some() -> None:
    image, numbers = discs()
    target = paint(numbers)
    target[target == 2] = np.where(np.arange((target == 2).sum()) % 2, 2, 4)
    events = list(finetune([image], [target], small(), "scratch", class_names=["gold", "carbon"]))
    assert "2 classes (gold, carbon)" in events[0].summary


def test_painted_frames_that_come_one_by_one_are_of_one_image() -> None:
    image, numbers = discs()
    frames = [Image(name, image[None], ()) for name in ("film", "film", "another")]
    job = finetune(frames, [paint(numbers)] * 3, small(), "scratch")
    assert "3 planes of 2 images" in next(iter(job)).summary
    job.control.stop()


@pytest.mark.parametrize(
    ("images", "targets", "message"),
    [
        ([np.zeros((64, 64))], [np.zeros((64, 64), np.uint8)], "painted"),
        ([np.zeros((64, 64))], [np.ones((32, 64), np.uint8)], "differ in size"),
        ([np.zeros((64, 64))], [], "1 image but 0 targets"),
        ([], [], "no image"),
    ],
)
def test_bad_pairs_are_answered_in_a_sentence(images: list, targets: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(finetune(images, targets, small(), "scratch"))


def test_an_unknown_start_names_the_known_ones() -> None:
    image, numbers = discs()
    with pytest.raises(UserError, match="no model 'nothing'"):
        list(finetune([image], [paint(numbers)], small(), "nothing"))


def test_the_learning_rate_warms_up_and_decays() -> None:
    rates = [schedule(share / 100) for share in range(100)]
    assert rates[0] < 0.2
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates.index(max(rates)) == 5
    assert rates[-1] < 0.03


@pytest.mark.parametrize(
    ("before", "asked", "after"), [(False, True, True), (True, False, True), (False, False, False)]
)
def test_a_refinement_is_added_to_a_start_or_kept(before: bool, asked: bool, after: bool) -> None:
    from random_models import random_model

    start = random_model("hrnet-w18-small", width=1, task="reconstruct", refine=before)
    image, numbers = discs()
    settings = small(generator=None, width=None, steps=2, refine=asked)
    model = finetune([image], [paint(numbers)], settings, start).result()
    assert model.card.network.refine is after
    assert ("refinement.head.weight" in model.weights) is after
    assert apply(model, image).shape == image.shape


def test_norms_that_came_with_no_start_gather_statistics() -> None:
    from random_models import random_model

    start = random_model("hrnet-w18-small", width=1, task="reconstruct")
    image, numbers = discs()
    settings = small(generator=None, width=None, steps=3, refine=True)
    weights = finetune([image], [paint(numbers)], settings, start).result().weights
    old, new = "merge.1.running_mean", "refinement.blocks.0.1.running_mean"
    np.testing.assert_array_equal(weights[old], start.weights[old])
    assert weights[new].any()


def test_a_unet_is_not_refined() -> None:
    image, numbers = discs()
    with pytest.raises(UserError, match="--refine"):
        list(finetune([image], [paint(numbers)], small(refine=True), "scratch"))


@pytest.mark.parametrize(("before", "asked", "after"), [
    ("batch", "auto", "batch"), ("instance", "auto", "instance"), ("batch", "instance", "instance"),
])  # fmt: skip
def test_the_norm_is_that_of_the_start_unless_another_is_asked_for(before: str, asked: str, after: str) -> None:
    torch.manual_seed(0)
    spec = NetworkSpec(name="unet-2-44", width=2, norm=before)
    start = Model(Card(name="s", task="reconstruct", network=spec), to_numpy(network_of(spec).state_dict()))
    image, numbers = discs()
    model = finetune([image], [paint(numbers)], small(generator=None, width=None, steps=2, norm=asked), start).result()
    assert model.card.network.norm == after
    assert ("encoder.0.norm1.running_mean" in model.weights) is (after == "batch")
    assert apply(model, image).shape == image.shape
