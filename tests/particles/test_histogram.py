"""The histogram of diameters as a picture."""

from particle_masks import image_of, table_of
from PIL import Image

import napari_emssl as em
from napari_emssl.particles.histogram import write_histogram


def test_histograms_are_pictures(three, tmp_path):
    mixed = em.measure_particles([image_of(three, 0.5, "a"), image_of(three, None, "b")])
    wide, narrow = (
        Image.open(write_histogram(tmp_path / f"{name}.png", table)).size
        for name, table in (("wide", mixed), ("narrow", table_of(three)))
    )
    assert wide[0] > 1.5 * narrow[0]
