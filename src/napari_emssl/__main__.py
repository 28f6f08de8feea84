"""``python -m napari_emssl``: the same as ``napari-emssl``, for torchrun and for interpreters without scripts."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
