"""Ground floor: the networks, in torch only."""
