"""Processor time of ``--help`` and its like against an empty Python: ``python docs/measure_startup.py``."""

import resource
import subprocess
import sys

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import napari_emssl'": ["-c", "import napari_emssl"],
    "napari-emssl --version": ["-m", "napari_emssl", "--version"],
    "napari-emssl --help": ["-m", "napari_emssl", "--help"],
    "napari-emssl pretrain --help": ["-m", "napari_emssl", "pretrain", "--help"],
    "napari-emssl models list": ["-m", "napari_emssl", "models", "list"],
}


def seconds_of(words: list[str], repeats: int = 9) -> float:
    """Return the least processor time of a Python process with these arguments, in seconds."""
    times = []
    for _ in range(repeats):
        begin = _children()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        times.append(_children() - begin)
    return min(times)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def table() -> str:
    """Return the times and ratios as a table in Markdown."""
    times = {name: seconds_of(words) for name, words in COMMANDS.items()}
    empty = times["python -c pass"]
    rows = [f"| `{name}` | {value:.3f} | {value / empty:.1f} |" for name, value in times.items()]
    return "\n".join(["| command | seconds | ratio |", "|---|---|---|", *rows])


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
