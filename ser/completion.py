"""What could stand at the end of a command line that is being typed; shells ask with the tab key.

Only files are looked at, so that the answer comes at once: nothing is composed, nothing heavy imported.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

from ser.annotated import Document, Setting, flatten, read_choice, read_document
from ser.choices import find_group, list_choices, list_groups
from ser.cli import COMMANDS
from ser.errors import InputError
from ser.paths import find_shipped
from ser.usage import FLAGS, find_stage, list_stage_groups

SHELLS = {"bash": "completion.bash", "zsh": "completion.zsh", "fish": "completion.fish"}
#: What commands take besides groups and keys.
WORDS: Mapping[str, Mapping[str, str]] = {
    "data": {
        "list": "every corpus there is a parser for",
        "check": "reads every file",
        "explore": "a page about one corpus",
        "transcribe": "texts from a local Whisper",
        "fetch": "downloads where the licence allows it",
    },
    "stats": {"plan": "how large the next sweep must be"},
    "doctor": {"--fix": "mend what can be mended"},
    "completion": {shell: f"the script for {shell}" for shell in SHELLS},
    "show": {"--save": "copy the choice to conf/ where you are"},
}
#: Commands with options in a YAML of their own that take groups and keys of a stage as well.
LIKE = {"data": "train", "predict": "explain", "export": "explain"}


def read_script(shell: str) -> str:
    """The script that makes a shell ask."""
    return files("ser").joinpath("shells", SHELLS[shell]).read_text(encoding="utf-8")


def complete(line: str) -> dict[str, str]:
    """Words that could stand in place of the last one of a line, each with what it is.

    Args:
        line: a command line up to the cursor: ``ser train head=li``.
    """
    typed, current = split(line)
    return {word: text for word, text in propose(typed[1:], current).items() if word.startswith(current)}


def split(line: str) -> tuple[list[str], str]:
    """The words of a line that are done, and the one that is being typed."""
    done, _, current = line.rpartition(" ")
    try:
        return shlex.split(done), current
    except ValueError:  # a quotation that is not closed yet
        return done.split(), current


def propose(typed: Sequence[str], current: str) -> dict[str, str]:
    """Words with what they are; not all of them begin like the one that is being typed."""
    if not typed:
        return {name: text for name, (_, text) in COMMANDS.items()} | {"--help": "what there is", "--version": ""}
    command = typed[0]
    words = dict(WORDS.get(command, {}))
    if command == "list":
        return {name: group.purpose for name, group in list_groups(nested=True).items()}
    if command == "show":
        groups = list_groups(nested=True)
        name = current.partition("=")[0]
        if "=" in current and name in groups:
            return {f"{name}={choice}": text for choice, text in list_choices(groups[name]).items()}
        return {f"{name}=": group.purpose for name, group in groups.items()} | words
    if command == "study":
        words |= {path.parent.name: "" for path in find_shipped("experiments").glob("*/study.yaml")}
        return words | {"list": "which studies there are", "scale=": "one of the study's", "out=": "folder for results"}
    stage = find_stage(LIKE.get(command, command))
    if command not in LIKE and current.startswith("-") and stage:
        return {flag.partition(" <")[0]: text for flag, text in FLAGS.items()} | {"--help": "what it takes"}
    if command in LIKE:
        own = read_document(find_shipped("conf") / f"{command}.yaml")
        words |= {f"{name}=": setting.text for name, setting in flatten(own.settings) if not setting.inside}
    return words | {"--help": "what it takes"} | (dict(propose_override(stage, typed[1:], current)) if stage else {})


def propose_override(stage: Document, typed: Sequence[str], current: str) -> Iterator[tuple[str, str]]:
    """Groups and keys of a stage, or, behind an equals sign, choices and values."""
    sign = current[: len(current) - len(current.lstrip("+~"))]
    name, equals, value = current.removeprefix(sign).partition("=")
    groups = list_stage_groups(stage)
    named = {
        each: "" for each in list_groups(nested=True) if each.partition("/")[0] in {*groups, "hydra"} and "/" in each
    }
    if equals and (name in groups or name in named):
        before = value[: value.rfind(",") + 1]  # of a sweep
        for choice, text in list_choices(find_group(name)).items():
            yield f"{sign}{name}={before}{choice}", text
        return
    if equals:
        for choice in ("true", "false") if find_value(stage, groups, typed, name) in ("true", "false") else ():
            yield f"{sign}{name}={choice}", ""
        return
    above = name.rpartition(".")[0]
    if not above:
        for each in (*groups, *named):
            yield f"{sign}{each}=", find_group(each).purpose
    for key, setting in list_settings(stage, groups, typed, above).items():
        full = f"{above}.{key}" if above else key
        if full not in groups:
            yield f"{sign}{full}" + ("." if setting.inside else "="), setting.text
    for each in () if above else groups:
        yield f"{sign}{each}.", "its keys"


def find_value(stage: Document, groups: Mapping[str, str], typed: Sequence[str], name: str) -> str:
    """The default of a key, as written; empty where there is no such key."""
    above, _, key = name.rpartition(".")
    found = list_settings(stage, groups, typed, above).get(key)
    return found.value if found else ""


def list_settings(
    stage: Document, groups: Mapping[str, str], typed: Sequence[str], above: str
) -> Mapping[str, Setting]:
    """The keys at a place in the configuration of a stage.

    Args:
        stage: its primary YAML.
        groups: its groups with their default choices.
        typed: overrides before; they say which choice of a group is meant.
        above: dotted name of the place; empty for the top.
    """
    first, *rest = above.split(".") if above else [""]
    here = stage.settings.get(first, Setting()).inside if first else stage.settings
    settings = {name: setting for name, setting in here.items() if name != "hydra"}
    if first in groups:
        chosen = {name: value.partition(",")[0] for name, _, value in (item.partition("=") for item in typed)}
        settings |= read_keys(first, {**groups, **chosen})
    for name in rest:
        settings = dict(settings[name].inside) if name in settings else {}
    return {name: setting for name, setting in settings.items() if not name.startswith("_")}


def read_keys(group: str, chosen: Mapping[str, str]) -> dict[str, Setting]:
    """The keys of what is chosen for a group, with those of the groups inside it.

    Args:
        group: its name.
        chosen: group → choice.
    """
    try:
        document = read_choice(group, chosen[group])
    except InputError:  # it is misspelt, or not known by its name alone
        return {}
    inner = {item.name: f"{group}/{item.name}" for item in document.defaults if item.choice}
    inner = {name: full for name, full in inner.items() if find_group(full).folders}
    own = {f"{group}/{item.name}": item.choice for item in document.defaults if item.choice}
    nested = {name: Setting(inside=read_keys(full, {**own, **chosen})) for name, full in inner.items()}
    return {**nested, **document.settings}
