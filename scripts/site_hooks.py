"""What mkdocs adds to the site: reference pages made from the code, so that they are never behind it.

*Every command* comes from the terminal's own help, *Every public name* from docstrings and settings classes.
"""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

ROOT = Path(__file__).parents[1]

_CONTENTS = re.compile(r"^#+ Table of Contents$.*?(?=^\*\*Commands\*\*)", re.MULTILINE | re.DOTALL)
_FLAG = re.compile(r"^\| `--([\w-]+)`", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code."""
    for path, text in {"reference/commands.md": _commands(), "reference/api.md": _names()}.items():
        files.append(File.generated(config, path, content=text))
    return files


def _commands() -> str:
    """Help of all commands, as the terminal prints it."""
    from napari_emssl.cli.app import build_app

    text = build_app().generate_docs(output_format="markdown", recursive=True, heading_level=2)
    return "# Every command\n\n" + _CONTENTS.sub("", text).replace("## napari-emssl\n", "", 1)


def _names() -> str:
    """Docstrings of all public names: functions, settings with their fields, then the other classes."""
    import napari_emssl

    named = {name: getattr(napari_emssl, name) for name in sorted(napari_emssl.__all__) if name != "__version__"}
    settings = {name for name, each in named.items() if name.endswith("Settings")}
    functions = {name for name, each in named.items() if not isinstance(each, type)}
    lines = ["# Every public name", "", "`import napari_emssl as em`; [Python](python.md) says how they work together."]
    for title, names in (
        ("Functions", functions),
        ("Settings", settings),
        ("Classes", set(named) - functions - settings),
    ):
        lines += ["", f"## {title}"]
        for name in sorted(names, key=str.casefold):
            lines += ["", *_entry(name, named[name])]
    return "\n".join(lines) + "\n"


def _entry(name: str, each: type) -> Iterator[str]:
    """Markdown of one name."""
    yield f"::: {each.__module__}.{each.__qualname__}"
    yield "    options:"
    yield f"      heading: em.{name}"
    if isinstance(each, type) and issubclass(each, BaseModel) and name.endswith("Settings"):
        yield "      members: false"
        yield ""
        table_of = runpy.run_path(str(ROOT / "docs" / "make_settings_tables.py"))["table_of"]
        table = table_of(each).replace("| flag |", "| name |", 1)
        yield _FLAG.sub(lambda match: f"| `{match[1].replace('-', '_')}`", table)
