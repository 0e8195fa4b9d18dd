"""YAML with its comments: what each key of a configuration is, as the files themselves say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from ser.choices import find_choice

HERE, SELF = "@_here_", "_self_"


@dataclass(frozen=True)
class Setting:
    """One key.

    Attributes:
        value: as written; empty for a mapping, whose keys are in ``inside``, and where nothing is written.
        comment: what stands behind it.
        above: the lines of comment before it.
        inside: the keys of a mapping.
    """

    value: str = ""
    comment: str = ""
    above: tuple[str, ...] = ()
    inside: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The comments as one: those before it, then the one behind it."""
        return " ".join(part for part in (*self.above, self.comment) if part)


@dataclass(frozen=True)
class Default:
    """An item of a defaults list.

    Attributes:
        name: what it chooses: ``trim``, ``override /pooling@_global_.pooling``; of a choice of the same group its name.
        choice: what is chosen for a group; ``None`` where the name says it all.
        comment: what stands behind it.
        above: the lines of comment before it.
    """

    name: str
    choice: str | None = None
    comment: str = ""
    above: tuple[str, ...] = ()

    @property
    def extends(self) -> str:
        """The choice of the same group whose keys it brings, or nothing."""
        name = self.name.removesuffix(HERE)
        return name if self.choice is None and "@" not in name and name not in ("", SELF) else ""


@dataclass(frozen=True)
class Document:
    """A YAML of ``conf/``.

    Attributes:
        header: the lines of comment at its top; the first that is not for Hydra (``@package``) says what it is.
        defaults: its defaults list.
        settings: its keys.
    """

    header: tuple[str, ...]
    defaults: tuple[Default, ...]
    settings: Mapping[str, Setting]

    @property
    def title(self) -> str:
        """What it is."""
        return next((line for line in self.header if not line.startswith("@")), "")

    def render(self) -> str:
        """The YAML."""
        lines = [f"# {line}".rstrip() for line in self.header]
        if self.defaults:
            lines += ["defaults:", *(line for item in self.defaults for line in render_default(item)), ""]
        elif self.header and next(iter(self.settings.values()), Setting()).above:
            lines.append("")  # or the comment of the first key would be one of the header
        lines += render_settings(self.settings) or ([] if self.defaults else ["{}"])
        return "\n".join(lines).rstrip("\n") + "\n"


# ---- reading


def read_document(path: Path) -> Document:
    """Read a YAML with its comments."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> Document:
    """A YAML document, a mapping, with its comments."""
    lines = text.splitlines()
    count = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    defaults: tuple[Default, ...] = ()
    settings: dict[str, Setting] = {}
    if isinstance(root, yaml.MappingNode):
        pairs = [(key, value) for key, value in root.value if key.value != "defaults"]
        lists = [value for key, value in root.value if key.value == "defaults"]
        defaults = tuple(read_default(item, text, lines, count) for value in lists for item in value.value)
        settings = read_settings(pairs, text, lines, count)
    return Document(tuple(strip(line) for line in lines[:count]), defaults, settings)


def read_settings(
    pairs: Sequence[tuple[yaml.Node, yaml.Node]], text: str, lines: Sequence[str], header: int
) -> dict[str, Setting]:
    """The keys of a mapping by name."""
    found = {}
    for key, value in pairs:
        block = isinstance(value, yaml.MappingNode) and not value.flow_style
        written = "" if block else text[value.start_mark.index : find_end(value)].strip()
        end = text.index(":", key.end_mark.index) + 1 if block or not written else find_end(value)
        found[str(key.value)] = Setting(
            written,
            read_behind(text, end),
            read_above(lines, key.start_mark.line, header),
            read_settings(value.value, text, lines, header) if block else {},
        )
    return found


def read_default(node: yaml.Node, text: str, lines: Sequence[str], header: int) -> Default:
    """An item of a defaults list."""
    above, behind = read_above(lines, node.start_mark.line, header), read_behind(text, find_end(node))
    if isinstance(node, yaml.MappingNode):
        ((key, value),) = node.value
        return Default(str(key.value), str(value.value) or "null", behind, above)
    return Default(str(node.value), None, behind, above)


def find_end(node: yaml.Node) -> int:
    """Where what is written of a node ends; marks of block collections lie behind the comments that follow."""
    if isinstance(node, yaml.ScalarNode) or getattr(node, "flow_style", False) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return find_end(last[1] if isinstance(last, tuple) else last)


def read_behind(text: str, end: int) -> str:
    """The comment behind what ends somewhere, on the same line."""
    rest = text[end:].partition("\n")[0].strip()
    return strip(rest) if rest.startswith("#") else ""


def read_above(lines: Sequence[str], line: int, header: int) -> tuple[str, ...]:
    """The lines of comment right before a line, without the header."""
    first = line
    while first > header and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return tuple(strip(each) for each in lines[first:line])


def strip(comment: str) -> str:
    """A comment without its sign."""
    return comment.strip().removeprefix("#").strip()


# ---- choices that extend others


def read_choice(group: str, name: str) -> Document:
    """A choice with the keys of those that it extends, each with its comment.

    What its defaults list chooses of other groups stays in the list.

    Raises:
        InputError: no such choice.
    """
    own = read_document(find_choice(group, name))
    settings: dict[str, Setting] = {}
    chosen: list[Default] = []
    placed = False
    for item in own.defaults:
        if item.extends:
            base = read_choice(group, item.extends)
            settings, chosen = merge(settings, base.settings), [*chosen, *(d for d in base.defaults if d.name != SELF)]
        elif item.name == SELF:
            settings, placed = merge(settings, own.settings), True
        else:
            chosen = choose(chosen, item)
    if not placed:
        settings = merge(settings, own.settings)
    return Document(own.header, tuple([*chosen, Default(SELF)] if chosen else ()), settings)


def choose(chosen: Sequence[Default], item: Default) -> list[Default]:
    """A defaults list with one more item, which may override one that is there."""
    name = item.name.removeprefix("override ")
    for place, known in enumerate(chosen):
        if known.name.removeprefix("override ") == name:
            same = replace(known, choice=item.choice, comment=item.comment or known.comment)
            return [*chosen[:place], same, *chosen[place + 1 :]]
    return [*chosen, item]


def merge(base: Mapping[str, Setting], own: Mapping[str, Setting]) -> dict[str, Setting]:
    """Keys of two mappings; the second wins, and has the first one's comments where it has none."""
    merged = dict(base)
    for name, setting in own.items():
        known = base.get(name)
        if known is not None:
            inside = merge(known.inside, setting.inside) if known.inside and setting.inside else setting.inside
            comments = (setting.comment, setting.above) if setting.text else (known.comment, known.above)
            setting = Setting(setting.value, *comments, inside)
        merged[name] = setting
    return merged


def flatten(settings: Mapping[str, Setting], prefix: str = "") -> Iterator[tuple[str, Setting]]:
    """Dotted names with their settings, mappings before what is in them."""
    for name, setting in settings.items():
        yield prefix + name, setting
        yield from flatten(setting.inside, f"{prefix}{name}.")


# ---- writing


def render_settings(settings: Mapping[str, Setting], indent: str = "") -> list[str]:
    """Lines of YAML."""
    lines = []
    for name, setting in settings.items():
        lines += [f"{indent}# {line}".rstrip() for line in setting.above]
        lines += render_line(f"{indent}{name}:", setting.value, setting.comment, indent)
        lines += render_settings(setting.inside, f"{indent}  ")
    return lines


def render_default(item: Default) -> list[str]:
    """Lines of a defaults list."""
    head = f"  - {item.name}" + (":" if item.choice is not None else "")
    return [*(f"  # {line}" for line in item.above), *render_line(head, item.choice or "", item.comment, "  ")]


def render_line(head: str, value: str, comment: str, indent: str) -> list[str]:
    """A key with its value and its comment; a list that stands below its key stays there."""
    behind = f"  # {comment}" if comment else ""
    if value.startswith("- "):
        return [head + behind, *(f"{indent}  {line.strip()}" for line in value.splitlines())]
    return [f"{head} {value}".rstrip() + behind]
