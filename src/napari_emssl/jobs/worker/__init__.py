"""FIXME-INIT jobs/worker."""
