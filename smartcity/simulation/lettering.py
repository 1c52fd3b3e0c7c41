"""Text on pictures, put together from glyphs that are rendered once: rendering is most of a picture's price otherwise.

The typeface is the one that Pillow carries, so that text looks the same everywhere.
"""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]


def width_of(text: str, size: int) -> int:
    """Pixels that a text takes."""
    return sum(_glyph(letter, size)[1] for letter in text)


def write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, fill: Colour) -> None:
    """A text whose top left corner is at `place`."""
    x, y = place
    for letter in text:
        glyph, advance = _glyph(letter, size)
        if letter != " ":
            pen.bitmap((x, y), glyph, fill)
        x += advance


def write_centred(pen: ImageDraw.ImageDraw, centre: tuple[int, int], text: str, size: int, fill: Colour) -> None:
    """A text around a point."""
    write(pen, (centre[0] - width_of(text, size) // 2, centre[1] - size * 5 // 8), text, size, fill)


@lru_cache(maxsize=2_048)
def _glyph(letter: str, size: int) -> tuple[Image.Image, int]:
    """A letter as a mask, and how far the next one stands from it."""
    font = _font(size)
    advance = max(round(font.getlength(letter)), 1)
    mask = Image.new("L", (advance + 2, size * 5 // 4 + 2))
    ImageDraw.Draw(mask).text((0, 0), letter, 255, font=font)
    return mask, advance


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
