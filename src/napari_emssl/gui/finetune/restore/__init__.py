"""The page *Restore*: pairs of layers and their checks; its parent may import it."""
