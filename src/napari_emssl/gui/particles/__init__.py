"""FIXME-INIT gui/particles."""
