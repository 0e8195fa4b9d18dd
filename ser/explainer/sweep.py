"""The end of a sweep of ``ser explain``: explainers of the same model side by side."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig, OmegaConf

from ser.explain import CONFIG
from ser.explainer.pages import PAGE, write_page
from ser.explainer.perform import WHOLE
from ser.explainer.perform import read_scores as read_own
from ser.explainer.summary import join_scores, print_summary, write_summary
from ser.results import read_json
from ser.sweep import DONE, SweepCallback

#: Where a sweep has the table, the comparisons and the figures of each model, and of all together.
EVALUATION = "evaluation"


class ExplanationSweep(SweepCallback):
    """A sweep whose jobs are explanations."""

    def sum_up(self, folder: Path, record: Mapping[str, Any], config: DictConfig) -> None:
        """One table, one figure and one page a model; where several models were explained, one table of all."""
        print_states(record)
        groups = group_by_run([folder / job["run_dir"] for job in record["jobs"] if job["state"] in DONE])
        scores = {run: read_scores(folders, run) for run, folders in groups.items()}
        known = {run: table for run, table in scores.items() if len(table)}
        for run, table in known.items():
            target = folder / EVALUATION / run
            print_summary(write_summary(target, table, whole=read_whole(groups[run])), f"run {run}")
            sys.stdout.write(f"{target}\n\n")
        if len(known) > 1:
            whole = join_scores(list(known.values()))
            print_summary(write_summary(folder / EVALUATION / "all", whole), f"all {len(known)} runs")
        if config.report:
            for run, folders in groups.items():
                target = folder / EVALUATION / run
                target.mkdir(parents=True, exist_ok=True)  # without scores nothing was written there yet
                page = write_page(target / PAGE, f"run {run}", folders, scores[run])
                sys.stdout.write(f"page: {page}\n" if page else "")


def print_states(record: Mapping[str, Any]) -> None:
    """What became of each job that did not finish."""
    for job in record["jobs"]:
        if job["state"] not in DONE:
            varied = " ".join(f"{name}={job['overrides'].get(name, '')}" for name in record["varied"])
            sys.stdout.write(f"{job['state']}: {varied}: {job['reason']}\n")


def group_by_run(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Folders of explanations by the key of the run that they explain."""
    groups: dict[str, list[Path]] = {}
    for folder in folders:
        groups.setdefault(str(OmegaConf.load(folder / CONFIG).run), []).append(folder)
    return groups


def read_scores(folders: Sequence[Path], run: str) -> pd.DataFrame:
    """Scores of the explanations of a run."""
    tables = [table for table in map(read_own, folders) if len(table)]
    return join_scores(tables).assign(run=run) if tables else pd.DataFrame()


def read_whole(folders: Sequence[Path]) -> dict[str, dict[str, float]]:
    """What explanations of a run are scored by as a whole, by explainer."""
    whole: dict[str, dict[str, float]] = {}
    for folder in folders:
        for method, own in read_json(folder / WHOLE).items():
            whole.setdefault(method, {}).update(own)
    return whole
