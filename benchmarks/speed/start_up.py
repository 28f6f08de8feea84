"""Processor time of ``--help`` and other quick commands against an empty Python.

    python benchmarks/speed/start_up.py --repeats 9

Prints the least time of so many runs of each command, and how many times that of an empty Python it is.
"""

import argparse
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


def seconds_of(words: list[str], repeats: int) -> float:
    """Return the least processor time of a Python process with these arguments, in seconds."""
    times = []
    for _ in range(repeats):
        begin = of_children()
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        times.append(of_children() - begin)
    return min(times)


def of_children() -> float:
    """Return the processor time of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the times and ratios as a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    times = {name: seconds_of(words, repeats) for name, words in COMMANDS.items()}
    print("| command | seconds | ratio |\n|---|---|---|")
    for name, seconds in times.items():
        print(f"| `{name}` | {seconds:.3f} | {seconds / times['python -c pass']:.1f} |")


if __name__ == "__main__":
    main()
