import re
import subprocess
import sys
import tomllib
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

from napari_emssl.gui.plugin import samples
from napari_emssl.simulation.hrtem.sample_data import paint_some

MANIFEST = Path(samples.__file__).parents[2] / "napari.yaml"


def python(code, **environment):
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


ROOT = Path(__file__).parents[2]
MENUS = ("layers/segment", "layers/filter", "layers/measure", "layers/annotate", "file/io_utilities")


def test_manifest_is_valid_and_every_command_resolves():
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    offers = manifest.contributions
    known = {command.id for command in offers.commands}
    parts = (*offers.widgets, *offers.sample_data, *offers.readers, *offers.writers)
    used = [part.command for part in parts] + [item.command for menu in offers.menus.values() for item in menu]
    assert set(used) == known
    assert offers.widgets[0].display_name == "EM SSL Fine-tune"
    assert len({widget.display_name for widget in offers.widgets}) == len(offers.widgets)


def test_what_the_command_palette_shows_begins_with_our_name():
    commands = PluginManifest.from_file(MANIFEST).contributions.commands
    assert [command.title for command in commands if not command.title.startswith("EM SSL: ")] == []


def test_what_the_hub_shows():
    manifest, project = (
        PluginManifest.from_file(MANIFEST),
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"],
    )
    assert manifest.name == project["name"]
    assert manifest.visibility == "public"
    assert re.fullmatch(r"[A-Z][\w ]{1,88}\w", manifest.display_name)
    assert {"Segmentation", "Measurement", "Simulation"} <= set(map(str, manifest.categories))
    assert "Framework :: napari" in project["classifiers"]
    assert len(project["description"]) < 200
    assert {"Homepage", "Documentation", "Source", "Issues", "Support"} <= set(project["urls"])


def test_what_is_installed_brings_no_qt_and_no_napari():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", each)[0].lower() for each in project["dependencies"]}
    assert not names & {"napari", "pyqt5", "pyqt6", "pyside2", "pyside6"}
    assert "qtpy" in names


def test_messages_and_pages_name_the_menus_that_napari_shows():
    name = PluginManifest.from_file(MANIFEST).display_name
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *MANIFEST.parent.rglob("*.py")]
    found = [
        path.name + ": " + " ".join(menu.split())
        for path in texts
        for menu in re.findall(r"(?:Open Sample|Plugins) >\s[^.*\"]{0,60}", path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 10
    assert [each for each in found if f"> {name}" not in each] == []


def test_npe2_validates_the_manifest():
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(MANIFEST)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("menu", MENUS)
def test_menus_offer_what_belongs_there(menu):
    from napari._app_model.constants._menus import is_menu_contributable

    assert is_menu_contributable(f"napari/{menu}")
    assert PluginManifest.from_file(MANIFEST).contributions.menus[f"napari/{menu}"]


def test_every_widget_is_in_a_menu():
    offers = PluginManifest.from_file(MANIFEST).contributions
    in_menus = {item.command for menu in offers.menus.values() for item in menu}
    assert {widget.command for widget in offers.widgets} <= in_menus


def test_no_file_that_napari_reads_is_taken_from_it(npe2pm):
    import napari_builtins

    builtins = PluginManifest.from_file(Path(napari_builtins.__file__).parent / "builtins.yaml")
    theirs = {p for reader in builtins.contributions.readers for p in reader.filename_patterns}
    ours = {p for reader in PluginManifest.from_file(MANIFEST).contributions.readers for p in reader.filename_patterns}
    assert {"*.dm3", "*.dm4", "*.emd", "*.ser", "*.mrc"} <= ours
    assert not ours & theirs


def test_the_installed_package_has_the_manifest():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["napari.manifest"] == {"napari-emssl": "napari_emssl:napari.yaml"}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["src/napari_emssl"]}
    assert (ROOT / "src" / "napari_emssl" / "napari.yaml").is_file()


@pytest.mark.slow
def test_the_wheel_holds_the_manifest(tmp_path):
    subprocess.run([sys.executable, "-m", "build", "--wheel", "-o", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("napari_emssl/napari.yaml").decode() == MANIFEST.read_text()


@pytest.mark.gui
def test_the_viewer_never_imports_torch():
    code = (
        "import sys, napari_emssl.gui.finetune.dock, napari_emssl.gui.apply.dock, napari_emssl.gui.plugin.demo\n"
        "print('torch' in sys.modules)"
    )
    assert python(code).strip() == "False"


def test_samples_need_no_qt():
    code = (
        "import sys, numpy as np, napari_emssl.gui.plugin.samples as s\n"
        "flat = np.ones((4, 32, 32), np.uint16)\n"
        "s.sample_stack = lambda n, size, seed: (flat, flat * 0, flat * 0, 0.1)\n"
        "layers = s.nanoparticles()\n"
        "print([kind for _, _, kind in layers], any(m.startswith(('PyQt', 'PySide', 'qtpy')) for m in sys.modules))"
    )
    assert python(code).strip() == "['image', 'labels'] False"


def test_samples_are_simulated_once_and_carry_units(monkeypatch):
    calls = []

    def simulate(n, size, seed):
        calls.append(n)
        instances = np.zeros((n, 64, 64), np.uint16)
        instances[:, 20:36, 20:36] = 1
        return np.full((n, 64, 64), 7, np.uint16), (instances > 0).astype(np.uint8), instances, 0.06

    monkeypatch.setattr(samples, "sample_stack", simulate)
    samples.nanoparticles()
    (image, image_options, _), (truth, truth_options, _), (painting, _, kind) = samples.painted_nanoparticles()
    assert calls == [4]
    assert image.shape == truth.shape == painting.shape == (4, 64, 64)
    assert image_options["scale"] == pytest.approx((1, 0.06, 0.06))
    assert image_options["units"] == ("pixel", "nm", "nm")
    assert truth_options["visible"] is False
    assert kind == "labels"
    assert painting[0].any()
    assert not painting[1:].any()


def test_stem_samples_are_pairs_on_grids_that_agree(monkeypatch):
    from napari_emssl.simulation.stem import sample_data

    small_pair, small_film = partial(sample_data.simulate_pair, 64), partial(sample_data.simulate_film, 3, 64)
    monkeypatch.setattr(sample_data, "simulate_pair", small_pair)
    monkeypatch.setattr(sample_data, "simulate_film", small_film)
    fine, flat, clean, noisy = samples.stem_pair()
    assert [layer[0].shape for layer in (fine, flat, clean, noisy)] == [(128, 128)] + 3 * [(64, 64)]
    assert noisy[1].get("visible", True)
    assert not any(layer[1]["visible"] for layer in (fine, flat, clean))
    assert np.corrcoef(noisy[0].ravel(), clean[0].ravel())[0, 1] > 0.3
    assert fine[1]["scale"] == pytest.approx((0.01, 0.01))
    blocks = fine[0].reshape(64, 2, 64, 2).sum((1, 3))
    centre = {
        name: _centre(array, layer[1]) for name, array, layer in (("fine", blocks, flat), ("flat", flat[0], flat))
    }
    assert centre["fine"] == pytest.approx(centre["flat"], abs=0.002)
    assert _centre(fine[0], fine[1]) == pytest.approx(centre["flat"], abs=0.002)
    clean_film, noisy_film = samples.stem_film()
    assert clean_film[0].shape == noisy_film[0].shape == (3, 64, 64)
    assert noisy_film[1]["units"] == ("pixel", "nm", "nm")


def _centre(array, options):
    """Centre of mass in nm."""
    from scipy import ndimage

    scale, translate = options["scale"], options.get("translate", (0, 0))
    return [c * s + t for c, s, t in zip(ndimage.center_of_mass(array), scale, translate, strict=True)]


def test_the_film_drifts_and_its_noise_is_that_of_electrons():
    from napari_emssl.simulation.stem.sample_data import simulate_film

    noisy, clean = simulate_film(4, 96)
    noise = noisy - clean
    assert noise.var() == pytest.approx(clean.mean() + 0.15**2, rel=0.1)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
    np.testing.assert_allclose(clean[3], ndimage_shift(clean[0], (1.2, -0.75)), atol=0.02 * clean.max())


def ndimage_shift(plane, by):
    from scipy import ndimage

    return ndimage.shift(plane, by, order=3, mode="nearest")


def test_painted_particles_are_whole_free_and_of_middling_size():
    instances = np.zeros((128, 128), np.uint16)
    boxes = {1: (0, 20, 10, 30), 2: (40, 60, 40, 60), 3: (90, 110, 90, 110), 4: (62, 66, 40, 60), 5: (20, 44, 90, 114)}
    for label, (top, bottom, left, right) in boxes.items():
        instances[top:bottom, left:right] = label
    painting = paint_some(instances, count=2)
    painted = set(np.unique(instances[painting > 0])) - {0}
    assert painted == {3, 5}
    overlap = (painting > 0) & np.isin(instances, [3, 5])
    assert 2 * overlap.sum() / ((painting > 0).sum() + np.isin(instances, [3, 5]).sum()) > 0.9
