"""What a result was computed with: versions, platform, revision."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from ser import __version__
from ser.paths import PACKAGE


def describe_environment() -> dict[str, object]:
    """Versions of ``ser``, Python, the system, every package; the machine; revision of the checkout, if it is one."""
    return {**describe_software(), "hardware": describe_hardware()}


@lru_cache(maxsize=1)
def describe_software() -> dict[str, object]:
    """What does not change while a process lives."""
    return {
        "ser": __version__,
        "git_revision": find_revision(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": list_packages(),
    }


def describe_hardware() -> str:
    """Processor, how many of it, memory; graphics cards, where torch was loaded already."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text(errors="replace").splitlines() if found.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    parts = [f"{os.cpu_count()} x {model or platform.machine()}"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory")
    torch = sys.modules.get("torch")  # loading it takes seconds, which a sweep would spend before its first job
    if torch is not None and torch.cuda.is_available():
        parts += [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())]
    return ", ".join(parts)


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
