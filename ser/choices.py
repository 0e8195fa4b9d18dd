"""What there is to choose: the groups of ``conf/``, what each is for, and their choices with one line each.

Nothing but the standard library: help and completion answer before anything heavy is imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path

from ser.errors import InputError
from ser.paths import list_conf

#: File of a group's folder with one line that says what the group is for.
PURPOSE = "README"


@dataclass(frozen=True)
class Group:
    """A config group.

    Attributes:
        name: ``backbone``; of a group inside a group ``audio/trim``.
        folders: those that hold its choices; what the first of them has wins.
    """

    name: str
    folders: tuple[Path, ...]

    @property
    def purpose(self) -> str:
        """What it is for, in one line."""
        files = (folder / PURPOSE for folder in self.folders)
        return next((path.read_text(encoding="utf-8").strip() for path in files if path.is_file()), "")


def list_groups(nested: bool = False) -> dict[str, Group]:
    """Groups by name, without Hydra's own.

    Args:
        nested: with groups inside groups, and those of Hydra's that are described.
    """
    names = {path.name for conf in list_conf() for path in conf.iterdir() if is_group(path) and path.name != "hydra"}
    if nested:
        files = (file for conf in list_conf() for file in conf.glob(f"*/*/{PURPOSE}"))
        names |= {"/".join(file.parts[-3:-1]) for file in files}
    return {name: find_group(name) for name in sorted(names)}


def is_group(path: Path) -> bool:
    """Whether a folder of a configuration has choices, at once or further down."""
    return path.is_dir() and next(path.rglob("*.yaml"), None) is not None


def find_group(name: str) -> Group:
    """A group by name, with the folders that there are."""
    return Group(name, tuple(folder for conf in list_conf() if (folder := conf / name).is_dir()))


def list_choices(group: Group) -> dict[str, str]:
    """Choices of a group with their descriptions; names that begin with an underscore are fragments, not choices."""
    files = {path.stem: path for folder in reversed(group.folders) for path in folder.glob("*.yaml")}
    return {name: describe(files[name]) for name in sorted(files) if not name.startswith("_")}


def describe(path: Path) -> str:
    """The first line of a YAML, which says what it is; one for Hydra (``# @package``) may stand before it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next((line for line in lines if not line.startswith("# @")), "")
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def find_choice(group: str, name: str) -> Path:
    """The file of a choice.

    Raises:
        InputError: no such group or choice, with the nearest there is.
    """
    found = find_group(group)
    if not found.folders:
        raise refuse(f"no config group {group!r}", group, list_groups(nested=True), "`ser list` says what each is for")
    for folder in found.folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    raise refuse(f"{group}={name}: no such choice", name, list_choices(found), f"`ser list {group}` says what each is")


def refuse(problem: str, wrong: str, known: Iterable[str], remedy: str) -> InputError:
    """The error for a name that is not known: what was probably meant, then all there are.

    Args:
        problem: what is wrong.
        wrong: the name.
        known: those that there are.
        remedy: where to read on.
    """
    names = list(known)
    near = " or ".join(find_nearest(wrong, names))
    return InputError(
        problem + (f"; did you mean {near}?" if near else ""), expected=", ".join(names) or "none", remedy=remedy
    )


def find_nearest(wrong: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """The names most like a misspelt one: one, or several that are equally like it; none if nothing is."""
    near = get_close_matches(wrong, list(dict.fromkeys(known)), n=3, cutoff=cutoff)
    likeness = [SequenceMatcher(None, name, wrong).ratio() for name in near]
    return [name for name, value in zip(near, likeness, strict=True) if value == likeness[0]]
