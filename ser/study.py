"""The stage ``ser study``: a study is a list of ``ser`` commands in order; what is done is not done again.

``experiments/<name>/study.yaml`` has ``scales`` (named sets of values: a smoke test, the whole study) and ``steps``
(``name`` and ``run``, a ``ser`` command). In a command ``${value}`` is a value of the scale, ``${folder}`` the study's
folder of results, ``${here}`` the step's own, ``${study}`` the folder where its file lies, ``${step.folder}`` and
``${step.run_id}`` what an earlier step left, ``${step.jobs}`` the folders of all runs of a step that is a sweep, with
commas. A word ``${*value}`` becomes all words of a value, so that a scale can have several overrides in one. ``$${`` is
left to Hydra as ``${``. :mod:`ser.study_run` runs them. Where ``published.yaml`` lies beside the file, a page
follows (:mod:`ser.published`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from ser.errors import InputError
from ser.paths import find_shipped

STUDY, SUMMARY = "study.yaml", "study.json"
PLACE = re.compile(r"\$?\$\{([^}]*)\}")
NAME = re.compile(r"[A-Za-z0-9_-]+")
#: What of an earlier step a command may take.
RESULTS = ("folder", "run_id", "jobs")
#: Names on the command line of a study that are none of its values.
OPTIONS = ("name", "scale", "out", "launcher")
DONE, RAN, FAILED, LEFT = "done before", "finished", "failed", "left out"


@dataclass(frozen=True)
class Step:
    """One command of a study, without ``ser``, its placeholders unfilled."""

    name: str
    command: tuple[str, ...]

    def needs(self) -> set[str]:
        """The earlier steps whose results it takes."""
        return {name.partition(".")[0] for item in self.command for name in list_places(item) if "." in name}


@dataclass(frozen=True)
class Study:
    """A study as its file says.

    Attributes:
        name: of its folder.
        title: the file's first comment.
        scales: name → value name → value; the first is the default.
        steps: in order.
        home: where its file lies.
    """

    name: str
    title: str
    scales: Mapping[str, Mapping[str, object]]
    steps: tuple[Step, ...]
    home: Path


@dataclass(frozen=True)
class Record:
    """What became of a step.

    Attributes:
        step: its name.
        state: done before, finished, failed or left out.
        command: as it ran.
        key: hash of the command and the version of ``ser``.
        code: exit code.
        seconds: it took.
        folder: that the command printed last.
        run_id: of the run in this folder.
        reason: why it failed or was left out.
    """

    step: str
    state: str
    command: list[str] = field(default_factory=list)
    key: str = ""
    code: int | None = None
    seconds: float = 0.0
    folder: str = ""
    run_id: str = ""
    reason: str = ""


def list_studies() -> list[Path]:
    """The files of all studies that come with ``ser``."""
    return sorted(find_shipped("experiments").glob(f"*/{STUDY}"))


def find_study(name: str) -> Path:
    """The file of a study by its name, or by the path of its file or folder.

    Raises:
        InputError: there is none.
    """
    for path in (find_shipped("experiments") / name / STUDY, Path(name), Path(name) / STUDY):
        if path.is_file():
            return path
    names = [path.parent.name for path in list_studies()]
    raise InputError(
        f"study {name}: no such study",
        expected=", ".join(names) + f"; or the path of a {STUDY}",
        remedy=suggest(name, names) or "ser study list",
    )


def suggest(word: str, known: Iterable[str]) -> str:
    """What a misspelt word may have meant; empty where nothing is like it."""
    near = get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def read_study(path: Path) -> Study:
    """Read and check a study.

    Raises:
        InputError: names what is wrong with the file.
    """
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict) or set(content) - {"scales", "steps"} or not content.get("steps"):
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: has {found}", expected="steps, and perhaps scales")
    scales = content.get("scales") or {"all": {}}
    if not isinstance(scales, dict) or not all(isinstance(values, dict) for values in scales.values()):
        raise InputError(f"{path}: scales", expected="a name, and under it names with values")
    if taken := sorted({str(key) for values in scales.values() for key in values} & {*OPTIONS}):
        raise InputError(f"{path}: scales: value {taken[0]}", expected=f"a name other than {', '.join(OPTIONS)}")
    steps: list[Step] = []
    for item in content["steps"]:
        steps.append(read_step(item, path, {step.name for step in steps}, scales))
    title = text.partition("\n")[0].removeprefix("#").strip() if text.startswith("#") else ""
    home = path.resolve().parent
    return Study(home.name, title, scales, tuple(steps), home)


def read_step(item: Any, path: Path, earlier: set[str], scales: Mapping[str, Mapping[str, object]]) -> Step:
    """One step, whose placeholders are all known."""
    if not isinstance(item, dict) or set(item) != {"name", "run"}:
        raise InputError(f"{path}: step {item!r}", expected="name and run")
    name, run = str(item["name"]), item["run"]
    if not NAME.fullmatch(name) or name in earlier or f"{name}.json" == SUMMARY:
        raise InputError(f"{path}: step name {name!r}", expected="letters, digits, - and _, each name once, not study")
    step = Step(name, tuple(map(str, run)) if isinstance(run, list) else tuple(split_words(str(run))))
    if not step.command or step.command[0] == "ser":
        raise InputError(f"{path}: step {name}: run: {run!r}", expected="a command of ser without ser: train dataset=…")
    for part in step.command:
        if "${*" in part and not PLACE.fullmatch(part):
            raise InputError(f"{path}: step {name}: {part}", expected="${*…} as a word of its own")
    for scale, values in scales.items():
        known = {*values, "study", "folder", "here", *(f"{other}.{what}" for other in earlier for what in RESULTS)}
        for part in step.command:
            for place in list_places(part) + list_inner(part, values):
                if place not in known:
                    raise InputError(
                        f"{path}: step {name}: ${{{place}}} is unknown (scale {scale})",
                        expected=", ".join(sorted(known)),
                        remedy="write $${…} for what Hydra is to fill in",
                    )
    return step


def list_places(text: str) -> list[str]:
    """The names of the placeholders in a text."""
    return [found[1].removeprefix("*") for found in PLACE.finditer(text) if not found[0].startswith("$$")]


def list_inner(word: str, values: Mapping[str, object]) -> list[str]:
    """The placeholders in the value whose words take the place of ``${*value}``."""
    found = PLACE.fullmatch(word)
    if not found or not found[1].startswith("*"):
        return []
    return [place for inner in split_words(write_value(values.get(found[1][1:], ""))) for place in list_places(inner)]


def split_words(text: str) -> list[str]:
    """The words of a command, as a shell takes them.

    Raises:
        InputError: a quote is not closed.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError(f"{text!r}: {error}", expected="the words of a command, quotes closed") from error


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its placeholders filled."""
    return PLACE.sub(lambda found: found[0][1:] if found[0].startswith("$$") else values[found[1]], text)


def fill_command(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """A command with its placeholders filled; ``${*value}`` becomes as many words as the value has."""
    words: list[str] = []
    for item in command:
        found = PLACE.fullmatch(item)
        if found and found[1].startswith("*"):
            words += [fill(word, values) for word in split_words(values[found[1][1:]])]
        else:
            words.append(fill(item, values))
    return words


def write_value(value: object) -> str:
    """A value as a command line has it: lists with commas, as sweeps take them."""
    if isinstance(value, list):
        return ",".join(map(write_value, value))
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def choose_values(study: Study, scale: str | None, changes: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The scale and its values, with those that the command line changes.

    Raises:
        InputError: no such scale or value.
    """
    name = scale or next(iter(study.scales))
    if name not in study.scales:
        raise InputError(
            f"scale={name}: study {study.name} has no such scale",
            expected=", ".join(study.scales),
            remedy=suggest(name, study.scales),
        )
    values = {str(key): write_value(value) for key, value in study.scales[name].items()}
    for key in changes:
        if key not in values:
            raise InputError(
                f"{key}: study {study.name} has no such value",
                expected=", ".join([*OPTIONS, *values]),
                remedy=suggest(key, [*OPTIONS, *values]),
            )
    return name, {**values, **changes}
