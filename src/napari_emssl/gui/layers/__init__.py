"""FIXME-INIT gui/layers."""
