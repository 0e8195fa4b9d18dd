"""The stage ``ser study``: a study is a list of ``ser`` commands in order; what is done is not done again.

``experiments/<name>/study.yaml`` has ``scales`` (named sets of values: a smoke test, the whole study) and ``steps``
(``name`` and ``run``, a ``ser`` command). In a command ``${value}`` is a value of the scale, ``${folder}`` the study's
folder of results, ``${here}`` the step's own, ``${study}`` the folder where its file lies, ``${step.folder}`` and
``${step.run_id}`` what an earlier step left, ``${step.jobs}`` the folders of all runs of a step that is a sweep, with
commas. A word ``${*value}`` becomes all words of a value, so that a scale can have several overrides in one. ``$${`` is
left to Hydra as ``${``. Every command is a process of its own. Where ``published.yaml`` lies beside the file, a page
follows (:mod:`ser.published`).
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from ser import __version__
from ser.errors import InputError
from ser.paths import find_shipped
from ser.results import read_json, write_json

STUDY, SUMMARY = "study.yaml", "study.json"
PLACE = re.compile(r"\$?\$\{([^}]*)\}")
NAME = re.compile(r"[A-Za-z0-9_-]+")
#: What of an earlier step a command may take.
RESULTS = ("folder", "run_id", "jobs")
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


# ---- reading


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
    near = get_close_matches(name, names, n=1)
    raise InputError(
        f"study {name}: no such study",
        expected=", ".join(names) + f"; or the path of a {STUDY}",
        remedy=f"did you mean {near[0]!r}?" if near else "ser study list",
    )


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
    if not all(isinstance(values, dict) for values in scales.values()):
        raise InputError(f"{path}: scales", expected="a name, and under it names with values")
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
    step = Step(name, tuple(map(str, run)) if isinstance(run, list) else tuple(shlex.split(str(run))))
    if not step.command or step.command[0] == "ser":
        raise InputError(f"{path}: step {name}: run: {run!r}", expected="a command of ser without ser: train dataset=…")
    for scale, values in scales.items():
        known = {*values, "study", "folder", "here", *(f"{other}.{what}" for other in earlier for what in RESULTS)}
        for place in (place for part in step.command for place in list_places(part)):
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


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its placeholders filled."""
    return PLACE.sub(lambda found: found[0][1:] if found[0].startswith("$$") else values[found[1]], text)


def fill_command(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """A command with its placeholders filled; ``${*value}`` becomes as many words as the value has."""
    words: list[str] = []
    for item in command:
        found = PLACE.fullmatch(item)
        if found and found[1].startswith("*"):
            words += [fill(word, values) for word in shlex.split(values[found[1][1:]])]
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
        raise InputError(f"scale={name}: study {study.name} has no such scale", expected=", ".join(study.scales))
    values = {str(key): write_value(value) for key, value in study.scales[name].items()}
    for key in changes:
        if key not in values:
            near = get_close_matches(key, values, n=1)
            raise InputError(
                f"{key}: study {study.name} has no such value",
                expected=", ".join(["name", "scale", "out", *values]),
                remedy=f"did you mean {near[0]!r}?" if near else "",
            )
    return name, {**values, **changes}


# ---- running


def run_study(study: Study, values: Mapping[str, str], folder: Path) -> list[Record]:
    """Run the steps in order; a step that takes the results of one that failed is left out, the others go on.

    A step is done if its record says that the very command ended well, its folder is still there, and nothing that it
    takes was made anew.

    Args:
        study: what to run.
        values: of its scale.
        folder: for the records of the steps, and for what they write into ``${here}``.

    Raises:
        InputError: another process runs this study.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "study.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise InputError(f"{folder}: another process runs this study", remedy="wait for it, or pass out=…") from error
    with lock:
        records: dict[str, Record] = {}
        for place, step in enumerate(study.steps, start=1):
            sys.stdout.write(f"[{place}/{len(study.steps)}] {step.name}: ")
            records[step.name] = run_step(step, {**values, "study": str(study.home)}, folder, records)
            write_json(folder / SUMMARY, {"study": study.name, "values": dict(values), "steps": list_records(records)})
        return list(records.values())


def run_step(step: Step, values: Mapping[str, str], folder: Path, before: Mapping[str, Record]) -> Record:
    """Run one step, unless it is done or cannot be."""
    missing = sorted(name for name in step.needs() if before[name].state in (FAILED, LEFT))
    if missing:
        sys.stdout.write(f"{LEFT}\n")
        return Record(step.name, LEFT, reason=f"it takes the results of {', '.join(missing)}")
    known = {**values, "folder": str(folder), "here": str(folder / step.name)}
    for name, record in before.items():
        results = (record.folder, record.run_id, list_jobs(record.folder))
        known |= {f"{name}.{what}": value for what, value in zip(RESULTS, results, strict=True)}
    command = fill_command(step.command, known)
    key = hash_command(command)
    path = folder / f"{step.name}.json"
    found = read_json(path)
    fresh = any(before[name].state == RAN for name in step.needs())
    if found.get("key") == key and found.get("code") == 0 and not fresh and is_there(found["folder"]):
        sys.stdout.write(f"{DONE}\n")
        return Record(**{**found, "state": DONE})
    sys.stdout.write(f"ser {shlex.join(command)}\n")
    sys.stdout.flush()
    path.unlink(missing_ok=True)
    began = time.perf_counter()
    code, last = execute(command)
    left = last if last and Path(last).is_dir() else ""
    record = Record(
        step.name,
        RAN if code == 0 else FAILED,
        command,
        key,
        code,
        round(time.perf_counter() - began, 3),
        left,
        str(read_json(Path(left) / "run.json").get("run_id", "")) if left else "",
        "" if code == 0 else f"exit code {code}",
    )
    write_json(path, asdict(record))
    return record


def execute(command: Sequence[str]) -> tuple[int, str]:
    """Run a command in a process of its own; its exit code and the last line of its standard output."""
    last = ""
    process = subprocess.Popen(
        [sys.executable, "-m", "ser", *command], stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line.strip() or last
        return process.wait(), last
    except BaseException:
        process.terminate()
        process.wait()
        raise


def hash_command(command: Sequence[str]) -> str:
    """The identity of a command under this version of ``ser``."""
    release = ".".join(__version__.split(".")[:2])
    return blake2b("\0".join([release, *command]).encode(), digest_size=8).hexdigest()


def is_there(folder: str) -> bool:
    """Whether what a step left is still there, if it left a folder."""
    return not folder or Path(folder).is_dir()


def list_jobs(folder: str) -> str:
    """Folders of the runs of a sweep that finished, with commas; of a single run, its own."""
    from ser.sweep import DONE as ENDED
    from ser.sweep import SWEEP

    jobs = read_json(Path(folder) / SWEEP).get("jobs") if folder else None
    if jobs is None:
        return folder
    return ",".join(str(Path(folder) / job["run_dir"]) for job in jobs if job["state"] in ENDED)


def list_records(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Records as plain mappings."""
    return [asdict(record) for record in records.values()]


def describe_records(records: Sequence[Record]) -> str:
    """A line for each step: what became of it, how long it took, where its results are."""
    width = max(len(record.step) for record in records)
    lines = []
    for record in records:
        took = f"{record.seconds:7.1f} s" if record.code is not None else " " * 9
        lines.append(f"{record.step:<{width}}  {record.state:<11}  {took}  {record.reason or record.folder}".rstrip())
    return "\n".join(lines)
