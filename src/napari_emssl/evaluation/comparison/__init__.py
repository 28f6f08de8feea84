"""FIXME-INIT evaluation/comparison."""
