"""FIXME-INIT simulation."""
