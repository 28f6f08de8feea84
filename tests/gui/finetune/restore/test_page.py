import numpy as np
import psutil
import pytest
import small_jobs
from napari.layers import Image
from scipy import ndimage
from workers import worker_pid

from napari_emssl.gui.job.dock import APPLY, FINETUNE, open_dock
from napari_emssl.gui.layers.layers import METADATA_KEY
from napari_emssl.gui.layers.matching import TARGET_KINDS
from napari_emssl.models import zoo
from napari_emssl.models.zoo import list_models
from napari_emssl.worker_jobs import apply_images, finetune

pytestmark = pytest.mark.gui
NM = {"scale": (1, 0.5, 0.5), "units": ("pixel", "nm", "nm")}


@pytest.fixture
def viewer(viewer, substitute):
    """A viewer whose docks run small jobs in a real child process, which need not import torch."""
    substitute(finetune=small_jobs.restoring, apply_images=small_jobs.brighter)
    return viewer


@pytest.fixture
def clean():
    rng = np.random.default_rng(0)
    return ndimage.gaussian_filter(rng.random((3, 112, 128)) > 0.985, (0, 2, 2), output=float) * 500


@pytest.fixture
def noisy(clean):
    return clean + np.random.default_rng(1).normal(10, 4, clean.shape)


@pytest.fixture
def dock(viewer, noisy, clean):
    """The dock with a pair of stacks on its page."""
    viewer.add_image(clean, name="film | clean", **NM)
    viewer.add_image(noisy, name="film | noisy", contrast_limits=(5, 50), colormap="magma", **NM)
    widget = open_dock(viewer, FINETUNE)
    widget.show_page("Restore")
    return widget


def page_of(dock):
    return dock.show_page("Restore")


def settle(qtbot, dock):
    """Wait until every pair has been looked at."""
    table = page_of(dock).table
    qtbot.waitUntil(lambda: not table.busy)
    return table


def wait_for_end(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.panel.runner.running)


def wait_for_preview(qtbot, viewer, name="film | noisy | preview"):
    qtbot.waitUntil(lambda: name in viewer.layers)
    return viewer.layers[name]


def names(table):
    return [tuple(getattr(layer, "name", None) for layer in pair) for pair in table.layers]


def test_a_pair_is_guessed_looked_at_and_said(qtbot, dock):
    table = settle(qtbot, dock)
    assert names(table) == [("film | noisy", "film | clean")]
    assert table.message.text.startswith("They fit (correlation ")
    assert table.rows[0].mark.text() == "✓"


def test_layers_that_come_later_are_paired(qtbot, viewer, noisy, clean):
    dock = open_dock(viewer, FINETUNE)
    page = page_of(dock)
    for name, array in {"flat": clean[0] - 1, "clean": clean[0], "noisy": noisy[0]}.items():
        viewer.add_image(array, name=f"x | {name}")
    qtbot.waitUntil(lambda: names(page.table) == [("x | noisy", "x | clean")])
    page.task.setCurrentIndex(1)
    assert names(page.table) == [("x | noisy", "x | flat")]


def test_results_are_never_learnt_from_and_picks_of_the_user_stay(qtbot, viewer, noisy, clean):
    dock = open_dock(viewer, FINETUNE)
    table = page_of(dock).table
    for name, array in {"a | noisy": noisy, "a | clean": clean}.items():
        viewer.add_image(array, name=name)
    qtbot.waitUntil(lambda: names(table) == [("a | noisy", "a | clean")])
    viewer.add_image(clean, name="a | noisy | clean", metadata={METADATA_KEY: {"model": "m"}})
    viewer.add_image(noisy, name="another")
    qtbot.wait(20)
    assert names(table) == [("a | noisy", "a | clean")]
    table.rows[0].clean.value = viewer.layers["another"]
    viewer.add_image(clean, name="a | noisy | truth")
    qtbot.wait(20)
    assert names(table) == [("a | noisy", "another")], "a pick of the user does not change"
    table.rows[0].image.value = viewer.layers["another"]
    table.rows[0].clean.value = viewer.layers["a | clean"]
    table.rows[0].clean.native.activated.emit(0)
    viewer.add_image(clean, name="another | clean")
    qtbot.wait(20)
    assert names(table) == [("another", "a | clean")]
    table.add_pair()
    assert "a | noisy | clean" not in names(table)[1]
    for name in ("a | noisy", "another", "a | clean", "another | clean", "a | noisy | truth"):
        viewer.layers.remove(name)
    late = viewer.add_image(noisy, name="late")
    qtbot.wait(20)
    assert table.rows[0].image.value in (viewer.layers["a | noisy | clean"], late)


def test_wrong_pairs_stop_start_with_their_sentence(qtbot, dock, viewer, noisy):
    page = page_of(dock)
    other = viewer.add_image(ndimage.gaussian_filter(np.random.default_rng(9).random(noisy.shape), (0, 2, 2)), name="x")
    moved = viewer.add_image(np.roll(viewer.layers["film | clean"].data, 5, axis=1), name="moved")
    small = viewer.add_image(noisy[:, :100], name="small")
    itself = viewer.layers["film | noisy"]
    for layer, text in ((other, "do not show the same"), (moved, "register them first"),
                        (small, "differ"), (itself, "Choose the clean image")):  # fmt: skip
        page.table.rows[0].clean.value = layer
        table = settle(qtbot, dock)
        assert text in table.message.text
        assert table.rows[0].mark.text() == "✗"
        dock.begin()
        assert text in dock.panel.message.text
        assert not dock.panel.runner.running


def test_a_pair_nobody_has_looked_at_is_looked_at_by_the_run(qtbot, dock, viewer):
    page = page_of(dock)
    viewer.add_image(np.roll(viewer.layers["film | clean"].data, 5, axis=1), name="moved")
    page.table.rows[0].clean.value = viewer.layers["moved"]
    assert page.table.checks == [None]
    dock.begin()
    assert dock.panel.runner.running
    wait_for_end(qtbot, dock)
    assert "'film | noisy' and 'moved': They are shifted by 5." in dock.panel.message.text
    assert not list_own()


def list_own():
    return [entry.name for entry in list_models() if entry.origin == "own"]


def test_doubts_only_warn(qtbot, dock, viewer):
    viewer.layers["film | clean"].scale = (1, 0.7, 0.7)
    page = page_of(dock)
    page.table.set_pairs(page.table.layers)
    table = settle(qtbot, dock)
    assert table.rows[0].mark.text() == "!"
    assert "Pixel sizes 0.5 and 0.7" in table.message.text
    dock.begin()
    assert "Pixel sizes 0.5 and 0.7" in dock.panel.notes.text
    dock.panel.stop()
    wait_for_end(qtbot, dock)


def test_pairs_come_and_go(qtbot, dock, viewer, noisy, clean):
    viewer.add_image(clean[:, ::-1].copy(), name="b clean")
    viewer.add_image(noisy[:, ::-1].copy(), name="b noisy")
    page = page_of(dock)
    page.table.add_button.click()
    table = settle(qtbot, dock)
    assert names(table) == [("film | noisy", "film | clean"), ("b noisy", "b clean")]
    assert table.message.text == "All 2 pairs fit."
    table.rows[1].clean.value = viewer.layers["film | clean"]
    settle(qtbot, dock)
    assert table.message.text.startswith("Pair 2: They do not show the same")
    table.rows[0].remove.click()
    settle(qtbot, dock)
    assert names(table) == [("b noisy", "film | clean")]
    assert not table.rows[0].remove.isVisibleTo(table)
    dock.begin()
    assert "do not show the same" in dock.panel.message.text


def test_several_pairs_reach_the_job(qtbot, dock, viewer, noisy, clean):
    viewer.add_image(clean[0], name="b clean")
    viewer.add_image(noisy[0], name="b noisy")
    page_of(dock).table.add_pair()
    settle(qtbot, dock)
    dock.begin()
    wait_for_preview(qtbot, viewer)
    assert dock.panel.message.text == "denoise, 4 planes, clean targets."
    dock.panel.stop()
    wait_for_end(qtbot, dock)


def test_preview_lies_on_the_image_as_the_image_is_shown(qtbot, dock, viewer, noisy):
    settle(qtbot, dock)
    viewer.dims.set_current_step(0, 0)
    dock.begin()
    preview = wait_for_preview(qtbot, viewer)
    assert isinstance(preview, Image)
    assert (tuple(preview.contrast_limits), preview.colormap.name) == ((5, 50), "magma")
    assert (tuple(preview.scale), tuple(map(str, preview.units))) == ((0.5, 0.5), ("nanometer", "nanometer"))
    for plane in (2, 1):
        viewer.dims.set_current_step(0, plane)
        qtbot.waitUntil(
            lambda plane=plane: preview.visible and np.allclose(preview.data, noisy[plane] + 1000, atol=1e-2),
        )
    assert [layer.name for layer in viewer.layers].count("film | noisy | preview") == 1
    assert "validation l1" in " ".join(dock.panel.plot.curves).lower()
    dock.panel.stop()
    wait_for_end(qtbot, dock)
    assert dock.panel.message.text.endswith("L1 on what was held out: 0.1.")
    dock.apply_button.click()
    wait_for_end(qtbot, dock)
    qtbot.waitUntil(lambda: f"film | noisy | {dock.trained.name}" in viewer.layers)
    assert "film | noisy | preview" not in viewer.layers
    result = viewer.layers[f"film | noisy | {dock.trained.name}"]
    np.testing.assert_allclose(result.data, noisy + 1000, rtol=1e-5)
    assert result.metadata[METADATA_KEY]["task"] == "denoise"


def test_preview_of_a_finer_grid_covers_the_image(qtbot, dock, viewer, clean):
    fine = np.kron(clean, np.ones((2, 2)))
    viewer.add_image(fine, name="film | fine", scale=(1, 0.25, 0.25), translate=(0, -0.125, -0.125), units=NM["units"])
    page = page_of(dock)
    page.task.setCurrentIndex(page.task.findData("super-resolve"))
    table = settle(qtbot, dock)
    assert names(table) == [("film | noisy", "film | fine")]
    assert "results on that grid" in table.message.text
    assert table.rows[0].mark.text() == "✓"
    dock.begin()
    preview = wait_for_preview(qtbot, viewer)
    assert preview.data.shape == (224, 256)
    assert (tuple(preview.scale), tuple(preview.translate)) == ((0.25, 0.25), (-0.125, -0.125))
    dock.panel.stop()
    wait_for_end(qtbot, dock)


def test_background_removed_is_shown_from_zero(qtbot, dock, viewer):
    page = page_of(dock)
    page.task.setCurrentIndex(page.task.findData("remove-background"))
    settle(qtbot, dock)
    dock.begin()
    assert tuple(wait_for_preview(qtbot, viewer).contrast_limits) == (0, 45)
    dock.panel.stop()
    wait_for_end(qtbot, dock)


def test_noisy_images_alone(qtbot, dock, viewer):
    page = page_of(dock)
    assert not page.supervision.rows["supervision"].widget.isVisibleTo(page)
    page.teacher.setCurrentIndex(1)
    page.supervision.rows["supervision"].set("blind-spot")
    assert page.supervision.rows["supervision"].widget.isVisibleTo(page)
    assert not page.table.rows[0].clean.native.isVisibleTo(page)
    assert page.settings().supervision == "blind-spot"
    dock.begin()
    wait_for_preview(qtbot, viewer)
    assert dock.panel.message.text == "denoise, 3 planes, no targets."
    dock.panel.stop()
    wait_for_end(qtbot, dock)
    page.task.setCurrentIndex(1)
    assert not page.alone
    assert page.table.rows[0].clean.native.isVisibleTo(page)


def test_layers_may_vanish_while_it_runs(qtbot, dock, viewer):
    settle(qtbot, dock)
    dock.begin()
    wait_for_preview(qtbot, viewer)
    viewer.layers.clear()
    viewer.add_image(np.zeros((4, 30, 30)))
    viewer.dims.set_current_step(0, 3)
    qtbot.wait(400)
    assert dock.panel.runner.running
    dock.panel.stop()
    wait_for_end(qtbot, dock)
    assert dock.trained is not None


def test_a_deleted_preview_stays_away(qtbot, dock, viewer):
    settle(qtbot, dock)
    dock.begin()
    viewer.layers.remove(wait_for_preview(qtbot, viewer))
    qtbot.wait(300)
    assert "film | noisy | preview" not in viewer.layers
    dock.panel.stop()
    wait_for_end(qtbot, dock)


def test_a_killed_child_leaves_dock_and_pairs(qtbot, dock, viewer):
    settle(qtbot, dock)
    dock.begin()
    wait_for_preview(qtbot, viewer)
    psutil.Process(worker_pid(dock.panel.runner)).kill()
    wait_for_end(qtbot, dock)
    assert "stopped unexpectedly" in dock.panel.message.text
    assert names(page_of(dock).table) == [("film | noisy", "film | clean")]


def test_without_layers_start_says_what_to_do(viewer):
    dock = open_dock(viewer, FINETUNE)
    page_of(dock)
    dock.begin()
    assert "no image layer" in dock.panel.message.text


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A model of the package that denoises."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(zoo, "SHIPPED", folder)
    zoo.save_model(small_jobs.model("denoiser", task="denoise"), folder / "denoiser.safetensors")


def test_a_shipped_model_is_offered_and_applied(qtbot, shipped, dock, viewer, noisy):
    page = page_of(dock)
    assert page.offer.isVisibleTo(page)
    assert "'denoiser' comes with the plugin" in page._offer_text.text()
    page.offer_button.click()
    apply = open_dock(viewer, APPLY)
    assert (apply.model.picked(), apply.image.value) == ("denoiser", viewer.layers["film | noisy"])
    page.task.setCurrentIndex(2)
    assert not page.offer.isVisibleTo(page)


def test_pairs_can_be_handed_over(qtbot, dock, viewer, noisy, clean):
    made = [viewer.add_image(array, name=name) for name, array in {"one": noisy[0], "two": clean[0]}.items()]
    page = page_of(dock)
    page.teacher.setCurrentIndex(1)
    page.use_pairs("remove-background", [tuple(made)])
    assert (page.chosen_task, names(page.table), page.alone) == ("remove-background", [("one", "two")], False)
    assert set(TARGET_KINDS) == {page.task.itemData(row) for row in range(page.task.count())}


def test_settings_on_screen_are_the_settings_of_the_job(dock):
    page = page_of(dock)
    page.task.setCurrentIndex(page.task.findData("super-resolve"))
    page.advanced.rows["learning_rate"].set(1e-4)
    page.advanced.rows["target_levels"].set("own")
    settings = dock.settings()
    assert (settings.task, settings.learning_rate, settings.target_levels) == ("super-resolve", 1e-4, "own")


def test_the_real_thing(qtbot, dock, viewer, clean, substitute):
    """Networks, child processes and all, on a finer grid."""
    substitute(finetune=finetune, apply_images=apply_images)
    page = page_of(dock)
    fine = viewer.add_image(np.kron(clean, np.ones((2, 2))), name="film | fine", scale=(1, 0.25, 0.25))
    page.use_pairs("super-resolve", [(viewer.layers["film | noisy"], fine)])
    dock.start.pick("scratch")
    for name, value in {"steps": 3, "batch_size": 2, "patch": 32, "generator": "unet-2-44"}.items():
        page.advanced.rows[name].set(value)
    dock.begin()
    wait_for_end(qtbot, dock)
    assert dock.trained is not None, dock.panel.message.text
    assert dock.trained.card.upscale == 2
    dock.apply_button.click()
    wait_for_end(qtbot, dock)
    qtbot.waitUntil(lambda: f"film | noisy | {dock.trained.name}" in viewer.layers)
    result = viewer.layers[f"film | noisy | {dock.trained.name}"]
    assert result.data.shape == (3, 224, 256)
    np.testing.assert_allclose(result.scale, (1, 0.25, 0.25))
    np.testing.assert_allclose(result.translate[1:], -0.125)
