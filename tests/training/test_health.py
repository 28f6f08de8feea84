"""Early warnings: each once, with what to do, and none in a healthy run."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch

from napari_emssl.training.health import PATIENCE, READ_EVERY, WINDOW, HealthMonitor


def watched(losses: Iterable[dict[str, Any]], monitor: HealthMonitor | None = None) -> list[str]:
    monitor, texts = monitor or HealthMonitor(), []
    for step, values in enumerate(losses, 1):
        monitor.record(step, values)
        if monitor.full:
            texts += monitor.check()
    return [*texts, *monitor.check()]


def gan(discriminator: Iterable[float]) -> list[dict[str, Any]]:
    """Losses as a learner gives them: tensors without dimension."""
    return [{"discriminator": torch.tensor(float(d)), "l1": torch.tensor(0.1)} for d in discriminator]


def noisy(mean: float, count: int, spread: float = 0.3) -> list[float]:
    return list(mean * np.exp(np.random.default_rng(0).normal(0, spread, count)))


@pytest.mark.parametrize("mean", [0.01, 0.07, 0.18])
def test_a_healthy_run_is_not_disturbed(mean: float) -> None:
    start = [7.0, 2.0, *noisy(0.5, 100)]
    assert watched(gan([*start, *noisy(mean, 2000)])) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e7, -1e20])
@pytest.mark.parametrize("kind", [float, torch.tensor])
def test_losses_that_are_not_finite_are_said_once_and_end_the_run(bad: float, kind: Any) -> None:
    monitor = HealthMonitor()
    texts = watched(({"l1": kind(bad if step > 40 else 0.1), "loss": kind(1.0)} for step in range(1, 70)), monitor)
    assert len(texts) == 1
    assert "since step 41" in texts[0]
    assert "(l1)" in texts[0]
    assert "lower learning rate" in texts[0]
    assert "from step 41 on" in monitor.failure


def test_divergence_is_seen_within_a_few_steps() -> None:
    monitor = HealthMonitor()
    for step in range(1, READ_EVERY + PATIENCE + 1):
        monitor.record(step, {"loss": torch.tensor(math.nan if step >= 2 else 1.0)})
        if monitor.full:
            assert len(list(monitor.check())) == 1
            break
    assert step <= READ_EVERY
    assert monitor.failure


def test_a_single_bad_step_warns_but_does_not_end_the_run() -> None:
    monitor = HealthMonitor()
    bad = [{"loss": math.nan if step % PATIENCE == 0 else 1.0} for step in range(200)]
    assert len(watched(bad, monitor)) == 1
    assert monitor.failure == ""


def test_a_discriminator_that_won_is_said_once() -> None:
    texts = watched(gan([*noisy(0.05, 500), *noisy(0.002, 3 * WINDOW)]))
    assert len(texts) == 1
    assert "has won" in texts[0]
    assert "--discriminator-width" in texts[0]


@pytest.mark.parametrize("answers", [[0.25] * WINDOW, noisy(0.3, WINDOW, 0.1)], ids=["undecided", "wavering"])
def test_a_discriminator_that_tells_nothing_apart_is_said_once(answers: list[float]) -> None:
    texts = watched(gan([*noisy(0.05, 100), *answers, *answers]))
    assert len(texts) == 1
    assert "collapsed" in texts[0]
    assert "--learning-rate" in texts[0]


def test_a_discriminator_may_lose_for_a_while() -> None:
    assert watched(gan([*noisy(0.1, 300), *[0.25] * (WINDOW // 3), *noisy(0.1, 300), *[0.001] * (WINDOW // 3)])) == []


def test_losses_may_change_their_names() -> None:
    monitor = HealthMonitor()
    monitor.record(1, {"loss": 1.0})
    monitor.record(2, {"loss": 1.0, "other": math.nan})
    monitor.record(3, {})
    (text,) = monitor.check()
    assert "(other)" in text


def pictures(error: float) -> dict[str, Any]:
    clean = np.random.default_rng(0).random((16, 16), np.float32)
    return {"clean": clean, "corrupted": clean + 0.1, "restored": clean - np.float32(error)}


def test_a_generator_of_no_use_is_said_once_when_it_had_its_time() -> None:
    monitor = HealthMonitor()
    assert list(monitor.check_preview(pictures(0.2), 999, 0.9)) == []
    assert list(monitor.check_preview(pictures(0.2), 5000, 0.2)) == []
    assert not monitor.wants_preview(999, 0.9)
    assert monitor.wants_preview(1000, 0.25)
    (text,) = monitor.check_preview(pictures(0.2), 5000, 0.25)
    assert "differs from the clean one by 0.2, corrupted by 0.1" in text
    assert list(monitor.check_preview(pictures(0.2), 6000, 0.3)) == []
    assert not monitor.wants_preview(6000, 0.3)


@pytest.mark.parametrize(
    "images", [pictures(0.05), {"prediction": np.zeros((4, 4))}, {}], ids=["good", "other", "none"]
)
def test_other_pictures_are_no_trouble(images: dict[str, Any]) -> None:
    monitor = HealthMonitor()
    assert list(monitor.check_preview(images, 5000, 0.5)) == []
    assert not monitor.wants_preview(5000, 0.5)


def test_pictures_that_are_not_finite_are_of_no_use() -> None:
    assert len(list(HealthMonitor().check_preview(pictures(math.nan), 5000, 0.5))) == 1
