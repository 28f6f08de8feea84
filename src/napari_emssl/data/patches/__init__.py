"""FIXME-INIT data/patches."""
