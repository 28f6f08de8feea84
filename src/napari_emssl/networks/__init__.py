"""Ground floor: the networks, in torch only; their names need none."""
