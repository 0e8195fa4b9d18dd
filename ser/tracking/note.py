"""What MLflow's page of a run says above its numbers: the result in words, what it belongs to, the command, links.

Links are those of MLflow's own pages, relative to whatever address serves them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from hydra.core.hydra_config import HydraConfig

from ser.judge import HEADLINES, TITLES, find_headline

#: The tag that MLflow shows as the description of a run.
TAG = "mlflow.note.content"


def describe_run(experiment: str, run: str, scores: Mapping[str, float | None], parent: str, folder: object) -> str:
    """A trained run.

    Args:
        experiment: MLflow's id of the experiment.
        run: of the run.
        scores: its metrics.
        parent: MLflow's id of the sweep; empty outside one.
        folder: the run's directory.
    """
    lines = [tell_scores(scores), *([tell_sweep(experiment, parent)] if parent else []), show_command()]
    names = ("config.yaml", "metrics.json", "confusion.csv", "history.csv")
    return join([*lines, link_files(experiment, run, names), f"Directory: `{folder}`"])


def describe_explanation(experiment: str, run: str, explained: str, page: str, parent: str) -> str:
    """An explanation of a run.

    Args:
        experiment: MLflow's id of the experiment.
        run: of the explanation.
        explained: of the run that it explains.
        page: the file with the page that shows it; empty without one.
        parent: of the sweep; empty outside one.
    """
    viewer = [f"**[Open the explanation]({link(experiment, run, page)})**"] if page else []
    what = f"It explains [this run]({link(experiment, explained)})."
    return join([*viewer, what, *([tell_sweep(experiment, parent)] if parent else []), show_command()])


def describe_sweep(
    experiment: str, run: str, command: str, states: Sequence[str], files: Sequence[str], view: str
) -> str:
    """A sweep that ended.

    Args:
        experiment: MLflow's id of the experiment.
        run: of the sweep.
        command: that made it.
        states: of its jobs.
        files: its pages and tables among the artifacts.
        view: name of its shared view (:mod:`ser.tracking.view`).
    """
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    report = [f"**[Open the report]({link(experiment, run, name)})**" for name in files if name == "report.html"]
    compare = f"[Compare its runs](#/experiments/{experiment}/runs?viewStateShareKey={view}&compareRunsMode="
    others = [name for name in files if name != "report.html"]
    return join(
        [
            *report,
            f"{len(states)} jobs: {counts}.",
            f"{compare}TABLE) in a table, or [in charts]{compare.partition(']')[2]}CHART).",
            f"```\n{command}\n```",
            link_files(experiment, run, others),
        ]
    )


def tell_scores(scores: Mapping[str, float | None]) -> str:
    """The headline with its interval, and the scores beside it."""
    name = find_headline(scores)
    if not name:
        return ""
    low, high = (scores.get(f"test/{name}_ci_{end}") for end in ("low", "high"))
    told = f"**{TITLES[name]} {scores[f'test/{name}']:.3f}**"
    if low is not None and high is not None:
        told += f", 95 % interval over speakers {low:.3f} to {high:.3f}"
    beside = [(TITLES[other], scores.get(f"test/{other}")) for other in HEADLINES[name]]
    told += "".join(f"; {title} {value:.3f}" for title, value in beside if value is not None)
    clips, speakers = (scores.get(f"test/n_{what}") for what in ("clips", "speakers"))
    return f"{told} (test: {clips:.0f} clips of {speakers:.0f} speakers)." if clips and speakers else f"{told} (test)."


def tell_sweep(experiment: str, parent: str) -> str:
    """What it is one of."""
    report = link(experiment, parent, "report.html")
    return f"One run of a [sweep]({link(experiment, parent)}), which a [report]({report}) compares."


def show_command() -> str:
    """The command of the present job; nothing where Python was asked."""
    if not HydraConfig.initialized():
        return ""
    job = HydraConfig.get()
    return f"```\n{shlex.join(['ser', str(job.job.name), *job.overrides.task])}\n```"


def link_files(experiment: str, run: str, names: Sequence[str]) -> str:
    """Links to artifacts."""
    return " · ".join(f"[{name}]({link(experiment, run, name)})" for name in names)


def link(experiment: str, run: str, artifact: str = "") -> str:
    """Address of a run's page, or of an artifact on it."""
    return f"#/experiments/{experiment}/runs/{run}" + (f"/artifacts/{artifact}" if artifact else "")


def join(parts: Sequence[str]) -> str:
    """Paragraphs."""
    return "\n\n".join(part for part in parts if part)
