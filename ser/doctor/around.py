"""What lies around the installation: room on the disk, corpora, checkpoints, a configuration of one's own."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ser.annotated import read_choice
from ser.choices import find_group, find_nearest, list_choices
from ser.doctor.finding import ERROR, OK, WARNING, Finding
from ser.paths import find_own, find_shipped

#: Bytes: a sweep of networks fills some gigabytes with checkpoints and features.
LITTLE, TOO_LITTLE = 10e9, 1e9
#: s that counting files may take.
PATIENCE = 1.5
ENVIRONMENT = re.compile(r"\$\{oc\.env:(\w+),([^}]*)\}")


def check_disk(outputs: Path) -> Finding:
    """Whether one can write where runs go, and how much room there is.

    Args:
        outputs: the folder; it need not be there yet.
    """
    return check_room(outputs, "runs and features", "SER_OUTPUTS", f"remove what is not needed in {outputs}/cache")


def check_room(folder: Path, what: str, setting: str, less: str) -> Finding:
    """Whether one can write into a folder, and how much room there is.

    Args:
        folder: need not be there yet.
        what: goes there.
        setting: that names another folder.
        less: what would make room.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        return Finding(ERROR, f"{there} is a file: {what} cannot be written there", f"set {setting} to a folder")
    if not os.access(there, os.W_OK):
        return Finding(ERROR, f"{there}: {what} cannot be written there", f"set {setting} to a folder of yours")
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:,.{0 if free > LITTLE else 1}f} GB free for {what} in {folder}"
    if free > LITTLE:
        return Finding(OK, text)
    return Finding(WARNING if free > TOO_LITTLE else ERROR, text, f"set {setting} to a larger disk, or {less}")


def check_corpora() -> Iterator[Finding]:
    """The corpora that are where ``dataset=<name>`` looks for them; their audio is counted, not read."""
    from ser.dataset.files import AUDIO

    places = dict(list_places("dataset", "root", "SER_DATA"))
    end = time.monotonic() + PATIENCE
    there = {name: Path(place) for name, place in places.items() if Path(place).is_dir()}
    for name, folder in there.items():
        count, whole = count_files(folder, AUDIO, end)
        text = f"dataset={name}: {count:,}{'' if whole else ' or more'} audio files in {folder}"
        yield (
            Finding(OK, text) if count else Finding(WARNING, text, f"ser data check dataset={name} says what is wrong")
        )
    if not there:
        given = os.environ.get("SER_DATA")
        text = f"no corpus in SER_DATA={given}" if given else "SER_DATA is not set: corpora are named by dataset.root"
        if given and not Path(given).is_dir():
            text = f"SER_DATA={given}: no such folder"
        names = ", ".join(sorted({Path(place).name for place in places.values()}))
        remedy = f"set it to the folder that holds folders named {names}; `ser data list` says how to get them"
        yield Finding(WARNING, text, remedy)


def check_weights() -> Finding:
    """The checkpoints that backbones find without a network."""
    places = dict(list_places("backbone", "source", "SER_WEIGHTS"))
    there = [name for name, place in places.items() if is_here(place)]
    missing = [name for name in places if name not in there]
    given = os.environ.get("SER_WEIGHTS")
    remedy = "set SER_WEIGHTS, or let them be fetched from the hub when first used (docs/backbones.md)"
    if given and not Path(given).is_dir():
        return Finding(WARNING, f"SER_WEIGHTS={given}: no such folder", remedy)
    if not there:
        folder = f"SER_WEIGHTS={given}" if given else "./weights (SER_WEIGHTS is not set)"
        return Finding(WARNING, f"no checkpoint in {folder} or in the local cache of the hub", remedy)
    return Finding(OK, f"checkpoints here: {', '.join(there)}; those of {len(missing)} other backbones are not")


def list_places(group: str, key: str, variable: str) -> Iterator[tuple[str, str]]:
    """Choices of a group with where they look: a folder below an environment variable's, or an id on the hub."""
    for name in list_choices(find_group(group)):
        setting = read_choice(group, name).settings.get(key)
        value = setting.value if setting else "null"
        if variable in value or not (value in ("null", "") or "${" in value):
            yield name, ENVIRONMENT.sub(lambda found: os.environ.get(found[1], found[2]), value)


def is_here(place: str) -> bool:
    """Whether a checkpoint is a file or folder, or lies in the hub's local cache."""
    if Path(place).exists():
        return True
    if place.startswith((".", "/")):
        return False
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(place, "config.json"), str)


def count_files(folder: Path, endings: set[str], end: float) -> tuple[int, bool]:
    """How many files with such endings lie in a folder, and whether there was the time to see all."""
    count = 0
    for _, _, names in os.walk(folder):
        count += sum(os.path.splitext(name)[1].lower() in endings for name in names)  # noqa: PTH122 - many of them
        if time.monotonic() > end:
            return count, False
    return count, True


def check_own() -> Iterator[Finding]:
    """The folder ``conf`` where the command is given."""
    own, known = find_own(), {path.name for path in find_shipped("conf").iterdir() if path.is_dir()}
    if own is None:
        return
    files = sorted(path.relative_to(own) for path in own.rglob("*.yaml"))
    for name in sorted({path.parts[0] for path in files if len(path.parts) > 1} - known):
        near = " or ".join(find_nearest(name, known))
        yield Finding(WARNING, f"{own / name}: ser has no config group {name}", f"rename it to {near}" if near else "")
    wins = [str(path.with_suffix("")) for path in files if (find_shipped("conf") / path).is_file()]
    adds = [str(path.with_suffix("")) for path in files if not (find_shipped("conf") / path).is_file()]
    yield Finding(OK, f"{own} joins in: adds {', '.join(adds) or 'nothing'}; wins over {', '.join(wins) or 'nothing'}")
