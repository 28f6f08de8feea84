"""Errors of the command line and of settings in plain English, with a way out."""

import difflib
import re
from collections.abc import Iterator

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)
from pydantic import BaseModel
from pydantic import ValidationError as SettingsError
from pydantic_core import ErrorDetails

_RULES = {
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be greater than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be less than {lt:g}",
    "multiple_of": "must be a multiple of {multiple_of:g}",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be yes or no",
    "literal_error": "must be {expected}",
}
_AT_MOST = 2
"""Settings that are wrong, of which messages speak at once."""


def describe_usage_error(error: CycloptsError) -> str:
    """Return a sentence or two: what is wrong with the words typed, and what to do."""
    if isinstance(error, ValidationError | CoercionError) and isinstance(error.__cause__, SettingsError):
        return describe_settings_error(error.__cause__)
    command = " ".join(("napari-emssl", *(error.command_chain or ())))
    way_out = f"'{command} --help' shows what it takes."
    if isinstance(error, MissingArgumentError):
        return f"{_missing(error)} {way_out}"
    if isinstance(error, UnusedCliTokensError):
        return f"{_listed(error.unused_tokens or [])} is not understood here. {way_out}"
    text = str(error).replace('"', "'")
    return f"{text} {way_out}" if isinstance(error, UnknownOptionError) and "Did you" not in text else text


def describe_settings_error(error: SettingsError) -> str:
    """Return a sentence for each of the first two settings that are wrong, named by their flags."""
    return "\n".join(_about_setting(error.title, detail) for detail in error.errors()[:_AT_MOST])


def flag_of(field: str) -> str:
    """Return the flag that sets the field of this name."""
    return "--" + field.replace("_", "-")


def _about_setting(title: str, detail: ErrorDetails) -> str:
    """Say what is wrong with one setting, by its flag; our own rules have their text in the error already."""
    field = str(detail["loc"][0]) if detail["loc"] else ""
    flag, got = flag_of(field), detail.get("input")
    if detail["type"] == "value_error":
        text = detail["msg"].removeprefix("Value error, ")
        return re.sub(r"\b[a-z]+(_[a-z0-9]+)+\b", lambda match: flag_of(match[0]), text)
    rule = _RULES.get(detail["type"])
    if rule is None:
        return f"{flag} does not take '{got}'. {_description(title, field) or detail['msg']}"
    return f"{flag} {rule.format(**detail.get('ctx', {}))} (got {got}).{_nearest(detail)}"


def _description(title: str, field: str) -> str | None:
    """What a field is for; the title of the error names the settings' class, perhaps inside ``function-after[...]``."""
    for name in re.findall(r"\w+", title):
        for kind in _kinds_of(BaseModel):
            if kind.__name__ == name and field in kind.model_fields:
                return str(kind.model_fields[field].description)
    return None


def _kinds_of(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Settings of every command, in whatever module: those that are wrong have been imported."""
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds_of(kind)


def _nearest(detail: ErrorDetails) -> str:
    """Suggest a choice that is spelled much like what was given."""
    choices = str(detail.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
    close = difflib.get_close_matches(str(detail.get("input")), choices, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _missing(error: MissingArgumentError) -> str:
    argument = error.argument
    name = error.keyword or (argument.name if argument else "An argument")
    if error.keyword:
        return f"{name} needs a value."
    purpose = argument.parameter.help if argument and argument.parameter.help else ""
    return f"{name} is missing: {purpose[:1].lower()}{purpose[1:]}" if purpose else f"{name} is missing."


def _listed(words: list[str]) -> str:
    return ", ".join(f"'{word}'" for word in words[:3])
