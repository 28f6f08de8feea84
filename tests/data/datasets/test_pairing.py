"""Pairing images with targets."""

from pathlib import Path

import pytest

from napari_emssl.data.datasets.pairing import find_pairs
from napari_emssl.data.splits.origins import split_by_origin
from napari_emssl.errors import UserError


def folders(root: Path, images: list[str], targets: list[str]) -> tuple[Path, Path]:
    """Two folders with empty files of these names."""
    for side, names in (("images", images), ("targets", targets)):
        for name in names:
            path = root / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root / "images", root / "targets"


def paired_names(root: Path, images: list[str], targets: list[str]) -> list[tuple[str, str]]:
    sides = folders(root, images, targets)
    return [
        (image.relative_to(sides[0]).as_posix(), target.relative_to(sides[1]).as_posix())
        for image, target in find_pairs(*sides).pairs
    ]


@pytest.mark.parametrize(
    ("images", "targets"),
    [
        (["a.png", "b.jpg"], ["a.tif", "b.tif"]),
        (["x/1.png", "y/1.png"], ["x/1.png", "y/1.png"]),
        (["A.png", "b.png"], ["a.png", "B.png"]),
        (["x/1.png", "x/2.png"], ["1.png", "2.png"]),
        (["img_001.png", "img_002.png"], ["mask_001.png", "mask_002.png"]),
        (["001.png", "002.png"], ["001_mask.png", "002_mask.png"]),
        (["a_image.png", "b_image.png"], ["a_gt.png", "b_gt.png"]),
        (["img_01.png", "img_02.png", "extra.png"], ["01_label.png", "02_label.png"]),
        (["cell1.png", "cell2.png"], ["outline1.png", "outline2.png"]),
        (["a.ome.tif", "b.ome.tif"], ["a.png", "b.png"]),
        (["b.png", "Gr\u00f6sse.png"], ["b.png", "Gro\u0308sse.png"]),  # as macOS may split an umlaut
    ],
)
def test_pairs_by_name(tmp_path: Path, images: list[str], targets: list[str]) -> None:
    assert paired_names(tmp_path, images, targets) == list(zip(images, targets, strict=False))


def test_junk_is_ignored_and_what_is_alone_is_told(tmp_path: Path) -> None:
    sides = folders(tmp_path, ["a.png", "b.png", "Thumbs.db", ".DS_Store"], ["b.png", "c.png", "notes.txt"])
    pairing = find_pairs(*sides)
    assert [(image.name, target.name) for image, target in pairing.pairs] == [("b.png", "b.png")]
    assert [path.name for path in pairing.unpaired_images] == ["a.png"]
    assert [path.name for path in pairing.unpaired_targets] == ["c.png"]
    assert pairing.summary == (
        "1 pair, namely b.png with b.png; 1 image without target (a.png); 1 target without image (c.png)."
    )


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    images, targets = folders(tmp_path, ["tem.png"], ["drawn.tif"])
    for pair in ((images, targets), (images / "tem.png", targets / "drawn.tif"), (images / "tem.png", targets)):
        assert find_pairs(*pair).pairs == ((images / "tem.png", targets / "drawn.tif"),)


def test_pairs_are_in_natural_order(tmp_path: Path) -> None:
    names = [f"f{n}.png" for n in (1, 2, 3, 10, 11, 20)]
    assert paired_names(tmp_path, names, names) == [(name, name) for name in names]


def test_one_file_with_a_folder(tmp_path: Path) -> None:
    images, targets = folders(tmp_path, ["a.png", "b.png"], ["a.png", "b.png"])
    assert find_pairs(images / "b.png", targets).pairs == ((images / "b.png", targets / "b.png"),)


def test_ambiguous_names_are_not_guessed(tmp_path: Path) -> None:
    images, targets = folders(tmp_path, ["raw_1.png", "em_1.png", "img_2.png"], ["mask_1.png", "mask_2.png"])
    assert [image.name for image, _ in find_pairs(images, targets).pairs] == ["img_2.png"]


def test_numbers_are_never_left_out_of_the_comparison(tmp_path: Path) -> None:
    sides = folders(tmp_path, ["day1_001.png", "day1_002.png"], ["day2_001.png", "day2_002.png"])
    with pytest.raises(UserError, match="day1_001"):
        find_pairs(*sides)


def test_nothing_pairs_up_shows_names_of_both_sides(tmp_path: Path) -> None:
    sides = folders(tmp_path, ["a.png", "b.png", "c.png"], ["x.png", "y.png"])
    with pytest.raises(UserError, match=r"a\.png and b\.png, targets like x\.png and y\.png"):
        find_pairs(*sides)


def test_twins_and_one_folder_for_both_are_refused(tmp_path: Path) -> None:
    images, targets = folders(tmp_path, ["a.png", "a.tif"], ["a.png", "b.png"])
    with pytest.raises(UserError, match=r"a\.(png|tif) and a\.(png|tif) .*same name"):
        find_pairs(images, targets)
    with pytest.raises(UserError, match="both"):
        find_pairs(images, images)


def test_files_that_both_sides_have_are_of_the_inner_folder_alone(tmp_path: Path) -> None:
    images, _ = folders(tmp_path, ["img_1.png", "img_2.png", "masks/mask_1.png", "masks/mask_2.png"], [])
    pairing = find_pairs(images, images / "masks")
    assert [(one.name, two.name) for one, two in pairing.pairs] == [
        ("img_1.png", "mask_1.png"),
        ("img_2.png", "mask_2.png"),
    ]
    assert not pairing.remark
    with pytest.raises(UserError, match="an image and a target at the same time"):
        find_pairs(*folders(tmp_path / "masks alone", ["masks/1.png"], [])[:1], tmp_path / "masks alone/images/masks")


def test_signs_of_numbers_distinguish_and_zeros_before_them_do_not(tmp_path: Path) -> None:
    tilts = ["tilt_-5.png", "tilt_5.png", "tilt_-10.png"]
    masks = ["tilt_-5_mask.png", "tilt_05_mask.png", "tilt_-10_mask.png"]
    assert sorted(paired_names(tmp_path, tilts, masks)) == sorted(zip(tilts, masks, strict=True))
    sides = folders(tmp_path / "other", ["tilt_-5.png", "tilt_3.png"], ["tilt_5_mask.png", "tilt_3_mask.png"])
    assert find_pairs(*sides).summary == (
        "1 pair, namely tilt_3.png with tilt_3_mask.png; 1 image without target (tilt_-5.png); 1 target without image "
        "(tilt_5_mask.png)."
    )


def test_shared_pairs(shared_data: Path) -> None:
    pairing = find_pairs(shared_data / "pt-alumina" / "images", shared_data / "pt-alumina" / "masks")
    assert len(pairing.pairs) == 45
    assert not pairing.unpaired_images
    assert not pairing.unpaired_targets
    training, held_out = split_by_origin([image for image, _ in pairing.pairs], 15, 0)
    assert (len(training), len(held_out)) == (30, 15)
