"""The page *Segment*: images, painting, classes, live preview; its parent may import it."""
