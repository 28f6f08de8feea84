import json

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes

from napari_emssl.errors import UserError
from napari_emssl.gui.finetune.painting.classes import PaintedClass, given_classes, remember
from napari_emssl.gui.finetune.painting.minute_saver import OpenPainting, _write
from napari_emssl.gui.finetune.painting.regions import regions_of
from napari_emssl.gui.finetune.painting.saved_paintings import saved_paintings, shapes_of


@pytest.fixture
def painted():
    """A stack with two labels on two planes, what they stand for, and a rectangle around one plane's paint."""
    image = Image(np.zeros((4, 32, 40)), name="film", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    labels = np.zeros((4, 32, 40), np.uint8)
    labels[1, 5:10, 5:10], labels[3, 20:24, 8:12] = 1, 2
    painting = Labels(labels, scale=image.scale, units=image.units)
    remember([painting], PaintedClass(1, "gold", "class"))
    remember([painting], PaintedClass(2, "not particle", "background"))
    corners = np.array([[1, 3, 3], [1, 3, 12], [1, 12, 12], [1, 12, 3]], float)
    shapes = Shapes([corners], shape_type="rectangle", scale=image.scale, units=image.units)
    return OpenPainting(image, painting, shapes, "near")


def test_a_kept_painting_comes_back_with_classes_roles_and_regions(painted, home):
    (path,) = _write((painted, []))
    (saved,) = saved_paintings("film", (4, 32, 40))
    np.testing.assert_array_equal(saved.labels(), painted.painting.data)
    again = Labels(saved.labels())
    saved.describe_in(again)
    assert given_classes(again) == given_classes(painted.painting)
    polygons, options = shapes_of(saved.regions, painted.image)
    drawn = regions_of(Shapes(polygons, **options), painted.image)
    before = regions_of(painted.shapes, painted.image)
    assert [region.at for region in drawn] == [region.at for region in before] == [(1,)]
    np.testing.assert_allclose(drawn[0].outline, before[0].outline, atol=0.01)
    assert path == saved.path


def test_each_minute_the_same_file_is_written_and_nothing_without_paint(painted, home):
    paths = []
    for number in (5, 6):
        painted.painting.data[2, :number, :number] = 1
        list(_write((painted, paths)))
    (saved,) = saved_paintings("film", (4, 32, 40))
    assert (saved.labels()[2] > 0).sum() == 36
    painted.painting.data[:] = 0
    assert list(_write((painted, []))) == []
    assert len(list((home / "paintings").iterdir())) == 2


def test_records_that_are_damaged_or_of_another_grid_are_not_offered(painted, home):
    (path,) = _write((painted, []))
    assert saved_paintings("film", (4, 32, 41)) == saved_paintings("other", (4, 32, 40)) == []
    record = json.loads(path.with_suffix(".json").read_text())
    for text in ("", "[" * 100_000, json.dumps({**record, "image_shape": "wide"}), "\0"):
        path.with_suffix(".json").write_text(text)
        assert saved_paintings("film", (4, 32, 40)) == []


_FAR = [[1e300, 1e300], [1, 2], [3, 4]]
_OUTLINE = [[3, 3], [3, 12], [12, 12]]


def test_what_cannot_have_been_painted_is_left_out_of_a_record(painted, home):
    (path,) = _write((painted, []))
    record = json.loads(path.with_suffix(".json").read_text())
    outlines = [[], [[1, 2]], [[1, 2], [1, 2], [1, 2]], [["nan", 1], [1, 2], [3, 4]], _FAR]
    regions = [{"plane": [1], "outline_px": outline} for outline in outlines]
    regions += [{"plane": plane, "outline_px": _OUTLINE} for plane in ([7], [-1], [0, 1], [1], [2], [])]
    labels = record["labels"] | {str(10**30): {"name": "far"}, "-1": {"name": "below"}}
    path.with_suffix(".json").write_text(json.dumps(record | {"fully_annotated": regions, "labels": labels}))
    (saved,) = saved_paintings("film", (4, 32, 40))
    assert [region.at for region in saved.regions] == [(1,), (2,)]
    assert [painted.value for painted in saved.classes] == [1, 2]
    polygons, options = shapes_of(saved.regions, painted.image)
    assert len(Shapes(polygons, **options).data) == 2
    for planes in ([[99], [1]], [[1]], [[1, 2], [1]]):
        wrong = record | {"file_holds": "the painted planes, in this order", "painted_planes": planes}
        path.with_suffix(".json").write_text(json.dumps(wrong))
        with pytest.raises(UserError, match="does not match"):
            saved_paintings("film", (4, 32, 40))[0].labels()
