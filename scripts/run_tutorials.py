"""Make notebooks of the pages in docs/tutorials and run them: ``python scripts/run_tutorials.py [--write]``.

A tutorial has one source, its page. Code blocks become cells; a picture that follows a block on the page is what the
block draws, so it is left out of the notebook. With ``--write`` the notebooks and the pictures in the repository are
made anew. Without it the notebooks are run and must draw what their pages show; the pictures are not compared.
"""

import argparse
import base64
import io
import re
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
_PICTURE = re.compile(r"^!\[[^\]]*\]\(([^)]+)\)\n*", re.MULTILINE)
_NOTE = re.compile(r"^This page is also a notebook, [^.]*\.ipynb\)\. ", re.MULTILINE)
_LINK = re.compile(r"\]\((?!\w+:)([^)]+)\)")
_SITE = "https://napari-emssl.github.io/napari-emssl/"
_LIMIT_SECONDS = 600
_COLOURS = 64


def notebook_of(page: Path) -> NotebookNode:
    """Return a page as a notebook without outputs; the same page always gives the same notebook."""
    text = _NOTE.sub("", page.read_text(encoding="utf-8"))
    made = jupytext.reads(_PICTURE.sub("", text), fmt="md")
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
        cell["metadata"] = {}
        if cell.cell_type == "markdown":
            cell["source"] = _LINK.sub(_on_the_site, cell["source"])
    made["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    made["nbformat_minor"] = 5
    return made


def _on_the_site(match: re.Match[str]) -> str:
    """A link from a page, as an address: notebooks are read far away from the pages."""
    path = "tutorials/" + match[1] if not match[1].startswith("../") else match[1].removeprefix("../")
    return f"]({_SITE}{path.replace('.md', '.html')})"


def text_of(notebook: NotebookNode) -> str:
    """Return a notebook as its file holds it."""
    return str(jupytext.writes(notebook, fmt="ipynb")).rstrip("\n") + "\n"


def run(page: Path, folder: Path) -> list[Image.Image]:
    """Run a page as a notebook in a folder; return what its cells draw, in order."""
    notebook = notebook_of(page)
    NotebookClient(notebook, timeout=_LIMIT_SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    sys.stdout.writelines(output["text"] for output in outputs if output.get("name") == "stdout")
    drawn = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in drawn]


def main() -> None:
    """Run every tutorial, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="pages without .md; by default all")
    parser.add_argument("--write", action="store_true", help="write pictures and notebooks")
    given = parser.parse_args()
    for page in PAGES:
        if given.names and page.stem not in given.names:
            continue
        started = time.monotonic()
        with TemporaryDirectory() as folder:
            drawn = run(page, Path(folder))
        shown = _PICTURE.findall(page.read_text(encoding="utf-8"))
        if len(drawn) != len(shown):
            sys.exit(f"{page.name} shows {len(shown)} pictures, but its code draws {len(drawn)}.")
        if given.write:
            page.with_suffix(".ipynb").write_text(text_of(notebook_of(page)), encoding="utf-8")
            for picture, path in zip(drawn, shown, strict=True):
                _save(picture, (page.parent / path).resolve())
        sys.stdout.write(f"{page.stem}: {len(drawn)} pictures, {time.monotonic() - started:.0f} s\n")


def _save(picture: Image.Image, path: Path) -> None:
    """Write a picture small enough for a repository."""
    path.parent.mkdir(exist_ok=True)
    picture.convert("RGB").quantize(_COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main()
