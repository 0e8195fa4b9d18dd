"""Where runs come from: a sweep's folder, or an MLflow store. Both become a :class:`Source` of :class:`Job`.

What varied between runs is read from their parameters: the sweep's record of its overrides, or, where runs have no
sweep in common, the configuration values that differ between them. Names of runs and folders say nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

DONE = ("finished", "skipped")
SWEEP, PREDICTIONS = "sweep.json", "predictions.parquet"
#: Parameters that repeat a condition instead of making another one; ``run`` names the trained run that was explained.
REPLICATES = ("seed", "split.seed", "split.fold", "data.fraction_seed", "run")
#: Of the configuration: where and how a run was done, and who asked for it.
BOOKKEEPING = ("paths", "tracking", "resume", "report", "metrics", "hparams_search", "statistics")


@dataclass(frozen=True)
class Job:
    """One job of a sweep, or one run of an experiment.

    Attributes:
        number: its place.
        state: ``finished`` or ``skipped`` (it had finished before), ``failed``, ``refused``, ``missing``.
        reason: why it did not finish.
        run_id: its MLflow run.
        key: identity of the run; two jobs with one key are the same run.
        values: what it was given, by parameter.
        config: its whole configuration, flat; choices stand under the name of their group.
        metrics: its scores, null ones left out.
        load: reads its test predictions, one row a clip and fold.
    """

    number: int
    state: str
    reason: str = ""
    run_id: str = ""
    key: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    load: Callable[[], pd.DataFrame | None] = lambda: None

    @property
    def done(self) -> bool:
        """Whether it has results."""
        return self.state in DONE

    def get(self, name: str) -> str:
        """The value of a parameter, ``default`` where neither command nor configuration tell."""
        return self.values.get(name, self.config.get(name, "default"))

    def name_sets(self) -> dict[str, str]:
        """Test corpus → evaluation set as metrics and predictions name it."""
        tested = [name for name in self.config.get("data.test", "null").strip("[]").split(",") if name != "null"]
        if len(tested) > 1:
            return {name: f"test/{name}" for name in tested}
        own = self.config.get("dataset.name") or self.config.get("dataset") or "test"
        return {tested[0] if tested else own: "test"}


@dataclass(frozen=True)
class Source:
    """Jobs that belong together. ``varied`` names the parameters that vary between them."""

    name: str
    jobs: tuple[Job, ...]
    varied: tuple[str, ...]
    searched: bool = False
    notes: tuple[str, ...] = ()


def find_varied(jobs: Iterable[Job]) -> tuple[str, ...]:
    """Configuration values that differ between runs and do not merely follow from another one that does.

    A group's choice comes before the values inside it: where ``head`` differs, ``head.estimator.C`` differs with it.
    """
    frame = pd.DataFrame([dict(job.config) for job in jobs if job.done]).fillna("-")
    names = [str(name) for name in frame if str(name).partition(".")[0] not in BOOKKEEPING]
    own = [name for name in names if len(frame[name].unique()) > 1]
    found: list[str] = []
    for name in sorted(own, key=lambda name: (name not in REPLICATES, name.count("."), name)):
        sources = [[known] for known in found]
        if name.partition(".")[0] in found:
            sources.append(found)  # what lies inside a choice may depend on several
        if not any(follows(frame, name, source) for source in sources):
            found.append(name)
    return tuple(found)


def follows(frame: pd.DataFrame, name: str, sources: Sequence[str]) -> bool:
    """Whether a column has one value wherever other columns are the same."""
    pairs = frame[[*sources, name]].drop_duplicates()
    return not pairs.duplicated(list(sources)).any()


def flatten_config(config: Mapping[str, Any]) -> dict[str, str]:
    """A resolved configuration as MLflow has it: choices by group, everything else by its path, all as text."""
    from ser.tracking.key import flatten

    rest = {name: value for name, value in config.items() if name != "choices"}
    return {str(name): tidy_value(value) for name, value in {**(config.get("choices") or {}), **flatten(rest)}.items()}


def tidy_value(value: Any) -> str:
    """One spelling of a value, whether it comes from YAML, from MLflow or from a command line."""
    if isinstance(value, list | tuple):
        return "[" + ",".join(tidy_value(item) for item in value) + "]"
    text = str(value)
    if text.startswith("[") and text.endswith("]"):
        return "".join(sign for sign in text if sign not in "'\" ")
    return {"True": "true", "False": "false", "None": "null"}.get(text, text)


def keep_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics without those that are null."""
    return {str(name): float(value) for name, value in metrics.items() if isinstance(value, int | float)}
