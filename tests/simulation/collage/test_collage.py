"""Collages show what their truth says."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError
from napari_emssl.simulation.collage.collage import CollageMaker
from napari_emssl.simulation.collage.files import write_collages
from napari_emssl.simulation.collage.placing import footprint, place
from napari_emssl.simulation.collage.settings import CollageSettings
from napari_emssl.simulation.collage.shapes import FORMS, Outline, distance, draw_outline, waves_of
from napari_emssl.simulation.collage.textures import Textures


def micrographs(count: int = 3, size: int = 160) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rng.normal(100, 20, (size, size)) + 10 * np.arange(size)).astype(np.uint16) for _ in range(count)]


def maker(seed: int = 0, **changes: object) -> CollageMaker:
    return CollageMaker(Textures(micrographs()), CollageSettings(**{"size_px": 96, **changes}), seed)


def test_a_collage_is_a_function_of_seed_and_number() -> None:
    one, again, other = maker()(3), maker()(3), maker(seed=1)(3)
    assert torch.equal(one.image, again.image)
    assert torch.equal(one.numbers, again.numbers)
    assert not torch.equal(one.image, other.image)


@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 10**6), size=st.sampled_from([64, 96, 160]), kinds=st.integers(1, 4))
def test_truth_is_consistent(number: int, size: int, kinds: int) -> None:
    made = maker(size_px=size, kinds_max=kinds)(number)
    assert made.image.shape == made.kinds.shape == made.numbers.shape == (size, size)
    assert torch.isfinite(made.image).all()
    assert int(made.kinds.max()) <= kinds
    assert torch.equal(made.kinds > 0, made.numbers > 0)
    for object_ in made.numbers.unique()[1:]:
        assert len(made.kinds[made.numbers == object_].unique()) == 1


def test_objects_are_seen_where_the_truth_says() -> None:
    plain = maker(contrast_min=0.5, contrast_max=0.6, noise_max=0.0, blur_max_px=0.0, lettering=0.0, artefacts=0.0)
    seen = []
    for number in range(30):
        made = plain(number)
        inside, outside = made.image[made.kinds == 1], made.image[made.kinds == 0]
        if len(inside) > 50 and len(outside) > 50:
            seen.append(abs(float(inside.mean() - outside.mean())))
    assert np.median(seen) > 0.2


def test_objects_of_every_size_are_drawn() -> None:
    made = [maker(size_px=192, radius_min_px=1.0)(number) for number in range(40)]
    areas = np.concatenate([np.bincount(one.numbers.flatten().numpy())[1:] for one in made])
    assert ((areas > 0) & (areas < 16)).any()
    assert (areas > 96**2 / 2).any()


def test_letters_are_ground() -> None:
    written = maker(lettering=1.0, noise_max=0.0, blur_max_px=0.0)
    plain = maker(lettering=0.0, noise_max=0.0, blur_max_px=0.0)
    gone = sum(int(((plain(n).kinds > 0) & (written(n).kinds == 0)).sum()) for n in range(20))
    assert gone > 0
    assert not any(((plain(n).kinds == 0) & (written(n).kinds > 0)).any() for n in range(20))


@pytest.mark.parametrize("form", FORMS)
def test_the_area_of_an_outline_is_that_of_its_pixels(form: str) -> None:
    outline = Outline(form, 1.0 if form != "rod" else 3.0, 6, 4.0, 0.0)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    placed = place(200, 30.0, 0.0, 0.001, None, rng)
    placed = type(placed)(np.full((1, 2), 100, np.float32), placed.radii_px[:1], placed.angles[:1])
    pixels = int((footprint(placed, outline, 200, rng, torch.device("cpu")).depth_px > 0).sum())
    axis = torch.linspace(-7, 7, 1401)
    u, v = torch.meshgrid(axis, axis, indexing="ij")
    amplitude, phase = (torch.from_numpy(part) for part in waves_of(outline, 1, rng))
    area = float((distance(u[None], v[None], outline, amplitude, phase) < 1).sum()) * 0.01**2 * 30**2
    assert pixels == pytest.approx(area, rel=0.02)


def test_an_outline_never_reaches_beyond_its_reach() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        outline = draw_outline(rng)
        angles = torch.linspace(0, 2 * np.pi, 720)[None]
        amplitude, phase = (torch.from_numpy(part) for part in waves_of(outline, 1, rng))
        reach = outline.reach()
        far = distance(reach * torch.cos(angles), reach * torch.sin(angles), outline, amplitude, phase)
        assert float(far.min()) >= 1, outline


def test_objects_that_may_not_touch_stay_apart() -> None:
    placed = place(300, 12.0, 0.3, 0.5, 1.2, np.random.default_rng(0))
    apart = np.hypot(*(placed.centres_px[:, None] - placed.centres_px[None]).transpose(2, 0, 1))
    least = 1.2 * (placed.radii_px[:, None] + placed.radii_px[None])
    assert len(placed) > 20
    assert (apart + np.eye(len(placed)) * 1e6 > least).all()


def test_small_micrographs_are_refused_with_the_way_out() -> None:
    with pytest.raises(UserError, match=r"at least 64 x 64 px\. Give larger images"):
        Textures([np.zeros((32, 400), np.uint8)])


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="radius_min_px"):
        CollageSettings(radius_min_px=50, radius_max_px=20)


def test_collages_are_written_with_their_truth(tmp_path) -> None:
    chosen = CollageSettings(size_px=64)
    assert list(write_collages(tmp_path, 2, micrographs(), chosen, seed=4)) == [(1, 2), (2, 2)]
    made = CollageMaker(Textures(micrographs()), chosen, 4)(1)
    assert np.array_equal(read_image(tmp_path / "targets" / "00001.tif").plane(0), made.kinds.numpy())
    assert np.array_equal(read_image(tmp_path / "instances" / "00001.tif").plane(0), made.numbers.numpy())
    with pytest.raises(UserError, match="holds images already"):
        next(write_collages(tmp_path, 2, micrographs(), chosen))
