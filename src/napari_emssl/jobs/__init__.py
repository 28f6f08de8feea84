"""What all jobs share: events, settings and devices.

Training, inference, evaluation, particles, simulation, cli and gui may import it.
"""
