"""``apply`` and ``measure`` by parts and on Dask workers give what one machine gives, and go on where they stopped."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from dask_workers import mortal_workers
from random_models import random_model
from terminal import Tell, refused

from napari_emssl.data.images.writers import write_image
from napari_emssl.errors import UserError
from napari_emssl.inference.apply import apply_targets
from napari_emssl.jobs.events import Finished, Preview
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.model_file import save_model

COUNT = 10


@pytest.fixture(scope="module")
def scheduler() -> Iterator[tuple[str, Callable[[], None]]]:
    with mortal_workers() as found:
        yield found


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, a model, and masks of squares."""
    root = tmp_path_factory.mktemp("work")
    for n in range(COUNT):
        image = np.random.default_rng(n).random((48, 64), np.float32)
        write_image(root / "images" / f"{n}.tif", image)
        mask = np.zeros((48, 64), np.uint8)
        mask[5 : 10 + n, 5:20] = mask[30:40, 30 : 50 - n] = 1
        write_image(root / "masks" / f"{n}.tif", mask)
    save_model(random_model(task="segment"), root / "m.safetensors")
    return root


def results(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: tifffile.imread(path) for path in sorted(folder.glob("*.tif"))}


def test_apply(tell: Tell, work: Path, tmp_path: Path, scheduler: tuple[str, Callable[[], None]]) -> None:
    address, kill = scheduler
    words = ["apply", work / "m.safetensors", work / "images", "--device", "cpu", "--precision", "fp32", "--quiet"]
    assert tell(*words, "-o", tmp_path / "whole").status == 0
    whole = results(tmp_path / "whole")
    for part in ("1/3", "2/3", "3/3"):
        told = tell(*words, "-o", tmp_path / "parts", "--shard", part)
        assert told.status == 0, told.err
        assert len(told.out.splitlines()) in (3, 4)
    assert all(np.array_equal(array, whole[name]) for name, array in results(tmp_path / "parts").items())
    assert len(results(tmp_path / "parts")) == COUNT
    (tmp_path / "parts" / "4.tif").unlink()
    again = tell(*words, "-o", tmp_path / "parts", "--shard", "1/1")
    assert [Path(line).name for line in again.out.splitlines()] == ["4.tif"]
    kill()
    told = tell(*words, "-o", tmp_path / "cluster", "--executor", address)
    assert told.status == 0, told.err
    assert len(told.out.splitlines()) == COUNT
    assert all(np.array_equal(array, whole[name]) for name, array in results(tmp_path / "cluster").items())
    assert tell(*words, "-o", tmp_path / "cluster", "--executor", address).out == "", "all is there"
    refused(tell(*words, "-o", tmp_path / "x", "--executor", address, "--shard", "1/2"), "Give only one of them")


def test_measure(tell: Tell, work: Path, tmp_path: Path, scheduler: tuple[str, Callable[[], None]]) -> None:
    address, kill = scheduler
    words = ["measure", work / "masks", "--images", work / "images", "--quiet"]
    assert tell(*words, "-o", tmp_path / "whole.csv").status == 0
    header, *rows = (tmp_path / "whole.csv").read_text().splitlines()
    assert len(rows) == 2 * COUNT
    parts = []
    for n in (1, 2):
        assert tell(*words, "-o", tmp_path / f"{n}.csv", "--shard", f"{n}/2").status == 0
        first, *some = (tmp_path / f"{n}.csv").read_text().splitlines()
        assert first == header
        parts += some
    assert sorted(parts) == sorted(rows)
    kill()
    told = tell(*words, "-o", tmp_path / "cluster.csv", "--executor", address)
    assert told.status == 0, told.err
    assert (tmp_path / "cluster.csv").read_text().splitlines() == [header, *rows]
    assert not (tmp_path / "cluster.csv.parts").exists()


def test_a_file_that_cannot_be_measured_is_named_and_the_others_are_kept(
    tell: Tell, work: Path, tmp_path: Path, scheduler: tuple[str, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_emssl.particles.on_workers._FILES_OF_A_TASK", 1)
    for n in range(2):
        (tmp_path / "masks").mkdir(exist_ok=True)
        (tmp_path / "masks" / f"{n}.tif").write_bytes((work / "masks" / f"{n}.tif").read_bytes())
    write_image(tmp_path / "masks" / "grey.tif", np.random.default_rng(0).random((40, 40), np.float32))
    words = ["measure", tmp_path / "masks", "-o", tmp_path / "p.csv", "--executor", scheduler[0], "--quiet"]
    refused(tell(*words), "grey.tif", "kept in")
    assert len(list((tmp_path / "p.csv.parts").glob("*.npz"))) == 2
    (tmp_path / "masks" / "grey.tif").unlink()
    assert tell(*words).status == 0
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 5


def test_tables_of_parts_fit_together(tell: Tell, tmp_path: Path) -> None:
    """Names, columns and limits are those of all files, whichever of them a part holds."""
    mask = np.zeros((20, 20), np.uint8)
    mask[5:9, 5:9] = 1
    for folder, pixel in (("a", 0.5), ("b", None)):
        write_image(tmp_path / "masks" / folder / "1.tif", mask, pixel)
    words = ["measure", tmp_path / "masks", "--quiet"]
    assert tell(*words, "-o", tmp_path / "whole.csv").status == 0
    header, *rows = (tmp_path / "whole.csv").read_text().splitlines()
    found = []
    for n in (1, 2, 3):
        assert tell(*words, "-o", tmp_path / f"{n}.csv", "--shard", f"{n}/3").status == 0
        first, *some = (tmp_path / f"{n}.csv").read_text().splitlines()
        assert first == header
        found += some
    assert found == rows, "a/1.tif and b/1.tif are told apart, and the third part is empty"
    for n in (1, 2):
        told = tell(*words, "-o", tmp_path / f"limit {n}.csv", "--shard", f"{n}/2", "--min-diameter", "1")
        refused(told, "nm for some files and pixels for others")


def test_what_is_kept_of_a_measurement_is_that_of_its_files(
    tell: Tell, work: Path, tmp_path: Path, scheduler: tuple[str, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that has changed since, and values in a zarr, are measured again; strangers' files stay."""
    monkeypatch.setattr("napari_emssl.particles.on_workers._FILES_OF_A_TASK", 1)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:9, 5:9] = 1
    write_image(tmp_path / "masks" / "0.zarr", mask)
    write_image(tmp_path / "masks" / "1.tif", mask)
    write_image(tmp_path / "masks" / "2.tif", np.random.default_rng(0).random((20, 20), np.float32))
    for n in range(3):
        write_image(tmp_path / "images" / f"{n}.tif", np.full((20, 20), 1, np.uint8))
    table = tmp_path / "p.csv"
    words = ["measure", tmp_path / "masks", "--images", tmp_path / "images", "-o", table, "--executor", scheduler[0]]
    refused(tell(*words, "--quiet"), "2.tif")
    write_image(tmp_path / "images" / "1.tif", np.full((20, 20), 7, np.uint8), overwrite=True)
    write_image(tmp_path / "masks" / "2.tif", mask, overwrite=True)
    mask[12:15, 12:15] = 1
    zarr.open_array(tmp_path / "masks" / "0.zarr" / "0")[:] = mask
    (tmp_path / "p.csv.parts" / "mine.txt").write_text("mine")
    assert tell(*words, "--quiet").status == 0
    rows = list(csv.DictReader(table.open()))
    assert [(row["file"], row["mean_intensity"]) for row in rows] == [
        ("0.zarr", "1"), ("0.zarr", "1"), ("1.tif", "7"), ("2.tif", "1")
    ]  # fmt: skip
    assert [path.name for path in (tmp_path / "p.csv.parts").iterdir()] == ["mine.txt"]


def test_results_in_the_folder_of_the_images_are_no_images(tell: Tell, work: Path, tmp_path: Path) -> None:
    for n in range(4):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / f"{n}.tif").write_bytes((work / "images" / f"{n}.tif").read_bytes())
    out = tmp_path / "images" / "out"
    words = ["apply", work / "m.safetensors", tmp_path / "images", "-o", out, "--device", "cpu"]
    for part in ("1/2", "2/2"):
        told = tell(*words, "--shard", part, "--quiet")
        assert told.status == 0, told.err
    assert sorted(results(out)) == ["0.tif", "1.tif", "2.tif", "3.tif"]
    assert "Left out: 2 results of earlier runs" in told.err
    refused(tell(*words), "0.tif' and 3 more exist already")
    told = tell(*words, "--overwrite")
    assert told.status == 0, told.err
    assert "Left out: 4 results" in told.err
    assert sorted(path.name for path in out.iterdir()) == ["0.tif", "1.tif", "2.tif", "3.tif"]


def test_parts_keep_results_of_the_same_model_only(tell: Tell, work: Path, tmp_path: Path) -> None:
    save_model(random_model(task="denoise"), tmp_path / "d.safetensors")
    words = [work / "images", "-o", tmp_path / "out", "--shard", "1/1", "--device", "cpu", "--quiet"]
    assert tell("apply", work / "m.safetensors", *words).status == 0
    refused(tell("apply", tmp_path / "d.safetensors", *words), "0.tif' was made by 'random', another model")
    refused(tell("apply", work / "m.safetensors", *words, "--test-time-augmentation"), "or with other settings")
    (tmp_path / "out" / "3.tif").write_bytes((work / "images" / "3.tif").read_bytes())
    refused(tell("apply", work / "m.safetensors", *words), "3.tif' is not known to be a result of this model")
    assert tell("apply", tmp_path / "d.safetensors", *words, "--overwrite").status == 0


def test_runs_that_do_the_same_part_keep_what_is_there_first(work: Path, tmp_path: Path) -> None:
    model, image = random_model(task="segment"), work / "images" / "0.tif"
    for suffix in (".tif", ".zarr"):
        target = tmp_path / f"0{suffix}"
        job = apply_targets(model, {image: target}, tmp_path, ApplySettings(device="cpu"), shared=True)
        for event in job:
            if isinstance(event, Preview):  # meanwhile
                apply_targets(model, {image: target}, tmp_path, ApplySettings(device="cpu")).result()
        assert isinstance(event, Finished)
        assert list(event.result) == [target]
        written = target.stat().st_mtime_ns
        assert apply_targets(model, {image: target}, tmp_path, ApplySettings(), shared=True).result() == [target]
        assert target.stat().st_mtime_ns == written
        with pytest.raises(UserError, match="another model"):
            apply_targets(random_model(), {image: target}, tmp_path, ApplySettings(), shared=True).result()


@pytest.mark.parametrize("command", ["apply", "measure", "reproduce"])
def test_without_a_scheduler_nothing_is_left(
    tell: Tell, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("napari_emssl.jobs.cluster.dask_scheduler._PATIENCE_SECONDS", 0.2)
    words = {
        "apply": [work / "m.safetensors", work / "images", "-o", tmp_path / "new" / "out"],
        "measure": [work / "masks", "-o", tmp_path / "new" / "out.csv"],
        "reproduce": ["smoke", "--data", work, "-o", tmp_path / "new" / "out"],
    }[command]
    refused(tell(command, *words, "--quiet", "--executor", "dask://127.0.0.1:9"), "No Dask scheduler answers")
    assert not (tmp_path / "new").exists()
