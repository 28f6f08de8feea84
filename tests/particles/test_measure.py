"""Measuring masks: limits, pixel sizes, stacks, and a job that is stopped."""

import subprocess
import sys

import numpy as np
import pytest
from particle_masks import EVERYTHING, image_of, table_of

import napari_emssl as em
from napari_emssl.errors import UserError
from napari_emssl.particles.measure import measure_job


def test_limits_and_the_border(three):
    assert len(table_of(three)) == 3
    three[0, -1] = 1
    usual = em.measure_particles(three, settings=em.MeasureSettings(max_diameter=20))
    assert len(usual) == 1
    assert usual.left_out == (2, 0, 1)
    assert table_of(three, min_pixels=9).left_out == (0, 1, 0)
    assert "Left out: 2 particles cut by the border, 1 outside of the limits." in usual.describe()
    three[0, -1] = 0
    assert len(table_of(three, exclude_border=True)) == 2
    assert table_of(three, min_diameter=20).columns["x"].tolist() == pytest.approx([70])
    assert len(table_of(three, max_diameter=20, exclude_border=True)) == 1
    # Limits are in nm as soon as there is a pixel size.
    assert len(table_of(three, min_diameter=20, pixel_size=10)) == 3


def test_mixed_calibration_gives_both_units_and_a_sentence(three):
    images = [image_of(three, 0.5, "with"), image_of(three, None, "without")]
    events = list(measure_job(images, settings=em.MeasureSettings(**EVERYTHING)))
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
    image = image_of(three, 0.5)
    kept = list(measure_job([image], settings=em.MeasureSettings(pixel_size=2)))
    assert any(isinstance(event, em.Warning) and "0.5 nm" in event.text for event in kept)
    assert set(kept[-1].result.columns["pixel_size_nm"]) == {0.5}
    corrected = em.measure_particles(image, settings=em.MeasureSettings(pixel_size=2, correct_pixel_size=True))
    assert set(corrected.columns["pixel_size_nm"]) == {2.0}


def test_stacks_are_measured_plane_by_plane(three):
    stack = np.stack([three, np.zeros_like(three), three[::-1]])
    table = em.measure_particles(stack, stack * 9, em.MeasureSettings(**EVERYTHING))
    assert table.columns["plane"].tolist() == [0, 0, 0, 2, 2, 2]
    assert set(table.columns["mean_intensity"]) == {9}


def test_shapes_that_do_not_fit_are_refused(three):
    with pytest.raises(UserError, match="does not fit"):
        em.measure_particles(three, images=three[:-1])
    with pytest.raises(UserError, match="an image for each"):
        em.measure_particles([three, three], images=[three])


def test_a_stopped_job_hands_over_the_planes_done(three):
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


def test_measuring_needs_no_torch(three):
    code = (
        "import sys, numpy as np, napari_emssl as em\n"
        "em.measure_particles(np.eye(9, dtype=np.uint8))\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_labels_without_a_pixel_size_have_that_of_their_image(three):
    table = em.measure_particles(image_of(three, None), image_of(three, 0.5))
    assert set(table.columns["pixel_size_nm"]) == {0.5}
    events = list(measure_job([image_of(three, 2.0, "a")], [image_of(three, 0.5)]))
    assert any(
        isinstance(event, em.Warning) and "a has 2 nm per pixel, its image 0.5" in event.text for event in events
    )
    assert set(events[-1].result.columns["pixel_size_nm"]) == {2.0}


def test_a_mask_of_classes_is_measured_as_one_and_said_to_be(three):
    several = np.concatenate([three, 2 * three])
    events = list(measure_job([image_of(several, 1.0)], settings=em.MeasureSettings(**EVERYTHING)))
    assert any(isinstance(event, em.Warning) and "--labels numbered" in event.text for event in events)
    assert events[-1].result.columns["class"].tolist() == [1, 1, 1, 2, 2, 2]
