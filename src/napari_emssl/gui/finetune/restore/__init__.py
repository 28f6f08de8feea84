"""The page *Restore*: pairs of layers and their checks; the fine-tuning dock imports it."""
