"""The napari plugin; nothing outside it imports it, and no other room imports Qt or napari."""
