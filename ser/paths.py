"""Where things lie: configuration and studies in a checkout or an installed wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def find_shipped(name: str) -> Path:
    """The folder ``conf`` or ``experiments``: beside the package in a checkout, inside it in an installed wheel."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name
