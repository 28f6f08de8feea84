"""The colours of the viewer's theme; apart from the plots, as pyqtgraph takes long to load."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from napari.viewer import Viewer


def theme_colours(viewer: "Viewer") -> tuple[str, str]:
    """Return background and text colour of the viewer's theme as ``#rrggbb``."""
    from napari.utils.theme import get_theme

    theme = get_theme(viewer.theme)
    return _hex(theme.background), _hex(theme.text)


class _Colour(Protocol):
    """A colour of a theme, whichever class this napari uses for it."""

    def as_rgb_tuple(self) -> tuple[int, ...]:
        """Return red, green and blue from 0 to 255, possibly followed by alpha."""


def _hex(colour: _Colour) -> str:
    """Write a colour as ``#rrggbb``."""
    red, green, blue = colour.as_rgb_tuple()[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"
