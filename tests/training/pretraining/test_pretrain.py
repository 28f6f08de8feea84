"""The GAN stage on small images: it learns, is reproducible, resumes bit for bit, and ends in an honest card."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from small_pretraining import blobs, losses, result, small

from napari_emssl.data.patches.unlabelled_patches import UnlabelledPatches
from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Notice, Preview, Progress, Started
from napari_emssl.training.pretraining.pretrain import pretrain


def test_it_learns_to_restore_and_says_what_was_done() -> None:
    events = list(pretrain(blobs(), small(steps=60, learning_rate=2e-3), licence="CC0", command="the command"))
    assert isinstance(events[0], Started)
    assert "3 images" in events[0].summary
    validation = [event.metrics["l1"] for event in events if isinstance(event, Progress) and event.metrics]
    assert validation[-1] < 0.5 * validation[0]
    model = result(events)
    stage = model.card.history[0]
    assert (model.card.task, model.card.licence, stage.command) == ("reconstruct", "CC0", "the command")
    assert stage.settings["l1_weight"] == 100
    assert stage.metrics["l1"] == pytest.approx(min(validation))
    assert stage.data["images"] == 3
    assert {"torch", "napari-emssl"} <= set(stage.versions)
    previews = [event.images for event in events if isinstance(event, Preview)]
    assert {name: image.shape for name, image in previews[0].items()} == dict.fromkeys(
        ("corrupted", "restored", "clean"), (64, 64)
    )


def test_the_same_seed_gives_the_same_losses_and_another_seed_others() -> None:
    images = blobs()
    first, again, other = (
        losses(list(pretrain(images, small(seed=seed, validation_interval=1)))) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("stop_at", [1, 3])
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(stop_at: int, tmp_path: Path) -> None:
    images, autosave = blobs(), tmp_path / "run.autosave"
    whole = result(list(pretrain(images, small(validation_interval=1))))
    job = pretrain(images, small(validation_interval=1), autosave=autosave)
    for event in job:
        if isinstance(event, Progress) and event.step == stop_at:
            job.stop()
    resumed = result(list(pretrain(images, small(validation_interval=1), resume=autosave)))
    assert whole.weights.keys() == resumed.weights.keys()
    assert all(np.array_equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)


def test_processes_that_read_give_the_same_patches() -> None:
    images = blobs()
    alone, helped = (result(list(pretrain(images, small(workers=workers, steps=2)))) for workers in (0, 1))
    assert all(np.array_equal(alone.weights[name], helped.weights[name]) for name in alone.weights)


def test_the_autosave_of_another_generator_is_refused(tmp_path: Path) -> None:
    autosave = tmp_path / "run.autosave"
    job = pretrain(blobs(), small(), autosave=autosave)
    for event in job:
        if isinstance(event, Progress) and event.step:
            job.stop()
    with pytest.raises(UserError, match="unet-2-44"):
        list(pretrain(blobs(), small(generator="unet-3-96"), resume=autosave))


def test_any_mix_of_files_is_read_and_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    images = blobs()
    (tmp_path / "deep").mkdir()
    tifffile.imwrite(tmp_path / "stack.tif", np.stack(images[:2]), photometric="minisblack")
    np.save(tmp_path / "deep" / "small.npy", images[2][:30, :40].astype(np.uint16))
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    events = list(pretrain([tmp_path, images[3]], small(steps=2, validation=0)))
    assert "4 planes of 3 images" in events[0].summary
    warnings = [event.text for event in events if isinstance(event, Notice)]
    assert len(warnings) == 1
    assert "broken.png" in warnings[0]
    assert not result(events).card.history[0].metrics


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation": 4}, "leaves none of 4 images"),
        ({"generator": "unet"}, "no generator 'unet'"),
        ({"device": "cuda:7"}, "cuda:7"),
    ],
)
def test_impossible_settings_are_answered_at_once(settings: dict, message: str) -> None:
    if settings.get("device") == "cuda:7" and torch.cuda.device_count() > 7:
        pytest.skip("there is a cuda:7")
    with pytest.raises(UserError, match=message):
        list(pretrain(blobs(), small(**settings)))


def test_asking_for_more_images_than_there_are_is_said() -> None:
    asked = {}
    for count in (2, 50):
        events = list(pretrain(blobs(), small(steps=1, images=count)))
        asked[count] = [event.text for event in events if isinstance(event, Notice)]
    assert asked[2] == []
    assert "only 3" in asked[50][0]


def tree(root: Path, sources: int = 5, each: int = 3) -> Path:
    """Folders of tiles, of which one has a sound header and damaged pixels."""
    rng = np.random.default_rng(0)
    for source in range(sources):
        for number in range(each):
            path = root / f"cem500k/{source}" / f"{number}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, rng.integers(0, 255, (64, 64), np.uint8), compression="zlib")
    return root / "cem500k"


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-900, 2)
        file.write(bytes(900))


def test_the_split_is_written_and_the_test_images_are_scored_at_the_end(tmp_path: Path) -> None:
    kept = tmp_path / "deep" / "model-split.json"
    asked = small(validation=2, test=3, images=6)
    events = list(pretrain([tree(tmp_path)], asked, keep_split=kept))
    split = json.loads(kept.read_text())
    parts = {name: split[name] for name in ("training", "validation", "test")}
    assert {name: len(part) for name, part in parts.items()} == {"training": 6, "validation": 2, "test": 3}
    folders = [{name.split("/")[0] for name in part} for part in parts.values()]
    assert not folders[0] & (folders[1] | folders[2]) | folders[1] & folders[2]
    data = result(events).card.history[0].data
    assert (data["test_images"], data["layouts"]) == (3, ["cem500k"])
    assert 0 < data["test_l1"] < 2
    assert "3 images kept for the test" in events[0].summary
    again = list(pretrain([tree(tmp_path)], small(validation=None), split=kept))
    assert losses(again)[-1] == losses(events)[-1]
    assert result(again).card.history[0].data["test_l1"] == data["test_l1"]


def test_damaged_tiles_are_passed_over_counted_and_told(tmp_path: Path) -> None:
    root = tree(tmp_path)
    for number in range(2):
        damage(root / f"{number}" / "1.tif")
    told = []
    for workers in (0, 1):
        events = list(pretrain([root], small(steps=12, validation=0, workers=workers, validation_interval=1)))
        warnings = [event.text for event in events if isinstance(event, Notice)]
        assert len(warnings) == 1
        assert "damaged plane" in warnings[0]
        assert "1.tif" in warnings[0]
        assert result(events).card.history[0].data["damaged"] == 2
        told.append(losses(events))
    assert told[0] == told[1]


def test_a_stopped_or_dropped_run_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    for stop in (True, False):
        job = pretrain([tree(tmp_path)], small(steps=1000))
        for event in job:
            if isinstance(event, Progress) and event.step:
                if not stop:
                    break
                job.stop()
        del job
        assert threading.active_count() == before, threading.enumerate()


def test_slow_reading_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(self: UnlabelledPatches, number: int, rng: np.random.Generator) -> torch.Tensor:
        time.sleep(0.4)  # far longer than a step takes, also on a busy computer
        return quickly(self, number, rng)

    quickly = UnlabelledPatches._cut
    monkeypatch.setattr(UnlabelledPatches, "_cut", slowly)
    monkeypatch.setattr("napari_emssl.training.pretraining.reading._KNOWN_SECONDS", 0.1)
    monkeypatch.setattr("napari_emssl.training.pretraining.reading._KNOWN_BATCHES", 3)
    events = list(pretrain(blobs(), small(steps=6, validation_interval=1, validation=0, batch_size=2)))
    warnings = [event.text for event in events if isinstance(event, Notice)]
    assert len(warnings) == 1
    assert "waiting for images" in warnings[0]


def test_a_split_of_other_data_and_two_ways_to_split_are_refused(tmp_path: Path) -> None:
    kept = tmp_path / "split.json"
    list(pretrain([tree(tmp_path)], small(steps=1), keep_split=kept))
    with pytest.raises(UserError, match="missing"):
        list(pretrain(blobs(), small(steps=1, validation=None), split=kept))
    with pytest.raises(UserError, match="Leave out --images"):
        list(pretrain([tree(tmp_path)], small(steps=1, images=3, validation=None), split=kept))


def test_too_few_sources_to_hold_out_what_is_asked_for_is_said(tmp_path: Path) -> None:
    events = list(pretrain([tree(tmp_path, sources=2)], small(steps=1, validation=4)))
    warnings = [event.text for event in events if isinstance(event, Notice)]
    assert warnings == ["--validation 4: only 3 images could be held out, since a source is never divided."]


def test_an_hrnet_can_be_pretrained() -> None:
    model = result(list(pretrain(blobs(), small(generator="hrnet-w18-small", steps=1))))
    assert model.card.network.name == "hrnet-w18-small"


def test_no_image_is_answered_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        list(pretrain([tmp_path], small()))
