"""The identity of a run: the hash of everything that can change its result, and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from ser import __version__
from ser.dataset.target import list_dimensions

#: Settings that say where and how, not what: two runs that differ only in these have the same result.
WITHOUT_EFFECT = (
    "choices",
    "language",  # what it changes is in the identity of the backbone
    "paths",
    "tracking",
    "hparams_search",
    "statistics",
    "explainer",  # explanations are runs of their own
    "explain",
    "explain_eval",
    "cue_link",
    "meter",
    "resume",
    "report",
    "question",
    "metrics",
    "data.roots",
    "dataset.root",
    "dataset.path",
    "dataset.jobs",
    "dataset.texts",  # the texts themselves are part of the data
    "dataset.variant.root",
    "dataset.variant.map",
    "run.folder",  # of the run that is extended; its key counts
    "run.run_id",
    "head.class_weight",  # the default of class_weight, which counts
    "split.path",
    "backbone.source",  # a backbone names the contents of its checkpoint
    "backbone.revision",
    *(f"backbone.{branch}.{name}" for branch in ("audio", "text") for name in ("source", "revision")),
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_workers",
    "trainer.strategy",
)
#: Groups that only networks read.
TRAINING_GROUPS = ("trainer", "optimizer", "scheduler", "loss")


def select_effective(config: Mapping[str, Any], uses_trainer: bool) -> dict[str, Any]:
    """The part of a resolved config that decides the result.

    Args:
        config: the resolved config as plain containers.
        uses_trainer: whether the head is trained by epochs; if not, :data:`TRAINING_GROUPS` are left out.
    """
    without = {*WITHOUT_EFFECT, *(() if uses_trainer else TRAINING_GROUPS)}
    corpora = config.get("data", {}).get("corpora") or {}
    without |= {f"data.corpora.{name}.{key}" for name in corpora for key in ("root", "path", "jobs")}
    if list_dimensions(config["dataset"]["target"]):
        without.add("class_weight")  # dimensions have no classes
    return _prune(config, without, "")


def hash_run(
    effective: Mapping[str, Any], data: str, split: str = "", extractor: Mapping[str, Any] | None = None
) -> str:
    """The run key: 16 hexadecimal digits.

    Args:
        effective: what :func:`select_effective` returned.
        data: the data fingerprint (contents of the clips as read).
        split: hash of who is in which part.
        extractor: version, parameters and weights hash behind a frozen backbone's features.
    """
    release = ".".join(__version__.split(".")[:2])
    content = json.dumps([effective, data, split, extractor or {}, release], sort_keys=True, default=str)
    return blake2b(content.encode(), digest_size=8).hexdigest()


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"head": {"C": 1}}`` as ``{"head.C": 1}``; lists and empty mappings stay values."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _prune(config: Mapping[str, Any], without: set[str], prefix: str) -> dict[str, Any]:
    kept = {name: value for name, value in config.items() if f"{prefix}{name}" not in without}
    return {
        name: _prune(value, without, f"{prefix}{name}.") if isinstance(value, Mapping) else value
        for name, value in kept.items()
    }
