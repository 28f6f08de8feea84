"""Sizes and shapes against scikit-image, and against shapes whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from particle_masks import MASKS, QUICK, disc
from scipy import ndimage
from scipy.spatial.distance import pdist
from skimage.measure import find_contours, label, regionprops_table

import napari_emssl as em
from napari_emssl.particles.properties import feret, properties_of


def blobs(seed=0, shape=(160, 200)):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 5) > 0.02


def test_every_property_agrees_with_scikit_image():
    instances = label(blobs(), connectivity=2)
    image = np.random.default_rng(1).normal(100, 10, instances.shape)
    theirs = regionprops_table(
        instances,
        image,
        properties=(
            "label", "area", "equivalent_diameter_area", "centroid", "perimeter_crofton", "axis_major_length",
            "axis_minor_length", "eccentricity", "intensity_mean", "feret_diameter_max", "bbox",
        ),
    )  # fmt: skip
    ours = properties_of(instances, image)
    same = {
        "label": "label", "area": "area", "equivalent_diameter": "equivalent_diameter_area", "y": "centroid-0",
        "x": "centroid-1", "perimeter": "perimeter_crofton", "major_axis": "axis_major_length",
        "minor_axis": "axis_minor_length", "eccentricity": "eccentricity", "mean_intensity": "intensity_mean",
    }  # fmt: skip
    assert len(ours["label"]) > 10
    for name, their_name in same.items():
        np.testing.assert_allclose(ours[name], theirs[their_name], rtol=1e-9, err_msg=name)
    circularity = 4 * np.pi * theirs["area"] / theirs["perimeter_crofton"] ** 2
    np.testing.assert_allclose(ours["circularity"], np.minimum(circularity, 1))
    # scikit-image measures the outline of the filled hull, which lies outside of the hull of the outline.
    excess = theirs["feret_diameter_max"] - ours["feret_max"]
    assert excess.min() > -1e-9
    assert excess.max() < 1.5
    at_border = (theirs["bbox-0"] == 0) | (theirs["bbox-1"] == 0)
    at_border |= (theirs["bbox-2"] == instances.shape[0]) | (theirs["bbox-3"] == instances.shape[1])
    np.testing.assert_array_equal(ours["touches_border"], at_border)


@QUICK
@given(MASKS.filter(np.any))
def test_feret_is_the_calliper_width_of_the_outline(mask):
    points = np.concatenate(find_contours(np.pad(mask, 1).astype(float), 0.5))
    turned = points @ np.array([[np.cos(a), np.sin(a)] for a in np.linspace(0, np.pi, 7201)]).T
    widths = np.ptp(turned, axis=0)
    longest, narrowest = feret(mask)
    assert longest == pytest.approx(pdist(points).max())
    assert narrowest <= widths.min() + 1e-9
    assert narrowest == pytest.approx(widths.min(), rel=0.02)


def test_feret_of_a_row_is_its_length():
    assert feret(np.ones((1, 7), bool)) == pytest.approx((7, np.hypot(1, 1) * 7 / np.hypot(1, 7)), rel=0.3)
    assert feret(np.ones((1, 1), bool)) == pytest.approx((1, np.sqrt(0.5)))


@pytest.mark.parametrize(("diameter", "percent"), [(8, 3), (20, 1), (80, 0.1)])
def test_diameters_of_discs_are_unbiased(diameter, percent):
    rng = np.random.default_rng(0)
    size = diameter + 6
    masks = [disc((size, size), *(size / 2 + rng.uniform(-0.5, 0.5, 2)), diameter) for _ in range(60)]
    table = em.measure_particles([mask.astype(np.uint8) for mask in masks])
    assert table.columns["equivalent_diameter"].mean() == pytest.approx(diameter, rel=percent / 100)
    assert table.columns["perimeter"].mean() == pytest.approx(np.pi * diameter, rel=2 * percent / 100)


@pytest.mark.parametrize("diameter", [5, 80])
def test_croftons_perimeter_is_the_less_biased_one(diameter):
    rng, size = np.random.default_rng(0), diameter + 6
    masks = [disc((size, size), *(size / 2 + rng.uniform(-0.5, 0.5, 2)), diameter) for _ in range(40)]
    plain = np.mean([regionprops_table(mask.astype(int), properties=["perimeter"])["perimeter"][0] for mask in masks])
    ours = np.mean([properties_of(mask.astype(int))["perimeter"][0] for mask in masks])
    assert abs(plain / (np.pi * diameter) - 1) > 0.04
    assert ours == pytest.approx(np.pi * diameter, rel=0.025)


def test_intensities_that_are_not_finite_do_not_count():
    instances = np.array([[1, 1, 2]])
    found = properties_of(instances, np.array([[4.0, np.nan, np.inf]]))["mean_intensity"]
    assert found[0] == 4
    assert np.isnan(found[1])
