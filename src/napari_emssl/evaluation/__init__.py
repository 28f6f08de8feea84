"""FIXME-INIT evaluation."""
