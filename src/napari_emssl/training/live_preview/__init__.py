"""FIXME-INIT training/live_preview."""
