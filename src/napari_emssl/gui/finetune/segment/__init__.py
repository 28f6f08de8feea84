"""FIXME-INIT gui/finetune/segment."""
