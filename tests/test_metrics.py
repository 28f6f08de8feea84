"""Scores against numbers made by hand and formulas written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_emssl.metrics import (
    confusion,
    dice,
    dice_of,
    iou_of,
    linear_fit,
    mean_of,
    overlap_scores,
    restoration_scores,
)

LABELS = np.array([[0, 1, 1, 0], [0, 1, 0, 2]])
TARGET = np.array([[1, 2, 1, 0], [1, 2, 2, 3]])


def test_confusion_by_hand():
    np.testing.assert_array_equal(confusion(LABELS, TARGET, 3), [[2, 1, 0], [1, 2, 0], [0, 0, 1]])


def test_dice_and_iou_by_hand():
    counts = confusion(LABELS, TARGET, 3)
    assert dice_of(counts, 1) == pytest.approx((2 * 2 + 1) / (3 + 3 + 1))
    assert iou_of(counts, 1) == pytest.approx(2 / 4)
    assert dice_of(counts, 2) == iou_of(counts, 2) == 1.0


def test_a_class_that_neither_is_nor_is_found_scores_one():
    counts = confusion(np.zeros((2, 2), int), np.ones((2, 2), int), 2)
    assert dice_of(counts, 1) == iou_of(counts, 1) == 1.0


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_overlap_follows_the_formula_on_painted_pixels(seed, classes):
    rng = np.random.default_rng(seed)
    labels, target = rng.integers(0, classes, (20, 30)), rng.integers(0, classes + 1, (20, 30))
    counts = confusion(labels, target, classes)
    painted = target > 0
    for label in range(classes):
        p, t = (labels == label) & painted, target == label + 1
        assert dice_of(counts, label) == pytest.approx((2 * (p & t).sum() + 1) / (p.sum() + t.sum() + 1))
        assert iou_of(counts, label) == pytest.approx((p & t).sum() / (p | t).sum() if (p | t).any() else 1)


def test_unpainted_pixels_do_not_count():
    other = LABELS.copy()
    other[TARGET == 0] = 2
    np.testing.assert_array_equal(confusion(other, TARGET, 3), confusion(LABELS, TARGET, 3))


def test_dice_of_several_planes_is_pooled():
    empty = np.ones_like(TARGET)
    both = dice([LABELS, LABELS * 0], [TARGET, empty], 1)
    assert both == pytest.approx((2 * 2 + 1) / (3 + 3 + 1))
    assert dice([LABELS], [TARGET], 4) == 1.0


def test_names_of_the_scores():
    counts = confusion(LABELS, TARGET, 3)
    scores = overlap_scores(counts, ["a", "b"])
    assert list(scores) == ["dice", "iou", "dice a", "dice b"]
    assert scores["dice"] == pytest.approx((scores["dice a"] + scores["dice b"]) / 2)
    assert list(overlap_scores(confusion(LABELS > 0, np.minimum(TARGET, 2), 2), ["a"])) == ["dice", "iou"]


def test_mean_over_the_images_that_have_a_score():
    assert mean_of([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": 2.0, "b": 2.0}
    assert mean_of([]) == {}


def test_restoration_against_skimage():
    rng = np.random.default_rng(0)
    truth = rng.random((40, 50)) * 200 + 1000
    result = truth + rng.normal(0, 5, truth.shape)
    scores = restoration_scores(result.astype(np.float32), truth)
    span = np.ptp(truth)
    assert scores["l1"] == pytest.approx(np.abs(result - truth).mean() / span, rel=1e-4)
    assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(truth, result, data_range=span), rel=1e-4)
    assert scores["ssim"] == pytest.approx(structural_similarity(truth, result, data_range=span), rel=1e-4)


def test_pixels_without_a_value_do_not_count():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 60))
    found = truth + 0.1 * rng.normal(size=truth.shape)
    known = restoration_scores(found[:, :50], truth[:, :50])
    truth[:, 50:], found[:, 55:] = np.nan, np.inf
    assert restoration_scores(found, truth) == pytest.approx(known)
    assert restoration_scores(found, np.full_like(truth, np.nan)) == {}


def test_the_linear_fit_takes_brightness_and_contrast_away():
    rng = np.random.default_rng(0)
    truth = rng.random((30, 30))
    result = truth + rng.normal(0, 0.1, truth.shape)
    slope, offset = np.polyfit(result.ravel(), truth.ravel(), 1)
    np.testing.assert_allclose(linear_fit(result, truth), slope * result + offset)
    plain, changed = restoration_scores(result, truth), restoration_scores(result * 7 - 3, truth)
    for name in ("l1 fitted", "psnr fitted", "ssim fitted"):
        assert changed[name] == pytest.approx(plain[name])
    assert changed["psnr"] < plain["psnr"] - 10
    assert plain["psnr fitted"] >= plain["psnr"]


def test_restoration_at_the_edges():
    constant = np.full((9, 9), 3.0)
    flat = restoration_scores(constant + 1, constant)
    assert (flat["l1"], flat["psnr"], flat["l1 fitted"], flat["psnr fitted"]) == (1, 0, 0, np.inf)
    same = restoration_scores(np.eye(9), np.eye(9))
    assert same["psnr"] == np.inf
    assert same["ssim"] == pytest.approx(1)
    assert "ssim" not in restoration_scores(np.ones((2, 40)), np.zeros((2, 40)))
    assert "ssim" in restoration_scores(np.ones((4, 40)), np.zeros((4, 40)))
