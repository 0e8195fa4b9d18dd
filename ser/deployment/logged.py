"""The final model of a run in MLflow: in its model format, with signature and example, tied to the run."""

from __future__ import annotations

import logging
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from ser import __version__
from ser.deployment.folder import write_folder
from ser.errors import InputError
from ser.prediction.opened import EXPORT, OpenedRun
from ser.results import read_json, write_json

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from ser.tracking.tracker import TrackedRun

log = logging.getLogger(__name__)

#: What it is called: ``runs:/<run>/model``.
NAME = "model"
#: A pretrained backbone with more numbers (100 MB), which training left as it was, stays where its source is.
PARAMETERS = 25_000_000
#: Files of MLflow's format: the export, and an example of its input with so many s.
DATA, EXAMPLE, SECONDS = "data", "input_example.json", 0.5


def log_model(run: TrackedRun, folder: Path) -> str:
    """Log the models of all folds of a finished run, which predict together, as one.

    A model that cannot be logged is told and costs the run nothing: `ser export` still makes it.

    Args:
        run: in MLflow.
        folder: its directory.

    Returns:
        MLflow's id of the model; empty where it could not be logged.
    """
    from mlflow.exceptions import MlflowException

    try:
        opened = OpenedRun.open(folder)
        with TemporaryDirectory() as temporary:
            data, made = Path(temporary) / "export", Path(temporary) / NAME
            write_folder(opened, list(opened.folds), data, PARAMETERS)
            return run.log_model(NAME, lambda model_id: write_model(data, made, model_id, run.run_id))
    except (InputError, MlflowException, OSError) as error:
        log.warning("the model was not logged in MLflow (tracking.log_model): %s", error)
        return ""


def write_model(export: Path, folder: Path, model_id: str | None = None, run_id: str | None = None) -> Path:
    """Write an export in MLflow's model format.

    Args:
        export: the folder that ``ser export`` or :func:`ser.deployment.folder.write_folder` wrote.
        folder: where to.
        model_id: MLflow's, if it knows the model.
        run_id: MLflow's, of the run that made it.

    Returns:
        The folder.
    """
    from mlflow.models import Model

    about = read_json(export / EXPORT)
    shutil.copytree(export, folder / DATA)
    example = make_example(about)
    write_json(folder / EXAMPLE, example.to_dict(orient="split", index=False))
    packages = [f"ser=={__version__}", *(f"{name}=={version(name)}" for name in ("torch", "scikit-learn"))]
    (folder / "requirements.txt").write_text("".join(f"{package}\n" for package in packages))
    python = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(yaml.safe_dump(python, sort_keys=False))
    model = Model(
        run_id=run_id,
        model_id=model_id,
        signature=make_signature(about),
        saved_input_example_info={"artifact_path": EXAMPLE, "type": "dataframe", "pandas_orient": "split"},
        metadata={"rate": about["rate"], "reads": about["reads"], "key": read_json(export / "run.json")["key"]},
    )
    # As mlflow.pyfunc.save_model does, whose imports take as long as a short run.
    model.add_flavor(
        "python_function",
        loader_module="ser.deployment.served",
        data=DATA,
        python_version=platform.python_version(),
        env={"virtualenv": "python_env.yaml"},
    )
    model.save(folder / "MLmodel")
    return folder


def make_signature(about: Mapping[str, Any]) -> ModelSignature:
    """What goes in and what comes out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    kinds: Any = {"audio": Array(DataType.double), "text": DataType.string}
    entries: Any = [ColSpec(kinds[name], name) for name in list_entries(about)]
    told: Any = [ColSpec(DataType.double, f"pred_{name}") for name in about["dimensions"]]
    if about["emotions"]:
        told = [ColSpec(DataType.string, "predicted"), *(ColSpec(DataType.double, f"p_{e}") for e in about["emotions"])]
    return ModelSignature(Schema(entries), Schema(told))


def make_example(about: Mapping[str, Any]) -> pd.DataFrame:
    """One recording: a little noise, and a word."""
    noise = 0.05 * np.random.default_rng(0).standard_normal(round(SECONDS * about["rate"]))
    row = {"audio": noise.round(3).tolist(), "text": "good"}
    return pd.DataFrame([{name: row[name] for name in list_entries(about)}])


def list_entries(about: Mapping[str, Any]) -> list[str]:
    """Columns of the input."""
    return {"sound": ["audio"], "transcripts": ["text"]}.get(about["reads"], ["audio", "text"])
