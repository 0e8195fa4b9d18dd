"""Where things lie: configuration and studies in a checkout or an installed wheel, and the user's own configuration."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def find_shipped(name: str) -> Path:
    """The folder ``conf`` or ``experiments``: beside the package in a checkout, inside it in an installed wheel."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def find_own() -> Path | None:
    """The folder ``conf`` of the working folder, if there is one and it is not the shipped one."""
    folder = Path("conf").absolute()
    return folder if folder.is_dir() and folder.resolve() != find_shipped("conf").resolve() else None


def list_conf() -> list[Path]:
    """The folders of configuration; what the first of them has wins."""
    return [folder for folder in (find_own(), find_shipped("conf")) if folder is not None]
