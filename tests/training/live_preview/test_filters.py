"""A first look: right about what a few strokes show, honest about the rest, quick at the second one, never behind."""

import numpy as np
import psutil
import pytest
from patience import eventually

from napari_emssl import worker_jobs
from napari_emssl.errors import UserError
from napari_emssl.jobs.allocator import keeps_memory
from napari_emssl.jobs.events import Finished, Notice, Preview, Started
from napari_emssl.jobs.worker import client
from napari_emssl.training.context.pixel_classifier import fit, pixel_features
from napari_emssl.training.live_preview.answers import uncertainty
from napari_emssl.training.live_preview.filters import MOST_PLANES, FilterPredictor, live_preview
from napari_emssl.training.live_preview.query import PreviewQuery


def discs(seed: int = 0, size: int = 192, step: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs on a noisy ground, uint16, and their numbers."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    numbers = np.zeros((size, size), np.uint8)
    places = [(r, c) for r in range(step // 2, size, step) for c in range(step // 2, size, step)]
    for number, (row, column) in enumerate(places, 1):
        numbers[(rows - row) ** 2 + (columns - column) ** 2 < (step // 4) ** 2] = number
    image = 1000 + 800 * (numbers > 0) + 200 * rng.standard_normal((size, size))
    return image.astype(np.uint16), numbers


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def test_two_painted_discs_show_the_others() -> None:
    image, numbers = discs()
    answer = FilterPredictor().answer(PreviewQuery((image,), ((numbers > 0) & (numbers <= 2),)))
    assert answer["prediction"].dtype == np.uint8
    assert dice(answer["prediction"] == 1, numbers > 0) > 0.92
    unsure = answer["uncertainty"]
    assert unsure.dtype == np.float32
    assert 0 <= unsure.min() <= unsure.max() <= 1
    wrong = (answer["prediction"] == 1) != (numbers > 0)
    assert unsure[wrong].mean() > 3 * unsure[~wrong].mean()


def test_classes_are_those_of_the_labels_in_order_and_other_roles_are_none() -> None:
    image, numbers = discs()
    image[numbers % 2 == 1] += 1500
    painting = np.zeros_like(numbers)
    for number, label in ((1, 7), (2, 4), (5, 7), (6, 4)):
        painting[numbers == number] = label
    painting[numbers == 16] = 9
    found = FilterPredictor().answer(PreviewQuery((image,), (painting,), ignored=(9,)))["prediction"]
    bright = (numbers > 0) & (numbers % 2 == 1)
    assert dice(found == 2, bright) > 0.9
    assert dice(found == 1, (numbers > 0) & ~bright) > 0.9


def test_paint_on_another_plane_counts() -> None:
    (seen, numbers), (other, truth) = discs(0), discs(1)
    nothing = np.zeros_like(numbers)
    found = FilterPredictor().answer(PreviewQuery((seen, other), ((numbers > 0) & (numbers <= 3), nothing), view=1))
    assert dice(found["prediction"] == 1, truth > 0) > 0.92


def test_the_same_question_has_the_same_answer() -> None:
    image, numbers = discs()
    look = PreviewQuery((image,), ((numbers > 0) & (numbers <= 2),))
    first, second = (FilterPredictor().answer(look) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_large_plane_is_looked_at_on_a_coarser_grid() -> None:
    image, numbers = discs(size=1301, step=120)
    answer = FilterPredictor().answer(PreviewQuery((image,), ((numbers > 0) & (numbers <= 3),)))
    assert answer["prediction"].shape == answer["uncertainty"].shape == image.shape
    assert dice(answer["prediction"] == 1, numbers > 0) > 0.92


def test_features_are_computed_once_for_each_of_the_planes_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_emssl.training.live_preview import filters as module

    computed = []
    real = module.pixel_features
    monkeypatch.setattr(module, "pixel_features", lambda unit: computed.append(1) or real(unit))
    looker = FilterPredictor()
    stack = [discs(seed, 96) for seed in range(MOST_PLANES + 1)]
    for image, numbers in (stack[0], stack[0], *stack[1:], stack[-1]):
        looker.answer(PreviewQuery((image,), (numbers == 1,)))
    assert len(computed) == MOST_PLANES + 1
    looker.answer(PreviewQuery((stack[0][0],), (stack[0][1] == 1,)))
    assert len(computed) == MOST_PLANES + 2


@pytest.mark.parametrize(("unpainted", "message"), [("ignored", "what is background"), ("near", "No pixel is painted")])
def test_too_little_paint_is_said_and_the_job_goes_on(unpainted: str, message: str) -> None:
    image, numbers = discs(size=96)
    painting = (numbers == 1) if unpainted == "ignored" else np.zeros_like(numbers)
    job = live_preview()
    events = iter(job)
    assert isinstance(next(events), Started)
    job.ask(PreviewQuery((image,), (painting,), unpainted=unpainted))
    said = next(events)
    assert isinstance(said, Notice)
    assert message in said.text
    job.ask(PreviewQuery((image,), (numbers == 1,), number=5))
    answer = next(events)
    assert isinstance(answer, Preview)
    assert answer.step == 5
    job.stop()
    assert isinstance(next(events), Finished)


def test_of_waiting_questions_only_the_newest_is_answered() -> None:
    image, numbers = discs(size=96)
    job = live_preview()
    for number in range(3):
        job.ask(PreviewQuery((image,), (numbers == 1,), number=number))
    assert [type(event) for event in (next(job), next(job))] == [Started, Preview]
    job.stop()
    assert isinstance(next(job), Finished)


def test_a_process_of_its_own_answers_stroke_after_stroke() -> None:
    image, numbers = discs(size=512)
    job = client.run(worker_jobs.live_preview)
    assert isinstance(next(job), Started)
    for count in (1, 2, 3):
        job.ask(PreviewQuery((image,), ((numbers > 0) & (numbers <= count),), number=count))
        answer = next(job)
        assert isinstance(answer, Preview)
        assert answer.step == count
    assert dice(answer.images["prediction"] == 1, numbers > 0) > 0.92
    job.stop()
    assert isinstance(list(job)[-1], Finished)


def test_only_background_is_answered_in_a_sentence() -> None:
    image, numbers = discs(size=96)
    with pytest.raises(UserError, match="Only background"):
        FilterPredictor().answer(PreviewQuery((image,), (numbers == 1,), background=(1,)))


def test_the_classifier_learns_what_no_plane_could_part() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (600, 2)).astype(np.float32)
    inside = (np.hypot(*points.T) < 0.6).astype(np.int64)
    classifier = fit(points, inside, 2)
    assert (classifier.probabilities(points).argmax(axis=0) == inside).mean() > 0.92


def test_more_classes_than_a_batch_has_pixels_are_learnt() -> None:
    classes = np.arange(300)
    found = fit(np.random.default_rng(0).random((300, 3)).astype(np.float32), classes, 300)
    assert np.isfinite(found.probabilities(np.random.default_rng(1).random((20, 3)))).all()


def test_uncertainty_is_none_where_sure_and_full_where_undecided() -> None:
    three = np.array([[1.0, 1 / 3, 0.5], [0.0, 1 / 3, 0.5], [0.0, 1 / 3, 0.0]], np.float32)
    np.testing.assert_allclose(uncertainty(three), [0, 1, np.log(2) / np.log(3)], atol=1e-4)


@pytest.mark.skipif(not keeps_memory(), reason="needs the GNU C library")
def test_a_process_that_waits_holds_little_but_what_it_remembers() -> None:
    job = client.run(worker_jobs.live_preview)
    next(job)
    process = psutil.Process(job.pid)
    before = process.memory_info().rss
    for seed in range(MOST_PLANES + 1):
        image, numbers = discs(seed, size=768, step=64)
        job.ask(PreviewQuery((image,), ((numbers > 0) & (numbers <= 2),), number=seed))
        assert isinstance(next(job), Preview)
    remembered = MOST_PLANES * pixel_features(image.astype(np.float32)).astype(np.float16).nbytes
    held = eventually(lambda: process.memory_info().rss - before - remembered < 80e6)
    job.close()
    assert held
