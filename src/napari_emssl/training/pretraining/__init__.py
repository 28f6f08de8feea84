"""FIXME-INIT training/pretraining."""
