from pathlib import Path

import numpy as np
import psutil
import pytest
from napari.layers import Image, Labels, Points
from workers import worker_pid

from napari_emssl.errors import UserError
from napari_emssl.gui.finetune.restore.request import pair_of
from napari_emssl.gui.job.dock import FINETUNE, SIMULATE, open_dock
from napari_emssl.gui.simulate.form import BASIC, GROUPS, SimulateForm
from napari_emssl.gui.simulate.request import simulate_request
from napari_emssl.jobs.settings import SimulateSettings
from napari_emssl.simulation.stem.settings import STEMSettings

pytestmark = pytest.mark.gui
GOLD = STEMSettings(crystal="Au", specimen="crystal", size_px=64, pixel_size_nm=0.02, dose_per_nm2=1e6)


@pytest.fixture
def dock(viewer, no_warm_up):
    dock = open_dock(viewer, SIMULATE)
    dock.simulated.set_settings(GOLD)
    dock.options.rows["count"].set(3)
    return dock


def wait_for_end(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.panel.runner.running)


def simulate(qtbot, dock):
    dock.panel.start_button.click()
    wait_for_end(qtbot, dock)


def test_preview_of_one_image_with_its_truth(qtbot, dock, viewer):
    dock.preview_button.click()
    assert not dock.preview_button.isEnabled()
    wait_for_end(qtbot, dock)
    names = ["simulated", "no noise", "no background", "super-resolved", "2x finer grid", "atoms", "columns"]
    layers = [viewer.layers[f"Au example | {name}"] for name in names]
    kinds = [Image] * 5 + [Labels, Points]
    assert all(isinstance(layer, kind) for layer, kind in zip(layers, kinds, strict=True))
    assert len(viewer.layers) == 7
    for layer in layers:
        scale = 0.01 if "finer" in layer.name else 0.02
        assert (tuple(layer.scale), [str(unit) for unit in layer.units]) == ((scale, scale), ["nanometer"] * 2)
        np.testing.assert_allclose(layer.translate, 2 * (-0.005 if "finer" in layer.name else 0,))
    image, clean, *_ = layers
    assert np.corrcoef(image.data.ravel(), clean.data.ravel())[0, 1] > 0.3
    bright = clean.data[tuple(np.round(layers[-1].data).astype(int).clip(0, 63).T)]
    assert bright.mean() > 1.5 * clean.data.mean()
    assert "Made 1 image with pixels of 0.02 nm" in dock.panel.message.text


def test_another_preview_takes_the_place_of_the_first(qtbot, dock, viewer):
    for size in (0.02, 0.03):
        dock.simulated.rows["pixel_size_nm"].set(size)
        dock.preview_button.click()
        wait_for_end(qtbot, dock)
    assert len(viewer.layers) == 7
    assert {round(layer.scale[-1], 6) for layer in viewer.layers} == {0.03, 0.015}
    viewer.layers.clear()
    dock.preview_button.click()
    wait_for_end(qtbot, dock)
    assert len(viewer.layers) == 7


def test_stacks_are_taught_to_the_fine_tune_dock(qtbot, dock, viewer):
    assert not dock.teaching.isVisibleTo(dock)
    simulate(qtbot, dock)
    image, clean = (viewer.layers[f"Au | {name}"] for name in ("simulated", "no noise"))
    assert image.data.shape == clean.data.shape == (3, 64, 64)
    assert tuple(viewer.dims.range[0]) == (0, 2, 1)
    dock.teach_button.click()
    page = open_dock(viewer, FINETUNE).page
    assert (page.title, page.chosen_task, page.table.layers) == ("Restore", "denoise", [(image, clean)])
    dock.lesson.setCurrentIndex(3)
    dock.teach_button.click()
    assert (page.chosen_task, page.table.layers) == ("super-resolve", [(image, viewer.layers["Au | 2x finer grid"])])
    qtbot.waitUntil(lambda: "results on that grid" in page.table.message.text)
    assert pair_of("super-resolve", *page.table.rows[0].layers).separate
    viewer.layers.remove("Au | 2x finer grid")
    dock.teach_button.click()
    assert "are gone" in dock.panel.message.text
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not dock.teaching.isVisibleTo(dock))


def test_pixel_sizes_that_differ_leave_the_layers_without(qtbot, dock, viewer):
    dock.simulated.rows["pixel_size_nm"].set(None)
    simulate(qtbot, dock)
    assert tuple(viewer.layers["Au | simulated"].scale) == (1, 1, 1)
    assert "pixel sizes differ" in dock.panel.message.text


def test_stop_keeps_what_is_done(qtbot, dock, viewer):
    dock.options.rows["count"].set(2000)
    dock.panel.start_button.click()
    qtbot.waitUntil(lambda: dock.panel.bar.maximum() > 0 and dock.panel.bar.value() > 0)
    dock.panel.stop()
    wait_for_end(qtbot, dock)
    count = len(viewer.layers["Au | simulated"].data)
    assert 0 < count < 2000
    assert dock.panel.message.text.startswith(f"Stopped after {count} image")


def test_files_in_the_layout_of_tem_imagenet(qtbot, dock, viewer, tmp_path):
    dock.into.setCurrentIndex(1)
    dock.panel.start_button.click()
    assert "No folder is given" in dock.panel.message.text
    dock.folder.setText(str(tmp_path / "gold"))
    dock.options.rows["format"].set("tiff")
    simulate(qtbot, dock)
    assert len(list((tmp_path / "gold" / "noNoise").glob("*.tif"))) == 3
    assert "Made 3 images, in" in dock.panel.message.text
    assert not viewer.layers
    simulate(qtbot, dock)
    assert "holds images already" in dock.panel.message.text


def test_what_cannot_be_simulated_is_said(qtbot, dock):
    dock.simulated.crystal.setCurrentText("Kryptonite")
    simulate(qtbot, dock)
    assert "There is no crystal 'Kryptonite'" in dock.panel.message.text
    dock.simulated.rows["elements"].set("Au")
    dock.simulated.crystal.setCurrentText("varied")
    dock.begin()
    assert "needs a kind of crystal" in dock.panel.message.text
    dock.simulated.set_settings(GOLD)
    dock.simulated.rows["size_px"].set(2048)
    dock.options.rows["count"].set(5000)
    dock.begin()
    assert "GB as layers" in dock.panel.message.text
    assert not dock.panel.runner.running


def test_room_is_asked_for_before():
    simulate_request(STEMSettings(size_px=256), SimulateSettings(count=1000), None, False)
    with pytest.raises(UserError, match="5000 images of 1024 px are 231 GB"):
        simulate_request(STEMSettings(size_px=1024), SimulateSettings(count=5000), None, False)


def test_pixel_size_of_a_layer(dock, viewer):
    dock.simulated.take_pixel_size()
    assert "no image layer" in dock.panel.message.text
    image = viewer.add_image(np.zeros((9, 9)), name="mine", scale=(0.15, 0.15), units=("angstrom", "angstrom"))
    dock.simulated.take_button.click()
    assert dock.simulated.settings().pixel_size_nm == 0.015
    for units, text in ((("um", "um"), "from 0.002 to 0.1 nm"), (("pixel", "pixel"), "has no pixel size")):
        image.units = units
        dock.simulated.take_button.click()
        assert text in dock.panel.message.text
    assert dock.simulated.settings().pixel_size_nm == 0.015


def test_every_setting_is_on_screen_once_and_comes_back(qtbot, viewer):
    form = SimulateForm(viewer)
    qtbot.addWidget(form)
    shown = [*BASIC, *(name for names in GROUPS.values() for name in names)]
    assert sorted(shown) == sorted(STEMSettings.model_fields)
    given = STEMSettings(
        crystal="fcc", elements="Au,Cu", a_nm=0.38, zone_axis="1,1,0", specimen="boundary", layers=2, size_px=512,
        dose_per_nm2=2.5e6, vacancies=0, hot_pixels=1e-5, mask_radius_nm=0.05,
    )  # fmt: skip
    for settings in (STEMSettings(), given):
        form.set_settings(settings)
        assert form.settings() == settings


def test_a_crystal_from_a_file_goes_by_its_name(qtbot, dock, tmp_path):
    path = str(tmp_path / "a folder" / "my crystal.cif")
    dock.simulated.crystal.set_crystal(path)
    assert dock.simulated.crystal.currentText() == "my crystal.cif"
    assert dock.simulated.settings().crystal == path
    dock.preview()
    wait_for_end(qtbot, dock)
    assert "gemmi" in dock.panel.message.text or path in dock.panel.message.text


def test_closing_the_dock_ends_the_child(qtbot, dock, viewer):
    dock.options.rows["count"].set(2000)
    dock.begin()
    qtbot.waitUntil(lambda: dock.panel.bar.maximum() > 0)
    pid = worker_pid(dock.panel.runner)
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_simulated_crystal_teaches_a_model_that_is_applied(qtbot, dock, viewer):
    """The real thing: simulation, networks, child processes and all."""
    simulate(qtbot, dock)
    dock.teach_button.click()
    tune = open_dock(viewer, FINETUNE)
    tune.start.pick("scratch")
    for name, value in {"steps": 3, "batch_size": 2, "patch": 32, "generator": "unet-2-44"}.items():
        tune.page.advanced.rows[name].set(value)
    tune.begin()
    wait_for_end(qtbot, tune)
    assert tune.trained is not None, tune.panel.message.text
    assert tune.trained.card.task == "denoise"
    tune.apply_button.click()
    wait_for_end(qtbot, tune)
    qtbot.waitUntil(lambda: f"Au | simulated | {tune.trained.name}" in viewer.layers)
    result = viewer.layers[f"Au | simulated | {tune.trained.name}"]
    assert isinstance(result, Image)
    assert (result.data.shape, result.units) == ((3, 64, 64), viewer.layers["Au | simulated"].units)
    assert Path(tune.trained.path).is_file()
