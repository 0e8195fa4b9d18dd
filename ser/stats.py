"""The stage ``ser stats``: read scores, say what they are, analyse them, write what was found."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from ser.errors import InputError
from ser.results import read_json
from ser.statistics.analyse import analyse, choose
from ser.statistics.choose import Choice
from ser.statistics.components import estimate_components
from ser.statistics.describe import explain
from ser.statistics.design import Design, describe_design
from ser.statistics.export import write_statistics
from ser.statistics.figures.fitted import add_residuals
from ser.statistics.formula import read_formula
from ser.statistics.gather import gather_results
from ser.statistics.mixed import MixedFit
from ser.statistics.ols import OlsFit
from ser.statistics.plan import Plan, make_plan
from ser.statistics.power import Components
from ser.statistics.settings import SESOI, Settings, find_sesoi
from ser.statistics.sources import SWEEP
from ser.statistics.tables import Table, read_runs
from ser.statistics.tidy import read_frame, read_tidy, read_wide

#: Where a sweep's folder has its statistics.
STATISTICS = "statistics"
#: Numbers of speakers that a plan looks at, unless it is told others.
SPEAKERS = (6, 10, 24, 91)


@dataclass(frozen=True)
class Outcome:
    """What became of an analysis; it is no run of MLflow."""

    state: str = "finished"
    run_id: str = ""
    key: str = ""


@dataclass(frozen=True)
class Roles:
    """What a user says of the columns: to compare, alike, within units; a default leaves it to the design."""

    factors: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    within: tuple[str, ...] = ()


def stats(config: DictConfig, folder: Path, labels: Mapping[str, str], parent: str = "") -> Outcome:  # noqa: ARG001
    """Analyse what a configuration (``conf/stats.yaml``) names, into a folder.

    Raises:
        InputError: no such scores, or an analysis that they do not bear.
    """
    settings = instantiate(config.statistics)
    if not isinstance(settings, Settings):
        raise InputError("statistics=none: nothing to do", remedy="leave it out")
    if config.action not in ("analyse", "plan"):
        raise InputError(f"action={config.action}", expected="analyse or plan")
    folder = Path(folder)
    if config.action == "plan":
        plan = plan_sweep(config, settings)
        sys.stdout.write(plan.explain() + "\n")
        folder.mkdir(parents=True, exist_ok=True)
        write_statistics(folder, {"power": plan.describe()})
        return Outcome()
    table, roles = read_table(config, settings)
    written = analyse_table(table, settings, roles, folder)
    if config.sweep:
        hand_to_sweep(config, folder, written)
    return Outcome()


def analyse_sweep(folder: Path, settings: Settings) -> None:
    """Statistics of a finished sweep, into ``statistics/`` of its folder."""
    analyse_table(read_runs(folder), settings, Roles(), folder / STATISTICS)


def analyse_table(table: Table, settings: Settings, roles: Roles, folder: Path) -> list[Path]:
    """Describe the design, analyse, print and write; returns the files."""
    design = describe(table, settings, roles)
    choice = choose(design, settings, roles.random)
    if table.tidy:
        refuse_nothing(design, roles, choice)
    sys.stdout.write(explain(design, choice) + "\n\n")
    sys.stdout.flush()
    analysis = analyse(design, settings, roles.random, choice)
    if roles.random and choice.method == "mixed":
        analysis.notes += warn_of_terms(design, describe(table, settings, replace(roles, random=())))
    statistics = gather_results(analysis)
    known = isinstance(analysis.fit, OlsFit | MixedFit)
    written = write_results(folder, statistics, add_residuals(design.frame, analysis.fit if known else None))
    sys.stdout.write("\n".join(statistics["conclusion"]) + "\n")
    if statistics["caveats"]:
        sys.stdout.write("\nCaveats:\n" + "\n".join(f"- {words}" for words in statistics["caveats"]) + "\n")
    sys.stdout.write(f"\nstatistics: {folder / 'statistics.json'}\n")
    return written


def refuse_nothing(design: Design, roles: Roles, choice: Choice) -> None:
    """Refuse a table of which nothing can be tested or compared; a sweep is described all the same.

    Raises:
        InputError: a finding that forbids any test, or factors of one level each.
    """
    if choice.method == "none":
        raise InputError(
            f"{design.table.name}: {choice.reason}", expected="rows whose scores differ and can be compared"
        )
    named = [*roles.factors, *roles.within]
    if named and not design.factors and not roles.random:
        words = ", ".join(f"{name}={design.frame[name].iloc[0]}" for name in named)
        raise InputError(
            f"{design.table.name}: every row has {words}: nothing to compare",
            expected="a factor with two or more levels",
            remedy="pass another column in factors",
        )


def describe(table: Table, settings: Settings, roles: Roles) -> Design:
    """The design of a table, its rows as the settings want them."""
    rows = "auto" if table.tidy else {"clips": "cells"}.get(settings.rows, settings.rows)
    return describe_design(table, "", roles.factors, roles.random, roles.within, rows)


def warn_of_terms(design: Design, implied: Design) -> list[str]:
    """Words on random terms that a design implies and its user left out."""
    lacking = [":".join(term) for term in implied.random if term not in design.random]
    if not lacking:
        return []
    return [f"the design implies random terms that random=[…] leaves out: {', '.join(lacking)}; tests may be too sure"]


# ---- reading


def read_table(config: DictConfig, settings: Settings) -> tuple[Table, Roles]:
    """The scores that a configuration names, and what it says of their columns."""
    if bool(config.sweep) == bool(config.table):
        raise InputError(
            f"sweep={config.sweep}, table={config.table}: which scores?",
            expected="sweep=<folder, parent run or experiment>, or table=<CSV or Parquet>",
        )
    named = (list_names(config[name], name) for name in ("factors", "random", "within"))
    roles = Roles(*map(tuple, named))
    if config.sweep:
        return read_runs(str(config.sweep), instantiate(config.tracking), config.response or ""), roles
    path, score = Path(str(config.table)), list_names(config.score, "score")
    if score:
        return read_scores(path, score, roles)
    response = config.response
    if settings.formula:
        response, roles = read_names(path, settings.formula, roles, response)
    if not response or not (roles.factors or roles.within or roles.random):
        raise InputError(
            f"table={path}: what is the score, and what is compared?",
            expected="response=<column> factors=[<column>,…], or score=[<one column a model>,…]",
        )
    return read_tidy(path, str(response), roles.factors, roles.random, roles.within), roles


def read_scores(path: Path, score: Sequence[str], roles: Roles) -> tuple[Table, Roles]:
    """A wide table, whose columns of scores become the factor ``model``."""
    if len(score) < 2:
        raise InputError(f"score=[{','.join(score)}]: nothing to compare with", expected="two columns or more")
    table = read_wide(path, score, roles.factors)
    runs = table.runs
    if set(runs) == {"model", "score"}:  # nothing but the place of a row says which scores belong together
        if len(set(runs["model"].value_counts())) > 1:
            raise InputError(
                f"{path}: some rows lack a score, and nothing names the rows", remedy="add a column such as dataset"
            )
        runs = runs.assign(row=runs.groupby("model").cumcount())
    if runs["score"].isin((0, 1)).all():  # answers: the other columns say to which clip, and are not compared
        table = replace(table, factors=("model",))
    return replace(table, runs=runs), Roles((), roles.random, roles.within)


def read_names(path: Path, text: str, roles: Roles, response: str | None) -> tuple[str, Roles]:
    """Response and roles of columns as a formula has them: text is compared, numbers have slopes."""
    formula = read_formula(text)
    if response and response != formula.response:
        raise InputError(f"response={response}: the formula has {formula.response}", expected="the same")
    frame = read_frame(path, roles.factors)
    numeric = {name for name in frame if pd.api.types.is_numeric_dtype(frame[name])}
    factors = tuple(name for name in formula.columns if name not in numeric)
    return formula.response, Roles(factors, tuple(term.group for term in formula.random), roles.within)


def list_names(value: Any, name: str) -> list[str]:
    """Column names of a setting; one name may stand without brackets."""
    if value is None:
        return []
    names = [value] if isinstance(value, str) else list(value)
    if any(not isinstance(item, str | int) for item in names):
        raise InputError(f"{name}={value}", expected="names of columns: [speaker,run] or [speaker:arch]")
    return list(dict.fromkeys(str(item).strip() for item in names))


# ---- writing


def write_results(folder: Path, statistics: Mapping[str, Any], rows: pd.DataFrame) -> list[Path]:
    """Results, tables, figures and a page, into a folder; returns the files."""
    from ser.report.sections.statistics import write_page  # draws with matplotlib, which nothing else here needs
    from ser.statistics.figures import write_figures

    folder.mkdir(parents=True, exist_ok=True)
    written = write_statistics(folder, statistics, rows)
    written += write_figures(folder, statistics, rows)
    return [*written, write_page(folder, statistics, rows)]


def hand_to_sweep(config: DictConfig, folder: Path, written: Sequence[Path]) -> None:
    """The results into the sweep's own folder, with its report written anew, and to its parent run."""
    sweep = Path(str(config.sweep))
    record = read_json(sweep / SWEEP)
    if record:
        from ser.report import write_report

        target = sweep / STATISTICS
        shutil.rmtree(target, ignore_errors=True)
        for path in written:
            place = target / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        sys.stdout.write(f"report: {write_report(sweep)}\n")
    parent = str(record.get("parent_run_id") or "") if record else str(config.sweep)
    if parent and log_results(config, parent, folder, written):
        sys.stdout.write(f"logged to the run {parent}\n")


def log_results(config: DictConfig, parent: str, folder: Path, written: Sequence[Path]) -> bool:
    """Log the files to a parent run; False where the store does not have it (or it is an experiment)."""
    from mlflow.exceptions import MlflowException

    from ser.statistics.store import hide_progress

    client = instantiate(config.tracking).connect()
    try:
        client.get_run(parent)
    except MlflowException:
        return False
    with hide_progress():
        for path in written:
            place = (Path(STATISTICS) / path.relative_to(folder)).parent
            client.log_artifact(parent, str(path), place.as_posix())
    return True


# ---- planning


def plan_sweep(config: DictConfig, settings: Settings) -> Plan:
    """``ser stats plan``: from a sweep's components, or from those given by hand."""
    given = {name: config.plan[name] for name in ("run", "speaker_condition", "residual")}
    if any(value is not None for value in given.values()):
        run, reaction, residual = (float(value or 0) for value in given.values())
        components = Components(run=run, speaker_condition=reaction, residual=residual)
        default: float | None = SESOI
    else:
        table, roles = read_table(config, settings)
        design = describe(table, settings, roles)
        components, default = estimate_components(design), find_sesoi(settings, design.frame[design.response])
    effect = config.plan.effect or settings.sesoi or default
    if effect is None or effect <= 0:
        raise InputError(
            f"plan.effect={effect}: which difference is to be detected?",
            expected="a number above 0, in the unit of the score",
        )
    alone = components.speaker_condition == components.residual == 0  # nothing is known of speakers
    speakers = list_numbers(config.plan.speakers) or ([0] if alone else list(SPEAKERS))
    return make_plan(components, float(effect), speakers, list_numbers(config.plan.seeds), alpha=settings.alpha)


def list_numbers(value: Any) -> list[int]:
    """Numbers of a setting; one may stand without brackets."""
    return [] if value is None else [int(value)] if isinstance(value, int | float) else [int(item) for item in value]
