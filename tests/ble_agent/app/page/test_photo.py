"""Photos of codes: read however they are taken; what hurts the reader hurts nothing else."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from ble_agent.app.page import photo as photo_module
from ble_agent.app.page import photo_reader
from ble_agent.app.page.photo import code_in, read_code_photo, read_join_photo, read_photo
from ble_agent.messages.explanation import explain
from tracing_core.errors import NotPossible

LINE = "https://keys.example.org/path#" + "0f5c" * 16


def code(text: str, scale: int = 8) -> Image.Image:
    png = io.BytesIO()
    segno.make(text, error="m", micro=False).save(png, kind="png", scale=scale, border=4)
    return Image.open(png).convert("RGB")


def scene(text: str, size: tuple[int, int] = (1600, 1200), degrees: float = 0) -> Image.Image:
    """A code on a table: a sixth to a third of the picture, with a grey, noisy ground."""
    width, height = size
    ground = Image.effect_noise((width // 4, height // 4), 60).resize(size).convert("RGB")
    side = height // 3
    turned = code(text).resize((side, side)).rotate(degrees, expand=True, fillcolor=(190, 185, 180))
    ground.paste(turned, (width // 3, height // 3))
    return ground


def saved(folder: Path, image: Image.Image, kind: str = "JPEG", **options: int | bool) -> Path:
    path = folder / "upload"
    image.save(path, kind, **options)
    return path


@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 133, 180, 270, 301])
def test_a_code_is_read_however_the_phone_was_held(tmp_path: Path, degrees: int) -> None:
    image = scene(LINE, degrees=degrees).filter(ImageFilter.GaussianBlur(1.5))
    assert str(read_join_photo(saved(tmp_path, image, quality=60))) == LINE


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        ((4000, 3000), "JPEG"),
        ((4000, 3000), "PNG"),
        ((4000, 3000), "WEBP"),
        ((3000, 4000), "JPEG"),
        ((8000, 6000), "JPEG"),
        ((300, 225), "PNG"),
    ],
)
def test_photos_of_every_size_and_kind_are_read(
    tmp_path: Path, size: tuple[int, int], kind: str
) -> None:
    text = "84729183" if size[0] < 1000 else LINE
    options = {"compress_level": 1} if kind == "PNG" else {"quality": 60}
    assert read_photo(saved(tmp_path, scene(text, size, 9), kind, **options)) == [text]


def test_a_small_code_in_a_large_photo_is_found(tmp_path: Path) -> None:
    ground = Image.new("RGB", (4000, 3000), (200, 200, 200))
    ground.paste(code(LINE, 2), (3000, 2000))
    assert read_photo(saved(tmp_path, ground, quality=80)) == [LINE]


def test_light_on_dark_transparent_and_in_a_palette(tmp_path: Path) -> None:
    plain = code(LINE)
    clear = plain.convert("L").point(lambda value: 255 - value)
    transparent = Image.new("RGBA", plain.size, (0, 0, 0, 0))
    transparent.putalpha(clear)
    light = plain.point(lambda value: 255 - value)
    for image in (transparent, light, plain.convert("P"), plain.convert("1"), plain.convert("LA")):
        assert read_photo(saved(tmp_path, image, "PNG")) == [LINE]
    assert read_photo(saved(tmp_path, plain.convert("CMYK"), "JPEG")) == [LINE]


def test_a_photo_of_48_megapixels_takes_little_memory(tmp_path: Path) -> None:
    path = saved(tmp_path, scene(LINE, (8000, 6000), 9), quality=60)
    # The kernel counts what was used before the program was started too, so the program is asked.
    code = (
        "import re, runpy, sys\n"
        "try:\n"
        "    runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "finally:\n"
        "    print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
    )
    with path.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", code, photo_reader.__file__],
            stdin=file,
            capture_output=True,
            text=True,
            check=True,
        )
    texts, kilobytes = done.stdout.split("]")
    assert json.loads(f"{texts}]") == [LINE]
    assert int(kilobytes) < 110_000


def refusal(path: Path, read: Callable[[Path], object] = read_photo) -> str:
    with pytest.raises(NotPossible) as caught:
        read(path)
    for language in ("en", "vi"):
        said = explain(caught.value, language)
        assert said.count("\n") == 0
        assert ": " in said
        assert path.name not in said
    return caught.value.code


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes, *more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = [chunk(b"IHDR", head), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def jpeg_header(width: int, height: int) -> bytes:
    image = io.BytesIO()
    Image.new("L", (16, 16)).save(image, "JPEG")
    raw = image.getvalue()
    at = raw.index(b"\xff\xc0")
    return raw[: at + 5] + struct.pack(">HH", height, width) + raw[at + 9 :]


def zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    packed = b"".join(packer.compress(block) for _ in range(count >> 20))
    return packed + packer.flush()


HOSTILE: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "nothing": (lambda: b"", {"photo_not_image"}),
    "text": (lambda: LINE.encode(), {"photo_not_image"}),
    "gif": (lambda: b"GIF89a" + bytes(50), {"photo_not_image"}),
    "cut jpeg": (lambda: encoded(scene(LINE), "JPEG")[:9000], {"photo_not_image"}),
    "cut png": (lambda: encoded(scene(LINE), "PNG")[:9000], {"photo_not_image"}),
    "cut webp": (lambda: encoded(scene(LINE), "WEBP")[:9000], {"photo_not_image"}),
    "100 MP jpeg": (lambda: jpeg_header(10_000, 10_000), {"photo_too_large"}),
    "65500 jpeg": (lambda: jpeg_header(65_500, 65_500), {"photo_too_large"}),
    "100 MP png": (lambda: png(10_000, 10_000, zlib.compress(b"")), {"photo_too_large"}),
    "bomb of pixels": (lambda: png(7000, 7000, zeros(150 << 20)), {"photo_too_large"}),
    "bomb of text": (
        lambda: png(8, 8, b"", chunk(b"zTXt", b"a\0\0" + zeros(300 << 20))),
        {"photo_not_image", "photo_too_large"},
    ),
    "bomb of a profile": (
        lambda: png(8, 8, b"", chunk(b"iCCP", b"a\0\0" + zeros(300 << 20))),
        {"photo_not_image", "photo_too_large"},
    ),
    "nothing in it": (lambda: encoded(Image.new("RGB", (800, 600)), "JPEG"), {"photo_empty"}),
}


def encoded(image: Image.Image, kind: str) -> bytes:
    raw = io.BytesIO()
    image.save(raw, kind)
    return raw.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_photo_is_one_line(tmp_path: Path, name: str) -> None:
    make, codes = HOSTILE[name]
    path = tmp_path / "upload"
    path.write_bytes(make())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(path) in codes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 50_000


def test_a_photo_that_is_also_an_archive_is_a_photo(tmp_path: Path) -> None:
    path = saved(tmp_path, scene(LINE), quality=60)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("agent.toml", "notify_command = ['true']")
    assert read_photo(path) == [LINE]


def test_a_wall_of_codes_is_bounded(tmp_path: Path) -> None:
    wall = Image.new("RGB", (3000, 3000), "white")
    for at in range(400):
        small = code(f"{at:06}", 4)
        wall.paste(small, (at % 20 * 145, at // 20 * 145))
    texts = read_photo(saved(tmp_path, wall, "PNG"))
    assert 2 <= len(texts) <= 50
    assert refusal(saved(tmp_path, wall, "PNG"), read_code_photo) == "photo_several"


@settings(max_examples=15)
@given(st.binary(max_size=200), st.integers(0, 4000), st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_no_mutated_photo_is_a_fault_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, kind: str
) -> None:
    raw = encoded(code("84729183", 3), kind)
    path = tmp_path_factory.mktemp("photo") / "upload"
    path.write_bytes(raw[:at] + data + raw[at + len(data) :])
    with contextlib.suppress(NotPossible):
        assert all(isinstance(text, str) for text in read_photo(path))


@pytest.mark.parametrize(
    "reader",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import sys; sys.exit(139)",
        "print('no JSON')",
        "print('[1]')",
        "print('[' * 100000)",
        "import sys\nwhile True: sys.stdout.write('[' * 65536)",
    ],
)
def test_a_reader_that_dies_or_lies_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    stand_in = tmp_path / "reader.py"
    stand_in.write_text(reader)
    monkeypatch.setattr(photo_reader, "__file__", str(stand_in))
    assert refusal(saved(tmp_path, code(LINE))) == "photo_failed"


def test_without_the_libraries_a_code_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, code(LINE))
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    assert not photo_module.can_read_photos()
    assert refusal(path) == "photo_unsupported"


def two_codes(first: str, second: str) -> Image.Image:
    images = [code(first, 4), code(second, 4)]
    both = Image.new("RGB", (sum(each.width for each in images) + 40, 600), "white")
    both.paste(images[0], (0, 0))
    both.paste(images[1], (images[0].width + 40, 0))
    return both


def test_the_code_that_is_asked_for_is_found_among_others(tmp_path: Path) -> None:
    both = saved(tmp_path, two_codes(LINE, "8472 9183"), "PNG")
    assert str(read_join_photo(both)) == LINE
    assert read_code_photo(both) == "84729183"
    two = saved(tmp_path, two_codes(LINE, LINE.replace("5", "6")), "PNG")
    assert refusal(two, read_join_photo) == "photo_several"
    assert refusal(two, read_code_photo) == "photo_no_code"
    twice = saved(tmp_path, two_codes("84729183", "8472-9183"), "PNG")
    assert read_code_photo(twice) == "84729183"
    assert refusal(twice, read_join_photo) == "photo_no_line"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("84729183", "84729183"),
        (" 8472-9183\n", "84729183"),
        ("847291", "847291"),
        ("84729", ""),
        ("a3bc9d2e7f1g5h6k", "a3bc9d2e7f1g5h6k"),
        ("A3BC9D2E7F1G5H6K", "a3bc9d2e7f1g5h6k"),
        ("abcdefghijklmnop", ""),
        ("ens://v?r=US-WA&c=a3bc9d2e7f1g5h6k", "a3bc9d2e7f1g5h6k"),
        ("ens:///v?r=us&c=12345678", "12345678"),
        ("https://us-wa.en.express/v?c=a3bc9d2e7f1g5h6k", "a3bc9d2e7f1g5h6k"),
        ("https://us-wa.en.express/v?c=1234 5678", ""),
        ("https://us-wa.en.express/v?c=12345678&c=87654321", ""),
        ("https://us-wa.en.express/w?c=12345678", ""),
        ("http://us-wa.en.express/v?c=12345678", ""),
        ("https://[/v?c=12345678", ""),
        ("WIFI:S:home;P:12345678;;", ""),
        (LINE, ""),
        ("", ""),
    ],
)
def test_what_is_a_verification_code(text: str, found: str) -> None:
    assert code_in(text) == found


@given(st.text() | st.text("https:/?&=cv.#%[]0123456789ab", max_size=60))
def test_no_text_is_a_fault_of_ours(text: str) -> None:
    found = code_in(text)
    assert found == "" or (6 <= len(found) <= 64 and found.isascii() and found.isalnum())


def test_what_the_reader_prints_is_json_in_ascii(tmp_path: Path) -> None:
    path = saved(tmp_path, code("mã xác nhận\n\0\u2028"), "PNG")
    with path.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-P", photo_reader.__file__],
            stdin=file,
            capture_output=True,
            check=True,
        )
    assert done.stdout.isascii()
    assert json.loads(done.stdout) == ["mã xác nhận\n\0\u2028"]
    assert done.stderr == b""
