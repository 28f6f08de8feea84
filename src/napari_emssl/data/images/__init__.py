"""FIXME-INIT data/images."""
