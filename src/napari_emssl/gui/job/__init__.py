"""FIXME-INIT gui/job."""
