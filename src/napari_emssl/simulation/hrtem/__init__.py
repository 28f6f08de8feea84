"""FIXME-INIT simulation/hrtem."""
