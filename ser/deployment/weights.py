"""The weights that a backbone reads from files, brought along in an export.

A backbone that reads files says so by a method ``bring(folder)``: it writes what it needs into the folder, and returns
which of its settings then name what: ``{"source": folder}``. Whatever is computed from settings alone has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ser.backbone.fusion import Fusion


def bring_weights(backbone: Any, folder: Path) -> dict[str, Path]:
    """Write the weights of a backbone, or of both of a pair, into a folder.

    Args:
        backbone: with the weights that training started from.
        folder: their own; made if there is something to bring.

    Returns:
        Setting, as the configuration has it below ``backbone``, → file or folder.
    """
    if isinstance(backbone, Fusion):
        return {
            f"{name}.{key}": path
            for name, branch in zip(("audio", "text"), backbone.branches, strict=True)
            for key, path in bring_weights(branch, folder / name).items()
        }
    return backbone.bring(folder) if hasattr(backbone, "bring") else {}
