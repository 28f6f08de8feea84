"""The command *EM SSL: Copy diagnostics*, for the menu and the command palette."""

from qtpy.QtWidgets import QApplication

from ..job import diagnostics
from ..job.job_log import JobLog
from ..job.job_panel import JobPanel


def copy_diagnostics() -> None:
    """Copy what a report of a fault has to say; the job is the last one of all docks that are open."""
    panels = [widget for widget in QApplication.allWidgets() if isinstance(widget, JobPanel)]
    logs = sorted((panel.log for panel in panels), key=lambda log: (bool(log.title or log.error), log.number))
    diagnostics.copy_diagnostics(logs[-1] if logs else JobLog())
