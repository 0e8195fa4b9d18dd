"""``ser show <group>=<choice>``: the YAML of a choice with its comments and all its keys; ``--save`` makes it yours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ser.annotated import read_choice
from ser.choices import find_choice
from ser.errors import InputError

USAGE = """usage: ser show <group>=<choice> [--save[=<name>]]

Prints the YAML of a choice with its comments and all keys, also those of the choices that it extends.

--save         writes it to conf/<group>/<choice>.yaml where you are; from then on this file wins over ser's own
--save=<name>  writes it there under another name: a choice of your own, beside those of ser"""


def main(arguments: Sequence[str]) -> int:
    """Print a choice, or save it; returns the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE + "\n")
        return 0
    group, choice, save = read_arguments(arguments)
    text = read_choice(group, choice).render()
    if save is None:
        sys.stdout.write(text)
        return 0
    path = Path("conf") / group / f"{save or choice}.yaml"
    if path.exists():
        raise InputError(
            f"{path}: it is there already", remedy=f"edit it, remove it, or ser show {group}={choice} --save=<name>"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{path}: edit it; {group}={path.stem} in this folder now means it\n")
    return 0


def read_arguments(arguments: Sequence[str]) -> tuple[str, str, str | None]:
    """Group, choice, and under which name it is to be saved: empty for its own, ``None`` for not at all.

    Raises:
        InputError: anything else, or no such group or choice.
    """
    flags = [item for item in arguments if item.startswith("-")]
    named = [item for item in arguments if not item.startswith("-")]
    for flag in flags:
        if flag != "--save" and not flag.startswith("--save="):
            raise InputError(f"{flag!r} is not an option", expected="--save or --save=<name>")
    if len(named) != 1:
        raise InputError(
            f"{' '.join(named) or 'nothing'}: what is to be shown?", expected="one <group>=<choice>", remedy="ser list"
        )
    group, equals, choice = named[0].partition("=")
    if not equals:
        raise InputError(f"which {group}?", expected=f"{group}=<choice>", remedy=f"ser list {group}")
    find_choice(group, choice)
    return group, choice, flags[-1].partition("=")[2] if flags else None
