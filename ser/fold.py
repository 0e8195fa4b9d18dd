"""One fold: fit on its training part, choose on its validation part, score its test part once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.dataset.raters import RATED
from ser.errors import InputError
from ser.head.data import Head, Model, Part, Workspace, join_parts
from ser.head.trunk import Trunk
from ser.predictions import tabulate_predictions
from ser.results import CHECKPOINTS, read_json, write_json
from ser.split.fold import Fold
from ser.vote import vote_by_source

if TYPE_CHECKING:
    from ser.augmentation.base import Augmentation
    from ser.training.fit import Training

log = logging.getLogger(__name__)

FITTED, DONE, HISTORY = "fitted.json", "done.json", "history.csv"
TEST, VALIDATION = "test.parquet", "validation.parquet"
HISTORY_COLUMNS = ["fold", "epoch", "metric", "value"]


@dataclass(frozen=True)
class FoldResult:
    """What a fold leaves: predictions of its test and validation parts, the course and the size of what was trained."""

    test: pd.DataFrame
    validation: pd.DataFrame
    history: pd.DataFrame
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """What all folds of a run have in common.

    Attributes:
        head: what is fitted.
        trunk: what lies under the head.
        training: how networks are trained; ``None`` for heads that are not.
        emotions: all emotions of the run.
        columns: manifest columns that predictions carry along.
        select_training: training rows to the rows that train, some of them perhaps repeatedly.
        copies: augmented copies of all clips; those of training rows train as well.
        augmentation: varies what a trained backbone hears; frozen ones have copies instead.
        shuffle: a seed; the training part's labels are permuted.
    """

    head: Head
    trunk: Trunk
    training: Training | None
    emotions: Sequence[str]
    columns: Sequence[str]
    select_training: Callable[[np.ndarray], np.ndarray]
    copies: Sequence[Part] = ()
    augmentation: Augmentation | None = None
    shuffle: int | None = None


def run_fold(
    recipe: Recipe, trained: Part, tested: Part, fold: Fold, run: Path, log_metrics: Callable[..., None]
) -> FoldResult:
    """Fit and score one fold, or read what it left if it was done before the run was killed.

    Args:
        recipe: head, backbone and training.
        trained: all clips of the corpus as they train and validate.
        tested: all clips as they are tested; the same unless a variant of the audio is used on one side.
        fold: which of them are whose.
        run: the run's directory.
        log_metrics: takes metrics and an epoch.
    """
    folder = run / CHECKPOINTS / f"fold-{fold.index}"
    if read_json(folder / DONE):
        log.info("fold %s was done before", fold.name)
        return read_fold(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def log_epoch(metrics: Mapping[str, float], epoch: int) -> None:
        append_history(folder / HISTORY, fold.name, epoch, metrics)
        log_metrics({f"fold-{fold.index}/{name}": value for name, value in metrics.items()}, epoch)

    workspace = Workspace(folder, recipe.trunk, recipe.training, log_epoch, recipe.augmentation)
    validation = trained.take(fold.validation) if len(fold.validation) else None
    rows = recipe.select_training(fold.train)
    train = join_parts([part.take(rows) for part in (trained, *recipe.copies)])
    if recipe.shuffle is not None:
        train = shuffle_labels(train, recipe.shuffle)
    model = fit_model(recipe, train, validation, workspace)
    test = predict_part(recipe, model, tested.take(fold.test), fold)
    test.to_parquet(folder / TEST, index=False)
    if validation is not None:
        predict_part(recipe, model, validation, fold).to_parquet(folder / VALIDATION, index=False)
    write_json(folder / DONE, {"fold": fold.name})
    return read_fold(folder)


def shuffle_labels(part: Part, seed: int) -> Part:
    """A part whose clips have each other's emotions, or targets: all that a model can learn of them is by heart."""
    order = np.random.default_rng(seed).permutation(len(part))
    told = [str(name) for name in part.frame if name == "emotion" or str(name).startswith(RATED)]
    frame = part.frame.assign(**{name: part.frame[name].to_numpy()[order] for name in told})
    return replace(part, frame=frame, targets=None if part.targets is None else part.targets[order])


def fit_model(recipe: Recipe, train: Part, validation: Part | None, workspace: Workspace) -> Model:
    """Fit and save; a model that was saved before the run was killed is not fitted again."""
    if (workspace.folder / FITTED).is_file():
        return recipe.head.load(workspace.folder, recipe.trunk)
    model = recipe.head.fit(train, validation, workspace)
    model.save(workspace.folder)
    network = getattr(model, "network", None)
    counts = {} if network is None else {"parameters": network.count_parameters()}
    write_json(workspace.folder / FITTED, {"emotions": list(model.emotions), **counts})
    return model


def predict_part(recipe: Recipe, model: Model, part: Part, fold: Fold) -> pd.DataFrame:
    """Prediction rows of one part."""
    part, predictions = vote_by_source(part, model.predict(part))
    corpora = part.frame["dataset"].to_numpy(dtype=str)
    return tabulate_predictions(part, predictions, recipe.emotions, corpora, fold.name, recipe.columns)


def read_fold(folder: Path) -> FoldResult:
    """What a finished fold left in its folder."""
    validation = folder / VALIDATION
    history = folder / HISTORY
    return FoldResult(
        test=pd.read_parquet(folder / TEST),
        validation=pd.read_parquet(validation) if validation.is_file() else pd.DataFrame(),
        history=read_history(history) if history.is_file() else pd.DataFrame(columns=HISTORY_COLUMNS),
        parameters=read_json(folder / FITTED).get("parameters", {}),
    )


def find_folds(run: Path) -> dict[str, Path]:
    """Folder of each finished fold of a run by the fold's name, in order.

    Args:
        run: the run's directory, or an exported one.

    Raises:
        InputError: checkpoints are gone.
    """
    checkpoints = run / CHECKPOINTS
    folders = sorted(checkpoints.glob("fold-*"), key=lambda each: int(each.name.removeprefix("fold-")))
    found = {str(record["fold"]): folder for folder in folders if (record := read_json(folder / DONE))}
    if not found:
        raise InputError(f"{checkpoints}: no model in it", remedy="run its command again with resume=false")
    return found


def append_history(path: Path, fold: str, epoch: int, metrics: Mapping[str, float]) -> None:
    """Add an epoch's metrics; a killed training leaves all epochs before."""
    rows = pd.DataFrame([(fold, epoch, name, value) for name, value in metrics.items()], columns=HISTORY_COLUMNS)
    rows.to_csv(path, mode="a", header=not path.exists(), index=False)


def read_history(path: Path) -> pd.DataFrame:
    """Epochs in order; where a resumed training repeated one, its second time counts."""
    rows = pd.read_csv(path, dtype={"fold": str})
    return rows.drop_duplicates(["epoch", "metric"], keep="last").sort_values("epoch", kind="stable")
