"""Jobs in a process of their own that yields the same events; cli and gui may import it."""
