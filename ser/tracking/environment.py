"""What a result was computed with: versions, platform, revision."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from ser import __version__
from ser.paths import PACKAGE


@lru_cache(maxsize=1)
def describe_environment() -> dict[str, object]:
    """Versions of ``ser``, Python, the system and every installed package; revision of the checkout, if it is one."""
    return {
        "ser": __version__,
        "git_revision": find_revision(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": list_packages(),
    }


def list_packages() -> dict[str, str]:
    """Installed packages and their versions, from the names of their metadata folders (reading each takes a second)."""
    folders = [path.name.removesuffix(".dist-info") for entry in sys.path for path in Path(entry).glob("*.dist-info")]
    pairs = (name.rpartition("-") for name in sorted(folders, key=str.lower))
    return {name: version for name, _, version in pairs if name}


def find_revision() -> str | None:
    """Git revision of the checkout ``ser`` runs from, ``-dirty`` where files changed; ``None`` outside one."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    command = ["git", "-C", str(PACKAGE.parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
