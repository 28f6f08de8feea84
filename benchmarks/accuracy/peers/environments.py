"""The environments of the peers: made with venv and pip in a folder of the user's, and kept for the next time."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"
READY = "beside-peers.json"
STAND_IN = '''"""A stand-in: PyPI has no torchvision for torch without CUDA, and what is measured needs none."""

__version__ = "0.26.0"


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*arguments, **options):
        raise RuntimeError(f"This torchvision is a stand-in: it has no {name}.")

    return missing
'''
STAND_IN_MODULES = ("__init__", "models", "utils", "transforms/__init__", "transforms/functional")


@dataclass(frozen=True)
class Peer:
    """A program to compare with, and what it is installed with."""

    name: str
    bare: tuple[str, ...]
    """Installed without what they ask for: they ask for torchvision, which brings another torch."""
    needs: tuple[str, ...]
    """What they import besides torch and torchvision."""


CAREAMICS = Peer(
    "careamics",
    ("careamics==0.3.5", "microssim==0.0.5"),
    (
        "bioimageio-core>=0.9.0,<=0.11.0", "lightning>=2.2,<=2.6.6,!=2.6.2,!=2.6.3", "matplotlib", "numpy<=2.4.6",
        "pillow", "psutil", "pydantic>=2.11,<=2.14.1", "pyyaml", "scikit-image<=0.26.0", "tifffile",
        "torchmetrics<1.9.0", "zarr>=3,<4",
    ),
)  # fmt: skip
ATOMAI = Peer(
    "atomai",
    ("atomai==0.8.1",),
    (
        "gpytorch", "matplotlib", "mendeleev<=0.6.1", "networkx", "numpy<=2.4.6", "opencv-python-headless", "pandas",
        "progressbar2", "scikit-image", "scikit-learn", "scipy", "six",
    ),
)  # fmt: skip


def torch_pin(constraints: str) -> str:
    """Return the line of a constraints file that pins torch."""
    return next(line.strip() for line in constraints.splitlines() if line.startswith("torch=="))


def environment(peer: Peer, folder: Path, index: str | None = None) -> Path:
    """Return the Python of a peer's environment, which is made first where it is not there or was made otherwise.

    Parameters
    ----------
    peer
        Whose environment.
    folder
        Environments lie in folders of it, by the name of the peer.
    index
        Another index to find packages in, such as PyTorch's for torch without CUDA.

    Raises
    ------
    subprocess.CalledProcessError
        When pip fails; what it says is printed.

    """
    home = folder / peer.name
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    torch = torch_pin(CONSTRAINTS.read_text(encoding="utf-8"))
    recipe = json.dumps(asdict(peer) | {"torch": torch, "stand-in": STAND_IN})
    ready = home / READY
    if ready.is_file() and ready.read_text(encoding="utf-8") == recipe:
        return python
    print(f"Making the environment of {peer.name} in {home}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    extra = ("--extra-index-url", index) if index else ()
    _install(python, ("--no-deps", *extra, *peer.bare))
    _install(python, (*extra, torch, *peer.needs))
    _write_stand_in(python)
    ready.write_text(recipe, encoding="utf-8")
    return python


def _install(python: Path, arguments: Sequence[str]) -> None:
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-compile", *arguments], check=True)


def _write_stand_in(python: Path) -> None:
    """Write a torchvision of which everything can be imported and nothing be used."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([str(python), "-c", ask], check=True, capture_output=True, text=True)
    package = Path(found.stdout.strip()) / "torchvision"
    for module in STAND_IN_MODULES:
        path = package / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN, encoding="utf-8")
