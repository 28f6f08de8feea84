"""Apply to files: where results go, nothing overwritten, damaged files among many."""

import errno

import numpy as np
import pytest
import tifffile
import zarr
from noise_images import PLAIN, noise
from random_models import random_model

import napari_emssl as em
from napari_emssl.data.images.writers import write_image
from napari_emssl.errors import UserError
from napari_emssl.inference.apply import apply, apply_files
from napari_emssl.inference.outputs import output_paths
from napari_emssl.jobs.events import Finished, Notice, Preview, Progress, Started
from napari_emssl.jobs.settings import ApplySettings

MODEL = random_model(task="segment")


@pytest.fixture
def folder(tmp_path):
    """Two images, one of them in a sub-folder, calibrated."""
    for place in ("in/a.tif", "in/deep/er/b.tif"):
        write_image(tmp_path / place, noise(40, 50), pixel_size_nm=0.25)
    return tmp_path


def tree(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_folders_keep_their_structure(folder):
    written = apply_files(MODEL, [folder / "in"], folder / "out", PLAIN).result()
    assert written == [folder / "out/a.tif", folder / "out/deep/er/b.tif"]
    assert written.failed == []
    assert tree(folder / "out") == {"a.tif", "deep/er/b.tif"}


def test_results_are_labels_with_the_pixel_size_of_the_source(folder):
    (path,) = apply_files(MODEL, [folder / "in/a.tif"], folder / "out", PLAIN).result()
    result = em.read_image(path)
    assert result.dtype == np.uint8
    assert result.pixel_size_nm == pytest.approx(0.25)
    np.testing.assert_array_equal(tifffile.imread(path), apply(MODEL, noise(40, 50), PLAIN))


def test_stacks_become_one_zarr_each(folder):
    stack = noise(3, 40, 50)
    write_image(folder / "in/stack.tif", stack, pixel_size_nm=0.5)
    (path,) = apply_files(MODEL, [folder / "in/stack.tif"], folder / "out", PLAIN, file_format="zarr").result()
    result = em.read_image(path)
    assert path.name == "stack.zarr"
    assert (len(result), result.leading, result.pixel_size_nm) == (3, (3,), 0.5)
    np.testing.assert_array_equal(result.plane(1), apply(MODEL, stack, PLAIN)[1])


def test_names_that_would_clash_are_told_apart(tmp_path):
    for name in ("a.tif", "a.png", "A.npy", "two/a.tif", "b.c.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    given = [tmp_path / "a.tif", tmp_path, tmp_path / "two"]
    places = output_paths(given, tmp_path / "out", "tiff")
    assert len(places) == 5
    assert len({str(target).casefold() for target in places.values()}) == 5
    names = {image.relative_to(tmp_path).as_posix(): target.name for image, target in places.items()}
    assert names["a.png"] == "a_png.tif"
    assert names["A.npy"] == "A_npy.tif"
    assert names["b.c.tif"] == "b.c.tif"
    assert places[tmp_path / "two/a.tif"] == tmp_path / "out/two/a.tif"


def test_files_of_two_folders_with_one_name_get_numbers(tmp_path):
    for name in ("one/a.tif", "two/a.tif"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    places = output_paths([tmp_path / "one", tmp_path / "two"], tmp_path / "out", "zarr")
    assert [target.name for target in places.values()] == ["a_tif.zarr", "a_tif_2.zarr"]


def test_no_result_replaces_its_input(folder):
    before = (folder / "in/a.tif").read_bytes()
    for overwrite in (False, True):
        with pytest.raises(UserError, match="would replace the input"):
            apply_files(MODEL, [folder / "in"], folder / "in", PLAIN, overwrite=overwrite).result()
    assert (folder / "in/a.tif").read_bytes() == before


def test_an_existing_result_stops_the_job_before_anything_is_written(folder):
    kept = folder / "out/deep/er/b.tif"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"b\.tif' exists already.*--overwrite"):
        apply_files(MODEL, [folder / "in"], folder / "out", PLAIN).result()
    assert tree(folder / "out") == {"deep/er/b.tif"}
    assert kept.read_bytes() == b"mine"
    apply_files(MODEL, [folder / "in"], folder / "out", PLAIN, overwrite=True).result()
    assert tifffile.imread(kept).shape == (40, 50)


def test_a_damaged_image_among_many_is_told_and_the_others_go_on(folder):
    (folder / "in/broken.tif").write_bytes(b"II*\0 cut short")
    events = list(apply_files(MODEL, [folder / "in"], folder / "out", PLAIN))
    texts = [event.text for event in events if isinstance(event, Notice)]
    assert "broken.tif" in texts[0]
    assert texts[1].startswith("1 of 3 images could not be used; the results of the others are in")
    assert events[-1].result.failed == [folder / "in/broken.tif"]
    assert not events[-1].stopped
    assert tree(folder / "out") == {"a.tif", "deep/er/b.tif"}


@pytest.mark.parametrize("file_format", ["tiff", "zarr"])
def test_a_stack_that_breaks_off_in_the_middle_leaves_no_file(folder, file_format):
    write_image(folder / "in/stack.tif", noise(30, 100, 100))
    data = (folder / "in/stack.tif").read_bytes()
    (folder / "in/stack.tif").write_bytes(data[: len(data) // 2])
    written = apply_files(MODEL, [folder / "in"], folder / "out", PLAIN, file_format=file_format).result()
    assert written.failed == [folder / "in/stack.tif"]
    assert {path.stem for path in written} == {"a", "b"}
    assert {path.name for path in (folder / "out").iterdir()} == {"deep", written[0].name}


def test_only_damaged_images_are_an_error(tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"II*\0 cut short")
    with pytest.raises(UserError, match="nothing was written"):
        apply_files(MODEL, [tmp_path / "broken.tif"], tmp_path / "out", PLAIN).result()
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_a_file_is_an_error_at_once(folder):
    (folder / "out").write_text("a file")
    job = apply_files(MODEL, [folder / "in"], folder / "out" / "deep", PLAIN)
    with pytest.raises(UserError, match="out' is a file"):
        next(job)


@pytest.mark.parametrize("file_format", ["tiff", "zarr"])
def test_a_full_disk_is_an_error_and_no_damaged_image(folder, monkeypatch, file_format):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    monkeypatch.setattr(zarr, "create_group", full)
    with pytest.raises(UserError, match="No space left"):
        apply_files(MODEL, [folder / "in"], folder / "out", PLAIN, file_format=file_format).result()
    assert tree(folder / "out") == set()


def test_missing_and_empty_input(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        apply_files(MODEL, [tmp_path / "none"], tmp_path / "out", PLAIN).result()
    with pytest.raises(UserError, match="no image"):
        apply_files(MODEL, [tmp_path], tmp_path / "out", PLAIN).result()


def test_stop_leaves_out_the_image_at_hand(folder):
    write_image(folder / "in/z.tif", noise(300, 300))
    job = apply_files(MODEL, [folder / "in"], folder / "out", ApplySettings(tile=32, device="cpu", precision="fp32"))
    for event in job:
        if isinstance(event, Preview) and event.images["image"].shape == (40, 50):
            previews = len(list((folder / "out").glob("*.tif")))
            if previews == 1:
                job.stop()
    assert event.stopped
    assert event.result == [folder / "out/a.tif", folder / "out/deep/er/b.tif"]


def test_progress_counts_over_all_files(folder):
    events = list(apply_files(MODEL, [folder / "in"], folder / "out", PLAIN))
    assert isinstance(events[0], Started)
    assert "2 images" in events[0].summary
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert isinstance(events[-1], Finished)


def test_real_stack(shared_data, tmp_path):
    frames = sorted((shared_data / "stack").rglob("*.jp*g"))[:2]
    written = apply_files(MODEL, frames, tmp_path, PLAIN).result()
    assert [path.stem for path in written] == [path.stem for path in frames]


@pytest.mark.parametrize("file_format", ["tiff", "zarr"])
def test_a_stack_of_five_axes_is_refused_before_any_work_and_the_others_go_on(tmp_path, file_format):
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "in/a.tif", noise(2, 2, 2, 40, 50), imagej=True, metadata={"axes": "TZCYX"})
    write_image(tmp_path / "in/b.tif", noise(40, 50))
    events = list(apply_files(MODEL, [tmp_path / "in"], tmp_path / "out", PLAIN, file_format=file_format))
    kinds = [type(event) for event in events]
    notice = next(event.text for event in events if isinstance(event, Notice))
    assert "5 axes (2 x 2 x 2 x 40 x 50)" in notice
    assert kinds.index(Notice) < kinds.index(Started)
    result = events[-1].result
    assert ([path.stem for path in result], [path.name for path in result.failed]) == (["b"], ["a.tif"])


@pytest.mark.parametrize("file_format", ["tiff", "zarr"])
@pytest.mark.parametrize("axes", ["TYX", "ZYX", "CYX", "TZYX", "TCYX", "ZCYX"])
def test_results_keep_time_depth_and_channels(tmp_path, axes, file_format):
    (tmp_path / "in").mkdir()
    metadata = {"axes": axes, "spacing": 0.03, "finterval": 0.4, "unit": "um"}
    stack = noise(*range(2, len(axes)), 40, 50)
    tifffile.imwrite(tmp_path / "in/a.tif", stack, imagej=True, metadata=metadata, resolution=(500, 500))
    (path,) = apply_files(MODEL, [tmp_path / "in"], tmp_path / "out", PLAIN, file_format=file_format).result()
    result = em.read_image(path)
    steps = {"T": ("t", pytest.approx(0.4)), "Z": ("z", pytest.approx(30)), "C": ("c", None)}
    assert [tuple(axis) for axis in result.axes] == [steps[letter] for letter in axes[:-2]]
    assert result.pixel_size_nm == pytest.approx(2)


@pytest.fixture
def detectors(tmp_path):
    """Two files, each with two images and their names."""
    (tmp_path / "in").mkdir()
    for name in "ab":
        with tifffile.TiffWriter(tmp_path / f"in/{name}.ome.tif", ome=True) as tif:
            for detector in ("BF", "Dark field"):
                tif.write(noise(40, 50), metadata={"Name": detector, "axes": "YX"}, photometric="minisblack")
    return tmp_path


@pytest.mark.parametrize(
    ("image", "names"),
    [
        (None, {"a.ome.tif", "b.ome.tif"}),
        ("dark FIELD", {"a.ome.tif", "b.ome.tif"}),
        ("2", {"a.ome.tif", "b.ome.tif"}),
        ("all", {"a.ome_bf.tif", "a.ome_dark-field.tif", "b.ome_bf.tif", "b.ome_dark-field.tif"}),
    ],
)
def test_which_image_of_a_file(detectors, image, names):
    events = list(apply_files(MODEL, [detectors / "in"], detectors / "out", PLAIN, image=image))
    assert tree(detectors / "out") == names
    said = [event.text for event in events if isinstance(event, Notice)]
    assert ["'BF' is used" in text for text in said] == [True] * (image is None)


def test_an_image_that_is_in_no_file_is_named(detectors):
    with pytest.raises(UserError, match="No image could be used"):
        apply_files(MODEL, [detectors / "in"], detectors / "out", PLAIN, image="HAADF").result()
