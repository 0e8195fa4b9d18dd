"""Blocks of code in README and documentation."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<more>[^\n]*)\n(?P<body>.*?)^(?P=indent)```\s*$", re.M | re.S
)
#: Comment right before a block whose commands need what cannot be had in a test: ``<!-- not run: needs … -->``.
MARK = re.compile(r"<!--\s*not run: (?P<why>[^>]+?)\s*-->\s*\Z")
TITLE = re.compile(r'title="([^"]+)"')
COMMAND = re.compile(r"\$ |ser [a-z]+( |$)")
SHELL = ("bash", "sh", "shell", "console")


@dataclass(frozen=True)
class Block:
    """A block of code: its page, language, title (a file's name), text, and why its commands cannot be run, if so."""

    page: Path
    language: str
    title: str
    text: str
    excuse: str


def list_blocks(page):
    """The blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        mark = MARK.search(text[: match.start()])
        title = TITLE.search(match["more"])
        found.append(
            Block(page, match["language"], title[1] if title else "", match["body"], mark["why"] if mark else "")
        )
    return found


def list_commands(block):
    """The command lines of a block, each as words; of output, those that begin with a prompt or a command of ours."""
    if block.language not in (*SHELL, "", "text"):
        return []
    lines = [line.strip() for line in block.text.replace("\\\n", " ").splitlines()]
    if block.language not in SHELL:
        lines = [line for line in lines if COMMAND.match(line)]
    found = [split(line.removeprefix("$ ")) for line in lines if not line.startswith("#")]
    return [words for words in found if words]


def split(line):
    """A command as words; what a reader must fill in (``…``, ``<run>``) is ``x``, a bare ``…`` is left out."""
    filled = re.sub(r"<[^<>]*>", "x", line)
    words = [word for word in shlex.split(filled, comments=True) if word != "…"]
    return [word.replace("…", "x") for word in words]
