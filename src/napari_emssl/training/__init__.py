"""FIXME-INIT training."""
