"""Results are kept, asked for once, scored and told as was counted by hand."""

from pathlib import Path

import numpy as np
import pytest
from peers.results import Result, ResultFile, mean_dice, table

RESULTS = [
    Result("denoise", "low dose", "ours", 30, 0, 20.0, 29.0, 100),
    Result("denoise", "low dose", "ours", 30, 1, 22.0, 31.0, 110),
    Result("denoise", "low dose", "theirs", 60, 0, 19.5, 60.2, 90),
    Result("denoise", "low dose", "noisy", 0, 0, 8.62),
]


def test_only_what_is_missing_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    ResultFile(path).add(*RESULTS)
    again = ResultFile(path)
    assert again.results == RESULTS
    assert again.missing("denoise", "low dose", "ours", 0, [30, 60]) == [60]
    assert again.missing("denoise", "low dose", "ours", 2, [30]) == [30]
    assert again.missing("segment", "low dose", "ours", 0, [30]) == [30]
    assert again.missing("denoise", "low dose", "noisy", 0, [0]) == []


def test_dice_is_averaged_over_classes_then_images() -> None:
    truth = np.array([[[0, 1, 1, 2]], [[0, 0, 0, 0]], [[0, 0, 1, 1]]])
    labels = np.array([[[0, 1, 2, 2]], [[0, 0, 0, 0]], [[0, 2, 1, 1]]])
    first = (2 * 1 / 3 + 2 * 1 / 3) / 2
    third = (1 + 0) / 2  # a class that is not there, but was found, counts as missed
    assert mean_dice(labels, truth) == pytest.approx((first + 1 + third) / 3)


def test_a_row_for_each_side_and_a_column_for_each_budget() -> None:
    assert table(RESULTS, "PSNR, dB").splitlines() == [
        "| PSNR, dB | low dose | low dose, 30 s | low dose, 60 s |",
        "|---|---|---|---|",
        "| noisy | 8.62 |  |  |",
        "| ours |  | 21 (20 to 22); 30 s |  |",
        "| theirs |  |  | 19.5; 60 s |",
    ]
