"""Drawings of a page in fewer bytes: the same picture."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageChops

from ser_study.plotting import palette
from ser_study.report.drawings import compact, small_svg
from ser_study.report.figure_html import figure_html
from ser_study.wording import Caption

PICTURE = re.compile(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")


@palette.styled
def many_kinds():
    """Lines, markers, clipped pictures and texts turned both ways."""
    figure, axes = palette.canvas(1, 3, height=2.6, title="Many kinds")
    axes = axes.ravel()
    axes[0].plot([0, 1, 2], [0.5, 0.25, 10.0], marker="o")
    axes[0].set_ylabel("UAR (0–1)")
    axes[1].imshow(np.linspace(0, 1, 60).reshape(6, 10), aspect="auto")
    axes[2].bar(["neutral", "sad"], [1, 2])
    axes[2].tick_params(axis="x", rotation=45)
    return figure


@pytest.fixture(scope="module")
def body() -> str:
    text = palette.svg_text(many_kinds())
    return "\n".join(figure_html(text, text, Caption(name, "Text.", alt="It rises."), data="") for name in "ab")


def pixels(svg: str) -> list[np.ndarray]:
    pictures = (Image.open(io.BytesIO(base64.b64decode(found))) for found in PICTURE.findall(svg))
    return [np.asarray(picture.convert("RGBA")) for picture in pictures]


def test_a_compact_drawing_is_smaller_and_written_once(body):
    short = compact(body)
    assert len(short) < 0.75 * len(body)
    assert compact(short) == short
    assert compact("<p>no drawing</p><svg><style>a</style></svg>") == "<p>no drawing</p><svg><style>a</style></svg>"


def test_numbers_in_the_words_of_a_drawing_keep_their_digits():
    drawn = small_svg('<svg width="1.23456pt">\n<text x="2.71828">.1807 of 1.807 and 10.0005 dB</text>\n</svg>')
    assert drawn.split("\n")[1] == '<text x="2.71">.1807 of 1.807 and 10.0005 dB</text>'


def test_names_of_drawings_are_theirs_alone_and_lead_somewhere(body):
    short = compact(body)
    ids = re.findall(r' id="([^"]+)"', short)
    assert len(ids) == len(set(ids)) > 4
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', short)) <= set(ids)
    drawings = re.findall(r"<svg.*?</svg>", short, flags=re.DOTALL)
    assert len(drawings) == 4
    for drawing in drawings:  # whole when it is saved alone
        classes = set(re.findall(r' class="(d[^"]+)"', drawing))
        assert classes == set(re.findall(r"\.(d[\d-]+)\{", drawing))


def test_pictures_keep_every_pixel():
    generator = np.random.default_rng(0)
    few = generator.choice(np.array([[0, 0, 0, 255], [250, 9, 9, 128], [1, 2, 3, 0]], np.uint8), (20, 30))
    many = generator.integers(0, 256, (20, 30, 4), np.uint8)
    for image, smaller in ((few, True), (many, False)):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        encoded = base64.b64encode(stream.getvalue()).decode()
        svg = f'<svg viewBox="0 0 9 9" class="wide"><image xlink:href="data:image/png;base64,\n{encoded}"/></svg>'
        short = compact(svg)
        assert np.array_equal(pixels(short)[0], image)
        assert (len(short) < len(svg) - 20) is smaller


def test_a_browser_draws_the_same(browser, body, tmp_path):
    shots = []
    for name, content in (("long", body), ("short", compact(body))):
        page = tmp_path / f"{name}.html"
        page.write_text(f'<!doctype html><meta charset="utf-8"><body style="--paper:#fff">{content}', "utf-8")
        browser.get(page.as_uri())
        shots.append(Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB"))
    assert max(high for _, high in ImageChops.difference(*shots).getextrema()) <= 8  # rounding of edges
    assert len(shots[0].getcolors(1 << 20)) > 50, "the page is not blank"
