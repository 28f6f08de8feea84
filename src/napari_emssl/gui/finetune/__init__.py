"""FIXME-INIT gui/finetune."""
