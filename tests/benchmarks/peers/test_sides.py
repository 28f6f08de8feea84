"""The watch leaves out what it should, the program's clock is that of the processor, and data are drawn as said."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from beside_peers import Sides
from numpy.typing import NDArray
from peers.data import DENSE, few_of, film
from peers.ours import processor_clock
from peers.stopwatch import Stopwatch, cycles_within
from peers.turns import turned


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_only_work_is_counted_and_only_where_the_watch_runs() -> None:
    watch = Stopwatch()
    work(0.05)
    with watch.halted():
        work(0.2)
    time.sleep(0.2)
    assert watch.seconds == pytest.approx(0.05, abs=0.1)


def test_the_clock_of_the_program_stands_while_others_work() -> None:
    before = time.monotonic
    with processor_clock():
        mark = time.monotonic()
        time.sleep(0.3)
        assert time.monotonic() - mark < 0.2
    assert time.monotonic is before


@pytest.mark.parametrize(("seconds", "cycles"), [(30, 15), (31.9, 15), (2, 1), (1, 1)])
def test_cycles_fill_the_time(seconds: float, cycles: int) -> None:
    assert cycles_within(seconds, 2, 2) == cycles


def test_patches_turn_with_their_masks() -> None:
    images = np.random.default_rng(0).permutation(64 * 25).reshape(64, 5, 5)
    turned_images, turned_masks = turned(images, images * 3, 0)
    assert np.array_equal(turned_masks, turned_images * 3)
    kept = [np.array_equal(*pair) for pair in zip(images, turned_images, strict=True)]
    assert 0 < sum(kept) < 32  # one way in eight leaves a patch as it is
    assert np.array_equal(np.sort(turned_images.ravel()), np.sort(images.ravel()))


def test_first_seed_gets_every_budget_and_none_twice(tmp_path: Path) -> None:
    sides = Sides(tmp_path, [30, 60], ["ours"])
    asked: list[list[float]] = []

    def ask(seconds: list[float]) -> tuple[list[dict[str, float]], dict[str, NDArray[np.float32]]]:
        asked.append(seconds)
        reply = [{"seconds": one, "used": one + 0.5, "steps": 7} for one in seconds]
        return reply, {f"found-{one:g}": np.full((2, 2), one, np.float32) for one in seconds}

    for seed in (0, 1, 0):
        sides.measure("denoise", "dose", "ours", seed, partial(ask), partial(np.mean))
    sides.measure("denoise", "dose", "another row", 0, partial(ask), partial(np.mean))
    assert asked == [[30, 60], [30]]
    assert [(one.seed, one.seconds, one.score, one.used) for one in sides.file.results] == [
        (0, 30, 30, 30.5),
        (0, 60, 60, 60.5),
        (1, 30, 30, 30.5),
    ]
    assert "| ours | 30 (30 to 30); 30 s | 60; 60 s |" in (tmp_path / "tables.md").read_text(encoding="utf-8")


def test_every_class_is_in_what_is_learnt_from(tmp_path: Path) -> None:
    names = [f"{index}.tif" for index in range(12)]
    masks = [np.full((2, 2), index == 5, np.uint8) for index in range(12)]
    for seed in range(10):
        drawn = few_of(names, masks, seed)
        assert len(drawn) == DENSE
        assert "5.tif" in drawn
        assert drawn == few_of(names, masks, seed)


def test_films_are_never_mixed(tmp_path: Path) -> None:
    for part, offset in (("images", 100), ("masks", 0)):
        (tmp_path / part).mkdir()
        for number in range(12):
            plane = np.full((4, 4), offset + number // 6 + 1, np.uint8)
            tifffile.imwrite(tmp_path / part / f"{number // 6 + 1}_{number:02}.tif", plane)
    found = film(tmp_path, "1_", "2_", 0)
    assert found.images.shape == (DENSE, 4, 4)
    assert found.tests.shape == (6, 4, 4)
    assert (np.unique(found.images), np.unique(found.masks)) == (101, 1)
    assert (np.unique(found.tests), np.unique(found.truth)) == (102, 2)
