"""The documentation holds together: its links, commands, files and names exist, and the index leads to every page."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

import napari_emssl

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), ROOT / "benchmarks" / "README.md", *DOCS.rglob("*.md")],
    key=lambda path: path.relative_to(ROOT).as_posix(),
)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SCRIPT = re.compile(r"python ((?:benchmarks|docs|examples|scripts)/[\w/.-]+\.py)")
FILE = re.compile(r"`([\w-]+(?:/[\w.-]+)*\.py)(?:::\w+)?`")
ROOTS = (ROOT, ROOT / "src" / "napari_emssl", ROOT / "tests")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def prose(page: Path) -> str:
    """The text of a page without its code."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """File and anchor of each link and picture that leads to this repository."""
    for target in LINK.findall(prose(page)):
        if not re.match(r"\w+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_no_merge_is_left_undone(page: Path) -> None:
    assert not re.findall(r"^(?:<{7}|>{7}|[|]{7})(?: .*)?$", page.read_text(encoding="utf-8"), re.MULTILINE)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = [(path.name, anchor) for path, anchor in links(page) if not path.exists()]
    lost = [
        (path.name, anchor) for path, anchor in links(page) if path.exists() and anchor and anchor not in anchors(path)
    ]
    assert (broken, lost) == ([], [])


def test_every_page_is_found_from_the_index() -> None:
    found, new = set[Path](), {DOCS / "index.md"}
    while new:
        found |= new
        new = {path for page in new for path, _ in links(page) if path.suffix == ".md"} - found
    assert [path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md") if path not in found] == []


def test_every_picture_is_shown() -> None:
    shown = {path for page in PAGES for path, _ in links(page)}
    assert [path.name for path in (DOCS / "images").rglob("*.png") if path not in shown] == []


@each_page
def test_commands_and_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [path for path in SCRIPT.findall(text) if not (ROOT / path).is_file()] == []
    named = [path for path in FILE.findall(prose(page)) if "/" in path]
    assert [path for path in named if not any((root / path).is_file() for root in ROOTS)] == []


@each_page
def test_python_code_uses_names_that_exist(page: Path) -> None:
    code = [block for language, block in FENCED.findall(page.read_text(encoding="utf-8")) if language == "python"]
    for node in (node for block in code for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("napari_emssl"):
            for alias in node.names:
                resolve_name(f"{node.module}.{alias.name}")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "em":
            assert hasattr(napari_emssl, node.attr)


@pytest.mark.parametrize("page", sorted((DOCS / "tutorials").glob("*.md")), ids=lambda path: path.stem)
def test_notebooks_have_the_code_of_their_pages(page: Path) -> None:
    cells = json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    blocks = FENCED.findall(page.read_text(encoding="utf-8"))
    assert code == [block.rstrip("\n") for language, block in blocks if language == "python"]
    assert not any(cell.get("outputs") for cell in cells)
