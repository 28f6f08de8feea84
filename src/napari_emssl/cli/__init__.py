"""Third floor, one of two doors: the terminal. One file per command, named after it."""

from .app import main

__all__ = ["main"]
