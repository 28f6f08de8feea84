"""FIXME-INIT gui/models."""
