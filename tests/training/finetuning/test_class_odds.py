"""Rare classes of whole labelled planes are drawn as large as they are."""

import numpy as np
import pytest
import torch

from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.metrics import dice
from napari_emssl.models.model_file import Model
from napari_emssl.networks.generators import build_generator
from napari_emssl.training.finetuning import class_odds
from napari_emssl.training.finetuning.class_odds import ClassOdds, Judged, takes_odds
from napari_emssl.training.finetuning.finetune import finetune


def plane(*counts: int) -> LabelledPlane:
    """So many pixels unpainted, of the background, and of each class."""
    target = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)[None]
    return LabelledPlane(np.zeros(target.shape, np.float32), target)


def rare_class(logit: float) -> Judged:
    """Logits of a network that takes both classes for equally frequent; one pixel in 50 is of the class."""
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.02
    logits = torch.from_numpy(rng.normal(np.where(truth, logit, -logit), 2.0).astype(np.float32))
    return [(logits.view(1, 1, 1, -1), torch.from_numpy(truth + 1).view(1, 1, -1))]


def found_dice(judged: Judged) -> float:
    return float(np.mean([dice([logits[:, 0].numpy() > 0], [target.numpy()], 1) for logits, target in judged]))


def test_the_share_is_chosen_that_draws_held_out_pixels_best() -> None:
    odds, judged = ClassOdds([plane(0, 98, 2)], 2), rare_class(3.0)
    odds.fit(7, judged, found_dice)
    better = [(odds.added_to(logits), target) for logits, target in judged]
    assert odds.log_odds.tolist() == pytest.approx([np.log(2 / 98)])
    assert 0 < odds.shares[0] <= 1
    assert found_dice(better) > found_dice(judged) + 0.2
    odds.choose(6)
    assert odds.added_to(judged[0][0]) is judged[0][0]
    again = ClassOdds([plane(0, 98, 2)], 2)
    again.load_state(odds.state())
    odds.choose(7)
    assert again.shares == odds.shares


def test_each_of_several_classes_has_a_share_of_its_own() -> None:
    odds = ClassOdds([plane(0, 90, 9, 1), plane(50, 50, 0, 0)], 3)
    odds.shares = [0.0, 0.5]
    added = odds.added_to(torch.zeros(1, 3, 2, 2))
    assert added[0, :, 0, 0].tolist() == pytest.approx([0, 0, 0.5 * np.log(1 / 140)])


def test_frequent_classes_are_left_as_they_are() -> None:
    log_odds = ClassOdds([plane(0, 40, 50, 10)], 3).log_odds.tolist()
    assert log_odds == pytest.approx([0, np.log(10 / 40)])


def test_without_background_nothing_is_rare() -> None:
    assert not ClassOdds([plane(0, 0, 50)], 2).log_odds.any()
    assert not ClassOdds([], 2).log_odds.any()


@pytest.mark.parametrize("name", ["unet-2-44", "hrnet-w18-small", "resnet50-unet"])
def test_a_network_adds_what_its_weights_have_absorbed(name: str) -> None:
    network = build_generator(name, out_channels=2).eval()
    assert takes_odds(network)
    odds = ClassOdds([plane(0, 60, 40)], 2)
    odds.log_odds, odds.shares = torch.tensor([-2.0]), [0.5]
    x = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        wanted = odds.added_to(network(x))
        network.load_state_dict(odds.absorbed(network.state_dict()))
        torch.testing.assert_close(network(x), wanted, rtol=1e-4, atol=1e-4)


def dots(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image with a few noisy dots, and its dense mask."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((96, 96), np.uint8)
    for row, column in rng.integers(4, 92, (8, 2)):
        mask[row - 2 : row + 2, column - 2 : column + 2] = 1
    return rng.normal(mask * 3, 1.0).astype(np.float32), mask


def trained() -> Model:
    images, masks = zip(*[dots(seed) for seed in range(5)], strict=True)
    settings = FinetuneSettings(
        steps=60,
        patch=64,
        batch_size=4,
        zero="background",
        validation_interval=20,
        device="cpu",
        precision="fp32",
        generator="unet-2-44",
    )
    return finetune(list(images), list(masks), settings, "scratch").result()


def test_tiny_objects_of_dense_masks_come_out_as_large_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    images, masks = zip(*[dots(seed) for seed in range(20, 24)], strict=True)
    found = []
    for shares in ((0.0,), class_odds._SHARES):
        monkeypatch.setattr(class_odds, "_SHARES", shares)
        model = trained()
        labels = apply(model, np.stack(images))
        found.append((dice([labels], [np.stack(masks) + 1], 1), labels.sum() / np.sum(masks)))
    (dice_before, area_before), (dice_now, area_now) = found
    assert dice_now > dice_before + 0.05
    assert abs(np.log(area_now)) < abs(np.log(area_before)) / 2
