"""FIXME-INIT inference."""
