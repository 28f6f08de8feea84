"""FIXME-INIT gui/finetune/restore."""
