"""FIXME-INIT gui/training."""
