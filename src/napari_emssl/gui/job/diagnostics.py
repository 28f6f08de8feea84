"""*Copy diagnostics*: what a report of a fault has to say, in the clipboard."""

import platform

import qtpy
from napari.utils.notifications import show_info
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication

from ...diagnostics import describe_system, without_names
from ..threads.blocking import run_blocking
from .job_log import JobLog

COPIED = "The diagnostics are in the clipboard. Look through them, then paste them into your report."


def copy_diagnostics(log: JobLog) -> None:
    """Put versions, machine, window and a job's settings and error into the clipboard; says so in the viewer."""
    window = _window()
    system = run_blocking(lambda _: describe_system(window), "Looking at this computer")
    QApplication.clipboard().setText(f"{system}\n\n{without_names(log.describe())}".rstrip() + "\n")
    show_info(COPIED)


def _window() -> str:
    """Which Qt draws where; asked in the GUI thread."""
    screens = [
        f"{screen.size().width()} x {screen.size().height()} at {screen.devicePixelRatio():g}"
        for screen in QGuiApplication.screens()
    ]
    window = f"Qt: {qtpy.QT_VERSION} by {qtpy.API_NAME}, {QGuiApplication.platformName()}"
    return f"{window}; screens: {', '.join(screens)}; {platform.machine()}"
