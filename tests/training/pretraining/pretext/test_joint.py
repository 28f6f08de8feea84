"""Pretext tasks on collages: they are learnt, alone and together, resume bit for bit, and end in an honest model."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from small_pretraining import blobs, result, small

from napari_emssl.errors import UserError
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.context_settings import ContextSettings
from napari_emssl.jobs.devices import choose_device
from napari_emssl.jobs.events import Preview, Progress
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings
from napari_emssl.models.model_file import Card, Model, read_model, save_model
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.in_context.segment import in_context
from napari_emssl.training.pretraining.data import gather_unlabelled
from napari_emssl.training.pretraining.heads import network_spec, started_generator
from napari_emssl.training.pretraining.pretext.collage_batches import training_collages
from napari_emssl.training.pretraining.pretext.joint import JointLearner, backward
from napari_emssl.training.pretraining.pretext.restoring import Restoring
from napari_emssl.training.pretraining.pretext.task import PretextBatch
from napari_emssl.training.pretraining.pretrain import pretrain

PLAIN = ApplySettings(device="cpu", precision="fp32")


def tiny(pretext: str, **changes: object) -> PretrainSettings:
    usual = {
        "pretext": pretext, "steps": 2, "batch_size": 2, "precision": "fp32", "vector_channels": 4,
        "mask_decoder": "unet-2-44",
    }  # fmt: skip
    return small(**{**usual, **changes})


@pytest.fixture(autouse=True)
def few_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_emssl.training.pretraining.pretext.collage_batches._HELD_OUT", 3)


@cache
def generator(pretext: str) -> Model:
    return result(list(pretrain(blobs(), tiny(pretext), name=pretext)))


def learner(settings: PretrainSettings) -> JointLearner:
    def card(_summary: object) -> Card:
        return Card(name="g", task="reconstruct", network=network_spec(settings))

    return JointLearner(settings, choose_device(settings), torch.empty(0, 1, 64, 64), None, card)


def test_thirty_steps_on_episodes_lower_their_loss() -> None:
    settings = tiny("episodes", width=4, batch_size=4, learning_rate=2e-2)
    collages = training_collages(gather_unlabelled(blobs(), settings))[list(range(4))]
    ours = learner(settings)
    losses = [float(ours.train_step(PretextBatch(None, collages), 0.0)["episodes"]) for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    assert ours.weights()["sharpness"] != 10.0


def test_the_decoder_begins_with_the_answer_of_the_similarities_and_improves_on_it() -> None:
    settings = tiny("episodes", width=4, batch_size=4, learning_rate=2e-2)
    collages = training_collages(gather_unlabelled(blobs(), settings))[list(range(4))]
    ours = learner(settings)
    losses = [float(ours.train_step(PretextBatch(None, collages), 0.0)["masks"]) for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    decoders = [name for name in ours.weights() if name.startswith("mask_decoder.")]
    assert len(decoders) > 20


def test_each_collage_is_shown_as_often_as_asked_for_and_never_twice_alike() -> None:
    settings = tiny("episodes", collage_views=2)
    collages = training_collages(gather_unlabelled(blobs(), settings))[[6, 7, 8]]
    sizes = [int(objects.sum()) for objects in collages.objects]
    assert sizes[0] == sizes[1] != sizes[2]
    assert not torch.equal(collages.images[0], collages.images[1])


def test_every_task_has_its_head_losses_scores_and_pictures(tmp_path: Path) -> None:
    events = list(pretrain(blobs(), tiny("episodes+collage+restore"), name="all"))
    told = [event for event in events if isinstance(event, Progress)]
    assert set(told[-1].metrics) == {"l1", "objects_dice", "episode_dice"}
    assert {"discriminator", "adversarial", "l1", "objects", "episodes", "masks"} == set(told[1].losses)
    pictures = next(event.images for event in events if isinstance(event, Preview))
    assert set(pictures) == {"corrupted", "restored", "clean", "collage", "truth", "found"}
    model = read_model(save_model(result(events), tmp_path / "all.safetensors"))
    spec = model.card.network
    assert (spec.out_channels, spec.vector_channels, spec.heads) == (6, 4, ("restore", "objects"))
    assert (spec.channel_of("restore"), spec.channel_of("objects")) == (4, 5)
    assert model.card.history[-1].settings["pretext"] == "episodes+collage+restore"
    image = blobs(1)[0]
    assert apply(model, image, PLAIN).shape == image.shape


def test_a_start_brings_its_vectors_and_its_mask_decoder_unless_told_otherwise() -> None:
    base = result(list(pretrain(blobs(), tiny("episodes"))))
    open_settings = {"vector_channels": 16, "mask_decoder": "auto", "generator": "unet-2-44", "width": None}
    more = result(list(pretrain(blobs(), tiny("collage+episodes", **open_settings), start=base)))
    assert (more.card.network.vector_channels, more.card.network.mask_decoder) == (4, "unet-2-44")
    without = result(list(pretrain(blobs(), tiny("episodes", **open_settings | {"mask_decoder": "none"}), start=base)))
    assert without.card.network.mask_decoder == ""
    fresh = result(list(pretrain(blobs(), tiny("episodes", mask_decoder="auto"))))
    assert fresh.card.network.mask_decoder == ""


@pytest.mark.parametrize(
    ("pretext", "decides"),
    [("restore+collage", "l1"), ("restore+collage+episodes", "episode_dice"), ("collage", "objects_dice")],
)
def test_which_score_decides(pretext: str, decides: str) -> None:
    assert learner(tiny(pretext)).monitor.name == decides


def test_restoring_beside_other_tasks_minimises_the_losses_of_the_gan() -> None:
    settings = tiny("restore+collage", restore_weight=0.5)
    ours = learner(settings)
    restoring = ours.tasks[0]
    assert isinstance(restoring, Restoring)
    batch = PretextBatch(torch.rand(2, 1, 64, 64), None)
    images = restoring.images(batch, 0)
    verdict = restoring.judge(ours.generator(images), images, batch)
    backward([verdict])
    restored = ours.generator(images)[:, :1]
    adversarial = (restoring.discriminator(images, restored) - 1).square().mean()
    loss = 0.5 * (adversarial + settings.l1_weight * (restored - batch.clean).abs().mean())
    wanted = torch.autograd.grad(loss, list(ours.generator.parameters()))
    for weight, slope in zip(ours.generator.parameters(), wanted, strict=True):
        torch.testing.assert_close(weight.grad, slope, rtol=1e-3, atol=1e-3 * float(slope.abs().max()))
    assert all(weight.grad is not None for weight in restoring.discriminator.parameters())


@pytest.mark.parametrize(("pretext", "workers"), [("restore+episodes", 0), ("collage", 1)])
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(pretext: str, workers: int, tmp_path: Path) -> None:
    """However many processes make the collages."""
    images, autosave = blobs(), tmp_path / "run.autosave"
    settings = tiny(pretext, steps=4, validation_interval=1)
    whole = result(list(pretrain(images, settings)))
    job = pretrain(images, settings, autosave=autosave)
    for event in job:
        if isinstance(event, Progress) and event.step == 2:
            job.stop()
    rest = settings.model_copy(update={"workers": workers})
    resumed = result(list(pretrain(images, rest, resume=autosave)))
    assert whole.weights.keys() == resumed.weights.keys()
    assert all(np.array_equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)


def test_it_segments_in_context_and_can_be_fine_tuned() -> None:
    image = blobs(1)[0]
    painting = np.where(image > 160, 2, np.where(image < 90, 1, 0)).astype(np.uint8)
    model = in_context([image], [painting], ContextSettings(device="cpu", precision="fp32"), generator("episodes"))
    assert apply(model, image, PLAIN).shape == image.shape
    settings = FinetuneSettings(steps=2, batch_size=1, patch=32, device="cpu", precision="fp32", zero="unpainted")
    tuned = finetune([image], [painting], settings, start=generator("episodes")).result()
    spec = tuned.card.network
    assert (spec.vector_channels, spec.mask_decoder, len(spec.painted)) == (4, "unet-2-44", 2)
    assert apply(tuned, image, PLAIN).shape == image.shape


def test_without_restoring_there_is_no_image_to_give() -> None:
    with pytest.raises(UserError, match=r"gives no images.*Segment with it in context, or fine-tune it"):
        apply(generator("episodes"), blobs(1)[0], PLAIN)


def test_a_start_brings_its_heads_and_draws_the_others() -> None:
    start = generator("episodes")
    settings = tiny("restore+episodes")
    grown = started_generator(settings, start).state_dict()
    assert np.array_equal(grown["head.weight"][:4].numpy(), start.weights["head.weight"])
    assert grown["head.weight"][4].abs().sum() > 0
    longer = result(list(pretrain(blobs(), settings, start=start)))
    assert longer.card.network.heads == ("restore",)


def test_images_that_are_too_small_for_collages_are_refused() -> None:
    with pytest.raises(UserError, match=r"at least 64 x 64 px"):
        list(pretrain([image[:40] for image in blobs()], tiny("collage")))


def test_the_card_of_a_plain_generator_says_nothing_of_heads(tmp_path: Path) -> None:
    weights = {"w": np.zeros(1, np.float32)}  # safetensors 0.4.3 writes no sound file without any
    plain = Model(Card(name="plain", task="reconstruct", network=network_spec(small())), weights)
    assert b"heads" not in save_model(plain, tmp_path / "plain.safetensors").read_bytes()
