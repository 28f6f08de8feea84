"""The prediction that appears while one paints, before any training; gui may import it."""
