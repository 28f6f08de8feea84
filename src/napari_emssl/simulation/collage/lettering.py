"""What people write on micrographs: panel letters, scale bars, arrows, and strips with the microscope's settings."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789µ()=.-:/%"))
_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSansMono", "STIXGeneral")
_SMALLEST_PX, _LARGEST_PX = 8, 60
"""Heights of letters."""


class Lettering(NamedTuple):
    """What stands on a picture; both ``(size, size)``."""

    cover: Tensor
    """float32 in [0, 1]: how much of the picture is covered."""
    grey: Tensor
    """float32 in [0, 1]: 0 black, 1 white."""


def draw_lettering(size: int, rng: np.random.Generator) -> Lettering:
    """Draw one to four pieces of lettering, and often a strip along an edge.

    Parameters
    ----------
    size
        Edge of the collage in pixels.
    rng
        Decides everything.

    """
    sheet = _Sheet(size, rng)
    if rng.random() < 0.35:
        sheet.strip()
    pieces = (sheet.label, sheet.scale_bar, sheet.arrow)
    for _ in range(int(rng.integers(1, 4))):
        pieces[int(rng.choice(3, p=[0.5, 0.35, 0.15]))]()
    return sheet.finished()


class _Sheet:
    """Paper with transparent ground."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.rng = size, rng
        self.grey, self.covers = Image.new("L", (size, size)), Image.new("L", (size, size))
        self._pens = ImageDraw.Draw(self.grey), ImageDraw.Draw(self.covers)
        self.ink = int(rng.choice([0, 255, 255, 0, 30, 220]))

    def finished(self) -> Lettering:
        return Lettering(*(torch.from_numpy(np.asarray(sheet, np.float32) / 255) for sheet in (self.covers, self.grey)))

    def label(self) -> None:
        """Write a panel letter or a few words, on the picture or in a box."""
        words = self._words(1, 4) if self.rng.random() < 0.6 else self._words(4, 12)
        font = self._font()
        place = self._corner() if self.rng.random() < 0.5 else self._anywhere()
        if self.rng.random() < 0.3:
            left, top, right, bottom = self._pens[0].textbbox(place, words, font=font)
            self._box((int(left) - 3, int(top) - 3, int(right) + 3, int(bottom) + 3), 255 - self.ink)
        self._write(place, words, font, self.ink)

    def scale_bar(self) -> None:
        """Draw a bar, mostly with its length above or below."""
        left, top = self._anywhere()
        width, height = int(self.rng.integers(15, max(16, self.size // 2))), int(self.rng.integers(2, 9))
        self._box((left, top, left + width, top + height), self.ink)
        if self.rng.random() < 0.75:
            font = self._font(40)
            length = f"{self.rng.choice([1, 2, 5, 10, 20, 50, 100, 200, 500])} {self.rng.choice(['nm', 'µm', 'A'])}"
            below = self.rng.random() < 0.5
            self._write((left, top + height + 1 if below else top - int(font.size * 1.25)), length, font, self.ink)

    def arrow(self) -> None:
        """Draw an arrow."""
        ends = self.rng.uniform(0, self.size, (2, 2))
        direction = (ends[1] - ends[0]) / max(float(np.hypot(*(ends[1] - ends[0]))), 1.0)
        ends[0] = ends[1] - direction * self.rng.uniform(10, self.size / 3)
        width = int(self.rng.integers(1, 5))
        across = np.array([-direction[1], direction[0]]) * (2.0 * width + 2)
        head = [
            ends[1],
            ends[1] - direction * (4.0 * width + 4) + across,
            ends[1] - direction * (4.0 * width + 4) - across,
        ]
        for pen, value in zip(self._pens, (self.ink, 255), strict=True):
            pen.line([tuple(end) for end in ends], fill=value, width=width)
            pen.polygon([tuple(corner) for corner in head], fill=value)

    def strip(self) -> None:
        """Fill a strip along the lower or upper edge with lines of small letters."""
        height = int(self.size * self.rng.uniform(0.06, 0.3))
        top = self.size - height if self.rng.random() < 0.85 else 0
        paper = int(self.rng.choice([0, 255, 0, 255, int(self.rng.integers(20, 236))]))
        self._box((0, top, self.size, top + height), paper)
        ink = 0 if paper > 127 else 255
        font = self._font(22)
        for line in range(top + 2, top + height - int(font.size), int(font.size * 1.3) + 1):
            left = int(self.rng.integers(0, self.size // 3))
            while left < self.size and self.rng.random() < 0.9:
                words = self._words(2, 12)
                self._pens[0].text((left, line), words, fill=ink, font=font)  # on paper that covers all already
                left += int(font.getlength(words)) + int(self.rng.integers(6, 40))
        if self.rng.random() < 0.5:
            left = int(self.rng.integers(0, self.size))
            middle = top + height // 2
            self._box((left, middle, left + int(self.rng.integers(10, 80)), middle + int(self.rng.integers(2, 7))), ink)

    def _font(self, largest: float = _LARGEST_PX) -> ImageFont.FreeTypeFont:
        height = np.exp(self.rng.uniform(np.log(_SMALLEST_PX), np.log(largest)))
        return _load_font(_FONTS[int(self.rng.integers(len(_FONTS)))], round(height))

    def _words(self, least: int, most: int) -> str:
        letters = self.rng.choice(_LETTERS, int(self.rng.integers(least, most)))
        return "".join(letters)

    def _anywhere(self) -> tuple[int, int]:
        left, top = self.rng.integers(-5, max(1, self.size - 12), 2)
        return int(left), int(top)

    def _corner(self) -> tuple[int, int]:
        near, far = int(self.rng.integers(1, 12)), int(self.size * self.rng.uniform(0.7, 0.9))
        return (near if self.rng.random() < 0.6 else far), (near if self.rng.random() < 0.7 else far)

    def _write(self, place: tuple[int, int], words: str, font: ImageFont.FreeTypeFont, ink: int) -> None:
        # the ink reaches a pixel farther than what covers the picture, so that edges keep the grey of the letters
        self._pens[0].text(place, words, fill=ink, font=font, stroke_width=1)
        self._pens[1].text(place, words, fill=255, font=font)

    def _box(self, corners: tuple[int, int, int, int], grey: int) -> None:
        for pen, value in zip(self._pens, (grey, 255), strict=True):
            pen.rectangle(corners, fill=value)


@lru_cache(maxsize=512)
def _load_font(name: str, height_px: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), height_px)
