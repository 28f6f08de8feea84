"""The recipe of the paper sets what nobody else sets."""

import pytest

from napari_emssl.jobs.compare_settings import CompareSettings
from napari_emssl.jobs.settings import FinetuneSettings

PAPER = {
    "learning_rate": 2e-4,
    "rate_schedule": "constant",
    "averaging": False,
    "balance_classes": False,
    "sampling": "epochs",
    "frozen_norm": False,
    "precision": "fp32",
    "epochs": 60,
    "validation_epochs": 5,
}


@pytest.mark.parametrize("job", [FinetuneSettings, CompareSettings])
@pytest.mark.parametrize(("task", "patch", "batch"), [("segment", 448, 8), ("denoise", 256, 64)])
def test_the_paper_decides_what_is_not_given(job: type[FinetuneSettings], task: str, patch: int, batch: int) -> None:
    settings = job(recipe="paper", task=task)
    assert settings.model_dump(include=set(PAPER)) == PAPER
    assert (settings.patch, settings.batch_size) == (patch, batch)


def test_what_is_given_stays_and_the_default_is_untouched() -> None:
    settings = FinetuneSettings(recipe="paper", learning_rate=1e-3, epochs=2, averaging=True)
    assert (settings.learning_rate, settings.epochs, settings.averaging) == (1e-3, 2, True)
    assert settings.rate_schedule == "constant"
    plain = FinetuneSettings()
    assert (plain.recipe, plain.epochs, plain.snapshots, plain.warm_rate, plain.test) == (
        "default",
        None,
        False,
        0.25,
        0,
    )
    assert FinetuneSettings(**settings.model_dump()) == settings


def test_a_comparison_lasts_for_steps_unless_epochs_are_asked_for() -> None:
    assert (CompareSettings().steps, CompareSettings().counts_epochs) == (200, False)
    assert CompareSettings(epochs=3).counts_epochs
    assert CompareSettings(recipe="paper").counts_epochs
    assert not CompareSettings(recipe="paper", steps=10).counts_epochs
