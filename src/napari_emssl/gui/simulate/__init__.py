"""FIXME-INIT gui/simulate."""
