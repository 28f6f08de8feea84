"""FIXME-INIT data/labels."""
