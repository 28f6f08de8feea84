"""FIXME-INIT gui/plugin."""
