"""Drawings of a page in fewer bytes: the same picture, written shorter.

A drawing holds most of a page's bytes. What repeats becomes a class of the drawing's own style sheet, so that a drawing
saved from a page is whole; what draws nothing is left out; pictures of at most 256 colours get a palette.
"""

from __future__ import annotations

import base64
import io
import re
from collections import Counter

_DRAWING = re.compile(r'<svg [^>]*class="(?:wide|narrow)".*?</svg>', re.DOTALL)
_STYLE = re.compile(r' style="([^"]*)"')
_ID = re.compile(r'( id="|href="#|url\(#)([^")]+)')
_PATH = re.compile(r' d="([^"]*)"')
_PICTURE = re.compile(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")
_NOTHING = re.compile(
    r'(?:<path d="[^"]*" style="fill:none"/>|<defs>\s*</defs>|<g/>)\n?| transform="rotate\(-?0 [^"]*"'
)
_DIGITS = re.compile(r"(\d\.\d\d)\d+")
_BARE_GROUP = re.compile(r"<g>|<g [^>]*>|</g>")
MOST_COLOURS = 256  # of a palette


def alone(text: str) -> str:
    """A drawing of matplotlib's as a file of its own, written shorter."""
    fonts = re.search(r"font-family: ([^;\"]*)", text)
    style = f"stroke-linejoin:round;stroke-linecap:butt;font-family:{fonts[1] if fonts else 'sans-serif'}"
    return _compact(small_svg(text), "d").replace("<svg ", f'<svg style="{style}" ', 1) + "\n"


def small_svg(text: str) -> str:
    """A drawing without what a page has no use for: metadata, unused ids, bare groups, fonts, digits beyond .01 pt."""
    svg = text[text.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]+>", lambda tag: _DIGITS.sub(r"\1", tag[0]), svg)  # numbers in words stay as they are
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r' style="[^"]*"', lambda match: match[0].replace(": ", ":").replace("; ", ";"), svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", svg)
    svg = re.sub(r"\n\s*", "\n", _without_bare_groups(svg))
    return re.sub(r"\n([LMCQz])", r" \1", svg)


def _without_bare_groups(svg: str) -> str:
    """Groups without an attribute change nothing."""
    open_groups: list[bool] = []

    def kept(match: re.Match) -> str:
        if match[0] == "</g>":
            return "" if open_groups.pop() else "</g>"
        open_groups.append(match[0] == "<g>")
        return "" if open_groups[-1] else match[0]

    return _BARE_GROUP.sub(kept, svg)


def compact(body: str) -> str:
    """The body of a page with every drawing written shorter; a body that is short already stays as it is.

    Parameters
    ----------
    body : HTML; drawings are the ``svg`` elements of class ``wide`` or ``narrow``
    """
    count = 0

    def shorter(match: re.Match) -> str:
        nonlocal count
        count += 1
        return match[0] if "<style>" in match[0] else _compact(match[0], f"d{count}")

    return _DRAWING.sub(shorter, body)


def _compact(svg: str, prefix: str) -> str:
    svg = _PICTURE.sub(lambda match: "data:image/png;base64," + _small_png(match[1]), svg)
    svg = _NOTHING.sub("", svg.replace("xlink:href", "href"))
    ids = {name: f"{prefix}.{number}" for number, name in enumerate(re.findall(r' id="([^"]+)"', svg))}
    svg = _ID.sub(lambda match: match[1] + ids[match[2]], svg)
    svg = _PATH.sub(lambda match: f' d="{_short_path(match[1])}"', svg)
    opening, rest = svg.split(">", 1)  # the style of the drawing itself stays where the page's script finds it
    names = {
        style: f"{prefix}-{number}"
        for number, (style, times) in enumerate(Counter(_STYLE.findall(rest)).most_common())
        if times > 1
    }
    if not names:
        return svg
    rest = _STYLE.sub(lambda match: f' class="{names[match[1]]}"' if match[1] in names else match[0], rest)
    sheet = "".join(f".{name}{{{style}}}" for style, name in names.items())
    return f"{opening}><style>{sheet}</style>{rest}"


def _short_path(path: str) -> str:
    """Without the blanks around letters and zeros at the end of decimals, which no reader of SVG needs."""
    path = re.sub(r"\.(\d*?)0+(?=\D|$)", lambda match: f".{match[1]}" if match[1] else "", path)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", path.strip())


def _small_png(encoded: str) -> str:
    """The same pixels with a palette where there are few colours; base64."""
    import numpy as np
    from PIL import Image

    data = base64.b64decode(encoded)
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    colours, which = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    if len(colours) > MOST_COLOURS:
        return base64.b64encode(data).decode("ascii")
    picture = Image.fromarray(which.reshape(pixels.shape[:2]).astype("uint8"), mode="P")
    picture.putpalette(colours[:, :3].astype("uint8").tobytes())
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True, transparency=colours[:, 3].astype("uint8").tobytes())
    return base64.b64encode(min(data, stream.getvalue(), key=len)).decode("ascii")
