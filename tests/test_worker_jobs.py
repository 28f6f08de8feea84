"""Each job of the worker process is the function that the type checker sees in its place."""

import ast
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from napari_emssl import worker_jobs
from napari_emssl.jobs.events import Job
from napari_emssl.jobs.worker.target import LazyFunction, reference_to

REFERENCES = {name: each for name, each in vars(worker_jobs).items() if isinstance(each, LazyFunction)}


def seen_by_the_type_checker() -> dict[str, tuple[str, str]]:
    """Module and name of each function, by the name it has in `worker_jobs`, as imported under TYPE_CHECKING."""
    blocks = [node for node in ast.parse(inspect.getsource(worker_jobs)).body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: (f"napari_emssl.{node.module}", alias.name)
        for node in imports
        for alias in node.names
    }


def test_the_type_checker_sees_what_the_worker_calls() -> None:
    assert {name: (each.module, each.name) for name, each in REFERENCES.items()} == seen_by_the_type_checker()
    assert {*REFERENCES} < {*worker_jobs.__all__}


@pytest.mark.parametrize("name", REFERENCES)
def test_each_is_a_function_that_returns_a_job_and_says_of_what(name: str) -> None:
    function = REFERENCES[name].load()
    assert inspect.isfunction(function)
    result = typing.get_type_hints(function)["return"]
    assert typing.get_origin(result) is Job
    assert typing.get_args(result)
    assert reference_to(function) == LazyFunction(function.__module__, function.__name__)


IMPORTS = """
import sys
from napari_emssl import worker_jobs
assert "torch" not in sys.modules, "the viewer imports the references"
for each in list(vars(worker_jobs).values()):
    if isinstance(each, worker_jobs.LazyFunction):
        each.load()
print(*sys.modules)
"""


def test_references_import_no_torch_and_jobs_nothing_slow_that_few_need() -> None:
    loaded = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True).stdout.split()
    assert "napari_emssl.training.finetuning.finetune" in loaded
    assert not {"scipy.signal", "scipy.stats", "h5py", "zarr"} & {*loaded}


WRONG = """
from pathlib import Path
from napari_emssl import worker_jobs
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.jobs.worker import client
from napari_emssl.models.model_file import Model

right: Model = client.run(worker_jobs.finetune, [], [], FinetuneSettings(), "scratch", autosave=Path()).result()
client.run(worker_jobs.finetune, [], [], "settings")
client.run(worker_jobs.finetune, [], [], autosaves=Path())
client.run(worker_jobs.on_demand, "model", (1, 2, 3))
text: str = client.run(worker_jobs.finetune, [], []).result()
"""


@pytest.mark.slow
def test_the_type_checker_refuses_a_wrong_argument_and_a_wrong_result(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")
    file = tmp_path / "wrong.py"
    file.write_text(WRONG)
    settings = Path(__file__).parents[1] / "pyproject.toml"
    said, _, _ = api.run(["--config-file", str(settings), "--cache-dir", str(tmp_path / "cache"), str(file)])
    errors = [int(line.split(":")[1]) for line in said.splitlines() if "wrong.py" in line and ": error:" in line]
    assert errors == [9, 10, 11, 12], said
