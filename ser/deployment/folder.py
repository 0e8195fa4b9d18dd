"""A finished run's model as a folder: what prediction needs and nothing else, laid out as the run's own directory.

``config.yaml`` says what it is made of, ``checkpoints/fold-k/`` has the weights of each fold as safetensors (estimators
of scikit-learn as the run has them), ``backbone/`` those of a pretrained checkpoint, ``export.json`` what a run would
know from its data: its temperature, and what it predicts. :class:`ser.prediction.opened.OpenedRun` opens it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ser import __version__
from ser.dataset.target import list_dimensions
from ser.errors import InputError
from ser.extend import CONFIG
from ser.fold import DONE, FITTED
from ser.language.heard import LANGUAGE
from ser.model import name_inputs
from ser.prediction.calibrate import fit_temperature
from ser.prediction.opened import EXPORT, MADE, OpenedRun
from ser.results import CHECKPOINTS, read_json, write_json

#: Raised whenever a folder is laid out otherwise.
FORMAT = 1
#: Groups whose choices name a model.
NAMED = ("backbone", "finetune", "pooling", "head", "fusion", "dataset")
BACKBONE, RECORD = "backbone", "backbone.json"
#: As the fold of a run keeps a network, and as an export does (:mod:`ser.head.network`, which imports torch).
PICKLED, SAFE = "model.pt", "model.safetensors"


def write_folder(opened: OpenedRun, folds: Sequence[str], out: Path, parameters: int | None = None) -> None:
    """Write models into a folder.

    Args:
        opened: the run.
        folds: whose models.
        out: the folder; it must be new, empty, or an export that is written again.
        parameters: a pretrained backbone with more of them, which training left as it was, stays where its source is;
            ``None``: all weights are brought along.

    Raises:
        InputError: a folder with something else in it.
    """
    empty_folder(out)
    trunk = opened.trunk
    config = select(opened.config)
    stays = parameters is not None and count_parameters(opened.folder) > parameters
    weights = {}
    if stays:
        if source := read_json(opened.folder / LANGUAGE).get("source"):
            OmegaConf.update(config, "backbone", {"source": source, "revision": None})
        shutil.copy2(opened.folder / RECORD, out / RECORD)
    else:
        from ser.deployment.weights import bring_weights

        brought = bring_weights(trunk.backbone, out / BACKBONE)
        weights = {key: str(path.relative_to(out)) for key, path in brought.items()}
        for key in weights:  # where they were says nothing to others
            OmegaConf.update(config, f"backbone.{key}", None)
    OmegaConf.save(config, out / CONFIG)
    for fold in folds:
        copy_fold(opened.folds[fold], out / CHECKPOINTS / opened.folds[fold].name)
    record = read_json(opened.folder / "run.json")
    write_json(out / EXPORT, describe(opened, folds) | {"weights": weights})
    write_json(out / "run.json", {name: record[name] for name in ("key", "run_id", "state")})
    for path in out.rglob(f"*{Path(SAFE).suffix}"):
        path.chmod(0o644)  # the library lets nobody else read what it writes


def empty_folder(out: Path) -> None:
    """Make a folder ready.

    Raises:
        InputError: it holds something else, which is left alone.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not (out / EXPORT).is_file():
            raise InputError(f"out={out}: there is something else", expected="a new folder, or an earlier export")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)


def select(config: DictConfig) -> DictConfig:
    """What prediction reads of a run's configuration."""
    own = {name: config[name] for name in (*MADE, "class_weight") if name in config}
    made = config.get("choices") or {}
    choices = {name: made[name] for name in made if name.partition(".")[0] in NAMED}
    selected = OmegaConf.create({**own, "dataset": {"target": config.dataset.target}, "choices": choices})
    plain: Any = OmegaConf.to_container(selected, resolve=True)
    return OmegaConf.create(plain)


def count_parameters(folder: Path) -> int:
    """Of the pretrained network that a run started from; 0 without one."""
    return int(read_json(folder / RECORD).get("parameters", 0))


def copy_fold(source: Path, target: Path) -> None:
    """Copy a fitted model; pickled tensors become safetensors, which can hold no code."""
    target.mkdir(parents=True)
    for path in [*source.glob("model.*"), source / DONE]:
        if path.name == PICKLED:
            import torch
            from safetensors.torch import save_file

            state = torch.load(path, map_location="cpu", weights_only=True)
            # Tensors that share memory, or lie in it in another order, cannot be written.
            save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, target / SAFE)
        else:
            shutil.copy2(path, target / path.name)


def describe(opened: OpenedRun, folds: Sequence[str]) -> dict[str, Any]:
    """What an export says of itself."""
    fitted = [read_json(opened.folds[fold] / FITTED)["emotions"] for fold in folds]
    return {
        "format": FORMAT,
        "ser": __version__,
        "reads": name_inputs(opened.trunk),
        "rate": int(opened.trunk.backbone.rate),
        "emotions": sorted({emotion for emotions in fitted for emotion in emotions}),
        "dimensions": list(list_dimensions(opened.config.dataset.target)),
        "folds": list(folds),
        "temperatures": find_temperatures(opened, folds),
    }


def find_temperatures(opened: OpenedRun, folds: Sequence[str]) -> dict[str, Any]:
    """The temperature of each fold by name and of ``all``; empty where nothing was validated."""
    found = {}
    for name, chosen in {"all": list(folds), **{fold: [fold] for fold in folds}}.items():
        try:
            found[name] = asdict(fit_temperature(opened.read_validated(chosen)))
        except InputError:
            return {}
    return found
