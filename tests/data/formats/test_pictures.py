"""PNG, JPEG and BMP: all their bits, and nothing that only has their name."""

import shutil
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from napari_emssl.data.images.image import grey
from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError

DEEP = np.random.default_rng(0).integers(0, 65535, (9, 11, 4), dtype=np.uint16)


@pytest.mark.parametrize("samples", [2, 3, 4])
def test_colours_of_16_bits_keep_them(tmp_path: Path, samples: int) -> None:
    values = np.ascontiguousarray(DEEP[..., :samples])
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(values))
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image.plane(0), values[..., 0] if samples == 2 else grey(values))


def test_a_postscript_file_of_another_name_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    started = tmp_path / "started"
    (tools / "gs").write_text(f"#!/bin/sh\ntouch {started}\n")
    (tools / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    assert shutil.which("gs") == str(tools / "gs")
    (tmp_path / "a.png").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises(UserError, match="not what its name says"):
        read_image(tmp_path / "a.png")
    assert not started.exists()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_a_picture_that_claims_what_it_cannot_hold(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(UserError, match=r"claims 14\.4 GB"):
        read_image(tmp_path / "bomb.png")


def test_a_large_picture_is_no_bomb(tmp_path: Path) -> None:
    values = np.zeros((14_000, 14_000), np.uint8)  # more than Pillow allows without being told
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(values, level=1))
    assert read_image(tmp_path / "a.png").plane_shape == values.shape


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_picture_that_was_cut_is_refused(tmp_path: Path, suffix: str) -> None:
    pillow = pytest.importorskip("PIL.Image")
    values = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    pillow.fromarray(values).save(tmp_path / f"a{suffix}")
    content = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="cannot be read"):
        read_image(tmp_path / f"a{suffix}")


def test_the_scale_beside_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image").fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.bmp")
    (tmp_path / "a.txt").write_text("[SemImageFile]\nPixelSize=4.5\n")
    assert read_image(tmp_path / "a.bmp").pixel_size_nm == pytest.approx(4.5)


def test_a_png_whose_values_were_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Pillow.fromarray(DEEP[..., 0]).save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 4
    path.write_bytes(content)
    with pytest.raises(UserError, match="checksum"):
        read_image(path)
