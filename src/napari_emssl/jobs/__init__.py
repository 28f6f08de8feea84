"""Second floor: the long jobs, each a generator of events; no Qt."""
