"""What a package calls things: names that stand twice, names that shadow a builtin, how long functions are."""

import ast
import builtins
import re
from collections import defaultdict
from collections.abc import Iterator

from house_tree import House

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
FOR_THE_PROMPT = {"copyright", "credits", "exit", "quit", "license", "help"}
"""What `site` adds to the builtins for the interactive prompt; a program may call things so."""
BUILTINS = {name for name in dir(builtins) if name[0] != "_"} - FOR_THE_PROMPT


def public(house: House) -> Iterator[tuple[str, Definition]]:
    """Classes, functions and methods of any class whose own name has no underscore in front, each with its file."""
    pending = [(file.path, node) for file in house.files for node in ast.iter_child_nodes(file.nodes[0])]
    for path, node in pending:
        pending += [(path, inner) for inner in node.body] if isinstance(node, ast.ClassDef) else []
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield path, node


def parameters(node: ast.AST) -> int:
    """How many parameters a function has, without self and cls, without `*args` and `**kwargs`."""
    if not isinstance(node, Function):
        return 0
    names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def describes_parameters(node: Definition) -> bool:
    """Whether a docstring has the section Parameters, or the signature holds the help of a terminal's flags."""
    section = re.search(r"^ *Parameters\n *-{3,}", ast.get_docstring(node) or "", re.MULTILINE)
    return bool(section) or (isinstance(node, Function) and "Parameter(" in ast.unparse(node.args))


def twice(house: House, *kinds: type) -> dict[str, list[str]]:
    """Public names of the top level that stand in more than one file."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in house.files:
        tops = (n for n in ast.iter_child_nodes(file.nodes[0]) if isinstance(n, Definition) and isinstance(n, kinds))
        for name in sorted({node.name for node in tops}):
            found[name].append(file.path)
    return {name: paths for name, paths in sorted(found.items()) if len(paths) > 1 and name[0] != "_"}


def lengths(house: House) -> list[tuple[int, str, str]]:
    """Lines of every function from `def` to its end, its file and its name, shortest first."""
    nodes = ((file, node) for file in house.files for node in file.nodes if isinstance(node, Function))
    return sorted(((n.end_lineno or n.lineno) - n.lineno + 1, file.path, n.name) for file, n in nodes)


def shadows(house: House) -> Iterator[str]:
    """Say where a builtin's name is given to something else."""
    for file in house.files:
        for line, name in _bound(file.nodes[0]):
            if name in BUILTINS:
                yield f"{file.path}:{line} gives the builtin's name {name} to something else."


def _bound(node: ast.AST, in_class: bool = False) -> Iterator[tuple[int, str]]:
    """Names given to classes, functions, parameters and variables; attributes and methods shadow nothing."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.arg):
            yield child.lineno, child.arg
        elif isinstance(child, ast.alias) and child.asname:
            yield child.lineno, child.asname
        elif isinstance(child, Definition) and not in_class:
            yield child.lineno, child.name
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store) and not in_class:
            yield child.lineno, child.id
        inside = in_class and not isinstance(child, Function | ast.Lambda)
        yield from _bound(child, inside or isinstance(child, ast.ClassDef))
