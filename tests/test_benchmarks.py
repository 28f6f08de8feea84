"""Benchmarks, scripts and examples use only names that the package has, also in code that they hand to a process."""

import ast
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ("benchmarks", "scripts", "examples") for path in (ROOT / folder).rglob("*.py"))
PACKAGE = "napari_emssl"
COMMANDS = [
    path for path in FILES if path.is_relative_to(ROOT / "benchmarks") and "__main__" in path.read_text("utf-8")
]


def trees(text: str) -> Iterator[ast.Module]:
    """The code, and the code in its strings."""
    yield (tree := ast.parse(text))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and f"from {PACKAGE}" in node.value:
            yield ast.parse(node.value)


def taken(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Modules of the package with the names that the code imports from them or asks them for."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name == PACKAGE}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            modules |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            yield from ((str(node.module), alias.name) for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def missing(module: str, name: str) -> bool:
    """Whether a module, or a class or function that was taken from one, has no such name."""
    try:
        resolve_name(f"{module}.{name}")
    except (AttributeError, ImportError):
        return True
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_name_is_there(path: Path) -> None:
    used = sorted({pair for tree in trees(path.read_text(encoding="utf-8")) for pair in taken(tree)})
    if any(".gui." in module for module, _ in used):
        pytest.importorskip("napari")
        pytest.importorskip("pyqtgraph")
    assert [f"{module} has no {name}." for module, name in used if missing(module, name)] == []


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_every_benchmark_is_listed(path: Path) -> None:
    command = f"python {path.relative_to(ROOT).as_posix()}"
    assert command in (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert command in path.read_text(encoding="utf-8")
