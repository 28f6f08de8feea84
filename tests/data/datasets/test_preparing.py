"""Frames become patches as the Au sets were prepared: computed again pixel by pixel; streamed; nothing half-written."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_emssl.data.datasets.preparing import PreparedSet, prepare_au
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.images.image import Image
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Finished, Notice, Progress
from napari_emssl.jobs.prepare_settings import PrepareAuSettings

SETTINGS = PrepareAuSettings(patch=32, least_particle_px=40, hot_pixels=500.0)


def frames(
    count: int = 3, shape: tuple[int, int] = (70, 100)
) -> tuple[list[NDArray[np.int16]], list[NDArray[np.uint8]]]:
    """Counts with hot and negative pixels, at the border too, and discs of several sizes."""
    images, masks, shape = [], [], (70, 100)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        mask = sum(((rows - r) ** 2 + (columns - c) ** 2 < 5 + 30 * k).astype(np.uint8) for k, (r, c) in
                   enumerate([(10, 10), (20, 50), (50, 20), (45, 80)]))  # fmt: skip
        image = (200 + 100 * mask + 30 * rng.standard_normal(shape)).astype(np.int16)
        image.flat[rng.integers(0, image.size, 40)] = 3000
        image[0, 0], image[-1, -1], image[33, :3] = 2500, 4000, 2800
        image.flat[rng.integers(0, image.size, 40)] = -50
        images.append(image)
        masks.append(mask)
    return images, masks


def by_hand(image: NDArray[np.int16], mask: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], NDArray[np.uint8]]]:
    """The preparation written again without any shared code, one pixel after the other."""
    clean = np.array([[max(float(value), 0.0) for value in row] for row in image])
    height, width = image.shape
    for _ in range(2):
        limit = sorted(clean.ravel())[clean.size // 2 - 1 : clean.size // 2 + 1]
        hot = [(-clean[r, c], r, c) for r in range(height) for c in range(width) if clean[r, c] > sum(limit) / 2 + 500]
        for _, row, column in sorted(hot):
            if row in (0, height - 1) or column in (0, width - 1):
                clean[row, column] = clean.mean()
            else:
                near = [(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
                clean[row, column] = sum(clean[place] for place in near) / 8
    clean = (clean - clean.mean()) / clean.std()
    cuts = [(slice(32 * r, 32 * r + 32), slice(32 * c, 32 * c + 32)) for r in range(2) for c in range(3)]
    return [(clean[cut], mask[cut]) for cut in cuts if (mask[cut] > 0).sum() > 40]


def test_it_is_the_published_preparation(tmp_path: Path) -> None:
    images, masks = frames()
    events = list(prepare_au(images, masks, tmp_path, SETTINGS))
    wanted = [(number, *cut) for number, pair in enumerate(zip(images, masks, strict=True)) for cut in by_hand(*pair)]
    assert 3 < len(wanted) < 18
    with h5py.File(tmp_path / "Images.h5") as file, h5py.File(tmp_path / "Labels.h5") as labels:
        assert (file["images"].dtype, labels["labels"].dtype) == (np.float32, np.uint8)
        np.testing.assert_allclose(file["images"], np.stack([cut for _, cut, _ in wanted]), atol=1e-5)
        np.testing.assert_array_equal(labels["labels"], np.stack([cut for _, _, cut in wanted]) > 0)
        for one in (file, labels):
            assert list(one["frames"]) == [number for number, _, _ in wanted]
            assert len(one["frame_names"]) == 3
    assert any(isinstance(event, Notice) and f"{18 - len(wanted)} patches" in event.text for event in events)
    assert isinstance(events[-1], Finished)
    made = events[-1].result
    assert isinstance(made, PreparedSet)
    assert (made.frames, made.patches, made.left_out) == (3, len(wanted), 18 - len(wanted))


def test_pretraining_keeps_patches_of_a_frame_together(tmp_path: Path) -> None:
    prepare_au(*frames(), tmp_path, SETTINGS).result()
    catalog = open_sources([tmp_path])
    assert len({*catalog.origins}) == 3
    assert len(catalog) > 3


def test_frames_are_read_one_by_one(tmp_path: Path) -> None:
    """A stack of a thousand frames of 40 MB each costs no more than one of them: none is read twice or kept."""

    class Counted:
        shape, ndim, dtype = (6, 64, 64), 3, np.dtype(np.float32)

        def __init__(self) -> None:
            self.asked: list[int] = []

        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> NDArray[np.float32]:
            self.asked.append(index)
            return np.random.default_rng(index).random((64, 64), np.float32)

    stack = Counted()
    masks = np.ones((6, 64, 64), np.uint8)
    job = prepare_au(Image("film", stack, (6,)), masks, tmp_path, SETTINGS)
    for event in job:
        if isinstance(event, Progress):
            assert stack.asked == list(range(event.step))
    assert stack.asked == list(range(6))


def test_on_a_full_disk_the_program_ends_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("resource")  # HDF5 crashed the program at its end, so it is one of its own
    for side, planes in zip(("images", "masks"), frames(), strict=True):
        np.save(tmp_path / f"{side}.npy", np.stack(planes))
    program = (
        "import resource, signal, sys\n"
        "from napari_emssl.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "words = 'prepare au --images images.npy --targets masks.npy --patch 32 --least-particle-px 5 -o out'\n"
        "sys.exit(main(words.split()))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "Make room or choose another folder." in done.stderr
    assert not [path for path in tmp_path.rglob("*") if "h5" in path.name]


def test_stopped_it_leaves_nothing_behind(tmp_path: Path) -> None:
    job = prepare_au(*frames(), tmp_path / "out", SETTINGS)
    job.stop()
    last = list(job)[-1]
    assert (last.stopped, last.result) == (True, None)
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    images, masks = frames()
    with pytest.raises(UserError, match="smaller than a patch of 512"):
        prepare_au(images, masks, tmp_path).result()
    with pytest.raises(UserError, match="--least-particle-px"):
        prepare_au(images, [mask * 0 for mask in masks], tmp_path, SETTINGS).result()
    assert list(tmp_path.iterdir()) == []
    prepare_au(images, masks, tmp_path, SETTINGS).result()
    with pytest.raises(UserError, match="exists already"):
        prepare_au(images, masks, tmp_path, SETTINGS).result()
