"""The user's folder: own models, paintings, samples, indices of large folders."""

import os
from pathlib import Path


def home() -> Path:
    """Return the user's folder: ``$NAPARI_EMSSL_HOME`` or the platform's place for application data."""
    override = os.environ.get("NAPARI_EMSSL_HOME")
    if override:
        return Path(override)
    from platformdirs import user_data_path

    return user_data_path("napari-emssl", appauthor=False)
