"""The probe, measured on a single column."""

import numpy as np
import pytest
from stem_images import field_of, one_column, width

from napari_emssl.simulation.stem.probe import Probe


@pytest.mark.parametrize("fwhm", [0.05, 0.08, 0.14])
def test_the_probe_is_as_wide_as_set(fwhm: float) -> None:
    field, spectrum = one_column(Probe(fwhm), 1.0)
    image = field.image(spectrum)
    assert width(image[24]) * 0.01 == pytest.approx(fwhm, rel=0.03)
    assert width(image[:, 24]) * 0.01 == pytest.approx(fwhm, rel=0.03)
    assert image.sum() == pytest.approx(1, rel=2e-3)


def test_tails_defocus_and_astigmatism_spread_the_probe() -> None:
    plain = field_of(Probe(0.08))
    tails = field_of(Probe(0.08, tails=0.3))
    assert tails.max() < 0.75 * plain.max()
    assert tails[24, 44] > 20 * plain[24, 44]
    defocused = field_of(Probe(0.08, defocus_nm=6, convergence_mrad=25))
    assert width(defocused[24]) * 0.01 == pytest.approx(
        np.sqrt(0.08**2 + 8 * np.log(2) * (0.025 * 6 / 2) ** 2), rel=0.03
    )
    spread = field_of(Probe(0.08, focal_spread_nm=5, convergence_mrad=25))
    assert width(plain[24]) < width(spread[24]) < width(defocused[24])
    long = field_of(Probe(0.08, ellipticity=0.4, angle=0.0))
    assert width(long[24]) / width(long[:, 24]) == pytest.approx(1.2 / 0.8, rel=0.03)
