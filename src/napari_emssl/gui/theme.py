"""The colours of napari's theme, for what Qt style sheets do not reach."""

from typing import Any


def theme_colours(viewer: Any) -> tuple[str, str]:
    """Return background and text colour of the viewer's theme as ``#rrggbb``."""
    from napari.utils.theme import get_theme

    theme = get_theme(viewer.theme)
    return _hex(theme.background), _hex(theme.text)


def _hex(colour: Any) -> str:
    """Write the colour of a theme, whichever class this napari uses for it, as ``#rrggbb``."""
    red, green, blue = colour.as_rgb_tuple()[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"
