"""What to type to get the same again, and with what it was made."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from ser.report.blocks import Code, Facts, Section, Text, count_things, join_distinct
from ser.report.collect import Run, Sweep


def build_reproduction(sweep: Sweep) -> Section:
    """Commands, versions, fingerprints, and the environment."""
    command = str(sweep.info.get("command") or "")
    blocks: list[Any] = []
    if command:
        blocks += [Text("The whole sweep; runs that have finished are skipped:"), Code(command)]
    blocks.append(Facts([(term, text) for term, text in list_versions(sweep) if text]))
    if not sweep.single:
        lines = [f"# run {run.job}\n{write_command(sweep, run)}" for run in sweep.runs]
        blocks.append(Code("\n".join(lines), f"The command of each of {count_things(len(lines), 'run')}"))
    blocks += [Text("To look at the runs in MLflow, on this machine:"), Code(_write_ui(sweep))]
    return Section("reproduction", "How to reproduce", [*blocks, *_list_configs(sweep), *_list_packages(sweep)])


def write_command(sweep: Sweep, run: Run) -> str:
    """The command of one run: its overrides, after those of the sweep's command that it does not set."""
    shared = [word for word in _split_command(sweep) if _read_key(word) not in run.overrides]
    own = [f"{factor}={value}" for factor, value in run.overrides.items()]
    return shlex.join(["ser", sweep.stage, *shared, *own])


def list_versions(sweep: Sweep) -> list[tuple[str, str]]:
    """Versions and fingerprints; one that differs between runs shows all its values."""
    return [
        ("Choices in common", ", ".join(list_common(sweep))),
        ("ser", _join_environment(sweep, "ser_version", "ser")),
        ("Git revision", _join_environment(sweep, "git_revision")),
        ("Data fingerprint", _join_environment(sweep, "data_fingerprint")),
        ("Weights", join_distinct([tell_weights(run) for run in sweep.done if run.weights])),
        ("Seeds", join_distinct([run.config.get("seed") for run in sweep.done], 12)),
        ("Python", _join_environment(sweep, "python")),
        ("Platform", _join_environment(sweep, "platform")),
        ("Hardware", _join_environment(sweep, "hardware")),
        ("Tracking", str(sweep.info.get("tracking_uri") or "")),
        ("Experiment", str(sweep.info.get("experiment") or "")),
        ("Parent run", str(sweep.info.get("parent_run_id") or "")),
        ("Key of the run", sweep.done[0].key if sweep.single and sweep.done else ""),
    ]


def tell_weights(run: Run) -> str:
    """Where the weights of a pretrained backbone came from, and their hash."""
    parameters = run.weights.get("parameters")
    size = f", {int(parameters):,} parameters" if parameters else ""
    return f"{run.weights.get('source', '')} ({run.weights.get('hash', '')}{size})"


def list_common(sweep: Sweep) -> list[str]:
    """The choices that all runs share, ``group=name``."""
    choices = [run.config.get("choices") or {} for run in sweep.done]
    first: Mapping[str, Any] = choices[0] if choices else {}
    return [f"{group}={name}" for group, name in first.items() if all(other.get(group) == name for other in choices)]


def _split_command(sweep: Sweep) -> list[str]:
    try:
        words = shlex.split(str(sweep.info.get("command") or ""))
    except ValueError:
        return []
    return [word for word in words if "=" in word and not _read_key(word).startswith("hydra.") and word[0] != "-"]


def _read_key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _join_environment(sweep: Sweep, *names: str) -> str:
    found = [run.environment.get(name) for run in sweep.done for name in names]
    return join_distinct([value for value in [sweep.info.get(names[0]), *found] if isinstance(value, str) and value])


def _write_ui(sweep: Sweep) -> str:
    uri = sweep.info.get("tracking_uri")
    return shlex.join(["ser", "ui", f"tracking.uri={uri}"]) if uri else "ser ui"


def _list_configs(sweep: Sweep) -> list[Code]:
    """The whole config where there is one run; a sweep's are in the folders of its runs."""
    if len(sweep.done) != 1 or not sweep.done[0].config:
        return []
    config = yaml.safe_dump(dict(sweep.done[0].config), sort_keys=False, allow_unicode=True)
    return [Code(config, "The resolved configuration")]


def _list_packages(sweep: Sweep) -> list[Code]:
    """Packages of the first run, and for how many runs they were the same."""
    listed = [run.environment.get("packages") for run in sweep.done]
    known: list[Mapping[str, str]] = [packages for packages in listed if isinstance(packages, Mapping) and packages]
    if not known:
        return []
    text = "\n".join(f"{name}=={version}" for name, version in sorted(known[0].items()))
    distinct = len({json.dumps(dict(packages), sort_keys=True) for packages in known})
    same = "" if distinct == 1 else f" (of the first run; there are {distinct} different environments among the runs)"
    return [Code(text, f"{count_things(len(known[0]), 'package')}{same}")]
