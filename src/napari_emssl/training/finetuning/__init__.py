"""FIXME-INIT training/finetuning."""
