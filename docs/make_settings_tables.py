"""Write the tables of settings in `reference/terminal.md` from the fields: ``python docs/make_settings_tables.py``."""

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from napari_emssl.jobs import compare_settings, context_settings, prepare_settings, pretrain_settings, settings
from napari_emssl.simulation.collage import settings as collage_settings
from napari_emssl.simulation.hrtem import settings as hrtem_settings
from napari_emssl.simulation.stem import settings as stem_settings

PAGE = Path(__file__).parent / "reference" / "terminal.md"
_TABLE = re.compile(r"(<!-- settings: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WORDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}", "multiple_of": "multiple of {}"}


def updated(text: str) -> str:
    """Return the page with every table between its marks written again."""
    jobs = (settings, compare_settings, context_settings, prepare_settings, pretrain_settings)
    modules = (*jobs, hrtem_settings, stem_settings, collage_settings)
    models = {name: each for module in modules for name, each in vars(module).items()}
    return _TABLE.sub(lambda match: match[1] + table_of(models[match[2]]) + match[3], text)


def table_of(job: type[BaseModel]) -> str:
    """Return the table of one job's settings in Markdown."""
    rows = ["| flag | default | takes | what it does |", "|---|---|---|---|"]
    for name, field in job.model_fields.items():
        default = "" if field.default is None else str(field.default).lower()
        rows.append(f"| `--{name.replace('_', '-')}` | {default} | {_takes(field)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _takes(field: FieldInfo) -> str:
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    kind: Any = field.annotation if get_origin(field.annotation) is Literal or not kinds else kinds[0]
    if get_origin(kind) is Literal:
        return ", ".join(map(str, get_args(kind)))
    bounds = [
        words.format(f"{value:g}")
        for item in field.metadata
        for name, words in _WORDS.items()
        if (value := getattr(item, name, None)) is not None
    ]
    names = {int: "whole number", float: "number", str: "name", bool: "on or off (`--no-...`)"}
    return ", ".join([names[kind], *bounds])


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
