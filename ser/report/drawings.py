"""Drawings that were written to files, inside a page: in its colours, and without names that another drawing has."""

from __future__ import annotations

import hashlib
import html
import re
from pathlib import Path

#: What the parts of the fixed palette of files (``ser.statistics.figures.style.PRINT``) are on a page.
VARIABLES = ("ink", "muted", "rule", "accent")


def embed_svg(path: Path, label: str) -> str:
    """The drawing in a file as an ``<svg>`` element for an HTML page, colours as the page's style has them.

    Args:
        path: an SVG file by matplotlib.
        label: the figure in words, for those who cannot see it.
    """
    from ser.statistics.figures.style import PRINT  # whose package draws with the figures of this one

    text = path.read_text(encoding="utf-8")
    svg = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    prefix = "d" + hashlib.blake2b(str(label).encode() + path.name.encode(), digest_size=5).hexdigest()
    svg = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'href="#([^"]*)"', rf'href="#{prefix}-\1"', svg).replace("xlink:href", "href")
    svg = re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}-\1)", svg)
    colours = {getattr(PRINT, name): f"var(--{name})" for name in VARIABLES}
    colours |= {colour: f"var(--series-{place})" for place, colour in enumerate(PRINT.series, 1)}
    colours |= {"#000000": "var(--ink)", "#ffffff": "var(--paper)"}
    for colour, variable in colours.items():
        svg = re.sub(colour, variable, svg, flags=re.IGNORECASE)
    box = re.search(r'viewBox="[^"]*"', svg)
    head = f'<svg role="img" aria-label="{html.escape(label)}" fill="currentColor" {box.group() if box else ""}>'
    return re.sub(r"<svg[^>]*>", lambda _: head, svg, count=1)
