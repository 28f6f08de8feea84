"""Answers are kept as they are given, and for nothing but what they were given for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from few_labels.answers import Answer, AnswerCache, Remembered, coarse
from few_labels.filters import FirstLook, Forest
from few_labels.micrographs import MicrographSet, Trial, as_micrograph
from few_labels.networks import Average, InContext, probabilities
from few_labels.painting import paint
from few_labels.tables import score
from grey_vectors import grey_generator
from numbered_squares import picture, squares

import napari_emssl as em

PLAIN = em.ApplySettings(device="cpu", precision="fp32")


@pytest.fixture
def trial() -> Trial:
    numbers = squares(12)
    made = as_micrograph("squares", picture(numbers), numbers, MicrographSet(""))
    return Trial("made-up", "", 3, 0, made, paint(made, 3, np.random.default_rng(0)), (made,), (2,))


@pytest.mark.parametrize("column", [Forest, FirstLook])
def test_a_kept_answer_is_the_answer(
    column: type, trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (fresh,) = column(AnswerCache(None)).answers(trial)
    (first,) = column(AnswerCache(tmp_path)).answers(trial)
    monkeypatch.setattr(AnswerCache, "write", None)  # whatever is made anew from here on fails
    (kept,) = column(AnswerCache(tmp_path)).answers(trial)
    assert np.array_equal(fresh.labels, first.labels)
    assert np.array_equal(kept.labels, first.labels)
    assert kept.seconds == first.seconds
    assert np.array_equal(kept.probabilities, first.probabilities)
    assert score(trial, trial.painted, kept) > 0.95


@pytest.mark.parametrize("column", [Forest, FirstLook])
def test_another_painting_or_image_has_another_answer(column: type, trial: Trial, tmp_path: Path) -> None:
    other = replace(trial, target=paint(trial.painted, 1, np.random.default_rng(0)))
    darker = replace(trial.painted, image=trial.painted.image // 2)
    asked = column(AnswerCache(tmp_path))
    for each in (trial, other, replace(trial, judged=(darker,))):
        asked.answers(each)
    assert len(list(tmp_path.glob("*.npz"))) == 3


def test_rounded_probabilities_keep_what_is_more_probable() -> None:
    rng = np.random.default_rng(0)
    first = np.concatenate([rng.random(1000), [0.5, 0.4999, 0.5001]]).astype(np.float32)
    both = np.stack([1 - first, first])
    assert np.array_equal(Answer.of(coarse(both), 0).labels, (first > 0.5).astype(np.uint8))


def test_in_context_is_what_users_get(trial: Trial) -> None:
    column = InContext("grey", grey_generator(), PLAIN)
    (answer,) = column.answers(trial)
    assert np.array_equal(answer.labels, em.apply(column.ask(trial), trial.painted.image, PLAIN))
    assert score(trial, trial.painted, answer) > 0.95
    assert column.checked == {("made-up", 1.0)}


def test_so_it_is_with_hot_pixels_in_a_shrunken_image() -> None:
    numbers = np.kron(squares(4, 48), np.ones((16, 16), np.uint8))
    image = picture(numbers).astype(np.uint16)
    image[100, 100:300:20] = 60_000
    made = as_micrograph("large", image, numbers, MicrographSet(""))
    trial = Trial("large", "", 2, 0, made, paint(made, 2, np.random.default_rng(0)), (made,), (2,))
    column = InContext("grey", grey_generator(), PLAIN)
    (answer,) = column.answers(trial)
    assert column.checked == {("large", 0.5)}
    assert np.array_equal(answer.labels, em.apply(column.ask(trial), image, PLAIN))


def test_an_answer_that_users_do_not_get_is_refused(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    def inverted(*arguments: object) -> np.ndarray:
        return probabilities(*arguments)[::-1]  # type: ignore[arg-type]

    monkeypatch.setattr("few_labels.networks.probabilities", inverted)
    with pytest.raises(RuntimeError, match="up to date"):
        InContext("grey", grey_generator(), PLAIN).answers(trial)


class Counted:
    """Gives the same probability everywhere."""

    name = "counted"

    def __init__(self, value: float) -> None:
        self.value, self.asked = value, 0

    def answers(self, trial: Trial) -> list[Answer]:
        self.asked += 1
        found = np.full(trial.painted.image.shape, self.value, np.float32)
        return [Answer.of(np.stack([1 - found, found]), 2.0)]


def test_an_average_asks_each_once(trial: Trial) -> None:
    low, high = Counted(0.2), Counted(0.9)
    first, second = Remembered(low), Remembered(high)
    average = Average(first, second)
    for column in (first, second, average):
        (answer,) = column.answers(trial)
    assert (low.asked, high.asked) == (1, 1)
    assert (answer.labels == 1).all()
    assert answer.seconds == 4.0
    assert average.name == "counted + counted"
