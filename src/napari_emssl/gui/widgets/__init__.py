"""FIXME-INIT gui/widgets."""
