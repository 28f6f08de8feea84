"""FIXME-INIT data/datasets."""
