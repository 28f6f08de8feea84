"""``napari-emssl demo``."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import UserError
from .path_checks import require_empty_folder

_WAY_OUT = "Use 'napari-emssl demo --headless DIR': the same work without a window."


def demo(
    *,
    headless: Annotated[Path | None, Parameter(help="Work without a window and write the results here.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace existing files.")] = False,
    quiet: Annotated[bool, Parameter(negative="", help="Show warnings only.")] = False,
) -> int:
    """Try everything on simulated data: in napari, or without a window.

    Returns
    -------
    int
        Exit status, of napari or of the work without a window.

    Raises
    ------
    UserError
        When no window can be opened, or the folder is not empty.
    """
    if headless is None:
        require_display()
        return subprocess.call([sys.executable, "-P", "-m", "napari_emssl.gui.plugin.demo"])
    require_empty_folder(headless, overwrite)
    from ..demo import run_demo
    from .progress import run_with_progress

    ending = run_with_progress(run_demo(headless), "Demo", quiet=quiet)
    print(ending.result)
    return ending.status


def require_display() -> None:
    """Raise `UserError` unless napari is installed and a window can be opened."""
    if find_spec("napari") is None:
        raise UserError(f"napari is not installed: pip install 'napari-emssl[all]'. {_WAY_OUT}")
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UserError(f"There is no display to open a window on. {_WAY_OUT}")
