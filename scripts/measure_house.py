"""Measure the layout of a checkout: ``python scripts/measure_house.py [ROOT] [--compare OLDER_ROOT] [--offenders]``.

Reads only, and needs nothing but Python. How the figures are counted, besides what `house_tree.py` says of rooms,
imports and floors:

* files: without `__init__`; folders: those that hold Python, the package itself too.
* "files from click to model" and the like: everything that the start imports when it runs, and what that imports, the
  `__init__` of a folder only where an import names it. The figure in brackets counts every `__init__` on the way too.
* lines of a function: from `def` to its end, without decorators; nested functions and methods count.
* `Any`: outside import lines. Comments "for people" are those that are no instruction to a tool.
* public names: classes, functions and methods whose own name has no underscore in front. Sections are numpydoc's; in
  place of `Parameters` a command of the terminal may have the help of its flags in its signature.
* builtins: classes, functions, parameters and variables count; attributes, methods and imported names do not,
  unless ``as`` renames them.
* questions for a task: `==`, `!=`, `in` or `case` with a task's literal name or with a group of tasks.
"""

import argparse
import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from house_names import Definition, describes_parameters, lengths, parameters, public, shadows, twice
from house_tree import House, closure, read_house

CAPS = {"cli": 18}
CAP = 14
DOCK = ("gui/finetune/dock.py", "gui/finetune_widget.py")
FINETUNE = ("training/finetuning/finetune.py", "jobs/finetune.py")
PRETRAIN = ("training/pretraining/pretrain.py", "jobs/pretrain.py")
GAN = ("training/pretraining/pix2pix.py", "jobs/pix2pix.py")
"""What `pretrain` asks for by name, in a string, unless it is told to learn something else."""
TASKS = {"segment", "denoise", "remove-background", "super-resolve", "reconstruct"}
SECTIONS = "Parameters|Returns|Raises|Yields|Attributes|Examples|Notes|See Also"


def reached(house: House, *starts: tuple[str, ...]) -> str:
    """How many files the starts load; each start is the first of its candidates that is there."""
    found = [next((path for path in paths if path in house.loads), None) for paths in starts]
    there = [path for path in found if path]
    if len(there) < len(found):
        return "no such file"
    return f"{len(closure(house.loads, there))} ({len(closure(house.loads_inits, there))})"


def has_section(node: Definition) -> bool:
    """Whether a docstring has any section of numpydoc."""
    return bool(re.search(rf"^ *({SECTIONS})\n *-{{3,}}", ast.get_docstring(node) or "", re.MULTILINE))


def share(house: House, least: int, described: Callable[[Definition], bool]) -> str:
    """The share of public names of so many parameters or more that are described as asked."""
    nodes = [node for _, node in public(house) if parameters(node) >= least]
    count = sum(map(described, nodes))
    return f"{100 * count / max(len(nodes), 1):.1f} % ({count} of {len(nodes)})"


def length_row(house: House) -> str:
    """Median, 90 % and longest."""
    found = [length for length, _, _ in lengths(house)]
    return f"{found[len(found) // 2]} / {found[int(0.9 * len(found))]} / {found[-1]}"


def any_row(house: House, pattern: str) -> str:
    """How often a pattern stands outside import lines, for 1000 lines, in all and in gui."""
    rates = []
    for folder in ("", "gui/"):
        every = house.lines(folder)
        found = sum(len(re.findall(pattern, line)) for line in every if not line.startswith(("from", "import")))
        rates.append(1000 * found / max(len(every), 1))
    return f"{rates[0]:.1f} (gui {rates[1]:.1f})"


def comment_row(house: House, pattern: str) -> str:
    """The share of lines that hold a comment like the pattern."""
    found = sum(bool(re.match(pattern, text)) for file in house.files for _, text in file.comments)
    return f"{100 * found / len(house.lines()):.2f} % ({found})"


def noqa_row(house: House) -> str:
    """How often each rule of the linter is switched off."""
    texts = [text for file in house.files for _, text in file.comments if "noqa" in text]
    found = Counter(code for text in texts for code in re.findall(r"\b[A-Z]+\d+\b", text) or ["all"])
    return ", ".join(f"{code} {count}" for code, count in sorted(found.items())) or "0"


def names_task(node: ast.AST) -> bool:
    """Whether one side of a comparison is the name of a task or of a group of tasks, or holds one."""
    inside = [*ast.iter_child_nodes(node)]
    inside += [each for side in inside if isinstance(side, ast.Tuple | ast.List | ast.Set) for each in side.elts]
    names = [each.id for each in inside if isinstance(each, ast.Name)]
    return "WITHOUT_BACKGROUND" in names or any(isinstance(n, ast.Constant) and n.value in TASKS for n in inside)


def questions(house: House) -> list[str]:
    """Every comparison, or case of a match, that asks for a task."""
    nodes = ((f, n) for f in house.files for n in f.nodes if isinstance(n, ast.Compare | ast.MatchValue))
    return [f"{file.path}:{node.lineno} asks {ast.unparse(node)}." for file, node in nodes if names_task(node)]


def fullest(house: House) -> str:
    """The fullest folder without cli, and cli."""
    count = house.filling()
    cli = count.pop("cli", 0)
    name, most = count.most_common(1)[0]
    return f"{most} in {name} (cli {cli})"


MEASURES: dict[str, Callable[[House], str]] = {
    "files / folders": lambda h: f"{h.filling().total()} / {len({file.parts for file in h.files})}",
    "files in the fullest folder": fullest,
    "floors": lambda h: str(1 + max(h.floors.values())),
    "circles of imports between folders": lambda h: str(len(h.circles)),
    "files from click to model (Fine-tune dock and `finetune`)": lambda h: reached(h, DOCK, FINETUNE),
    "files reached from the Fine-tune dock alone": lambda h: reached(h, DOCK),
    "files reached from `pretrain`": lambda h: reached(h, PRETRAIN, GAN),
    "lines": lambda h: str(len(h.lines())),
    "lines of a function: median / 90 % / longest": length_row,
    "`Any` alone (`: Any`, `-> Any`) per 1000 lines": lambda h: any_row(h, r"(?:: |-> )Any\b"),
    "`Any` anywhere per 1000 lines": lambda h: any_row(h, r"\bAny\b"),
    "lines with a comment": lambda h: comment_row(h, "#"),
    "lines with a comment for people": lambda h: comment_row(h, r"#(?!\s*(noqa|type:|pragma|fmt:))"),
    "public names with sections in their docstring": lambda h: share(h, 0, has_section),
    "public functions of 3 parameters or more with `Parameters`": lambda h: share(h, 3, describes_parameters),
    "public functions of 3 parameters or more with any section": lambda h: share(h, 3, has_section),
    "public class names in more than one file": lambda h: str(len(twice(h, ast.ClassDef))),
    "public class and function names in more than one file": lambda h: str(len(twice(h, object))),
    "names that shadow a builtin": lambda h: str(len([*shadows(h)])),
    "`noqa`": noqa_row,
    "comparisons with a task's name outside `models/tasks.py`": lambda h: str(
        sum("WITHOUT_BACKGROUND" not in each and not each.startswith("models/tasks.py") for each in questions(h))
    ),
    "the same, with groups of tasks and `models/tasks.py`": lambda h: str(len(questions(h))),
}


def offenders(house: House) -> Iterator[str]:
    """Say in sentences what stands behind the figures."""
    for folder, count in house.filling().items():
        if count > CAPS.get(folder, CAP):
            yield f"{folder} holds {count} files; {CAPS.get(folder, CAP)} are allowed."
    for circle in house.circles:
        yield f"{len(circle)} folders or files import each other in a circle: {', '.join(sorted(circle))}."
        inside = {door: taken for door, taken in house.doors.items() if circle.issuperset(door)}
        for (start, end), taken in sorted(inside.items(), key=lambda each: (len(each[1]), each[0])):
            example = " takes ".join(min(taken))
            yield f"  {start} imports {end} (imports: {len(taken)}; {example}), which leads back to it."
    yield from (f"{path}: {name} has {length} lines." for length, path, name in lengths(house) if length > 60)
    yield from (f"{name} stands in {', '.join(paths)}." for name, paths in twice(house, object).items())
    yield from (*shadows(house), *questions(house))


def table(houses: dict[str, House], markdown: bool) -> str:
    """Lay the figures out, one column for each checkout."""
    rows = [["", *houses], *([name, *map(measure, houses.values())] for name, measure in MEASURES.items())]
    if markdown:
        rows.insert(1, ["---"] * len(rows[0]))
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def main() -> None:
    """Measure one checkout, or two side by side."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--compare", type=Path, metavar="OTHER_ROOT", help="an older checkout: the column 'before'")
    parser.add_argument("--markdown", action="store_true", help="a table for docs and issues")
    parser.add_argument("--offenders", action="store_true", help="say what stands behind the figures of ROOT")
    given = parser.parse_args()
    now = read_house(given.root)
    houses = {"before": read_house(given.compare), "after": now} if given.compare else {"now": now}
    told = [table(houses, given.markdown), *(["", *offenders(now)] if given.offenders else [])]
    sys.stdout.write("\n".join(told) + "\n")


if __name__ == "__main__":
    main()
