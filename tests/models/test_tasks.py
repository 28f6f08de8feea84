"""Tasks: one entry for each name, and what they ask of outputs, targets and results."""

from typing import get_args

import numpy as np
import pytest

from napari_emssl.data.images.intensity_scaling import Levels
from napari_emssl.jobs.settings import TrainTask
from napari_emssl.models.tasks import TASKS, TaskName, task_of


def test_every_name_has_its_task_and_all_but_the_pretext_can_be_trained() -> None:
    assert list(TASKS) == [task.name for task in TASKS.values()] == list(get_args(TaskName))
    assert {name for name, task in TASKS.items() if not task.is_pretext} == set(get_args(TrainTask))


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (3, 3), (17, 17)])
def test_one_class_shares_the_channel_of_a_generator(classes: int, channels: int) -> None:
    assert task_of("segment").out_channels(classes) == channels


@pytest.mark.parametrize("name", ["reconstruct", "denoise", "remove-background", "super-resolve"])
def test_restoration_has_a_channel_for_each_finer_pixel_and_float32_results(name: TaskName) -> None:
    task = task_of(name)
    assert [task.out_channels(0, upscale) for upscale in (1, 2)] == [1, 4]
    assert task.result_dtype(0) == np.float32


@pytest.mark.parametrize(("classes", "dtype"), [(0, np.uint8), (2, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_labels_take_the_smallest_type(classes: int, dtype: type) -> None:
    assert task_of("segment").result_dtype(classes) == dtype


def test_only_tasks_that_take_the_background_away_move_black() -> None:
    image, target = Levels(10.0, 30.0), Levels(2.0, 7.0)
    assert task_of("denoise").target_levels(image, target) == image
    assert task_of("remove-background").target_levels(image, target) == Levels(2.0, 22.0)
