"""Packing as a job and on the terminal."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_emssl.cli import main
from napari_emssl.data.datasets.pack_file import PackedPlanes
from napari_emssl.data.datasets.packing import PackResult, pack
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Finished, Notice, Progress
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import PackSettings
from napari_emssl.training.pretraining.pretrain import pretrain


def tiles(root: Path, count: int = 12) -> Path:
    """A CEM500K-like tree: three sources, one volume, one damaged header, one tile damaged inside."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = root / f"source{number % 3}" / f"{number}.tiff"
        if number % 3 == 0:
            path = root / "volumes" / f"heart-LOC-2d-{number}.tiff"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, rng.integers(0, 255, (64, 64), np.uint8), compression="zlib" if number == 4 else None)
    with (root / "source1" / "4.tiff").open("r+b") as file:
        file.seek(-900, 2)
        file.write(bytes(900))
    (root / "source2" / "broken.tiff").write_bytes(b"II*\x00")
    return root


def settings(**changes: object) -> PretrainSettings:
    base = {"width": 2, "batch_size": 4, "patch": 64, "steps": 4, "discriminator_width": 4, "validation": 2}
    return PretrainSettings(**{**base, "validation_interval": 1, "device": "cpu", "precision": "fp32", **changes})


def test_a_pack_tells_what_it_holds_and_what_is_damaged(tmp_path: Path) -> None:
    events = list(pack([tiles(tmp_path / "cem500k")], tmp_path / "a.pack"))
    assert isinstance(events[-1], Finished)
    result = events[-1].result
    assert isinstance(result, PackResult)
    assert (result.images, result.planes, result.damaged) == (12, 12, 1)
    assert result.bytes == (tmp_path / "a.pack").stat().st_size
    warnings = " ".join(event.text for event in events if isinstance(event, Notice))
    assert "broken.tiff" in warnings
    assert "4.tiff" in warnings
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.total for event in progress] == [12] * len(progress)
    assert progress


def test_pretraining_from_the_pack_equals_pretraining_from_the_folders(tmp_path: Path) -> None:
    roots = [tiles(tmp_path / "a"), tiles(tmp_path / "b")]
    pack(roots, tmp_path / "both.pack").result()
    told, models = [], []
    for sources in (roots, [tmp_path / "both.pack"]):
        kept = tmp_path / f"{len(told)}-split.json"
        events = list(pretrain(sources, settings(test=2, images=10), keep_split=kept))
        told.append([dict(event.losses) for event in events if isinstance(event, Progress)])
        models.append(events[-1].result)
    assert told[0] == told[1]
    assert all(np.array_equal(models[0].weights[name], models[1].weights[name]) for name in models[0].weights)
    assert models[0].card.history[0].data["test_l1"] == models[1].card.history[0].data["test_l1"]
    assert (tmp_path / "0-split.json").read_text() == (tmp_path / "1-split.json").read_text()


def test_stopping_leaves_nothing(tmp_path: Path) -> None:
    job = pack([tiles(tmp_path / "a")], tmp_path / "out" / "a.pack")
    events = []
    for event in job:
        events.append(event)
        job.stop()
    assert events[-1] == Finished(None, stopped=True)
    assert not (tmp_path / "out").exists()


def test_hot_pixels_are_repaired_on_the_way(tmp_path: Path) -> None:
    plane = np.full((64, 64), 100, np.float32)
    plane[5, 5], plane[9, 9] = 9000, -3
    pack([plane], tmp_path / "a.pack", PackSettings(hot_pixels=1500)).result()
    stored = PackedPlanes(tmp_path / "a.pack").read(0)
    assert (stored[5, 5], stored[9, 9], stored.max()) == (100, 0, 100)


def test_bad_input_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken.pack"
    taken.write_bytes(b"mine")
    for sources, output in (([tmp_path / "nope"], tmp_path / "x.pack"), ([tiles(tmp_path / "a")], taken)):
        with pytest.raises(UserError):
            list(pack(sources, output))
    assert taken.read_bytes() == b"mine"


def test_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, output = tiles(tmp_path / "cem500k"), tmp_path / "a.pack"
    assert main(["pack", str(root), "-o", str(output)]) == 0
    assert "12 planes of 12 images" in capsys.readouterr().out
    assert main(["pack", str(root), "-o", str(output)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["pack", str(root), "-o", str(output), "--layout", "au5nm", "--overwrite"]) == 2
    assert "--layout" in capsys.readouterr().err
    model = tmp_path / "m.safetensors"
    words = shlex.split("--steps 1 --width 2 --patch 64 --batch-size 2 --discriminator-width 4 --device cpu")
    assert main(["pretrain", str(output), "-o", str(model), *words, "--validation", "1", "--test", "2"]) == 0
    told = capsys.readouterr()
    assert "L1 on 2 test images: 0." in told.out
    split = json.loads((tmp_path / "m-split.json").read_text())
    assert split["counts"]["test"] == 2
    again = ["pretrain", str(output), "-o", str(tmp_path / "n.safetensors"), "--split", str(tmp_path / "m-split.json")]
    assert main([*again, *words, "--validation", "1"]) == 2
    assert "Leave out --images, --validation and --test" in capsys.readouterr().err
    assert main([*again, *words]) == 0
    assert json.loads((tmp_path / "n-split.json").read_text()) == split


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (20_000, 256, 256))  # sparse: no disk is used
    out = tmp_path / "out"
    command = [sys.executable, "-m", "napari_emssl", "pack", str(tmp_path / "large.npy"), "-o", str(out / "a.pack")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        end = time.monotonic() + 300
        while not (out.is_dir() and any(path.stat().st_size > 10_000 for path in out.iterdir())):
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "nothing was written" in err
    assert not out.exists()
