import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

from napari_emssl.data.samples import paint_some
from napari_emssl.gui import samples

MANIFEST = Path(samples.__file__).parents[1] / "napari.yaml"


def python(code, **environment):
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_manifest_is_valid_and_every_command_resolves():
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    known = {command.id for command in manifest.contributions.commands}
    used = [item.command for item in (*manifest.contributions.widgets, *manifest.contributions.sample_data)]
    used += [item.command for menu in manifest.contributions.menus.values() for item in menu]
    assert set(used) == known
    assert manifest.contributions.widgets[0].display_name == "EM SSL Fine-tune"


@pytest.mark.gui
def test_the_viewer_never_imports_torch():
    code = (
        "import sys, napari_emssl.gui.finetune_widget, napari_emssl.gui.apply_widget, napari_emssl.gui.demo\n"
        "print('torch' in sys.modules)"
    )
    assert python(code).strip() == "False"


def test_samples_need_no_qt():
    code = (
        "import sys, numpy as np, napari_emssl.gui.samples as s\n"
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
