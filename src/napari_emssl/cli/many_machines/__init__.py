"""One command on many machines: flags, and applying and measuring by parts.

Cli/apply, cli/measure and cli/paper may import it.
"""
