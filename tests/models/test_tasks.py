"""Tasks: one entry for each name, and what they ask of outputs, targets and results."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import napari_emssl
from napari_emssl.data.images.intensity_scaling import Levels
from napari_emssl.jobs.settings import TrainTask
from napari_emssl.models.tasks import TASKS, TaskName, task_of


def test_every_name_has_its_task_and_all_but_the_pretext_can_be_trained() -> None:
    assert list(TASKS) == [task.name for task in TASKS.values()] == list(get_args(TaskName))
    assert {name for name, task in TASKS.items() if not task.is_pretext} == set(get_args(TrainTask))


ONLY_SOME = {"TARGET_KINDS", "TEM_IMAGENET_TARGETS", "_LESSONS", "_RESTORERS"}
"""Tables of what is simulated, published or shipped for some tasks."""


def tables() -> Iterator[tuple[str, set[str]]]:
    """Whatever in the package lists three tasks or more: where it stands, and the tasks."""
    for path in Path(napari_emssl.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                words = {part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
                if len(words & {*TASKS}) > 2 and name not in ONLY_SOME:
                    yield f"{path.relative_to(Path(napari_emssl.__file__).parent).as_posix()}: {name}", words & {*TASKS}


def test_every_table_of_tasks_has_all_of_them() -> None:
    trained = {*get_args(TrainTask)}
    whole = [{*TASKS}, trained, {name for name in trained if not TASKS[name].gives_labels}]
    found = dict(tables())
    assert {"jobs/recipes.py: _BY_TASK", "gui/finetune/restore/request.py: RestoreTask"} < {*found}
    assert {where: words for where, words in found.items() if words not in whole} == {}


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
