"""Training that begins in context never hands over what is worse on painting that it has not seen."""

from pathlib import Path

import numpy as np
import pytest
import torch
from grey_vectors import grey_generator, painted, scene

from napari_emssl.inference.apply import apply
from napari_emssl.jobs.events import Finished, Notice, Preview, Progress
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings
from napari_emssl.models.card import objects_of
from napari_emssl.training.context import remembered
from napari_emssl.training.finetuning.context_tuner import divergence
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.in_context.segment import in_context

PLAIN = ApplySettings(device="cpu", precision="fp32")


def settings(**changed: object) -> FinetuneSettings:
    plain = {"steps": 4, "batch_size": 1, "patch": 32, "device": "cpu", "precision": "fp32", "validation_interval": 2}
    return FinetuneSettings(**(plain | changed))


def three() -> tuple[np.ndarray, np.ndarray]:
    """An image and its painting: three squares, with background beside each."""
    image, truth = scene()
    painting = np.zeros(truth.shape, np.uint8)
    painting[4:26, 4:82] = 1
    painting[:26, :82][truth[:26, :82]] = 2
    return image, painting


def test_training_in_vain_hands_over_the_answer_in_context_and_says_so() -> None:
    image, painting = three()
    events = list(finetune([image], [painting], settings(), grey_generator()))
    model = events[-1].result
    answer = in_context([image], [painting], generator=grey_generator())
    assert np.array_equal(apply(model, image, PLAIN), apply(answer, image, PLAIN))
    assert any(
        "the model stays as it was before training" in event.text for event in events if isinstance(event, Notice)
    )
    assert [stage.job for stage in model.card.history] == ["in_context", "finetune"]
    assert model.card.history[-1].steps == 0
    assert model.card.history[-1].data["validation"] == "each painted object left out in turn"
    measured = [event.metrics["dice"] for event in events if isinstance(event, Progress) and event.metrics]
    assert measured[0] > 0.9
    first = next(event for event in events if isinstance(event, Preview)).images["prediction"]
    assert np.array_equal(first, apply(answer, image, PLAIN))


def test_an_object_unlike_the_others_is_told_as_missed_when_left_out() -> None:
    image, painting = three()
    image[8:22, 64:78] -= 160  # darker than the ground
    record = finetune([image], [painting], settings(), grey_generator()).result().card.history[-1]
    assert [score > 0.9 for score in record.data["objects_dice"]] == [True, True, False]
    assert "Left out in turn, 2 of 3 painted objects are found" in objects_of(record)


def test_nothing_is_trained_where_nothing_can_judge() -> None:
    image, truth = scene()
    events = list(finetune([image], [painted(truth)], settings(), grey_generator()))
    assert not any(isinstance(event, Progress) for event in events)
    assert isinstance(events[-1], Finished)
    told = [event.text for event in events if isinstance(event, Notice)]
    assert any("Too little is painted" in text for text in told)
    assert not any("weights are kept" in text for text in told), "there were no steps"
    assert "Too little is painted" in str(events[-1].result.card.history[-1].data["validation"])


def test_resumed_is_as_uninterrupted(tmp_path: Path) -> None:
    image, painting = three()
    given = settings(least_gain=0.0, context_rate=1.0, validation=0.2)
    whole = finetune([image], [painting], given, grey_generator()).result()
    job = finetune([image], [painting], given, grey_generator(), autosave=tmp_path / "a")
    for event in job:
        if isinstance(event, Progress) and event.step == 2:
            job.stop()
    again = finetune([image], [painting], given, grey_generator(), resume=tmp_path / "a").result()
    for name, weights in whole.weights.items():
        np.testing.assert_array_equal(weights, again.weights[name])


def striped() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images of squares with and without stripes, of the same mean grey, all labelled: those with stripes count."""
    images, labels = [], []
    for seed in range(5):
        image, truth = scene(seed)
        stripes = np.zeros(truth.shape, bool)
        stripes[:, seed % 2 * 28 + 8 : seed % 2 * 28 + 50] = True
        counted = truth & stripes
        image[counted] += 60 * (np.indices(truth.shape)[0] // 2 % 2 * 2 - 1)[counted]
        images.append(image)
        labels.append(1 + counted.astype(np.uint8))
    return images, labels


@pytest.mark.parametrize(("steps", "learns"), [(1, False), (60, True)])
def test_where_much_is_labelled_and_the_answer_is_poor_all_weights_learn(
    steps: int, learns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "fitted_filters", lambda *_: None)  # they would see the stripes
    # all classes alike, or one step would do: squares are rare, and a threshold would be fitted to them
    given = settings(
        steps=steps, batch_size=4, validation_interval=20, learning_rate=5e-3, augment=False, balance_classes=learns
    )
    events = list(finetune(*striped(), given, grey_generator()))
    model = events[-1].result
    told = " ".join(event.text for event in events if isinstance(event, Notice))
    assert "all weights of the network are trained" in told
    assert ("stays as it was before training" in told) != learns
    assert bool(model.card.network.painted) != learns
    assert [stage.job for stage in model.card.history] == (["finetune"] if learns else ["in_context", "finetune"])
    assert apply(model, striped()[0][0], PLAIN).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_divergence_is_that_of_the_probabilities(channels: int) -> None:
    answer, output = torch.randn(2, 2, channels, 4, 5, generator=torch.Generator().manual_seed(0)) * 3
    p, q = (torch.cat([1 - x.sigmoid(), x.sigmoid()], 1) if channels == 1 else x.softmax(1) for x in (answer, output))
    expected = (p * (p / q).log()).sum(1)
    torch.testing.assert_close(divergence(answer, output), expected, rtol=1e-4, atol=1e-5)
    assert divergence(answer, answer).abs().max() < 1e-6


@pytest.mark.parametrize("task", ["denoise", "remove-background"])
def test_other_tasks_train_the_generator_as_any_other(task: str) -> None:
    image, _ = scene()
    model = finetune([image], [image], settings(task=task, steps=1), grey_generator()).result()
    assert model.card.task == task
    assert not model.card.network.painted
