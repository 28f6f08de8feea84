"""The page *Segment*: images and their paintings, live preview, requests; its parent may import it."""
