"""The stage ``ser stats``: read scores, say what they are, analyse them, write what was found."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.errors import InputError
from ser.statistics.analyse import Analysis, analyse, describe_settings
from ser.statistics.components import estimate_components
from ser.statistics.conclude import conclude, decide, describe_methods, list_caveats
from ser.statistics.describe import describe, explain
from ser.statistics.design import Design, describe_design
from ser.statistics.export import write_statistics
from ser.statistics.groups import compare_groups
from ser.statistics.plan import Plan, make_plan
from ser.statistics.power import Components
from ser.statistics.settings import Settings
from ser.statistics.tables import Table, read_runs
from ser.statistics.tallies import tally_predictions
from ser.statistics.tidy import read_tidy, read_wide

#: Where a sweep's folder has its statistics.
STATISTICS = "statistics"
LIBRARIES = ("ser", "glmm", "statsmodels", "scipy", "numpy", "pandas")


@dataclass(frozen=True)
class Outcome:
    """What became of an analysis; it is no run of MLflow."""

    state: str = "finished"
    run_id: str = ""
    key: str = ""


def stats(config: DictConfig, folder: Path, labels: Mapping[str, str], parent: str = "") -> Outcome:  # noqa: ARG001
    """Analyse what a configuration (``conf/stats.yaml``) names, into a folder.

    Raises:
        InputError: no such scores, or an analysis that they do not bear.
    """
    settings = instantiate(config.statistics)
    if not isinstance(settings, Settings):
        raise InputError("statistics=none: nothing to do", remedy="leave it out")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if config.action == "plan":
        plan = plan_sweep(config, settings)
        sys.stdout.write(plan.explain() + "\n")
        write_statistics(folder, {"power": plan.describe()})
        return Outcome()
    if config.action != "analyse":
        raise InputError(f"action={config.action}", expected="analyse or plan")
    table = read_table(config)
    statistics = analyse_table(table, settings, config, folder)
    if config.sweep and (Path(str(config.sweep)) / "sweep.json").is_file():
        from ser.report import write_report

        write_statistics(Path(str(config.sweep)) / STATISTICS, statistics[0], statistics[1])
        sys.stdout.write(f"report: {write_report(Path(str(config.sweep)))}\n")
    return Outcome()


def read_table(config: DictConfig) -> Table:
    """The scores that a configuration names."""
    if bool(config.sweep) == bool(config.table):
        raise InputError(
            f"sweep={config.sweep}, table={config.table}: which scores?",
            expected="sweep=<folder, parent run or experiment>, or table=<CSV or Parquet>",
        )
    if config.sweep:
        return read_runs(str(config.sweep), instantiate(config.tracking), config.response or "")
    if config.score:
        return read_wide(config.table, list(config.score), list(config.factors))
    if not config.response or not (config.factors or config.within or config.statistics.formula):
        raise InputError(
            f"table={config.table}: what is the score, and what is compared?",
            expected="response=<column> factors=[<column>,…]",
        )
    return read_tidy(config.table, config.response, list(config.factors), list(config.random), list(config.within))


def analyse_table(
    table: Table, settings: Settings, config: DictConfig | None, folder: Path
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Describe the design, analyse, print and write; returns what was written."""
    given = {name: list(config[name]) for name in ("factors", "random", "within")} if config is not None else {}
    if table.tidy and config is not None and config.score:
        given = {}
    rows = settings.rows if not table.tidy else "auto"
    design = describe_design(table, "", rows=rows, **given)
    sys.stdout.write(explain(design) + "\n\n")
    sys.stdout.flush()
    analysis = analyse(table, design, settings)
    statistics = gather_results(analysis, table)
    rows_used = find_rows(analysis)
    write_statistics(folder, statistics, rows_used)
    sys.stdout.write("\n".join(statistics["conclusion"]) + "\n")
    if statistics["caveats"]:
        sys.stdout.write("\nCaveats:\n" + "\n".join(f"- {words}" for words in statistics["caveats"]) + "\n")
    sys.stdout.write(f"\nstatistics: {folder / 'statistics.json'}\n")
    return statistics, rows_used


def gather_results(analysis: Analysis, table: Table) -> dict[str, Any]:
    """Everything that ``statistics.json`` holds; ``docs/statistics.md`` has its keys."""
    decisions = decide(analysis)
    power = estimate_power(analysis.design, analysis.settings)
    empty: dict[str, Any] = {"anova": [], "mixed": None, "means": [], "contrasts": [], "checks": []}
    return {
        "design": describe(analysis.design, analysis.choice),
        "method": analysis.choice._asdict(),
        "settings": describe_settings(analysis.settings),
        **empty,
        **analysis.results,
        "groups": measure_groups(analysis, table),
        "power": power,
        "decision": decisions,
        "conclusion": conclude(analysis, decisions),
        "caveats": list_caveats(analysis),
        "methods": describe_methods(analysis),
        "environment": {name: version(name) for name in LIBRARIES},
    }


def find_rows(analysis: Analysis) -> pd.DataFrame:
    """The rows that were analysed, with fitted values and residuals where the model has them."""
    rows = analysis.design.frame
    fitted = getattr(analysis.fit, "fitted", None)
    if fitted is not None and len(fitted) == len(rows):
        rows = rows.assign(fitted=fitted, residual=rows[analysis.design.response].to_numpy(float) - fitted)
    return rows


def measure_groups(analysis: Analysis, table: Table) -> dict[str, Any] | None:
    """Gaps between levels of a manifest column within runs (``statistics.group``)."""
    group = analysis.settings.group
    if not group:
        return None
    rows = table.runs if table.tidy else table.predictions
    if group not in rows or "true" not in rows:
        raise InputError(
            f"statistics.group={group}: the predictions have no such column",
            expected=", ".join(map(str, rows.columns)),
            remedy="train with metrics.by=[…], which carries columns of the manifest along",
        )
    factors = list(analysis.design.factors)
    condition = rows[factors].astype(str).agg(" ".join, axis=1) if factors else pd.Series("all", index=rows.index)
    tallies = tally_predictions(
        rows.assign(_condition=condition), group, run="run_id", speaker="speaker", condition="_condition"
    )
    return compare_groups(tallies, group, "uar", seed=analysis.settings.seed).describe()


def estimate_power(design: Design, settings: Settings) -> dict[str, Any] | None:
    """What this sweep could detect, and what a next one needs; none where chance is not known."""
    try:
        components = estimate_components(design)
    except InputError:
        return None
    speakers = [design.n_speakers] if design.n_speakers > 1 else [0]
    seeds = sorted({max(2, design.n_seeds), 5, 10, 20})
    try:
        return make_plan(components, settings.sesoi, speakers, seeds).describe()
    except InputError:
        return None


def plan_sweep(config: DictConfig, settings: Settings) -> Plan:
    """``ser stats plan``: from a sweep's components, or from those given by hand."""
    if config.plan.run is not None:
        components = Components(
            run=float(config.plan.run),
            speaker=0.0,
            speaker_condition=float(config.plan.speaker_condition),
            residual=float(config.plan.residual),
        )
    else:
        table = read_table(config)
        given = {name: list(config[name]) for name in ("factors", "random", "within")}
        components = estimate_components(describe_design(table, "", rows=settings.rows, **given))
    effect = settings.sesoi if config.plan.effect is None else float(config.plan.effect)
    return make_plan(components, effect, list(config.plan.speakers), list(config.plan.seeds), alpha=settings.alpha)


def analyse_sweep(folder: Path, settings: Settings) -> None:
    """Statistics of a finished sweep, into ``statistics/`` of its folder."""
    analyse_table(read_runs(folder), settings, None, folder / STATISTICS)
