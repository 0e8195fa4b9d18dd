"""The stage ``ser export``: the model of a finished run as a folder that needs neither data nor MLflow, with a card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ser.deployment.folder import write_folder
from ser.errors import InputError
from ser.prediction.opened import NEEDED, OpenedRun, find_folder
from ser.prediction.options import Options
from ser.prediction.predictor import Predictor


@dataclass(frozen=True)
class Outcome:
    """What was made.

    Attributes:
        folder: the export.
        graphs: format → by how much that file differs from the model at most.
        size: of the folder in bytes.
    """

    folder: Path
    graphs: Mapping[str, float]
    size: int


def export(options: Options) -> Outcome:
    """Write the model that options (``conf/export.yaml``) name into a folder.

    Raises:
        InputError: no such run or fold, a folder with something else in it, a format that the model cannot be put in,
            or whose packages are not installed.
    """
    from ser.deployment.card import NEEDED as TOLD
    from ser.deployment.card import write_card
    from ser.deployment.graph import check_formats, write_graphs

    own = options.own
    if not own.run:
        raise InputError("run: which model?", expected="run=<id, key or directory of a finished run>")
    opened = OpenedRun.open(own.run, options.present)
    if opened.exported:
        raise InputError(f"run={own.run}: it is an export already", remedy="copy the folder, or name the run it is of")
    opened = replace(opened, folder=find_folder(own.run, options.present, (*NEEDED, *TOLD)))
    folds, formats = opened.choose_folds(own.fold), list(own.export.format)
    out = Path(own.out or Path(options.present.paths.outputs) / "exports" / opened.key)
    if formats:
        check_formats(Predictor(opened.name, tuple(opened.load_model(fold) for fold in folds[:1])), formats)
    write_folder(opened, folds, out)
    graphs = {}
    if formats:
        try:
            graphs = write_graphs(Predictor.load(out), formats, out)
        except BaseException:
            shutil.rmtree(out)
            raise
    write_card(opened, out, graphs)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return Outcome(out, graphs, size)
