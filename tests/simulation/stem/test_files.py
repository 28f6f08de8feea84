"""Simulated STEM images as files: one seed, one image; folders that are read back; scales; refusals."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_emssl.data.datasets.layouts import TEM_IMAGENET_TARGETS, find_layout
from napari_emssl.data.datasets.pairing import Pairing, find_task_pairs
from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError
from napari_emssl.simulation.stem.files import FOLDERS, as_bytes, as_planes, write_stem
from napari_emssl.simulation.stem.materials import MATERIALS
from napari_emssl.simulation.stem.settings import STEMSettings
from napari_emssl.simulation.stem.simulate import STEMImage, simulate_stem

SMALL = STEMSettings(size_px=64)


def written(folder: Path, count: int = 3, **more: Any) -> Path:
    steps = list(write_stem(folder, count, SMALL, 7, **more))
    assert steps == [(i, count) for i in range(1, count + 1)]
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("stem"))


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "settings.json":
            yield str(path.relative_to(folder)), path.read_bytes()


def test_a_longer_series_begins_with_the_shorter_one_whatever_the_workers(folder: Path, tmp_path: Path) -> None:
    longer = dict(files_of(written(tmp_path / "longer", 5, workers=3)))
    shorter = dict(files_of(folder))
    assert len(shorter) == 3 * (len(FOLDERS) + 2)
    assert shorter == {name: longer[name] for name in shorter}


def test_seeds_give_different_images() -> None:
    one, same, other = (simulate_stem(SMALL, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(one.image, same.image)
    assert one.parameters == same.parameters
    assert not np.array_equal(one.image, other.image)


def test_all_tasks_find_their_pairs(folder: Path) -> None:
    names = [str(path.relative_to(folder).as_posix()) for path in folder.rglob("*.png")]
    layout = find_layout(folder, names)
    assert layout.name == "tem-imagenet"
    assert sorted(name for name in names if layout.chooses(folder, name)) == [f"image/0000{i}.png" for i in range(3)]
    for task, target in TEM_IMAGENET_TARGETS.items():
        pairing: Pairing = find_task_pairs(folder, task)
        assert [(a.name, b.parent.name, b.name) for a, b in pairing.pairs] == [
            (f"0000{i}.png", target, f"0000{i}.png") for i in range(3)
        ]


def test_files_hold_what_was_simulated(folder: Path) -> None:
    made = simulate_stem(SMALL, [7, 1])
    planes, scale = as_bytes(made)
    for name in FOLDERS:
        plane = np.asarray(Image.open(folder / name / "00001.png"))
        assert plane.dtype == np.uint8
        assert plane.shape == ((128, 128) if name.endswith("2x") else (64, 64))
        np.testing.assert_array_equal(plane, planes[name])
    record = json.loads((folder / "parameters" / "00001.json").read_text())
    assert record["gain_per_electron"] == scale["gain_per_electron"]
    assert record["crystal"] == made.parameters["crystal"]
    assert record["dose_per_nm2"] == made.parameters["dose_per_nm2"]
    settings_of_all = json.loads((folder / "settings.json").read_text())
    assert STEMSettings(**settings_of_all["settings"]) == SMALL
    assert settings_of_all["seed"] == 7


def test_positions_are_written_as_x_and_y(folder: Path) -> None:
    made = simulate_stem(SMALL, [7, 2])
    with (folder / "positions" / "00002.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(made.atoms) > 0
    np.testing.assert_allclose([float(row["y_px"]) for row in rows], made.places_px[:, 0], atol=1e-3)
    np.testing.assert_allclose([float(row["x_px"]) for row in rows], made.places_px[:, 1], atol=1e-3)
    np.testing.assert_allclose([float(row["intensity"]) for row in rows], made.electrons, rtol=1e-4)
    assert [int(row["in_masks"]) for row in rows] == made.in_masks.astype(int).tolist()
    mask = np.asarray(Image.open(folder / "circularMask" / "00002.png"))
    middles = np.round(made.places_px[made.in_masks]).astype(int)
    assert (mask[tuple(middles.T)] == 255).all()


def test_tiff_keeps_electrons_and_pixel_size(tmp_path: Path) -> None:
    folder = written(tmp_path / "tiff", 1, file_format="tiff")
    made = simulate_stem(SMALL, [7, 0])
    for name, plane in as_planes(made).items():
        read = tifffile.imread(folder / name / "00000.tif")
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, plane)
    image = read_image(folder / "image" / "00000.tif")
    assert image.pixel_size_nm == pytest.approx(made.pixel_size_nm, rel=1e-3)
    fine = read_image(folder / "noNoiseNoBackgroundUpinterpolation2x" / "00000.tif")
    assert fine.pixel_size_nm == pytest.approx(made.pixel_size_nm / 2, rel=1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_eight_bits_share_one_scale(seed: int) -> None:
    made = simulate_stem(SMALL, seed)
    planes, scale = as_bytes(made)
    gain, black = scale["gain_per_electron"], scale["black_electrons"]
    np.testing.assert_allclose(planes["noNoise"], (made.no_noise - black) * gain, atol=0.51)
    np.testing.assert_allclose(planes["noBackgroundnoNoise"], made.no_background * gain, atol=0.51)
    cut = (planes["image"] == 255) | (planes["image"] == 0)
    assert cut.mean() < 0.02 or made.image.min() == 0
    np.testing.assert_allclose(planes["image"][~cut], ((made.image - black) * gain)[~cut], atol=0.51)
    assert set(np.unique(planes["circularMask"])) <= {0, 255}
    assert planes["noNoise"].max() > 20


def test_what_was_there_is_kept_unless_asked(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds images already"):
        next(write_stem(folder, 1, SMALL))
    mine = written(tmp_path / "mine", 3)
    (mine / "image" / "notes.txt").write_text("keep me")
    list(write_stem(mine, 1, SMALL, 1, overwrite=True))
    assert sorted(path.name for path in (mine / "image").iterdir()) == ["00000.png", "notes.txt"]
    assert len(list((mine / "positions").iterdir())) == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"crystal": "Kryptonite"}, "There is no crystal"),
        ({"zone_axis": "upwards"}, "is not a zone axis"),
        ({"crystal": "fcc", "elements": "Au"}, "needs elements and a_nm"),
        ({"pixel_size_nm": 0.1, "probe_fwhm_nm": 0.06}, "too narrow for pixels"),
    ],
)
def test_settings_that_cannot_be_used_leave_nothing_behind(
    wrong: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        next(write_stem(tmp_path / "none", 2, STEMSettings(**wrong)))
    assert not (tmp_path / "none").exists()


def test_a_series_can_be_given_up(tmp_path: Path) -> None:
    steps = write_stem(tmp_path / "part", 500, SMALL, workers=2)
    assert [next(steps) for _ in range(3)][-1] == (3, 500)
    steps.close()  # type: ignore[attr-defined]
    done = len(list((tmp_path / "part" / "image").iterdir()))
    assert 3 <= done < 20


@settings(max_examples=40, deadline=None)
@given(
    crystal=st.sampled_from(["varied", *MATERIALS]),
    specimen=st.sampled_from(["varied", "crystal", "edge", "boundary", "particles"]),
    size=st.integers(32, 97),
    seed=st.integers(0, 2**32),
    dose=st.sampled_from([None, 1e2, 1e10]),
)
def test_any_specimen_gives_sound_images(crystal: str, specimen: Any, size: int, seed: int, dose: float | None) -> None:
    made = simulate_stem(
        STEMSettings(size_px=size, crystal=crystal, specimen=specimen, dose_per_nm2=dose, thickness_nm=3), seed
    )
    check(made, size)


def check(made: STEMImage, size: int) -> None:
    for name, plane in as_planes(made).items():
        edge = 2 * size if name.endswith("2x") else size
        assert plane.shape == (edge, edge)
        assert plane.dtype == np.float32
        assert np.isfinite(plane).all()
        assert name == "image" or plane.min() >= 0
    planes, _ = as_bytes(made)
    assert {plane.dtype for plane in planes.values()} == {np.dtype(np.uint8)}
    count = len(made.atoms)
    assert {len(made.places_px), len(made.electrons), len(made.mean_z), len(made.in_masks)} == {count}
    assert (made.no_noise >= made.no_background - 2e-3 * made.no_noise.max()).all()
    assert made.no_background.max() < 3500 or made.parameters["dose_per_nm2"] == 1e10
