"""Each rule of the house finds its offender in a small house made up for it, and leaves a sound house alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import house
import pytest
from house_tree import House, read_house

SOUND = {
    "__init__.py": "from .data import planes",
    "__main__.py": "from .cli.app import run",
    "errors.py": "class UserError(Exception): ...",
    "data/__init__.py": '"""Images as arrays; any room may import it."""',
    "data/planes.py": "from ..errors import UserError",
    "jobs/__init__.py": '"""What all jobs share.\n\nIts subfolders, training, cli and gui may import it.\n"""',
    "jobs/events.py": "def job(format_name: str, *, most: int = 3): return range(most)",
    "jobs/worker/__init__.py": '"""A process of its own; cli and `gui` may import it."""',
    "jobs/worker/client.py": "from ..events import job",
    "training/__init__.py": '"""The loop; its subfolders may import it."""',
    "training/loop.py": "def train():\n    from ..jobs.events import job",
    "training/pretraining/__init__.py": '"""The first stage; cli may import it."""',
    "training/pretraining/pretrain.py": "import torch\n\nfrom ..loop import train",
    "cli/__init__.py": '"""The terminal; nothing imports it."""',
    "cli/app.py": "from ..jobs.worker import client\nfrom ..training.pretraining.pretrain import train",
    "gui/__init__.py": '"""The viewer; nothing imports it."""',
    "gui/layers/__init__.py": '"""Layers; any room of gui may import it."""',
    "gui/layers/layers.py": "from napari.layers import Image\n\nclass Box:\n    def format(self): ...",
    "gui/apply/__init__.py": '"""A dock; nothing imports it."""',
    "gui/apply/dock.py": "import qtpy\n\nfrom ...jobs.worker import client\nfrom ..layers import layers",
    "gui/apply/page/__init__.py": '"""One page of the dock; its parent may import it."""',
}
Build = Callable[[dict[str, str]], House]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Write the sound house with these files changed or added, and read it."""

    def write(changes: dict[str, str]) -> House:
        for name, text in {**SOUND, **changes}.items():
            path = tmp_path / "src" / "napari_emssl" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        return read_house(tmp_path)

    return write


Rule = Callable[[House], Iterator[str]]
LOOP, PRETRAIN = "training/loop.py", "training/pretraining/pretrain.py"
INFERENCE = {"inference/__init__.py": '"""The engine; any room may import it."""'}
OFFENDERS: list[tuple[Rule, dict[str, str], str]] = [
    (
        house.climbing_imports,
        {**INFERENCE, "inference/tiles.py": "from ..training import loop, panels", "training/panels.py": "",
         LOOP: "from ..inference import tiles"},
        f"{LOOP} imports inference/tiles.py, a floor above it.",
    ),
    (
        house.climbing_imports,
        {"errors.py": "if TYPE_CHECKING:\n    from .data.planes import Plane", "data/more.py": "from .. import errors"},
        "errors.py imports data/planes.py, a floor above it.",
    ),
    (
        house.circles,
        {"data/more.py": "def late():\n    import napari_emssl.jobs.events", LOOP: "from ..data.planes import Plane",
         "jobs/events.py": "from ..training import loop"},
        "data, jobs and training import each other in a circle.",
    ),
    (
        house.circles,
        {"jobs/events.py": "from .settings import Settings", "jobs/settings.py": "def f():\n    from . import events"},
        "jobs/events.py and jobs/settings.py import each other in a circle.",
    ),
    (house.full_folders, {f"data/file_{i}.py": "" for i in range(14)}, "data holds 15 files; 14 are allowed."),
    (house.full_folders, {f"cli/file_{i}.py": "" for i in range(18)}, "cli holds 19 files; 18 are allowed."),
    (house.long_files, {LOOP: "\n" * 320}, f"{LOOP} has 321 lines; 320 are allowed."),
    (
        house.long_functions,
        {LOOP: "class Loop:\n    async def run(self):" + "\n        step()" * 60},
        f"{LOOP}: run has 61 lines; 60 are allowed.",
    ),
    (house.vague_names, {"data/utils.py": ""}, "data/utils.py is called utils, which says nothing of what is in it."),
    (
        house.vague_names,
        {"common/__init__.py": ""},
        "common/__init__.py is called common, which says nothing of what is in it.",
    ),
    (
        house.silent_folders,
        {"data/images/tiff.py": ""},
        "data/images has no docstring in its __init__ that says what is in it.",
    ),
    (
        house.silent_folders,
        {"data/__init__.py": '"""Images as arrays."""'},
        'data/__init__.py does not end with "... may import it." or "nothing imports it."',
    ),
    (
        house.silent_folders,
        {"data/__init__.py": '"""Any room may import it."""'},
        'data/__init__.py does not end with "... may import it." or "nothing imports it."',
    ),
    (
        house.uninvited_imports,
        {"data/more.py": "from ..jobs import events"},
        "data/more.py imports jobs/events.py, but jobs/__init__.py does not name data.",
    ),
    (
        house.uninvited_imports,
        {"data/more.py": "from ..cli import main"},
        "data/more.py imports cli/__init__.py, but cli/__init__.py does not name data.",
    ),
    (
        house.uninvited_imports,
        {"gui/layers/more.py": "from ..apply.page import form", "gui/apply/page/form.py": ""},
        "gui/layers/more.py imports gui/apply/page/form.py, but gui/apply/page/__init__.py does not name gui/layers.",
    ),
    (
        house.uninvited_imports,
        {"training/__init__.py": '"""The loop; its subfolders and the docks may import it."""'},
        "training/__init__.py speaks of the docks, which is no room.",
    ),
    (house.viewer_imports, {LOOP: "def f():\n    import napari.layers"}, f"{LOOP} imports napari; only gui may."),
    (house.viewer_imports, {"errors.py": "from qtpy import QtCore"}, "errors.py imports qtpy; only gui may."),
    (house.torch_in_gui, {"gui/layers/a.py": "from torch import nn"}, "gui/layers/a.py imports torch; gui may not."),
    (
        house.doors_that_meet,
        {"gui/apply/dock.py": "from ...cli.app import run"},
        "gui/apply/dock.py imports cli/app.py; cli and gui never know each other.",
    ),
    (
        house.verbs_that_meet,
        {**INFERENCE, "inference/apply.py": "", LOOP: "def f():\n    from ..inference.apply import apply"},
        f"{PRETRAIN} leads to inference/apply.py; pretrain, finetune and apply meet only in the model file.",
    ),
    (
        house.classes_twice,
        {"data/more.py": "class UserError(ValueError): ..."},
        "The class name UserError stands in data/more.py and errors.py.",
    ),
    (house.shadows, {LOOP: "def f(*, input): ..."}, f"{LOOP}:1 gives the builtin's name input to something else."),
    (house.shadows, {LOOP: "class Warning: ..."}, f"{LOOP}:1 gives the builtin's name Warning to something else."),
    (house.shadows, {LOOP: "\ndef format(): ..."}, f"{LOOP}:2 gives the builtin's name format to something else."),
    (house.shadows, {LOOP: "import a as id"}, f"{LOOP}:1 gives the builtin's name id to something else."),
    (house.names_let_off, {LOOP: "\nx = 1  # noqa: N818"}, f"{LOOP}:2 switches a rule for names off: # noqa: N818"),
    (
        house.names_let_off,
        {LOOP: "x = 1  # noqa: E501, A001"},
        f"{LOOP}:1 switches a rule for names off: # noqa: E501, A001",
    ),
    (house.names_let_off, {LOOP: "x = 1  # noqa"}, f"{LOOP}:1 switches a rule for names off: # noqa"),
    (
        house.silent_parameters,
        {LOOP: "class Loop:\n    def run(self, a, b, *, c): ...\n    def stop(self, a, b, *more): ..."},
        f"{LOOP}:2 run has 3 parameters and no section Parameters.",
    ),
]  # fmt: skip


@pytest.mark.parametrize("rule", house.RULES, ids=lambda rule: rule.__name__)
def test_a_sound_house_has_no_offender(rule: Rule, build: Build) -> None:
    assert list(rule(build({}))) == []


@pytest.mark.parametrize(
    ("rule", "changes", "sentence"), OFFENDERS, ids=[f"{rule.__name__}-{i}" for i, (rule, *_) in enumerate(OFFENDERS)]
)
def test_the_offender_is_named(rule: Rule, changes: dict[str, str], sentence: str, build: Build) -> None:
    assert list(rule(build(changes))) == [sentence]


def test_every_rule_has_been_seen_to_fail() -> None:
    assert {rule for rule, *_ in OFFENDERS} == set(house.RULES)


def test_floors_follow_from_the_imports(build: Build) -> None:
    assert build({}).floors == {
        "errors.py": 0, "data": 1, "jobs": 0, "jobs/worker": 1, "training": 1, "training/pretraining": 2, "cli": 3,
        "gui": 0, "gui/layers": 0, "gui/apply": 2, "gui/apply/page": 0,
    }  # fmt: skip
