"""From images and targets to the data of a comparison."""

from pathlib import Path
from typing import Any

from ...data.datasets.image_pairs import ImageSources, open_pairs, pair_notes
from ...errors import UserError
from ...jobs.compare_settings import CompareSettings
from ...models.tasks import task_of
from .data import ComparisonData
from .restoration import gather_restorations
from .segmentation import gather_segmentations


def gather_comparison_data(
    images: ImageSources,
    targets: ImageSources,
    settings: CompareSettings,
    test_images: ImageSources | None = None,
    test_targets: ImageSources | None = None,
    split: Path | None = None,
) -> ComparisonData[Any]:
    """Open, check and divide the images of a comparison.

    Parameters
    ----------
    images, targets
        As for `finetune`.
    settings
        The task, what 0 means, what is painted, and how many images are trained on and scored.
    test_images, test_targets
        What is scored; None holds out a share of the images, by source.
    split
        A file that says which planes are learnt from, validated on and scored.

    Returns
    -------
    ComparisonData
        Planes to draw from and planes to score.

    Raises
    ------
    UserError
        When images and targets do not pair up, nothing is painted, or nothing is left for one side.

    """
    task = task_of(settings.task)
    _check(settings, test_images, test_targets, split)
    training = open_pairs(images, targets, settings.task, task.target_factors)
    test = []
    if test_images is not None and test_targets is not None:
        test = open_pairs(test_images, test_targets, settings.task, task.target_factors)
    gather = gather_segmentations if task.gives_labels else gather_restorations
    data = gather(training, test, settings, split)
    data.notes = (*pair_notes([*training, *test]), *data.notes)
    return data


def _check(
    settings: CompareSettings, test_images: ImageSources | None, test_targets: ImageSources | None, split: Path | None
) -> None:
    """Settings that contradict each other, or the arguments, are refused."""
    if (test_images is None) != (test_targets is None):
        raise UserError("Test images need test targets. Give both --test-images and --test-targets, or neither.")
    if split is not None and test_images is not None:
        raise UserError("--split already names the test images. Leave it out, or leave out --test-images.")
    if settings.paint and not task_of(settings.task).gives_labels:
        raise UserError("--paint is only for segmentation. Leave it out.")
    if settings.score_on == "unpainted" and not settings.paint:
        raise UserError("Whole targets leave no pixel unpainted. Say how many objects to paint: --paint 3.")
    if settings.score_on == "unpainted" and test_images is not None:
        raise UserError("Scores come either from test images or from unpainted pixels. Leave out one of the two.")
