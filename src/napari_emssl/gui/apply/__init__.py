"""FIXME-INIT gui/apply."""
