"""``ser list``: the config groups, or the choices of one, each with the first line of its YAML."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ser.choices import find_group, list_choices, list_groups, refuse

USAGE = """usage: ser list [<group>]

Without a group: the groups there are. A folder conf/ where you are joins in.
The keys of a choice: ser show <group>=<choice>"""


def main(arguments: Sequence[str]) -> int:
    """Print the groups, or the choices of one."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE + "\n")
        return 0
    groups = list_groups(nested=True)
    if not arguments:
        print_table({name: group.purpose for name, group in groups.items()})
        return 0
    name = arguments[0].rstrip("=/")
    if name not in groups:
        raise refuse(f"no config group {name!r}", name, groups, "`ser list` says what each is for")
    print_table(list_choices(find_group(name)))
    return 0


def print_table(rows: dict[str, str]) -> None:
    """Names with what they are."""
    width = max(map(len, rows), default=0)
    sys.stdout.write("".join(f"{name:<{width}}  {text}".rstrip() + "\n" for name, text in rows.items()))
