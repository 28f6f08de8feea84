"""The rules of the house: each takes a `House` and yields one plain sentence for each offender."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from house_names import describes_parameters, lengths, parameters, public, shadows, twice
from house_tree import DOORSTEP, Graph, House, closure, imports, origins

FILES, FILES_OF = 14, {"cli": 18}
FILE_LINES, FUNCTION_LINES = 320, 60
DESCRIBED = 3
"""From so many parameters on, a public function describes them."""
VAGUE = {"utils", "helpers", "misc", "common"}
VIEWER = {"napari", "qtpy", "magicgui", "superqt", "pyqtgraph", "PyQt5", "PyQt6", "PySide2", "PySide6"}
VERBS = ("training/pretraining/", "training/finetuning/", "inference/apply")
"""Where each of `pretrain`, `finetune` and `apply` begins; they share only what the model file holds."""
NAMES_OFF = re.compile(r"noqa(?!:)|\b(?:N8|A0)\d\d\b")
INVITATION = re.compile(r"(?:^|[.;:] )([^.;:]+?) (?:may import|imports) it\.$")


def climbing_imports(house: House) -> Iterator[str]:
    """Imports that do not go down a floor."""
    for (start, end), taken in house.doors.items():
        if house.floors[start] <= house.floors[end]:
            yield from (f"{file} imports {other}, a floor above it." for file, other in taken)


def circles(house: House) -> Iterator[str]:
    """Rooms that import each other, in however many steps, and files within a room that do."""
    yield from (f"{_listed(circle)} import each other in a circle." for circle in house.circles)
    inside: Graph = {file.path: imports(house, file, typing=True) - set(DOORSTEP) for file in house.files}
    below = {path: closure(inside, inside[path]) for path in inside}
    found = {frozenset(other for other in below[path] if path in below[other]) for path in below} - {frozenset()}
    for circle in sorted(found, key=sorted):
        yield f"{_listed(circle)} import each other in a circle."


def full_folders(house: House) -> Iterator[str]:
    """Folders with more files than one can take in at a glance."""
    for folder, count in sorted(house.filling().items()):
        allowed = FILES_OF.get(folder, FILES)
        if count > allowed:
            yield f"{folder} holds {count} files; {allowed} are allowed."


def long_files(house: House) -> Iterator[str]:
    """Files that hold too much."""
    for file in house.files:
        lines = len(file.text.splitlines())
        if lines > FILE_LINES:
            yield f"{file.path} has {lines} lines; {FILE_LINES} are allowed."


def long_functions(house: House) -> Iterator[str]:
    """Functions that do too much."""
    for length, path, name in lengths(house):
        if length > FUNCTION_LINES:
            yield f"{path}: {name} has {length} lines; {FUNCTION_LINES} are allowed."


def vague_names(house: House) -> Iterator[str]:
    """Files and folders whose name tells nothing."""
    for file in house.files:
        for part in PurePosixPath(file.path).with_suffix("").parts:
            if part in VAGUE:
                yield f"{file.path} is called {part}, which says nothing of what is in it."


def silent_folders(house: House) -> Iterator[str]:
    """Folders whose docstring does not say what is in them and what may import them."""
    for folder in sorted({file.room for file in house.files if "/" in file.path}):
        text = _introduction(house, folder)
        if not text:
            yield f"{folder} has no docstring in its __init__ that says what is in it."
        elif INVITATION.search(text) is None or INVITATION.sub("", text) == "":
            yield f'{folder}/__init__.py does not end with "... may import it." or "nothing imports it."'


def uninvited_imports(house: House) -> Iterator[str]:
    """Imports of a folder by a room that the folder's docstring does not name, and names that are no room's."""
    for folder in sorted({file.room for file in house.files if "/" in file.path}):
        names = _invited(_introduction(house, folder))
        known = {name: _rooms_called(house, name, folder) for name in names}
        yield from (f"{folder}/__init__.py speaks of {name}, which is no room." for name in names if not known[name])
        strangers = {start for start, end in house.doors if end == folder}.difference(*known.values())
        for file, other in (taken for start in sorted(strangers) for taken in house.doors[start, folder]):
            room = file.rpartition("/")[0] or file
            yield f"{file} imports {other}, but {folder}/__init__.py does not name {room}."


def viewer_imports(house: House) -> Iterator[str]:
    """Imports of napari or Qt outside gui."""
    for path, name in _foreign(house, VIEWER):
        if not path.startswith("gui/"):
            yield f"{path} imports {name}; only gui may."


def torch_in_gui(house: House) -> Iterator[str]:
    """Imports of torch in gui, where it may not be loaded beside Qt."""
    yield from (f"{path} imports torch; gui may not." for path, _ in _foreign(house, {"torch"}) if path[:4] == "gui/")


def doors_that_meet(house: House) -> Iterator[str]:
    """Imports between the two doors of the house."""
    for taken in house.doors.values():
        for file, other in taken:
            if {file.partition("/")[0], other.partition("/")[0]} == {"cli", "gui"}:
                yield f"{file} imports {other}; cli and gui never know each other."


def verbs_that_meet(house: House) -> Iterator[str]:
    """Files of one verb that lead, in however many imports, to a file of another."""
    for file in house.files:
        own = next((verb for verb in VERBS if file.path.startswith(verb)), None)
        for other in sorted(closure(house.loads, [file.path])) if own else ():
            if other.startswith(VERBS) and not other.startswith(own or ""):
                yield f"{file.path} leads to {other}; pretrain, finetune and apply meet only in the model file."


def classes_twice(house: House) -> Iterator[str]:
    """Public class names that stand in more than one file."""
    for name, paths in twice(house, ast.ClassDef).items():
        yield f"The class name {name} stands in {_listed(paths)}."


def names_let_off(house: House) -> Iterator[str]:
    """Comments that switch the linter's rules for names off."""
    for file in house.files:
        for line, comment in file.comments:
            if "noqa" in comment and NAMES_OFF.search(comment):
                yield f"{file.path}:{line} switches a rule for names off: {comment}"


def silent_parameters(house: House) -> Iterator[str]:
    """Public functions of three parameters or more that do not say what these are."""
    for path, node in public(house):
        if parameters(node) >= DESCRIBED and not describes_parameters(node):
            yield f"{path}:{node.lineno} {node.name} has {parameters(node)} parameters and no section Parameters."


RULES = (
    climbing_imports, circles, full_folders, long_files, long_functions, vague_names, silent_folders, uninvited_imports,
    viewer_imports, torch_in_gui, doors_that_meet, verbs_that_meet, classes_twice, shadows, names_let_off,
    silent_parameters,
)  # fmt: skip


def _listed(names: Iterable[str]) -> str:
    *first, last = sorted(names)
    return f"{', '.join(first)} and {last}" if first else last


def _foreign(house: House, packages: set[str]) -> Iterator[tuple[str, str]]:
    """Files that import one of the packages, and which."""
    for file in house.files:
        yield from ((file.path, name[0]) for name, _ in origins(file, typing=True) if name and name[0] in packages)


def _introduction(house: House, folder: str) -> str:
    text = next((file.nodes[0] for file in house.files if file.path == f"{folder}/__init__.py"), None)
    return " ".join((ast.get_docstring(text) or "").split()) if isinstance(text, ast.Module) else ""


def _invited(introduction: str) -> list[str]:
    """The rooms that a docstring names before "may import it"."""
    found = INVITATION.search(introduction)
    names = re.split(r", | and ", found[1]) if found else []
    return [name[:1].lower() + name[1:] for name in names if name.lower() != "nothing"]


def _rooms_called(house: House, name: str, folder: str) -> set[str]:
    """All rooms that a name in the docstring of a folder stands for: the nearest of that name, and what is in it."""
    if name == "any room":
        return {*house.rooms}
    if name == "its parent":
        return {folder.rpartition("/")[0]}
    called = name.removeprefix("any room of ").strip("`")
    around = [(parent / called).as_posix() for parent in PurePosixPath(folder).parents]
    for place in [folder] if name == "its subfolders" else around:
        if found := {room for room in house.rooms if room == f"{place}.py" or f"{room}/".startswith(f"{place}/")}:
            return found - {folder}
    return set()
