"""`docs/reference/requirements.md` names tests that exist, for every requirement."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
TABLE = (ROOT / "docs" / "reference" / "requirements.md").read_text(encoding="utf-8")
ROWS = {match[1]: match[0] for match in re.finditer(r"^\| (R\d+) \|.*\|$", TABLE, re.MULTILINE)}
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", TABLE)))


def test_every_requirement_has_a_row_with_tests() -> None:
    assert list(ROWS) == [f"R{number}" for number in range(1, 21)]
    for row in ROWS.values():
        assert len(re.findall(r"`[\w/]+\.py::test_\w+`", row)) >= 2, row


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_tests_that_are_named_exist(file: str) -> None:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {name for other, name in NAMED if other == file} <= there


def test_nothing_is_pinned_from_above_and_no_qt_binding_is_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["gui"]]
    assert not [each for each in required if re.search(r"[<~]|==", each)]
    assert not [each for each in required if re.match(r"(?i)py(qt|side)\d", each)]
