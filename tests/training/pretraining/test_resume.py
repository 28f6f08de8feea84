"""Both learners go on bit for bit on the CPU, wherever they were stopped; and a real GAN that diverges ends in time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Event, Finished, Job, Notice, Progress
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.training.checkpoint import read_autosave
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.pretraining.pix2pix import Pix2Pix
from napari_emssl.training.pretraining.pretrain import pretrain

STEPS = 7
SMALL = {"steps": STEPS, "device": "cpu", "precision": "fp32", "validation_interval": 3}
GAN = {"width": 2, "batch_size": 2, "patch": 64, "discriminator_width": 4, "validation": 1}


def images(count: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    smooth = [ndimage.gaussian_filter(rng.standard_normal((72, 72)), 3) for _ in range(count)]
    return [((image - image.min()) / np.ptp(image) * 255).astype(np.uint8) for image in smooth]


def painted(image: np.ndarray) -> np.ndarray:
    target = np.zeros(image.shape, np.uint8)
    target[20:50, 10:60] = 1 + (image[20:50, 10:60] > 128)
    return target


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Images that other processes can read."""
    paths = [tmp_path / f"{number}.npy" for number in range(6)]
    for path, image in zip(paths, images(), strict=True):
        np.save(path, image)
    return paths


def pretraining(files: list[Path], **changes: Any) -> Callable[..., Job]:
    """Five training images in batches of two: an epoch ends in the middle of the third batch."""
    return lambda **files_of: pretrain(files, PretrainSettings(**{**SMALL, **GAN, **changes}), **files_of)


def finetuning(files: list[Path], **changes: Any) -> Callable[..., Job]:
    pairs = [np.load(path) for path in files]
    base = {"patch": 64, "batch_size": 2, "generator": "unet-2-44", "width": 2, "validation": 0.5}
    chosen = FinetuneSettings(**{**SMALL, **base, **changes})
    return lambda **files_of: finetune(pairs, [painted(i) for i in pairs], chosen, start="scratch", **files_of)


def stopped_after(step: int, job: Job) -> list[Event]:
    """Run a job that is asked to stop as soon as it tells of `step`; slow steps are told one by one."""
    seen = []
    for event in job:
        seen.append(event)
        if isinstance(event, Progress) and event.step == step:
            job.stop()
    return seen


def told(events: list[Event]) -> dict[int, tuple[dict[str, float], dict[str, float]]]:
    """Losses and validation by step, of events that tell both; a stop adds a validation that is not in the plan."""
    return {
        e.step: (dict(e.losses), dict(e.metrics))
        for e in events
        if isinstance(e, Progress) and e.metrics and (e.step % 3 == 0 or e.step == STEPS)
    }


def same(one: Any, other: Any) -> bool:
    """Whether two models are equal bit for bit, and from the same step with the same results."""
    stages = [model.card.history[-1] for model in (one, other)]
    equal = all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
    return equal and (stages[0].steps, stages[0].metrics) == (stages[1].steps, stages[1].metrics)


@pytest.fixture
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_emssl.jobs.meter.EVENT_SECONDS", 0.0)


@pytest.mark.usefixtures("every_step_is_told")
@pytest.mark.parametrize("training", [pretraining, finetuning])
def test_a_run_resumed_at_any_step_equals_the_uninterrupted_one(
    training: Callable[..., Callable[..., Job]], files: list[Path], tmp_path: Path
) -> None:
    start, autosave = training(files), tmp_path / "run.autosave"
    whole = list(start())
    for stop in (0, 1, 2, 3, 5, 6):  # before any step, in an epoch, at a validation, at an epoch's end
        parts = [*stopped_after(stop, start(autosave=autosave)), *start(resume=autosave, autosave=autosave)]
        assert told(parts) == told(whole), stop
        assert same(parts[-1].result, whole[-1].result), stop
        autosave.unlink()


@pytest.mark.usefixtures("every_step_is_told")
@pytest.mark.parametrize("training", [pretraining, finetuning])
def test_a_run_may_be_resumed_again_with_processes_that_read_and_without(
    training: Callable[..., Callable[..., Job]], files: list[Path], tmp_path: Path
) -> None:
    autosave = tmp_path / "run.autosave"
    whole = list(training(files)())
    first = stopped_after(2, training(files)(autosave=autosave))
    second = stopped_after(5, training(files, workers=2)(autosave=autosave, resume=autosave))
    third = list(training(files)(resume=autosave))
    assert told([*first, *second, *third]) == told(whole)
    assert same(third[-1].result, whole[-1].result)


def test_a_pretraining_is_told_of_an_image_that_was_replaced(files: list[Path], tmp_path: Path) -> None:
    autosave = tmp_path / "a"
    stopped_after(2, pretraining(files)(autosave=autosave))
    for told in (False, True):
        events = list(pretraining(files)(resume=autosave))
        assert any("pixels of images" in e.text for e in events if isinstance(e, Notice)) == told
        np.save(files[0], np.load(files[0])[::-1])


@pytest.mark.usefixtures("every_step_is_told")
@pytest.mark.parametrize("training", [pretraining, finetuning])
def test_a_time_budget_goes_on_where_it_was(
    training: Callable[..., Callable[..., Job]], files: list[Path], tmp_path: Path
) -> None:
    start = training(files, steps=10**6, max_seconds=1.0)
    begun = [e for e in stopped_after(2, start(autosave=tmp_path / "a")) if isinstance(e, Progress)][-1]
    rest = [e for e in start(resume=tmp_path / "a") if isinstance(e, Progress)]
    assert (rest[0].step, rest[0].seconds) == (begun.step, begun.seconds)
    assert rest[0].seconds_left == pytest.approx(max(0.0, 1.0 - begun.seconds))
    assert [e.seconds for e in rest] == sorted(e.seconds for e in rest)
    assert rest[-1].seconds >= 0.25  # a quarter is left for steps, however long validation takes


@pytest.mark.parametrize(
    ("training", "changes", "named"),
    [
        (pretraining, {"learning_rate": 1e-3}, "--learning-rate 0.0002 (now 0.001)"),
        (pretraining, {"batch_size": 4, "seed": 1}, "--batch-size 2 (now 4), --seed 0 (now 1)"),
        (pretraining, {"generator": "unet-3-96"}, "--generator unet-2-44 (now unet-3-96)"),
        (finetuning, {"patch": 32}, "--patch 64 (now 32)"),
        (finetuning, {"width": 4}, "--width 2 (now 4)"),
    ],
)
def test_other_settings_are_refused_by_name(
    training: Callable[..., Callable[..., Job]], changes: dict[str, Any], named: str, files: list[Path], tmp_path: Path
) -> None:
    stopped_after(0, training(files)(autosave=tmp_path / "a"))
    with pytest.raises(UserError) as refusal:
        list(training(files, **changes)(resume=tmp_path / "a"))
    assert named in str(refusal.value)


def test_other_images_are_warned_of(files: list[Path], tmp_path: Path) -> None:
    stopped_after(0, pretraining(files)(autosave=tmp_path / "a"))
    events = list(pretraining(files[1:])(resume=tmp_path / "a"))
    assert any("not those of the run that was saved" in e.text for e in events if isinstance(e, Notice))


def test_a_gan_with_a_huge_learning_rate_ends_at_once(files: list[Path], tmp_path: Path) -> None:
    chosen = PretrainSettings(**{**SMALL, **GAN, "steps": 400, "validation_interval": 1})
    job = pretrain(files, chosen.model_copy(update={"learning_rate": 1e36}), autosave=tmp_path / "a")
    events: list[Event] = []
    with pytest.raises(UserError, match=r"diverged.*no earlier weights"):
        events.extend(job)
    texts = [event.text for event in events if isinstance(event, Notice)]
    assert "lower learning rate" in texts[0]
    assert max(event.step for event in events if isinstance(event, Progress)) < 40
    assert not (tmp_path / "a").exists()


def test_a_gan_that_diverges_later_hands_over_its_best_weights(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_step = Pix2Pix.train_step

    def break_down(learner: Pix2Pix, batch: Any, progress: float) -> Any:
        return train_step(learner, batch * 1e30 if learner.step >= 40 else batch, progress)

    monkeypatch.setattr(Pix2Pix, "train_step", break_down)
    job = pretraining(files, steps=400, validation_interval=5, learning_rate=5e-3, autosave_seconds=1e-3)(
        autosave=tmp_path / "a"
    )
    events = list(job)
    assert isinstance(events[-1], Finished)
    assert "from step 41 on" in events[-1].failure
    assert events[-1].result.card.history[-1].steps in range(5, 41, 5)
    assert all(np.isfinite(array).all() for array in events[-1].result.weights.values())
    assert max(event.step for event in events if isinstance(event, Progress)) < 80
    assert read_autosave(tmp_path / "a", "pretrain")["step"] <= 40
