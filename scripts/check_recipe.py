"""Build the conda packages from this checkout: ``python scripts/check_recipe.py [CHANNEL]``, with conda-forge by name.

Without a channel one is made that holds this interpreter and what builds the package, from the package index: enough
to build both packages and to look into them, while their tests, which need all that they require, are left out.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rattler import Platform
from rattler.index import index_fs
from rattler_build import (
    MultiOutputRecipe,
    ToolConfiguration,
    assemble_package,
)

ROOT = Path(__file__).parents[1]
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_LEFT_OUT = ("site-packages", "test", "tests", "__pycache__", "idlelib", "tkinter", "config-*", "ensurepip")
_BUILDERS = {
    "pip": ("26.0", ["pip"]),
    "hatchling": ("1.33.0", ["hatchling==1.33.0", "packaging", "pathspec", "pluggy", "trove-classifiers"]),
    "hatch-fancy-pypi-readme": ("25.1.0", ["hatch-fancy-pypi-readme==25.1.0"]),
}
"""What the recipe asks for to build: version, and its files on the package index."""
_EXPECTED = {"napari-emssl-core", "napari-emssl"}


def main() -> None:
    """Build both packages, and say what they are."""
    with tempfile.TemporaryDirectory() as place:
        channel = sys.argv[1] if len(sys.argv) > 1 else local_channel(Path(place) / "channel")
        tools = ToolConfiguration(test_strategy="native" if len(sys.argv) > 1 else "skip")
        recipe = MultiOutputRecipe.from_file(ROOT / "recipe" / "recipe.yaml")
        made = [
            variant.run_build(tool_config=tools, output_dir=Path(place) / "made", channels=[channel])
            for variant in recipe.render()
        ]
        for result in made:
            size = result.packages[0].stat().st_size / 1e6
            sys.stdout.write(f"{result.name} {result.version}: {size:.2f} MB\n")
    if {result.name for result in made} != _EXPECTED:
        sys.exit(f"The recipe should make {' and '.join(sorted(_EXPECTED))}.")


def local_channel(channel: Path) -> str:
    """Make a channel of this interpreter and of what builds the package; return its address."""
    system = channel / str(Platform.current())
    for folder in (system, channel / "noarch"):
        folder.mkdir(parents=True)
    python = _interpreter(channel.with_name("python"))
    version = sys.version.split()[0]
    assemble_package("python", version, system.name, "0_cpython", system, files_dir=python, compression_level=1)
    for name, (version, files) in _BUILDERS.items():
        here = channel.with_name(name)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target"]
        subprocess.run([*pip, str(here / "site-packages"), *files], check=True)
        shutil.rmtree(here / "site-packages" / "bin", ignore_errors=True)
        assemble_package(
            name, version, "noarch", "py_0", channel / "noarch", files_dir=here, noarch="python", compression_level=1,
            depends=[f"python >={_PYTHON}", *(["hatchling"] if "fancy" in name else [])],
        )  # fmt: skip
    asyncio.run(index_fs(channel))
    return channel.as_uri()


def _interpreter(place: Path) -> Path:
    """Copy the interpreter and its library, without packages."""
    base, library = Path(sys.base_prefix), Path("lib") / f"python{_PYTHON}"
    (place / "bin").mkdir(parents=True)
    shutil.copy2(base / "bin" / f"python{_PYTHON}", place / "bin")
    for name in ("python", "python3"):
        (place / "bin" / name).symlink_to(f"python{_PYTHON}")
    shutil.copytree(base / library, place / library, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    (place / library / "site-packages").mkdir()
    return place


if __name__ == "__main__":
    main()
