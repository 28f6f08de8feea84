"""Scores and tables say what was counted by hand."""

import csv
import io

import numpy as np
import pytest
from few_labels.answers import Answer
from few_labels.micrographs import MicrographSet, Trial, as_micrograph
from few_labels.painting import paint
from few_labels.tables import Row, as_csv, as_json, as_markdown, differences, grouped, score, summaries
from numbered_squares import EDGE_PX, picture, squares

DICE = {
    "forest": {"a": (0.8, 0.6), "b": (0.9, 0.9), "c": (0.5, 0.7)},
    "network": {"a": (0.9, 0.9), "b": (0.9, 0.9), "c": (0.6, 0.5)},
}
ROWS = [
    Row("made-up", "development" if image == "a" else "held-out", image, 3, seed, column, dice, 1.0 + seed)
    for column, images in DICE.items()
    for image, values in images.items()
    for seed, dice in enumerate(values)
]


def test_seeds_are_averaged_before_images() -> None:
    found = {(one.part, one.column): one for one in summaries(grouped(ROWS))}
    forest = found["all", "forest"]
    assert forest.images == 3
    assert forest.mean == pytest.approx((0.7 + 0.9 + 0.6) / 3)
    assert forest.median == pytest.approx(0.7)
    assert forest.quantile_10 == pytest.approx(0.62)
    assert forest.seconds == pytest.approx(1.5)
    assert found["held-out", "forest"].mean == pytest.approx(0.75)
    assert found["development", "network"].images == 1


def test_differences_are_paired() -> None:
    found = {one.part: one for one in differences(grouped(ROWS))}
    every = found["all"]
    gains = np.array([0.2, 0.0, -0.05])
    assert (every.column, every.other) == ("network", "forest")
    assert every.mean == pytest.approx(gains.mean())
    assert every.standard_error == pytest.approx(gains.std(ddof=1) / np.sqrt(3))
    assert every.worse == pytest.approx(1 / 3)
    assert found["development"].standard_error is None


def test_a_set_without_parts_is_one_group() -> None:
    rows = [Row("made-up", "", "a", 1, 0, "forest", 0.5, 1.0)]
    assert list(grouped(rows)) == [("made-up", "all", 1)]


def test_groups_are_in_order_of_what_was_painted() -> None:
    rows = [Row(name, part, part, k, 0, "forest", 0.5, 1.0) for name in "ba" for part in "de" for k in (1, 3)]
    parts = ("all", "d", "e")
    assert list(grouped(rows)) == [(name, part, k) for name in "ba" for k in (1, 3) for part in parts]


def test_tables_as_text() -> None:
    written = list(csv.DictReader(io.StringIO(as_csv(ROWS))))
    assert [(row["column"], row["image"], float(row["dice"])) for row in written] == [
        (row.column, row.image, row.dice) for row in ROWS
    ]
    text = as_markdown(ROWS)
    assert "| made-up | 3 | 3 | forest | 0.733 | 0.700 | 0.620 | 1.5 |" in text
    assert "| made-up | 3 | network | forest | +0.050 ± 0.076 | 33% |" in text
    assert as_json(ROWS, {"seeds": 2})["run"] == {"seeds": 2}


def scored(labels: np.ndarray, mask: np.ndarray, **meaning: object) -> float:
    spec = MicrographSet("", **meaning)
    made = as_micrograph("squares", picture(mask), mask, spec)
    target = paint(made, 3, np.random.default_rng(0))
    labels = np.where(target > 0, 0, labels).astype(np.uint8)  # under the paint everything is wrong
    return score(
        Trial("", "", 3, 0, made, target, (made,), spec.judged_classes), made, Answer(labels, 0, np.zeros((1, 1, 1)))
    )


def test_what_is_painted_does_not_count() -> None:
    assert scored(squares(12) > 0, squares(12)) == 1.0


def test_dice_of_the_unpainted_pixels() -> None:
    every = np.ones((96, 96))
    truth = (12 - 3) * EDGE_PX**2
    judged = 2 * truth / scored(every, squares(12)) - truth
    assert truth < judged < every.size - truth
    assert scored(np.zeros((96, 96)), squares(12)) < 0.01


def test_classes_are_averaged() -> None:
    mask = np.where(squares(16) > 8, 2, squares(16) > 0).astype(np.uint8)
    half = np.where(mask == 1, 1, 0)
    assert scored(mask, mask, particles=(1, 2)) == 1.0
    assert scored(half, mask, particles=(1, 2)) == pytest.approx(0.5, abs=0.01)
    assert scored(half, mask, particles=(2,), judged=(1,)) == 1.0
