"""First floor: what a model is, its file, and the zoo of all models."""
