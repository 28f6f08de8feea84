"""FIXME-INIT simulation/stem."""
