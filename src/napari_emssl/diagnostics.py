"""What a report of a fault has to say: versions, the machine, how a job went. Imports neither torch nor Qt.

It names no person: paths are shortened to names of files, and the names of the user and the computer are taken out.
"""

import getpass
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from . import __version__
from .data.images.user_folder import home
from .formatting import bytes_in_words, plain
from .resources import free_disk

_NEEDED = ("napari", "numpy", "torch")
"""Packages that are named even where they are missing."""
_PACKAGES = (
    *_NEEDED, "scipy", "scikit-image", "dask", "zarr", "tifffile", "imagecodecs", "h5py", "pydantic", "cyclopts",
    "npe2", "magicgui", "superqt", "qtpy", "pyqtgraph", "PyQt5", "PyQt6", "PySide6", "rosettasciio", "distributed",
    "onnx",
)  # fmt: skip
_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTORCH_ENABLE_MPS_FALLBACK",
    "PYTORCH_CUDA_ALLOC_CONF", "QT_API", "QT_QPA_PLATFORM", "QT_SCALE_FACTOR",
)  # fmt: skip
_ASK_NVIDIA = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
_PATIENCE_SECONDS = 10.0
_QUOTED = re.compile(r"""(?P<mark>['"`])(?:file:)?(?:[A-Za-z]:|~\w*)?[\\/](?P<path>[^'"`\n]*)(?P=mark)""")
_BARE = re.compile(r"""(?<![\w:/\\.<~])(?:file:)?(?:[A-Za-z]:|~\w*)?[\\/]{1,3}(?=[^\s\\/])[^'"`\n]*[\\/]""")
"""A path that is not in quotes, up to its last separator in the line: who knows where a name with spaces ends."""


def describe_system(*more: str) -> str:
    """Return what is known of this installation and this machine, a line for each fact.

    Parameters
    ----------
    *more
        Further lines, of whoever knows more (the viewer of its window, the terminal of torch).

    """
    return without_names("\n".join((*_program(), *_machine(), *more)))


def without_names(text: str) -> str:
    """Shorten every path to the name of its file, and take out the names of the user and the computer."""
    text = _QUOTED.sub(lambda match: match["mark"] + _shortened(match["path"]) + match["mark"], text)
    text = _BARE.sub("", text)
    for user in _users():
        text = _replaced(text, user, "USER")
    return plain(_replaced(text, platform.node(), "COMPUTER"))


def _shortened(path: str) -> str:
    """Return the name of a file; of the source of a package, from the package on."""
    *folders, name = re.split(r"[\\/]+", path)
    inside = next((at for at in range(len(folders)) if folders[at] == "site-packages"), None)
    inside = inside + 1 if inside is not None else _last(folders, __package__)
    return "/".join([*folders[inside:], name]) if name.endswith(".py") and inside is not None else name


def _last(folders: list[str], wanted: str) -> int | None:
    return max((at for at, folder in enumerate(folders) if folder == wanted), default=None)


def _replaced(text: str, name: str, stand_in: str) -> str:
    """Replace a name wherever it stands as a word."""
    return re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", stand_in, text, flags=re.IGNORECASE) if name else text


def _users() -> list[str]:
    """Names of the user, the longest first: one may be part of the other."""
    names = {Path.home().name}
    with suppress(OSError, KeyError, ImportError):  # there may be no such user, and on Windows no such module
        names.add(getpass.getuser())
    return sorted(names - {""}, key=len, reverse=True)


def _program() -> Iterator[str]:
    yield f"napari-emssl {__version__}"
    kind = "conda" if (Path(sys.prefix) / "conda-meta").is_dir() else "bundle" if hasattr(sys, "frozen") else "pip"
    bits = 64 if sys.maxsize > 1 << 32 else 32
    yield f"Python {platform.python_version()} ({platform.python_implementation()}, {bits} bit, {kind})"
    yield "Packages: " + ", ".join(f"{name} {found}" for name, found in _versions())


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            if name in _NEEDED:
                yield name, "is missing"


def _machine() -> Iterator[str]:
    yield f"System: {platform.platform()}"
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield f"CPU: {_cpu()}; {os.cpu_count()} threads, {allowed} of them for this program"
    memory = psutil.virtual_memory()
    yield f"Memory: {bytes_in_words(memory.total)}, {bytes_in_words(memory.available)} of it free"
    with suppress(OSError):
        yield f"Disk: {bytes_in_words(free_disk(home()))} free where models are kept"
    yield f"GPU: {_gpu()}"
    given = [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ]
    yield f"Environment: {', '.join(given) or 'nothing of note'}"
    yield f"Encodings: {sys.getfilesystemencoding()} for names of files, {_encoding()} for the terminal"


def _encoding() -> str:
    return str(getattr(sys.stdout, "encoding", None) or "none")


def _cpu() -> str:
    """Return the name of the processor, where the system tells it."""
    with suppress(OSError):
        named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
        if named:
            return named[1]
    if sys.platform == "darwin":
        return _answer("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _gpu() -> str:
    """Return what the driver tells: torch would take seconds to load, and may not be loaded beside Qt."""
    if sys.platform == "darwin":
        return "Apple GPU" if platform.machine() == "arm64" else "none that torch can use"
    told = _answer("nvidia-smi", *_ASK_NVIDIA)
    return "; ".join(told.splitlines()) or "no driver of NVIDIA answers"


def _answer(program: str, *words: str) -> str:
    """Return what a program prints; nothing where it is not there, fails, or hangs."""
    found = shutil.which(program)
    if found is None:
        return ""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        done = subprocess.run(
            [found, *words], capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS, creationflags=flags
        )
        return done.stdout.strip()
    return ""
