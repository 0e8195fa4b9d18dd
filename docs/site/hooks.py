"""What ``mkdocs build`` does besides: generated pages, pages that nobody put into the menu, links into the repository.

A link that leads nowhere is a warning here, and ``strict`` makes warnings errors.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import reference
from mkdocs.structure.files import File, Files

log = logging.getLogger("mkdocs.hooks.ser")

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
#: Folders of the repository whose README.md becomes a page.
SHOWN = {"experiments": "studies", "benchmarks": "benchmarks"}
GENERATED = "reference/"
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
PICTURE = re.compile(r"!\[[^\]]*\]\((assets/[\w-]+\.svg)\)")


def on_config(config: Any) -> Any:
    """Put pages into the menu that it does not name."""
    named = set(list_named(config.nav))
    found = {path.name: read_title(path.read_text(encoding="utf-8")) for path in sorted(DOCS.glob("*.md"))}
    topics = find_section(config.nav, "Topics")
    missing = [name for name in found if name not in named]
    if missing:
        topics.append({"More": missing})
    studies = [make_path(path) for path in list_readmes()]
    topics.append({"Studies and benchmarks": studies})
    pages = list(reference.write_pages())
    find_section(config.nav, "Reference").extend([*pages[:2], {"Groups": pages[2:]}])
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are generated."""
    for path, text in reference.write_pages().items():
        files.append(File.generated(config, path, content=text))
    for path in list_readmes():
        files.append(File.generated(config, make_path(path), content=path.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Draw pictures into the page, so that they follow its colours, and mend links out of the folder."""
    source = ROOT / "docs" / page.file.src_uri
    for shown in list_readmes():
        if page.file.src_uri == make_path(shown):
            source = shown
    text = PICTURE.sub(lambda found: draw(DOCS / found[1]), markdown)
    return LINK.sub(lambda found: mend(found, source, page.file.src_uri), text)


def draw(picture: Path) -> str:
    """A picture as a block of HTML; without blank lines, which would end the block."""
    lines = picture.read_text(encoding="utf-8").splitlines()
    return "\n".join(["<div>", *(line for line in lines if line.strip()), "</div>"])


def mend(found: re.Match[str], source: Path, page: str) -> str:
    """A link as the site has it; what leads into the repository, and is no page, is left as text.

    Args:
        found: the link.
        source: file that it stands in.
        page: its path in the site.
    """
    target = found["target"]
    if "://" in target or target.startswith(("mailto:", GENERATED)) or page.startswith(GENERATED):
        return found[0]  # the build itself looks whether generated pages are there
    path = (source.parent / target).resolve()
    if not path.exists():
        log.warning("%s links to %s, which is not there", source, target)
        return found[0]
    up = "../" * page.count("/")
    if path.is_relative_to(DOCS):
        return f"[{found['text']}]({up}{path.relative_to(DOCS)}{found['anchor'] or ''})"
    if path in list_readmes():
        return f"[{found['text']}]({up}{make_path(path)}{found['anchor'] or ''})"
    if not path.is_relative_to(ROOT):
        log.warning("%s links to %s, outside the repository", source, target)
    return found["text"] if "`" in found["text"] else f"{found['text']} (`{path.relative_to(ROOT)}`)"


def list_readmes() -> list[Path]:
    """README files of the repository that become pages."""
    found = (
        path for folder in SHOWN for pattern in ("README.md", "*/README.md") for path in (ROOT / folder).glob(pattern)
    )
    return sorted(found)


def make_path(readme: Path) -> str:
    """The path of such a page: ``studies/dixit2024.md``."""
    folder, *rest = readme.relative_to(ROOT).parts[:-1]
    return f"{SHOWN[folder]}/{'-'.join(rest) or 'index'}.md"


def list_named(items: Any) -> list[str]:
    """The pages of a menu."""
    if isinstance(items, str):
        return [items]
    values = items.values() if isinstance(items, dict) else items
    return [name for value in values for name in list_named(value)]


def find_section(nav: list[Any], title: str) -> list[Any]:
    """A part of the menu by its title."""
    return next(item[title] for item in nav if title in item)


def read_title(text: str) -> str:
    """The first heading."""
    return next((line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")), "")
