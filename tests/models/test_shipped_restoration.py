"""The restoration models that ship: better than filters, no lattice out of noise, no seams, intensities kept."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_emssl.data.images.opening import find_images, read_image
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.metrics import restoration_scores
from napari_emssl.models.model_file import Model
from napari_emssl.models.zoo import list_models, load_model
from napari_emssl.simulation.stem.simulate import STEMImage, simulate_stem

FP32 = ApplySettings(device="cpu", precision="fp32")
STEM = {"stem-denoise": "no_noise", "stem-remove-background": "no_background", "stem-super-resolve": "sharp"}
ALL = (*STEM, "texture-denoise")


@cache
def simulated() -> list[STEMImage]:
    """Images that no training has seen."""
    return [simulate_stem(seed=[5150, number]) for number in range(4)]


@cache
def model(name: str) -> Model:
    return load_model(name)


@pytest.mark.parametrize("name", ALL)
def test_cards_tell_the_way_from_a_generator(name: str) -> None:
    entry = next(entry for entry in list_models() if entry.name == name)
    assert entry.origin == "shipped"
    assert entry.bytes < 2_000_000
    assert entry.card.history[0].job == "pretrain"
    assert all(stage.job == "finetune" for stage in entry.card.history[1:])
    assert entry.card.task in name or name == "texture-denoise"
    assert "simulated" in entry.card.licence or "CC-BY" in entry.card.licence
    assert entry.card.description
    assert entry.card.history[-1].metrics["l1"] < 0.1


@pytest.mark.parametrize(("name", "truth"), STEM.items())
def test_they_are_better_than_the_best_gaussian_on_images_never_seen(name: str, truth: str) -> None:
    gains = []
    for made in simulated():
        target = getattr(made, truth)
        filtered = [restoration_scores(gaussian_filter(made.image, s), target)["psnr fitted"] for s in (0.7, 1, 2, 3)]
        gains.append(restoration_scores(apply(model(name), made.image), target)["psnr fitted"] - max(filtered))
    assert np.mean(gains) > 2


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("smooth", [0.0, 0.7])
def test_noise_alone_gives_no_lattice(name: str, smooth: float) -> None:
    noise = gaussian_filter(np.random.default_rng(1).normal(1000, 50, (256, 256)), smooth).astype(np.float32)
    restored = apply(model(name), noise, FP32)
    inner = restored[16:-16, 16:-16] - restored.mean()
    if smooth == 0 or name in STEM:  # to a model of textures, correlated noise is a texture
        assert inner.std() < 0.2 * noise.std()
    assert lattice_share(inner) < 0.01


def test_a_lattice_is_told_from_noise_by_its_spectrum() -> None:
    """The test above can fail."""
    y, x = np.mgrid[:256, :256]
    lattice = np.cos(0.6 * x) + np.cos(0.6 * y) + np.random.default_rng(0).normal(0, 1, x.shape)
    assert lattice_share(lattice) > 0.03


def lattice_share(plane: NDArray[np.floating]) -> float:
    """Largest share of the power that a single wave holds which is shorter than 20 pixels."""
    window = np.outer(np.hanning(plane.shape[0]), np.hanning(plane.shape[1]))
    power = np.abs(np.fft.fft2(plane * window)) ** 2
    frequencies = np.hypot(np.fft.fftfreq(plane.shape[0])[:, None], np.fft.fftfreq(plane.shape[1]))
    return float(power[frequencies > 0.05].max() / power.sum())


@pytest.mark.parametrize("name", ALL)
def test_tiles_leave_no_seams(name: str) -> None:
    image = np.tile(simulated()[0].image, (2, 2))[:300, :420]
    whole, tiled = (apply(model(name), image, FP32.model_copy(update={"tile": tile})) for tile in (None, 64))
    assert np.abs(whole - tiled).max() < 1e-3 * np.ptp(whole)


@pytest.mark.parametrize("name", ["stem-denoise", "texture-denoise"])
@pytest.mark.parametrize("folder", ["unlabelled/permissive/stem-atoms", "readers"])
def test_intensities_of_real_images_are_kept(name: str, folder: str, shared_data: Path) -> None:
    for path in real_images(shared_data / folder):
        plane = read_image(path).plane(0).astype(np.float64)[:512, :512]
        black, white = np.percentile(plane, (0.1, 99.9))
        restored = apply(model(name), plane)
        assert abs(restored.mean() - plane.mean()) < 0.03 * (white - black), path.name
        slow = gaussian_filter(restored, 8) - gaussian_filter(np.clip(plane, black, white), 8)
        assert np.abs(slow).mean() < 0.04 * (white - black), path.name


def real_images(folder: Path) -> list[Path]:
    """What can be read without the extra for vendors' formats."""
    return [path for path in find_images(folder) if path.suffix in (".png", ".jpg", ".jpeg", ".tif", ".mrc")]
