"""Whole simulated images, their truth, their files."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from napari_emssl.errors import UserError
from napari_emssl.simulation.hrtem.files import write_hrtem
from napari_emssl.simulation.hrtem.sample_data import sample_stack
from napari_emssl.simulation.hrtem.settings import HRTEMSettings
from napari_emssl.simulation.hrtem.simulate import simulate_hrtem

SMALL = HRTEMSettings(size_px=96, particles_min=1, particles_max=2, diameter_max_nm=3, carbon_nm=2)


def test_labels_tell_the_diameters() -> None:
    made = simulate_hrtem(HRTEMSettings(particles_max=9, diameter_max_nm=7, overlap=0, roughness_nm=0.05), 3)
    inside = [i for i in made.diameters_nm if not _cut(made.labels == i)]
    areas = np.array([(made.labels == i).sum() for i in inside])
    seen = np.sqrt(4 / np.pi * areas) * made.pixel_size_nm
    assert len(inside) > 3
    np.testing.assert_allclose(seen, [made.diameters_nm[i] for i in inside], rtol=0.2)
    assert set(np.unique(made.labels)) == {0, *made.diameters_nm}


def _cut(region: NDArray[np.bool_]) -> bool:
    return bool(region[0].any() or region[-1].any() or region[:, 0].any() or region[:, -1].any())


def test_image_of_nothing_is_flat() -> None:
    nothing = HRTEMSettings(
        size_px=64, particles_min=0, particles_max=0, carbon_nm=0, uneven_illumination=0, dose_per_nm2=1e4
    )
    made = simulate_hrtem(nothing)
    np.testing.assert_allclose(made.clean, 1e4 * nothing.pixel_size_nm**2, rtol=1e-5)
    assert not made.labels.any()
    assert made.diameters_nm == {}


def test_a_seed_gives_one_image() -> None:
    one, same, other = (simulate_hrtem(SMALL, seed) for seed in (4, 4, 5))
    assert_array_equal(one.image, same.image)
    assert_array_equal(one.labels, same.labels)
    assert one.parameters == same.parameters
    assert not np.array_equal(one.image, other.image)


def test_particles_are_darker_than_the_film() -> None:
    made = simulate_hrtem(HRTEMSettings(size_px=256, particles_min=4, particles_max=4, diameter_max_nm=6), 1)
    assert made.clean[made.mask == 1].mean() < 0.95 * made.clean[made.mask == 0].mean()
    grains = made.clean[made.mask == 0].std() / made.clean[made.mask == 0].mean()
    assert 0.02 < grains < 0.2
    assert np.abs(made.image - made.clean).max() > 0


@settings(max_examples=8, deadline=None)
@given(
    size=st.integers(64, 101),
    pixel=st.floats(0.04, 0.3),
    kv=st.floats(60, 400),
    spread=st.sampled_from([0.0, 3.0]),
    aperture=st.sampled_from([None, 9.0]),
)
def test_any_microscope_gives_a_sound_image(
    size: int, pixel: float, kv: float, spread: float, aperture: float | None
) -> None:
    wanted = SMALL.model_copy(
        update={
            "size_px": size,
            "pixel_size_nm": pixel,
            "voltage_kv": kv,
            "focal_spread_nm": spread,
            "aperture_mrad": aperture,
            "sampling_nm": 0.08,
        }
    )
    made = simulate_hrtem(wanted)
    assert made.image.shape == made.clean.shape == made.labels.shape == (size, size)
    assert made.image.dtype == made.clean.dtype == np.float32
    assert made.labels.dtype == np.uint16
    assert np.isfinite(made.image).all()


def test_sample_stack_has_images_masks_and_instances() -> None:
    images, masks, instances, pixel_size = sample_stack(2, 160)
    assert images.shape == masks.shape == instances.shape == (2, 160, 160)
    assert (images.dtype, masks.dtype, instances.dtype) == (np.uint16, np.uint8, np.uint16)
    assert_array_equal(masks, instances > 0)
    assert 0.05 <= pixel_size <= 0.08
    assert not np.array_equal(images[0], images[1])


# --- settings and files


@pytest.mark.parametrize("name", ["particles", "diameter_nm", "defocus_nm"])
def test_a_range_must_ascend(name: str) -> None:
    stem, _, unit = name.partition("_")
    names = [f"{stem}_{end}{'_' + unit if unit else ''}" for end in ("min", "max")]
    with pytest.raises(ValueError, match="greater"):
        HRTEMSettings(**dict(zip(names, (20, 10), strict=True)))


def test_particles_larger_than_the_image_are_refused() -> None:
    with pytest.raises(UserError, match=r"too large.*Choose"):
        simulate_hrtem(HRTEMSettings(size_px=64, diameter_min_nm=10))


def test_a_field_too_large_for_memory_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"too large.*Choose"):
        next(write_hrtem(tmp_path / "new", 1, HRTEMSettings(size_px=4096, pixel_size_nm=0.5)))
    assert not (tmp_path / "new").exists()


def test_files_hold_what_was_simulated(tmp_path: Path) -> None:
    assert list(write_hrtem(tmp_path / "new", 2, SMALL, seed=7)) == [(1, 2), (2, 2)]
    made = simulate_hrtem(SMALL, [7, 1])
    folder = tmp_path / "new"
    with tifffile.TiffFile(folder / "images" / "00001.tif") as file:
        image = file.asarray()
        numerator, denominator = file.pages[0].tags["XResolution"].value
        assert denominator / numerator == pytest.approx(SMALL.pixel_size_nm, rel=1e-4)
        assert file.imagej_metadata["unit"] == "nm"
    assert image.dtype == np.uint16
    np.testing.assert_allclose(image, np.clip(made.image, 0, None), atol=0.5)
    target = tifffile.imread(folder / "targets" / "00001.tif")
    assert target.dtype == np.uint8
    assert_array_equal(target, made.mask)
    assert_array_equal(tifffile.imread(folder / "instances" / "00001.tif"), made.labels)
    record = json.loads((folder / "settings.json").read_text())
    assert HRTEMSettings(**record["settings"]) == SMALL
    assert (record["seed"], record["count"]) == (7, 2)


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    list(write_hrtem(tmp_path, 2, SMALL))
    before = (tmp_path / "images" / "00000.tif").read_bytes()
    with pytest.raises(UserError, match="already"):
        next(write_hrtem(tmp_path, 1, SMALL, seed=1))
    assert (tmp_path / "images" / "00000.tif").read_bytes() == before
    list(write_hrtem(tmp_path, 1, SMALL, seed=1, overwrite=True))
    assert (tmp_path / "images" / "00000.tif").read_bytes() != before
    assert not (tmp_path / "images" / "00001.tif").exists()


def test_strange_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    mine = tmp_path / "images" / "mine.tif"
    mine.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"mine\.tif"):
        next(write_hrtem(tmp_path, 1, SMALL))
    list(write_hrtem(tmp_path, 1, SMALL, overwrite=True))
    assert mine.read_bytes() == b"mine"
