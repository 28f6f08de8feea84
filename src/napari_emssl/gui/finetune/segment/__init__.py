"""The page *Segment*: images, painting, classes, live preview; the fine-tuning dock imports it."""
