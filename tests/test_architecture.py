"""The house stands as `docs/architecture.md` draws it."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from house import RULES, VIEWER
from house_tree import House, read_house

import napari_emssl

ROOT = Path(__file__).parents[1]
HOUSE = read_house(ROOT)
HEAVY = ["torch", "scipy", "skimage", "matplotlib", *sorted(VIEWER)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(rule: Callable[[House], Iterator[str]]) -> None:
    if offenders := list(rule(HOUSE)):
        pytest.fail("\n".join(offenders), pytrace=False)


@pytest.mark.parametrize("name", napari_emssl.__all__)
def test_public_names_resolve(name: str) -> None:
    assert getattr(napari_emssl, name) is not None


def test_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        importlib.import_module("napari_emssl").no_such_name  # noqa: B018


def test_versions_agree() -> None:
    version = re.escape(napari_emssl.__version__)
    assert re.search(rf"^version: {version}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == napari_emssl.__version__


@pytest.mark.parametrize("module", ["napari_emssl", "napari_emssl.data.images.made_up"])
def test_a_warning_from_any_module_fails_a_test(module: str) -> None:
    with pytest.raises(UserWarning, match="made up"):
        exec("import warnings; warnings.warn('made up')", {"__name__": module})
    with pytest.warns(UserWarning, match="made up"):
        exec("import warnings; warnings.warn('made up')", {"__name__": "somebody_else"})


def run_python(code: str) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOADED = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules], sep=',', end='')"
TERMINAL = "import contextlib, io\nfrom napari_emssl.cli import main\nwith contextlib.redirect_stdout(io.StringIO()):\n"


@pytest.mark.parametrize(
    "code",
    [
        "import napari_emssl",
        "import napari_emssl; napari_emssl.FinetuneSettings; napari_emssl.load_model; napari_emssl.Job",
        TERMINAL + "    assert main(['--help']) == 0",
        TERMINAL + "    assert main(['--version']) == 0",
        TERMINAL + "    assert main(['pretrain', '--help']) == 0",
        TERMINAL + "    assert main(['models', 'list', '--json']) == 0",
    ],
    ids=["package", "light names", "--help", "--version", "pretrain --help", "models list"],
)
def test_light_things_load_nothing_heavy(code: str) -> None:
    if "cli" in code:
        pytest.importorskip("cyclopts")
    assert run_python(f"{code}\n{LOADED}") == ""


WITHOUT_VIEWER = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {VIEWER}:
            raise ModuleNotFoundError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocker())
import importlib, pathlib
import napari_emssl as em
root = pathlib.Path(em.__file__).parent
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root).with_suffix("").parts
    if parts[0] not in ("gui", "__main__", "cli"):
        importlib.import_module(".".join(("napari_emssl", *parts)).removesuffix(".__init__"))
import numpy as np
image = np.random.default_rng(0).random((64, 64), np.float32)
painted = np.zeros((64, 64), np.uint8)
painted[8:24, 8:24], painted[40:60, 40:60] = 2, 1
settings = em.FinetuneSettings(steps=2, batch_size=1, patch=32, device="cpu", precision="fp32", generator="unet-2-44")
model = em.finetune([image], [painted], settings, start="scratch").result()
labels = em.apply(model, image, em.ApplySettings(device="cpu", precision="fp32"))
print(labels.shape, end="")
"""


def test_headless_half_works_with_the_viewer_blocked() -> None:
    assert run_python(WITHOUT_VIEWER) == "(64, 64)"
