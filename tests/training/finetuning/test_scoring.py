"""Scores of what a network segments."""

import numpy as np
import pytest

from napari_emssl.training.finetuning.scoring import objects_dice, scores_by_step


def test_each_object_is_scored_with_the_pixels_that_are_its_own_or_nearest_to_it() -> None:
    target = np.array([2, 2, 1, 1, 3, 3, 1, 2, 2])
    owners = np.array([1, 1, 1, 1, 2, 2, 2, 3, 3])
    labels = np.array([1, 1, 1, 0, 2, 1, 0, 0, 2])  # one pixel too many; a half; one missed, the other of another class
    assert objects_dice(labels, target, owners) == [0.8, 2 / 3, 0.0]


def test_without_any_object_there_is_no_score() -> None:
    assert objects_dice(np.array([0, 1]), np.array([1, 1]), np.array([0, 0])) == []


@pytest.mark.parametrize("saved", [0.5, None, [0.5], {"3": [0.5]}, {3: 0.5}, {3: [0.5, "x"]}])
def test_scores_that_no_autosave_holds_are_refused(saved: object) -> None:
    assert scores_by_step({3: [0.5, 1.0], 6: []}) == {3: [0.5, 1.0], 6: []}
    with pytest.raises(TypeError):
        scores_by_step(saved)
