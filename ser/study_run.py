"""Running the steps of a study in order, each a process of its own; what is done is not done again."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ser import __version__
from ser.errors import InputError
from ser.results import read_json, write_json
from ser.study import DONE, FAILED, LEFT, RAN, RESULTS, SUMMARY, Record, Step, Study, fill_command

#: Options of a command that is a sweep.
MULTIRUN = {"-m", "--multirun"}


def run_study(study: Study, values: Mapping[str, str], folder: Path, launcher: Sequence[str] = ()) -> list[Record]:
    """Run the steps in order; a step that takes the results of one that failed is left out, the others go on.

    A step is done if its record says that the very command ended well, its folder is still there, and nothing that it
    takes was made anew.

    Args:
        study: what to run.
        values: of its scale.
        folder: for the records of the steps, and for what they write into ``${here}``.
        launcher: overrides that say where the jobs of sweeps run; they are no part of what makes a step done.

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
            records[step.name] = run_step(step, {**values, "study": str(study.home)}, folder, records, launcher)
            write_json(folder / SUMMARY, {"study": study.name, "values": dict(values), "steps": list_records(records)})
        return list(records.values())


def run_step(
    step: Step, values: Mapping[str, str], folder: Path, before: Mapping[str, Record], launcher: Sequence[str]
) -> Record:
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
    command += launcher if MULTIRUN & set(command) else ()
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
