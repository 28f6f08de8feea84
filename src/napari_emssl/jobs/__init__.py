"""What all jobs share: events, settings and devices.

Any room may import it.
"""
