"""The reference: every command, group, choice and key, as the code and the comments of ``conf/`` say."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping

from ser.annotated import Document, Setting, flatten, read_choice, read_document
from ser.choices import find_choice, list_choices, list_groups
from ser.cli import COMMANDS, main
from ser.paths import find_shipped
from ser.usage import find_stage, list_stage_groups

STAGES = sorted(path.stem for path in find_shipped("conf").glob("*.yaml"))


def write_pages() -> dict[str, str]:
    """Markdown by the path of its page."""
    groups = list_groups()
    pages = {"reference/commands.md": write_commands(), "reference/keys.md": write_keys()}
    return pages | {f"reference/{name}.md": write_group(name) for name in groups}


def write_commands() -> str:
    """What each command says of itself."""
    parts = ["# Commands\n\n", "What `ser <command> --help` prints.\n"]
    for name, (_, text) in COMMANDS.items():
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            main([name, "--help"])
        parts.append(f"\n## ser {name}\n\n{text[0].upper()}{text[1:]}.\n\n```text\n{out.getvalue().rstrip()}\n```\n")
    return "".join(parts)


def write_keys() -> str:
    """The keys of each stage that are in no group, from its primary YAML."""
    parts = ["# Keys of each stage\n\nThose of a group's choices are on the group's page.\n"]
    for name in STAGES:
        document, stage = read_document(find_shipped("conf") / f"{name}.yaml"), find_stage(name)
        parts.append(f"\n## ser {name} {{ #{name} }}\n\n{escape(document.title)}.\n\n")
        if stage is not None:
            chosen = list_stage_groups(stage)
            listed = [
                f"[`{each}`]({each}.md)" + (f" = `{choice}`" if choice else "") for each, choice in chosen.items()
            ]
            parts.append(f"Groups, with what is chosen by default: {', '.join(sorted(listed))}.\n\n")
        settings = {key: setting for key, setting in document.settings.items() if key != "hydra"}
        parts.append(tabulate(settings))
    return "".join(parts)


def write_group(name: str) -> str:
    """A group: what it is for, its choices, and the keys of each; then the groups inside it."""
    inner = [each for each in list_groups(nested=True) if each.startswith(f"{name}/")]
    parts = [f"# {name}\n\n", *describe_group(name, 2), shared_keys(name)]
    for each in inner:
        parts += [f"\n## {each}\n\n", *describe_group(each, 3)]
    return "".join(parts)


def describe_group(name: str, level: int) -> Iterator[str]:
    """The table of a group's choices, and the keys of each."""
    group = list_groups(nested=True)[name]
    choices = list_choices(group)
    yield f"{escape(group.purpose[0].upper() + group.purpose[1:])}.\n\n| `{name}=` | |\n|---|---|\n"
    yield from (f"| [`{choice}`](#{anchor(name, choice)}) | {escape(text)} |\n" for choice, text in choices.items())
    for choice, text in choices.items():
        yield f"\n{'#' * level} {choice} {{ #{anchor(name, choice)} }}\n\n"
        yield from describe_choice(name, choice, text)


def describe_choice(group: str, choice: str, text: str) -> Iterator[str]:
    """What a choice is, what it is made of, and its keys."""
    document = read_choice(group, choice)
    more = [line for line in document.header if line != document.title and not line.startswith("@")]
    yield f"{escape(' '.join([text, *more]))}\n\n"
    extends = [item.extends for item in read_document(find_choice(group, choice)).defaults if item.extends]
    known = [name for name in extends if "/" not in name and not name.startswith("_")]
    if known:
        links = ", ".join(f"[`{name}`](#{anchor(group, name)})" for name in known)
        yield f"Extends {links}.\n\n"
    yield from list_brought(group, document)
    everywhere = any(line.startswith("@package _global_") for line in document.header)
    prefix = "" if everywhere else f"{group.replace('/', '.')}."
    yield tabulate(document.settings, prefix)


def list_brought(group: str, document: Document) -> Iterator[str]:
    """Choices of other groups that a choice makes."""
    for item in document.defaults:
        name = item.name.removeprefix("override ")
        where, _, place = name.partition("@")
        inside = not where.startswith("/") and item.choice is not None
        full = f"{group}/{where}" if inside else where.removeprefix("/") if where.startswith("/") else ""
        group_of = list_groups(nested=True).get(full)
        if group_of is None or item.choice not in list_choices(group_of):
            continue
        page = full.partition("/")[0]
        at = f" for `{group}.{place}`" if place and not place.startswith("_") else ""
        yield f"With [`{full}={item.choice}`]({page}.md#{anchor(full, str(item.choice))}){at}. "
    yield "\n\n"


def shared_keys(group: str) -> str:
    """Keys that every choice of a group has besides its own, from the stages' primary YAMLs."""
    parts = []
    for stage in STAGES:
        settings = read_document(find_shipped("conf") / f"{stage}.yaml").settings
        if group in settings and settings[group].inside and find_stage(stage) is not None:
            parts.append(f"\n## In every choice, with ser {stage}\n\n{tabulate(settings[group].inside, f'{group}.')}")
    return "".join(parts)


def tabulate(settings: Mapping[str, Setting], prefix: str = "") -> str:
    """A table of keys with their values and what they are."""
    rows = []
    for name, setting in flatten(settings, prefix):
        last = name.rpartition(".")[2]
        if last in ("_partial_", "_convert_", "_recursive_"):
            continue
        text = "the class that is made of it" if last == "_target_" else escape(setting.text)
        if setting.inside and not text:
            continue
        value = f"`{' '.join(setting.value.split()).replace('|', chr(92) + '|')}`" if setting.value else ""
        rows.append(f"| `{name}` | {value} | {text} |\n")
    return "| key | default | |\n|---|---|---|\n" + "".join(rows) + "\n" if rows else "No keys.\n\n"


def anchor(group: str, choice: str) -> str:
    """The anchor of a choice on its group's page."""
    return re.sub(r"[^a-z0-9]+", "-", f"{group}-{choice}".lower())


def escape(text: str) -> str:
    """A comment as Markdown: what would be taken for a link, a tag, an emphasis or a column stays what it is."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([<>*_|\[\]{}~$])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
