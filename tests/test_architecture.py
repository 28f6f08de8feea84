"""The house stands as `docs/architecture.md` draws it."""

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_emssl

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "napari_emssl"
FILES = sorted(SOURCE.rglob("*.py"))
FLOORS = {"errors": 0, "data": 0, "networks": 0, "models": 1, "jobs": 2, "particles": 2, "cli": 3, "gui": 3}
STRANGERS = [{"data", "networks"}, {"cli", "gui"}]
VIEWER = ["napari", "qtpy", "magicgui", "superqt", "pyqtgraph", "PyQt5", "PyQt6", "PySide2", "PySide6"]
HEAVY = ["torch", "scipy", "skimage", "matplotlib", *VIEWER]


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Absolute names of all modules a file imports, at its top or inside functions."""
    package = ["napari_emssl", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    names = [name.split(".") for name in imported(path)]
    return {parts[1] for parts in names if parts[0] == "napari_emssl" and len(parts) > 1 and parts[1] in FLOORS}


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_only_go_down_a_floor(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for other in rooms_imported(path) - {room}:
        assert FLOORS[other] <= FLOORS[room], f"{name_of(path)} imports {other}, a floor above"
        assert {room, other} not in STRANGERS, f"{name_of(path)} imports {other}, which it must not know"


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) != "gui"], ids=name_of)
def test_headless_half_never_imports_the_viewer(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & set(VIEWER)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 320
    assert path.stem not in {"utils", "helpers", "misc", "common"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("jobs", [("pretrain", "finetune"), ("pretrain", "apply"), ("finetune", "apply")], ids=str)
def test_jobs_meet_only_in_the_model_file(jobs: tuple[str, str]) -> None:
    for job, other in (jobs, jobs[::-1]):
        assert f"napari_emssl.jobs.{other}" not in set(imported(SOURCE / "jobs" / f"{job}.py"))


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


def run_python(code: str) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment, check=False
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
    if parts[0] not in ("gui", "__main__", "cli") and parts[-1] != "child_main":
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
