"""Scan and detector: noise, lag, jitter, distortion."""

import numpy as np
import pytest
from scipy import ndimage
from stem_images import field_of, one_column, quiet, width

from napari_emssl.simulation.stem import render, scan
from napari_emssl.simulation.stem.conditions import Conditions, draw_conditions
from napari_emssl.simulation.stem.probe import Probe


def conditions(**more: float) -> Conditions:
    return draw_conditions(quiet(**more), np.random.default_rng(0))


@pytest.mark.parametrize(
    "noise",
    [
        {},
        {"gain_spread": 0.6},
        {"read_noise": 1.5, "flicker": 0.05},
        {"smoothing_px": 0.7, "gain_spread": 0.4},
        {"lag": 0.5},
    ],
    ids=str,
)
def test_the_mean_of_many_recordings_is_the_clean_image(noise: dict[str, float]) -> None:
    drawn, (field, crystal) = conditions(**noise), one_column(Probe(0.07), 4000.0)
    rng, count = np.random.default_rng(1), 400
    made = [render.record_scan(crystal, crystal, field, drawn, rng) for _ in range(count)]
    images, clean = np.stack([one[0] for one in made]), made[0][1]
    spread, seen = images.std(axis=0) / np.sqrt(count), clean > 0.2
    assert seen.sum() > 200
    assert (np.abs(images.mean(axis=0) - clean)[seen] / spread[seen]).max() < 5
    assert np.abs(images.mean(axis=0) - clean).mean() < 0.02 * clean.max()


def test_a_slow_detector_smears_lines_and_moves_nothing() -> None:
    plain, (field, crystal) = field_of(Probe(0.07)), one_column(Probe(0.07), 1.0)
    lagged = field.image(crystal * scan.lag_transfer(np.fft.rfftfreq(field.n), 0.5))
    assert lagged.sum() == pytest.approx(plain.sum(), rel=1e-3)
    np.testing.assert_allclose(ndimage.center_of_mass(lagged), ndimage.center_of_mass(plain), atol=0.02)
    assert width(lagged[24]) > 1.03 * width(plain[24])
    assert width(lagged[:, 24]) == pytest.approx(width(plain[:, 24]), rel=0.01)
    noise = scan.with_lag(np.random.default_rng(0).standard_normal((300, 300), np.float32), 0.5)
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1] == pytest.approx(0, abs=0.02)


def test_line_jitter_blurs_the_mean_along_x() -> None:
    field, crystal = one_column(Probe(0.07), 1e6)
    drawn, rng = conditions(line_jitter_nm=0.015), np.random.default_rng(2)
    mean = np.mean([render.record_scan(crystal, crystal, field, drawn, rng)[0] for _ in range(600)], axis=0)
    clean = field.image(crystal)
    blurred = ndimage.gaussian_filter(clean, (1.5 * 0.4, 1.5))
    assert np.abs(mean - blurred).max() < 0.04 * clean.max()
    assert np.abs(mean - clean).max() > 0.08 * clean.max()


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_the_detector_adds_variance_as_set(spread: float) -> None:
    signal = scan.detect(np.full((400, 400), 7, np.float32), spread, 2.0, np.random.default_rng(0))
    assert signal.mean() == pytest.approx(7, abs=0.05)
    assert signal.var() == pytest.approx(7 * (1 + spread**2) + 4, rel=0.03)


def test_scan_distortion_is_undone_by_its_path() -> None:
    path = scan.ScanPath(5.0, (0.1, -0.2), 0.08)
    places = np.random.default_rng(0).uniform(-0.3, 5.3, (200, 2))
    seen = path.image_of(places)
    np.testing.assert_allclose(seen + path.displacement(seen), places, atol=1e-5)
    assert np.abs(seen - places).max() > 0.1
