"""FIXME-INIT gui/pretrain."""
