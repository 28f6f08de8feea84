"""Sizes and shapes against scikit-image, against shapes whose truth is known, and what the table promises."""

import csv
import statistics
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, stats
from scipy.spatial.distance import pdist
from skimage.measure import find_contours, label, regionprops_table

import napari_emssl as em
from napari_emssl.errors import UserError
from napari_emssl.particles.histogram import write_histogram
from napari_emssl.particles.instances import is_mask
from napari_emssl.particles.properties import feret, properties_of
from napari_emssl.particles.split_touching import cut_at_necks, join_fragments
from napari_emssl.particles.statistics import histogram_of, summary_of

QUICK = settings(max_examples=60, deadline=None)
MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24))


def disc(shape, y, x, diameter):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= diameter**2 / 4


def blobs(seed=0, shape=(160, 200)):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 5) > 0.02


def pair(distance, diameter=30):
    shape = (2 * diameter, 4 * diameter)
    return sum(disc(shape, diameter, 2 * diameter + s * distance / 2, diameter) for s in (-1, 1)) > 0


def table_of(mask, **values):
    return em.measure_particles(mask, settings=em.MeasureSettings(**values))


# --- properties against scikit-image --------------------------------------------------------------------------------


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


# --- separation -----------------------------------------------------------------------------------------------------


def test_touching_discs_are_two_and_one_when_nothing_is_separated():
    mask = pair(27)
    assert len(table_of(mask)) == 2
    assert len(table_of(mask, split=0)) == 1
    areas = table_of(mask).columns["area"]
    assert areas.sum() == mask.sum()
    assert areas[0] == pytest.approx(areas[1], rel=0.05)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_strength_is_a_share_of_the_width_whatever_the_size(scale):
    mask = pair(24 * scale, 30 * scale)
    neck = np.sqrt(1 - 0.8**2)
    assert len(table_of(mask, split=neck - 0.1)) == 1
    assert len(table_of(mask, split=neck + 0.15)) == 2


def test_single_shapes_stay_whole_at_the_default():
    ellipse = np.hypot(*(np.mgrid[:60, :100] - np.array([30, 50])[:, None, None]) / np.array([12, 40])[:, None, None])
    for mask in (disc((50, 50), 25, 24.5, 40), ellipse <= 1, np.ones((9, 9), bool)):
        assert len(table_of(mask)) == 1


def test_pinholes_do_not_cut_a_particle():
    mask = disc((60, 60), 30, 30, 44)
    mask[20:22, 30:32] = mask[38, 25] = mask[30, 40] = False
    table = table_of(mask)
    assert len(table) == 1
    assert table.columns["area"][0] == mask.sum()


@QUICK
@given(MASKS, st.floats(0, 1))
def test_particles_cover_the_mask_and_separation_only_cuts(mask, split):
    instances, classes = join_fragments(cut_at_necks(mask), split)
    whole, pieces = ndimage.label(mask, np.ones((3, 3)))
    np.testing.assert_array_equal(instances > 0, mask)
    assert set(np.unique(instances)) - {0} == set(range(1, len(classes)))
    assert len(classes) - 1 >= pieces
    for number in range(1, len(classes)):
        inside = instances == number
        assert len(np.unique(whole[inside])) == 1
        assert ndimage.label(inside, np.ones((3, 3)))[1] == 1
    if split == 0:
        assert len(classes) - 1 == pieces


@QUICK
@given(MASKS, st.floats(0, 1), st.floats(0, 1))
def test_stronger_separation_never_joins(mask, one, other):
    fragments = cut_at_necks(mask)
    weak, strong = join_fragments(fragments, min(one, other))[0], join_fragments(fragments, max(one, other))[0]
    for number in range(1, strong.max(initial=0) + 1):
        assert len(np.unique(weak[strong == number])) == 1


def test_classes_are_separate_even_where_they_touch():
    mask = np.zeros((20, 40), np.uint8)
    mask[5:15, 5:20], mask[5:15, 20:35] = 1, 7
    table = table_of(mask, labels="mask", split=0)
    np.testing.assert_array_equal(table.columns["class"], [1, 7])
    np.testing.assert_array_equal(table.columns["area"], [150, 150])


# --- masks and numbered particles -----------------------------------------------------------------------------------


def test_masks_and_numbered_particles_are_told_apart():
    auto = em.MeasureSettings()
    assert is_mask([np.array([[0, 255]])], auto)
    assert is_mask([np.zeros((2, 2)), np.array([[3, 0]])], auto)
    assert not is_mask([np.array([[3, 0]]), np.array([[4, 0]])], auto)
    assert not is_mask([np.array([[1]])], em.MeasureSettings(labels="numbered"))


def test_numbered_particles_are_taken_as_they_are():
    numbered = np.zeros((30, 40), np.int64)
    numbered[2:10, 2:10], numbered[2:10, 10:18], numbered[20:28, 30:35] = 5, 7_000_000_000, 5
    table = table_of(numbered)
    np.testing.assert_array_equal(table.columns["label"], [5, 7_000_000_000])
    np.testing.assert_array_equal(table.columns["area"], [64 + 40, 64])


def test_numbers_without_background_are_particles_too():
    table = table_of(np.repeat([[1, 2]], 6, axis=0).repeat(5, axis=1))
    np.testing.assert_array_equal(table.columns["label"], [1, 2])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.random.default_rng(0).integers(0, 200, (32, 32)), "looks like a grey image"),
        (np.random.default_rng(0).random((32, 32)), "labels"),
        (np.array([[-1, 0, 0], [0, 0, -1]]), "negative"),
    ],
)
def test_what_is_no_labels_is_refused(wrong, said):
    with pytest.raises(UserError, match=said):
        em.measure_particles(wrong)


# --- limits, units, stacks ------------------------------------------------------------------------------------------


@pytest.fixture
def three():
    mask = np.zeros((80, 120), np.uint8)
    for y, x, diameter in ((40, 30, 12), (40, 70, 30), (2, 100, 20)):
        mask[disc(mask.shape, y, x, diameter)] = 1
    return mask


def test_limits_and_the_border(three):
    assert len(table_of(three)) == 3
    assert len(table_of(three, exclude_border=True)) == 2
    assert table_of(three, min_diameter=20).columns["x"].tolist() == pytest.approx([70])
    assert len(table_of(three, max_diameter=20, exclude_border=True)) == 1
    # Limits are in nm as soon as there is a pixel size.
    assert len(table_of(three, min_diameter=20, pixel_size=10)) == 3


def test_lengths_are_in_nm_when_the_pixel_size_is_known(three):
    bare, calibrated = table_of(three), table_of(three, pixel_size=0.5)
    assert (bare.units, calibrated.units) == (("px",), ("nm",))
    out, nm = bare.outside(), calibrated.outside()
    for name in ("equivalent_diameter", "feret_max", "feret_min", "perimeter", "major_axis", "minor_axis"):
        np.testing.assert_allclose(nm[f"{name}_nm"], 0.5 * out[f"{name}_px"])
    np.testing.assert_allclose(nm["area_nm2"], 0.25 * out["area_px2"])
    assert not [name for name in nm if name.endswith("_px") and name not in ("x_px", "y_px")]
    for name in ("circularity", "eccentricity", "x_px"):
        np.testing.assert_array_equal(nm[name], out[name])


def image_of(mask, size, name="image"):
    return em.Image(name, mask[None], (), size)


def test_mixed_calibration_gives_both_units_and_a_sentence(three):
    from napari_emssl.particles.measure import measure_job

    images = [image_of(three, 0.5, "with"), image_of(three, None, "without")]
    events = list(measure_job(images))
    assert any(isinstance(event, em.Warning) and "without" in event.text for event in events)
    table = events[-1].result
    assert table.units == ("nm", "px")
    out = table.outside()
    assert np.isnan(out["equivalent_diameter_nm"][3:]).all()
    assert np.isfinite(out["equivalent_diameter_px"]).all()
    assert [(summary.unit, summary.count) for summary in table.summaries()] == [("nm", 3), ("px", 3)]
    with pytest.raises(UserError, match="would mean nm for some"):
        em.measure_particles(images, settings=em.MeasureSettings(min_diameter=3))
    assert em.measure_particles(images, settings=em.MeasureSettings(pixel_size=0.1)).units == ("nm",)


def test_a_wrong_calibration_is_corrected_only_when_asked(three):
    from napari_emssl.particles.measure import measure_job

    image = image_of(three, 0.5)
    kept = list(measure_job([image], settings=em.MeasureSettings(pixel_size=2)))
    assert any(isinstance(event, em.Warning) and "0.5 nm" in event.text for event in kept)
    assert set(kept[-1].result.columns["pixel_size_nm"]) == {0.5}
    corrected = em.measure_particles(image, settings=em.MeasureSettings(pixel_size=2, correct_pixel_size=True))
    assert set(corrected.columns["pixel_size_nm"]) == {2.0}


def test_stacks_are_measured_plane_by_plane(three):
    stack = np.stack([three, np.zeros_like(three), three[::-1]])
    table = em.measure_particles(stack, images=stack * 9)
    assert table.columns["plane"].tolist() == [0, 0, 0, 2, 2, 2]
    assert set(table.columns["mean_intensity"]) == {9}


def test_shapes_that_do_not_fit_are_refused(three):
    with pytest.raises(UserError, match="does not fit"):
        em.measure_particles(three, images=three[:-1])
    with pytest.raises(UserError, match="an image for each"):
        em.measure_particles([three, three], images=[three])


def test_a_stopped_job_hands_over_the_planes_done(three):
    from napari_emssl.particles.measure import measure_job

    job = measure_job([em.Image("stack", np.stack([three] * 4), (4,))])
    for event in job:
        if isinstance(event, em.Progress):
            job.stop()
    assert event.stopped
    assert set(event.result.columns["plane"]) == {0}


def test_inputs_are_left_alone(three):
    before = three.copy()
    em.measure_particles(three)
    np.testing.assert_array_equal(three, before)


# --- statistics, CSV, picture ---------------------------------------------------------------------------------------


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
    assert summary_of(np.zeros(0), "px").sentence == "No particles."
    one = summary_of(np.array([3.0]), "px")
    assert np.isnan(one.std)
    assert not one.fitted
    assert "1 particle;" in one.sentence


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_holds_the_table(three, tmp_path):
    table = em.measure_particles(three, three * 3, em.MeasureSettings(pixel_size=0.5))
    rows = read(table.write_csv(tmp_path / "a.csv"))
    assert list(rows[0]) == list(table.outside())
    for name, values in table.outside().items():
        if values.dtype.kind in "fi":
            np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-5)
    assert [row["touches_border"] for row in rows] == ["1", "0", "0"]
    with pytest.raises(UserError, match="exists"):
        table.write_csv(tmp_path / "a.csv")


def test_nothing_found_is_a_table_too(tmp_path):
    table = table_of(np.zeros((9, 9), np.uint8), pixel_size=0.5)
    assert len(table) == 0
    path = table.write_csv(tmp_path / "a.csv")
    assert read(path) == []
    assert "equivalent_diameter_nm" in path.read_text()
    write_histogram(tmp_path / "a.png", table)


def test_histograms_are_pictures(three, tmp_path):
    from PIL import Image

    mixed = em.measure_particles([image_of(three, 0.5, "a"), image_of(three, None, "b")])
    wide, narrow = (
        Image.open(write_histogram(tmp_path / f"{name}.png", table)).size
        for name, table in (("wide", mixed), ("narrow", table_of(three)))
    )
    assert wide[0] > 1.5 * narrow[0]


def test_measuring_needs_no_torch(three):
    import subprocess

    code = (
        "import sys, numpy as np, napari_emssl as em\n"
        "em.measure_particles(np.eye(9, dtype=np.uint8))\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
