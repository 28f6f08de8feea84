"""What is said of the package in several places is the same everywhere."""

import re
import tomllib
from pathlib import Path

import napari_emssl

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RECIPE = (ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8")
CONDA_NAMES = {"dask[array]": "dask-core", "matplotlib": "matplotlib-base", "torch": "pytorch"}


def normal(requirement: str) -> str:
    """A requirement as the recipe has it: ``name >=version``, by conda-forge's name."""
    name, bound = re.fullmatch(r"([\w.\[\]-]+)\s*(.*)", requirement).groups()
    return f"{CONDA_NAMES.get(name, name)} {bound}"


def test_the_recipe_requires_what_the_package_requires() -> None:
    run = re.search(r"run:\n {8}- python .*\n((?: {8}- .*\n)+)", RECIPE)[1]
    listed = [line.removeprefix("- ") for line in map(str.strip, run.splitlines())]
    assert sorted(listed) == sorted(map(normal, PROJECT["dependencies"]))
    assert all(f"- {normal(each)}" in RECIPE for each in PROJECT["optional-dependencies"]["gui"])


def test_the_recipe_has_the_version_and_the_lowest_python() -> None:
    assert f"\n  version: {napari_emssl.__version__}\n  python_min: '3.11'\n" in RECIPE.replace('"', "'")
    assert PROJECT["requires-python"] == ">=3.11"
    versions = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]


def test_every_optional_requirement_but_that_of_exports_is_in_all() -> None:
    extras = PROJECT["optional-dependencies"]
    (named,) = [re.search(r"\[(.*)\]", each)[1].split(",") for each in extras["all"] if each.startswith("napari-emssl")]
    assert sorted(named) == sorted(set(extras) - {"all", "export"})


def test_hooks_use_the_versions_that_are_pinned() -> None:
    pins = set((ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    used = re.findall(r"additional_dependencies: \[(.*)\]", hooks)
    assert used
    assert set(used) <= pins
