"""The dock "EM SSL Models" and the pickers that follow the zoo; the docks that choose a model may import it."""
