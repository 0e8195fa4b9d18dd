"""``ser list <group>``: the choices of a config group, each with the first line of its YAML."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from ser.errors import InputError
from ser.paths import find_shipped

USAGE = "usage: ser list [<group>]\n\nWithout a group: the groups there are."


def main(arguments: Sequence[str]) -> int:
    """Print the groups, or the choices of one."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE + "\n")
        return 0
    groups = list_groups()
    if not arguments:
        sys.stdout.write("".join(f"{name:<14} {', '.join(list_choices(groups[name]))}\n" for name in groups))
        return 0
    group = arguments[0]
    if group not in groups:
        near = get_close_matches(group, groups, n=1)
        raise InputError(
            f"no config group {group!r}",
            expected=", ".join(groups),
            remedy=f"did you mean {near[0]!r}?" if near else "",
        )
    choices = list_choices(groups[group])
    width = max(map(len, choices))
    sys.stdout.write("".join(f"{name:<{width}}  {text}\n" for name, text in choices.items()))
    return 0


def list_groups() -> dict[str, Path]:
    """Config groups by name."""
    folders = (path for path in find_shipped("conf").iterdir() if path.is_dir() and path.name != "hydra")
    return {path.name: path for path in sorted(folders)}


def list_choices(folder: Path) -> dict[str, str]:
    """Choices of a group with their descriptions; names that begin with an underscore are fragments, not choices."""
    files = sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("_"))
    return {path.stem: path.read_text().partition("\n")[0].removeprefix("#").strip() for path in files}
