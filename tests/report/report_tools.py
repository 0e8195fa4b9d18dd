"""Reading a page as its readers do."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "br", "path", "use", "rect"}


class Reader(HTMLParser):
    """Collects the rows of each section's tables, all links and sources, and unbalanced tags."""

    def __init__(self) -> None:
        super().__init__()
        self.section, self.rows, self.links, self.open = "", {}, [], []
        self.cell: list[str] | None = None

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag == "section":
            self.section = found["id"]
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag in ("td", "th"):
            self.cell = []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open.pop() == tag
        if tag in ("td", "th"):
            self.rows[self.section][-1].append("".join(self.cell).strip())
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


def read_page(path: Path) -> tuple[str, Reader]:
    page = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    return page, reader


def read_lead(page: str) -> str:
    return re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)[1]
