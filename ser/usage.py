"""``ser <stage> --help``: the groups that a stage chooses from, its keys and its flags, as the YAML files say.

Nothing heavy is imported, so that help comes at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from textwrap import wrap

from ser.annotated import SELF, Default, Document, flatten, read_document
from ser.choices import find_group, list_groups
from ser.paths import list_conf

#: Groups that choices bring which the stage's own defaults do not name: ``- /fusion@_global_.fusion: concat``.
BROUGHT = re.compile(r"^\s*- /(\w+)@_global_\.\1:", re.MULTILINE)
#: Of the page, and of its first column.
WIDTH, COLUMN = 120, 30
FLAGS = {
    "-m": "a sweep: every combination of values, head=linear,mlp seed=1,2,3",
    "--cfg job": "print the configuration instead of running it; --resolve fills in ${…}",
    "--info defaults-tree": "print which YAML files it is made of",
    "--config-dir <folder>": "a folder whose choices join in where ser has none of that name; conf/ where you are wins",
    "--hydra-help": "what else Hydra takes",
}


def describe_stage(name: str) -> str:
    """What ``ser <name> --help`` prints; empty for a command that is not composed of config groups."""
    document = find_stage(name)
    if document is None:
        return ""
    chosen = list_stage_groups(document)
    chosen |= {each: "" for each in list_groups(nested=True) if each.partition("/")[0] in chosen and "/" in each}
    swept = is_swept(document)
    groups = {f"{each}={chosen[each]}".rstrip("="): find_group(each).purpose for each in sorted(chosen)}
    flags = {flag: text for flag, text in FLAGS.items() if flag != "-m" or swept}
    return "\n".join(
        [
            document.title,
            "",
            f"usage: ser {name} {'[-m] ' if swept else ''}[<group>=<choice> …] [<key>=<value> …]",
            "",
            "groups, with what is chosen by default",
            *format_rows(groups),
            "",
            "keys, with their defaults",
            *format_rows(list_keys(document)),
            "",
            "flags",
            *format_rows(flags),
            "",
            "`ser list <group>` shows the choices, `ser show <group>=<choice>` the keys of one",
            "",
        ]
    )


def find_stage(name: str) -> Document | None:
    """The primary YAML of a stage, or ``None`` where a command has none or chooses from no groups."""
    path = next((path for conf in list_conf() if (path := conf / f"{name}.yaml").is_file()), None)
    document = None if path is None else read_document(path)
    return document if document is not None and document.defaults else None


def list_stage_groups(document: Document) -> dict[str, str]:
    """Groups of a stage with their default choices; empty for those that a choice brings.

    Args:
        document: the stage's primary YAML.
    """
    named = {item.name: item.choice or "" for item in document.defaults if is_group_choice(item)}
    files = [path for group in named for folder in find_group(group).folders for path in folder.glob("*.yaml")]
    brought = {group for path in files for group in BROUGHT.findall(path.read_text(encoding="utf-8"))}
    return {**named, **dict.fromkeys(brought - set(named), "")}


def is_group_choice(item: Default) -> bool:
    """Whether an item of a stage's defaults list chooses for one of its own groups."""
    return item.name != SELF and not item.name.startswith("override ") and item.choice is not None


def is_swept(document: Document) -> bool:
    """Whether a stage can be swept: Hydra is told where the jobs go."""
    hydra = document.settings.get("hydra")
    return hydra is not None and "sweep" in hydra.inside


def list_keys(document: Document) -> dict[str, str]:
    """Keys of a stage with their values, and what they are."""
    keys = {}
    for name, setting in flatten(document.settings):
        if not setting.inside and not name.startswith("hydra."):
            keys[f"{name}={setting.value}" if len(setting.value) < 20 else name] = setting.text
    return keys


def format_rows(rows: Mapping[str, str]) -> Iterator[str]:
    """Names beside what they are, which takes as many lines as it needs."""
    for name, text in rows.items():
        lines = wrap(text, WIDTH - COLUMN - 2) or [""]
        first, rest = (f"{name:<{COLUMN}}{lines[0]}", lines[1:]) if len(name) < COLUMN else (name, lines)
        yield f"  {first}".rstrip()
        yield from (f"  {'':<{COLUMN}}{line}" for line in rest if line)
