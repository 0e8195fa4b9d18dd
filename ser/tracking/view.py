"""A view of MLflow's page on one sweep: its runs, a column for all that varied, charts that compare them.

MLflow keeps a view that somebody shares as a tag of the experiment, and its name in the link; this writes such a tag.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from ser.judge import HEADLINES

#: Of the tags that keep shared views.
TAG = "mlflow.sharedViewState."
#: Curves by epoch of which each chart shows training and validation; those of the first fold.
CURVES = ("loss", "uar", "ccc")
#: Runs in a chart of curves.
MOST = 20
#: Runs that a view names one by one; more are found as children of their sweep, without those that others had made.
NAMED = 100


def make_view(
    parent: str, runs: Sequence[str], varied: Sequence[str], params: Collection[str], metrics: Collection[str]
) -> str:
    """The view of a sweep, as MLflow keeps it.

    Args:
        parent: MLflow's id of the sweep.
        runs: of its runs; some may be those of another sweep, which need not be made again.
        varied: names of what varied.
        params: names of the parameters of its runs; what is none of them has no column.
        metrics: names of their metrics.
    """
    shown = [name for name in varied if name in params]
    headline = next((name for name in HEADLINES if f"test/{name}" in metrics), "")
    scores = [f"test/{headline}{end}" for end in ("", "_ci_low", "_ci_high")] if headline else []
    scores = [
        name for name in [*scores, *(f"test/{other}" for other in HEADLINES.get(headline, ()))] if name in metrics
    ]
    state = {
        "searchFilter": select_runs(parent, runs),
        "orderByKey": f"metrics.`{scores[0]}`" if scores else "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [
            "attributes.`Duration`",
            *(f"params.`{name}`" for name in shown),
            *(f"metrics.`{name}`" for name in scores),
        ],
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "FIRST_20_RUNS",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,  # or sections are sorted by name, and ours is not the first
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        **make_charts(shown, scores[:1], metrics),
    }
    return json.dumps(state)


def select_runs(parent: str, runs: Sequence[str]) -> str:
    """Runs in MLflow's search language."""
    if 0 < len(runs) <= NAMED:
        return f"attributes.run_id IN ({', '.join(repr(run) for run in runs)})"
    return f"tags.`mlflow.parentRunId` = '{parent}'"


def make_charts(varied: Sequence[str], scores: Sequence[str], metrics: Collection[str]) -> dict[str, Any]:
    """Charts and their sections: what varied against the score, the score of each run, curves by epoch."""
    charts: list[dict[str, Any]] = []
    if scores and varied:
        charts.append(
            make_chart(
                "PARALLEL", "what varied", selectedParams=list(varied), selectedMetrics=list(scores), showAllRuns=True
            )
        )
    charts += [make_chart("BAR", name, metricKey=name) for name in scores]
    for curve in CURVES:
        if keys := [name for name in (f"fold-0/train/{curve}", f"fold-0/val/{curve}") if name in metrics]:
            charts.append(make_chart("LINE", f"{curve} by epoch, first fold", **draw_lines(keys)))
    return {
        "compareRunCharts": charts,
        "compareRunSections": [{"uuid": "sweep", "name": "Sweep", "display": True, "isReordered": False}],
    }


def draw_lines(keys: Sequence[str]) -> dict[str, Any]:
    """Settings of a chart with several metrics by epoch."""
    return {
        "metricKey": keys[0],
        "selectedMetricKeys": list(keys),
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "lineSmoothness": 0,
        "ignoreOutliers": False,
        "useGlobalLineSmoothing": False,
        "useGlobalXaxisKey": False,
        "range": {},
    }


def make_chart(kind: str, name: str, **settings: Any) -> dict[str, Any]:
    """One chart."""
    return {
        "type": kind,
        "uuid": f"{kind}-{name}",
        "displayName": name,
        "metricSectionId": "sweep",
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": MOST,
        **settings,
    }
