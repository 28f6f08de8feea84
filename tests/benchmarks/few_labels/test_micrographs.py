"""Sets become trials: the same ones each time, in parts that never change."""

from pathlib import Path

import numpy as np
import pytest
from few_labels import micrographs
from few_labels.micrographs import Choice, MicrographSet, Trial, as_micrograph, cropped, simulated_film, trials
from numbered_squares import picture, squares, write_set

ONE = Choice(counts=(3,), seeds=1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Fourteen images of the set 'particles', of which two show too few."""
    masks = {f"{number:02}.png": squares(12) for number in range(12)}
    write_set(tmp_path / "particles", "instances", masks | {"few.png": squares(3), "nine.png": squares(9)})
    return tmp_path


def names(found: list[Trial]) -> list[str]:
    return [trial.painted.name for trial in found]


def test_images_with_few_particles_are_left_out_and_ten_are_for_development(data: Path) -> None:
    found = list(trials("particles", data, ONE))
    assert sorted(names(found)) == [f"{number:02}.png" for number in range(12)]
    assert names(found) != sorted(names(found))
    assert [trial.part for trial in found] == ["development"] * 10 + ["held-out"] * 2


def test_a_choice_of_images_changes_no_painting(data: Path) -> None:
    every = {trial.painted.name: trial.target for trial in trials("particles", data, ONE)}
    held_out = list(trials("particles", data, Choice((3,), 1, limit=1, part="held-out")))
    assert [trial.part for trial in held_out] == ["held-out"]
    for trial in held_out:
        assert np.array_equal(trial.target, every[trial.painted.name])


def test_seeds_and_counts_of_an_image_follow_each_other(data: Path) -> None:
    found = list(trials("particles", data, Choice((1, 3), 2, limit=1)))
    assert [(trial.seed, trial.count) for trial in found] == [(0, 1), (0, 3), (1, 1), (1, 3)]
    assert len({id(trial.painted) for trial in found}) == 1
    assert not np.array_equal(found[1].target, found[3].target)


def test_only_unpainted_pixels_of_the_painted_image_are_judged(data: Path) -> None:
    trial = next(trials("particles", data, ONE))
    target = trial.unpainted(trial.painted)
    assert (target[trial.target > 0] == 0).all()
    assert np.array_equal(target[trial.target == 0], trial.painted.truth[trial.target == 0])


def test_one_film_is_painted_and_the_other_judged(tmp_path: Path) -> None:
    mask = np.where(squares(9) > 0, 2, 0).astype(np.uint8)
    mask[60:][mask[60:] == 0] = 1
    empty = np.zeros_like(mask)
    write_set(tmp_path / "pt-alumina", "masks", {"1_a.tif": mask, "1_b.tif": empty, "2_a.tif": mask, "2_b.tif": empty})
    (trial,) = trials("pt-alumina", tmp_path, ONE)
    assert (trial.painted.name, [each.name for each in trial.judged]) == ("1_a.tif", ["2_a.tif"])
    assert np.array_equal(trial.unpainted(trial.judged[0]), trial.judged[0].truth)
    assert trial.classes == (3,)


def test_specks_of_a_mask_are_truth_but_nobody_paints_them() -> None:
    mask = (squares(7) > 0).astype(np.uint8)
    mask[90, 90] = 1
    made = as_micrograph("specks", picture(mask), mask, MicrographSet("", particles=(1,)))
    assert made.fewest == 7
    assert made.truth[90, 90] == 2
    assert made.numbers.max() == 8


def test_large_images_are_cropped_in_the_middle() -> None:
    numbers = squares(16)
    made = as_micrograph("large", picture(numbers), numbers, MicrographSet(""))
    small = cropped(made, 48 * 48)
    assert np.array_equal(small.image, made.image[24:72, 24:72])
    assert set(small.paintable[0]) == set(np.unique(numbers[24:72, 24:72])) - {0}
    assert np.array_equal(cropped(made, 10**6).image, made.image)


def test_simulated_frames_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"size_px": 64, "pixel_size_nm": 0.3, "particles_min": 6, "particles_max": 6, "diameter_max_nm": 2.4}
    monkeypatch.setattr(micrographs, "FILM", small | {"diameter_min_nm": 1.0, "overlap": 0.0})
    first = list(simulated_film(tmp_path, 2))
    monkeypatch.setattr(micrographs, "simulate_hrtem", None)
    again = list(simulated_film(tmp_path, 2))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.truth, other.truth)
    assert not np.array_equal(first[0].truth, first[1].truth)
