"""Read the package of a checkout: its files, who imports whom, and the floors that follow from it.

Needs nothing but Python. `measure_house.py` and `tests/test_architecture.py` measure with this one ruler:

* A room is a folder that holds Python files; a file directly in the package is a room of its own. The package's own
  `__init__` and `__main__` are no rooms, because they stand in front of the house.
* An import counts wherever it stands: at the top of a file, inside a function, under `if TYPE_CHECKING`. What a file
  loads when it runs leaves the last kind out.
* ``from .room import name`` names the module `name` where there is one, else the `__init__` that holds the name.
* A room's floor is one above the highest room that it imports. Where rooms import each other in a circle, the door with
  the fewest imports counts as the one that leads up.
"""

import ast
import io
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "napari_emssl"
DOORSTEP = ("__init__.py", "__main__.py")
Graph = dict[str, set[str]]
Doors = dict[tuple[str, str], list[tuple[str, str]]]


@dataclass(frozen=True)
class File:
    """One file; `path` is relative to the package, with slashes."""

    path: str
    text: str

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the syntax tree, the module first."""
        return list(ast.walk(ast.parse(self.text)))

    @property
    def parts(self) -> tuple[str, ...]:
        """The packages that the file stands in."""
        return (PACKAGE, *self.path.split("/")[:-1])

    @property
    def room(self) -> str:
        """The folder; a file directly in the package is a room of its own."""
        return self.path.rpartition("/")[0] or self.path

    @property
    def comments(self) -> list[tuple[int, str]]:
        """All comments with their lines, those at the end of a line of code too."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


@dataclass(frozen=True)
class House:
    """All files of one checkout's package."""

    files: list[File]

    def lines(self, folder: str = "") -> list[str]:
        """All lines of the files of a folder."""
        return [line for file in self.files if file.path.startswith(folder) for line in file.text.splitlines()]

    def filling(self) -> Counter[str]:
        """How many files each folder holds, without `__init__`."""
        names = (Path(file.path) for file in self.files)
        return Counter(path.parent.as_posix() for path in names if path.name != "__init__.py")

    @cached_property
    def modules(self) -> dict[tuple[str, ...], str]:
        """Every file's path by the name under which it is imported."""
        stems = ((file, Path(file.path).stem) for file in self.files)
        return {file.parts if stem == "__init__" else (*file.parts, stem): file.path for file, stem in stems}

    @cached_property
    def loads(self) -> Graph:
        """The files that each file names in imports that run, at its top or inside functions."""
        return {file.path: imports(self, file, typing=False) for file in self.files}

    @cached_property
    def loads_inits(self) -> Graph:
        """The same, and each `__init__` that Python runs before the file."""
        above = {f.path: {self.modules.get(f.parts[: i + 1], f.path) for i in range(len(f.parts))} for f in self.files}
        return {path: named | above[path] for path, named in self.loads.items()}

    @cached_property
    def doors(self) -> Doors:
        """From which room to which an import leads, with the files that import and are imported."""
        rooms, found = {file.path: file.room for file in self.files}, defaultdict(list)
        for file in self.files:
            for other in sorted(imports(self, file, typing=True)):
                if rooms[other] != file.room and not {file.path, other} & set(DOORSTEP):
                    found[file.room, rooms[other]].append((file.path, other))
        return dict(found)

    @property
    def rooms(self) -> list[str]:
        """All rooms."""
        return sorted({file.room for file in self.files} - set(DOORSTEP))

    @cached_property
    def circles(self) -> list[frozenset[str]]:
        """Rooms that lead to each other, the largest circle first."""
        below = self._below(self.doors)
        found = {frozenset(end for end in below[start] if start in below[end]) for start in below}
        return sorted(found - {frozenset()}, key=lambda circle: (-len(circle), sorted(circle)))

    @cached_property
    def floors(self) -> dict[str, int]:
        """The floor of each room, from 0 for those that import none."""
        down, below = dict(self.doors), self._below(self.doors)
        while inside := [(start, end) for start, end in down if start in below[end]]:
            del down[min(inside, key=lambda door: (len(down[door]), door))]
            below = self._below(down)
        found: dict[str, int] = {}
        for room in sorted(below, key=lambda each: len(below[each])):
            found[room] = max((1 + found[other] for other in below[room]), default=0)
        return found

    def _below(self, doors: Iterable[tuple[str, str]]) -> Graph:
        """All rooms that each room leads to in the end."""
        graph: Graph = {room: set() for room in self.rooms}
        for start, end in doors:
            graph[start].add(end)
        return {room: closure(graph, graph[room]) for room in graph}


def read_house(root: Path) -> House:
    """Read a checkout, or the package itself."""
    source = next((p for p in (root / "src" / PACKAGE, root) if (p / "__init__.py").is_file()), None)
    if source is None:
        raise SystemExit(f"{root} holds no src/{PACKAGE}: name the folder of a checkout.")
    paths = sorted(source.rglob("*.py"))
    return House([File(path.relative_to(source).as_posix(), path.read_text(encoding="utf-8")) for path in paths])


def origins(file: File, typing: bool) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Modules that a file imports from, each with the names it takes; those for types alone only when `typing`."""
    for node in _walk(file.nodes[0], typing):
        if isinstance(node, ast.Import):
            yield from ((tuple(alias.name.split(".")), []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = file.parts[: len(file.parts) + 1 - node.level] if node.level else ()
            yield (*base, *(node.module or "").split(".")) if node.module else base, [a.name for a in node.names]


def imports(house: House, file: File, typing: bool) -> set[str]:
    """Files of the package that a file names in its imports: a module, or the `__init__` that holds a name."""
    found: set[str | None] = set()
    for name, taken in origins(file, typing):
        submodules = [house.modules.get((*name, each)) for each in taken]
        found |= {*submodules, house.modules.get(name) if None in submodules or not taken else None}
    return {path for path in found if path}


def closure(graph: Graph, starts: Iterable[str]) -> set[str]:
    """Everything that the starts lead to, they included."""
    seen = set(starts)
    pending = list(seen)
    while pending:
        new = graph[pending.pop()] - seen
        seen |= new
        pending += new
    return seen


def _walk(node: ast.AST, typing: bool) -> Iterator[ast.AST]:
    """All nodes, inside functions too; what stands under `if TYPE_CHECKING` only when `typing`."""
    skipped = isinstance(node, ast.If) and not typing and "TYPE_CHECKING" in ast.unparse(node.test)
    for child in node.orelse if skipped and isinstance(node, ast.If) else ast.iter_child_nodes(node):
        yield child
        yield from _walk(child, typing)
