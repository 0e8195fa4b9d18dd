"""Checks of the installation, each with its remedy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ser.errors import InputError


@dataclass(frozen=True)
class Finding:
    """One line of ``ser doctor``: ``ok``, ``warning`` or ``error``, and what was found."""

    status: str
    text: str


def check_torchaudio() -> Finding:
    """Whether torchaudio can be imported (in a process of its own: a failed import leaves half a module behind)."""
    if find_spec("torchaudio") is None:
        return Finding("error", "torchaudio is not installed: pip install torchaudio")
    found = subprocess.run([sys.executable, "-c", "import torchaudio"], capture_output=True, text=True, check=False)
    if found.returncode == 0:
        aside = " (compiled extension set aside)" if find_aside().is_dir() else ""
        return Finding("ok", f"torchaudio {version('torchaudio')}{aside}")
    reason = found.stderr.strip().splitlines()[-1] if found.stderr.strip() else "no message"
    return Finding("error", f"torchaudio cannot be imported ({reason}); ser doctor --fix sets its extension aside")


def set_extension_aside() -> list[Path]:
    """Move torchaudio's compiled extension out of the way; returns what was moved, empty if nothing was there.

    A torch build without CUDA cannot load the extension of torchaudio's CUDA wheel; without the files torchaudio works
    in pure PyTorch.
    """
    aside = find_aside()
    aside.mkdir(exist_ok=True)
    return [path.rename(aside / path.name) for path in sorted(aside.parent.glob("*.so"))]


def find_aside() -> Path:
    """The folder for what was set aside, inside torchaudio's own."""
    spec = find_spec("torchaudio")
    if spec is None or spec.origin is None:
        raise InputError("torchaudio is not installed", remedy="pip install torchaudio")
    return Path(spec.origin).parent / "lib" / "set-aside"


def check_opensmile() -> Finding:
    """openSMILE is there, and what its licence allows."""
    try:
        found = version("opensmile")
    except PackageNotFoundError:
        return Finding("error", "opensmile is not installed: pip install opensmile")
    return Finding(
        "ok", f"opensmile {found} (licence: research and education; commercial use needs audEERING's licence)"
    )
