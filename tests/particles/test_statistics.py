"""Statistics of diameters against scipy."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from particle_masks import QUICK
from scipy import stats

from napari_emssl.particles.statistics import histogram_of, summary_of


@QUICK
@given(hnp.arrays(np.float64, st.integers(2, 60), elements=st.floats(0.1, 1e4)))
def test_statistics_agree_with_scipy(diameters):
    summary = summary_of(diameters, "nm")
    assert summary.mean == pytest.approx(statistics.fmean(diameters))
    assert summary.std == pytest.approx(statistics.stdev(diameters), abs=1e-9)
    assert summary.median == pytest.approx(np.median(diameters))
    assert summary.lognormal_mu == pytest.approx(np.log(diameters).mean(), abs=1e-9)
    counts, edges = histogram_of(diameters)
    assert counts.sum() == len(diameters)
    assert 8 <= len(counts) == len(edges) - 1 <= 60
    if summary.lognormal_sigma > 1e-3:
        shape, _, scale = stats.lognorm.fit(diameters, floc=0)
        assert (summary.lognormal_sigma, np.exp(summary.lognormal_mu)) == pytest.approx((shape, scale), rel=1e-3)
        np.testing.assert_allclose(summary.density(diameters), stats.lognorm.pdf(diameters, shape, 0, scale), rtol=0.05)


def test_a_lognormal_sample_is_found_again():
    summary = summary_of(np.random.default_rng(0).lognormal(1.5, 0.3, 4000), "nm")
    assert summary.lognormal_mu == pytest.approx(1.5, abs=0.02)
    assert summary.lognormal_sigma == pytest.approx(0.3, abs=0.01)


def test_few_particles_have_honest_statistics():
    assert np.isnan(summary_of(np.zeros(0), "px").mean)
    assert summary_of(np.zeros(0), "px").describe() == "No particles."
    one = summary_of(np.array([3.0]), "px")
    assert np.isnan(one.std)
    assert not one.fitted
    assert "1 particle;" in one.describe()


def test_quartiles_that_differ_by_rounding_ask_for_few_bins():
    diameters = np.array([1.0, *[0.1] * 20, *[np.nextafter(0.1, 1)] * 8])
    counts, _ = histogram_of(diameters)
    assert (len(counts), counts.sum()) == (8, 29)
